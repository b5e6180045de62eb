package server_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// sharedData is where larger real data is, beside the repository.
const sharedData = "../../../../shared/data"

// The vital signs of the PhysioNet 2012 challenge, through a gateway and three servers with their stores: sums of heart rate and
// systolic pressure are the known ones exactly, statistics to the last digit.
func TestPhysioNet(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(sharedData, "physionet2012_setA_600_vitals_long.csv.gz"))
	if os.IsNotExist(err) {
		t.Log("NOT CHECKED: the vital signs are not beside this checkout (../shared/data); TestStatistics checks made-up ones")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	// A quick run takes the first patients. Sums in plain are made on the way: a value that comes again replaces the earlier one.
	rowsMax := thoroughtest.Pick(8_000, math.MaxInt)
	var text strings.Builder
	type place struct{ patient, minute string }
	values := map[string]map[place]int64{"HR": {}, "SysABP": {}}
	lines := bufio.NewScanner(z)
	for rows := 0; rows < rowsMax && lines.Scan(); rows++ {
		text.WriteString(lines.Text() + "\n")
		cells := strings.Split(lines.Text(), ",")
		if m := values[cells[2]]; m != nil {
			v, err := codec.ParseDecimal(cells[3], 2)
			if err != nil {
				t.Fatal(err)
			}
			m[place{cells[0], cells[1]}] = v
		}
	}
	want := map[string]*big.Int{}
	for _, name := range []string{"n", "sx", "sy", "sxx", "sxy", "syy"} {
		want[name] = new(big.Int)
	}
	add := func(name string, x, y int64) {
		want[name].Add(want[name], new(big.Int).Mul(big.NewInt(x), big.NewInt(y)))
	}
	for at, x := range values["HR"] {
		if y, ok := values["SysABP"][at]; ok {
			add("n", 1, 1)
			add("sx", x, 1)
			add("sy", y, 1)
			add("sxx", x, x)
			add("sxy", x, y)
			add("syy", y, y)
		}
	}
	table := filepath.Join(t.TempDir(), "vitals.csv")
	if err := os.WriteFile(table, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := clustertest.New(t, func(s *tryout.Setup) {
		s.Attributes = []server.Attribute{{Name: "HR", Unit: "bpm", Decimals: 2, Max: 1000}, {Name: "SysABP", Unit: "mmHg", Decimals: 2, Max: 1000}, {Name: "Temp", Unit: "degC", Decimals: 2, Max: 1000}}
	})
	g := c.Gateway(func(o *gateway.Options) { o.Batch = 20_000 })
	added, skipped, err := g.IngestFile(t.Context(), jobOptions, &gateway.Table{Patient: "record", Time: "minute", TimeUnit: "min", Attribute: "parameter", Value: "value", SkipOthers: true, Round: true}, table, nil)
	if err == nil {
		err = g.Finish(c.Within())
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	rita := c.Client(c.ResearcherConfig())
	answers := map[string]*client.Answer{}
	for _, statistic := range []string{access.Variance, access.Correlation, access.Regression} {
		attributes := []string{"HR", "SysABP"}
		if statistic == access.Regression {
			attributes = []string{"SysABP", "HR"}
		}
		if answers[statistic], err = rita.Ask(c.Within(), &client.Question{Statistic: statistic, Attributes: attributes}); err != nil {
			t.Fatal(err)
		}
	}
	m := answers[access.Correlation].Moments[0]
	got := map[string]*big.Int{"n": big.NewInt(m.Count), "sx": m.Sums[0], "sy": m.Sums[1], "sxx": m.Product(0, 0), "sxy": m.Product(0, 1), "syy": m.Product(1, 1)}
	for name, x := range got {
		if x.Cmp(want[name]) != 0 {
			t.Errorf("%s is %s, not %s", name, x, want[name])
		}
	}
	t.Logf("%d readings stored, %d rows of other attributes, %d pairs", added, skipped, m.Count)
	if !thoroughtest.AtLeast(thoroughtest.Thorough) {
		return
	}
	data, err := os.ReadFile(filepath.Join(sharedData, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&known); err != nil {
		t.Fatal(err)
	}
	set := known["physionet2012_HR_SysABP"]
	for name, x := range got {
		if x.String() != set[name].(json.Number).String() {
			t.Errorf("%s is %s, not %s", name, x, set[name])
		}
	}
	numbers := map[string]float64{}
	for _, a := range answers {
		quantities, err := a.Quantities()
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range quantities {
			numbers[q.Name] = *q.Value
		}
	}
	for name, key := range map[string]string{"mean of HR": "mean_HR", "mean of SysABP": "mean_SysABP", "variance of HR": "var_HR", "correlation of HR and SysABP": "r", "slope of HR": "slope"} {
		want, err := set[key].(json.Number).Float64()
		if err != nil || math.Abs(numbers[name]-want) > 4e-16*math.Abs(want) {
			t.Errorf("%s is %v, not %v", name, numbers[name], want)
		}
	}
}
