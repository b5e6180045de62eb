package protocol

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// sharedData is where larger real data is, beside the repository.
const sharedData = "../../../../shared/data"

// eachRow reads a gzipped CSV file, without its header. It reports whether the file is there.
func eachRow(t *testing.T, name string, row func([]string)) bool {
	t.Helper()
	f, err := os.Open(filepath.Join(sharedData, name))
	if os.IsNotExist(err) {
		t.Logf("NOT CHECKED: %s is not beside this checkout (../shared/data); TestQueries checks made-up columns", name)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	for n := 0; ; n++ {
		fields, err := r.Read()
		if err == io.EOF {
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			row(fields)
		}
	}
}

// expected reads the known statistics of a data set.
func expected(t *testing.T, set string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedData, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all[set]
}

// ask lets three servers answer for two columns of real data, and compares with plain sums.
func ask(t *testing.T, x, y []int64, bound uint64) *moments.Moments {
	t.Helper()
	q := &Query{Servers: 3, Columns: []Column{{"x", bound}, {"y", bound}}, Pairs: AllPairs(2), Groups: []int64{int64(len(x))}}
	servers, err := newServers(q, [][]int64{x, y}, nil)
	if err != nil {
		t.Fatal(err)
	}
	results, _, err := Run(context.Background(), servers)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Sums(q, results...)
	if err != nil {
		t.Fatal(err)
	}
	if want := plain(q, [][]int64{x, y}); !same(got[0], want[0]) {
		t.Fatalf("%+v, not %+v", got[0], want[0])
	}
	return got[0]
}

// Heart rate and systolic pressure of the PhysioNet 2012 challenge: sums equal the known ones exactly, statistics to the
// digits that they are known with.
func TestPhysioNet(t *testing.T) {
	type place struct{ record, minute string }
	values := map[string]map[place]int64{"HR": {}, "SysABP": {}}
	if !eachRow(t, "physionet2012_setA_600_vitals_long.csv.gz", func(f []string) {
		if m := values[f[2]]; m != nil {
			v, ok := new(big.Rat).SetString(f[3])
			if !ok {
				t.Fatalf("%v", f)
			}
			cents, _ := v.Mul(v, big.NewRat(100, 1)).Float64()
			m[place{strings.Clone(f[0]), strings.Clone(f[1])}] = int64(math.RoundToEven(cents))
		}
	}) {
		return
	}
	var places []place
	for p := range values["HR"] {
		if _, ok := values["SysABP"][p]; ok {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return strings.Compare(a.record+" "+a.minute, b.record+" "+b.minute)
	})
	all := len(places)
	places = places[:min(all, thoroughtest.Pick(300, all))]
	var x, y []int64
	for _, p := range places {
		x, y = append(x, values["HR"][p]), append(y, values["SysABP"][p])
	}
	m := ask(t, x, y, 100_000)
	line, err := m.Regress(1, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	sign, square, err := m.Correlation(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	slope, _ := line.Coefficients[1].Float64()
	r := float64(sign) * moments.Root(square)
	t.Logf("%d pairs: r %.6f, slope %.6f ± %.6f", len(x), r, slope, moments.Root(line.Variances[1]))
	if !thoroughtest.AtLeast(thoroughtest.Thorough) {
		return // a part was compared with plain sums
	}
	want := expected(t, "physionet2012_HR_SysABP")
	for name, got := range map[string]*big.Int{"n": big.NewInt(m.Count), "sx": m.Sums[0], "sy": m.Sums[1], "sxx": m.Product(0, 0), "sxy": m.Product(0, 1), "syy": m.Product(1, 1)} {
		if got.String() != fmt.Sprint(want[name]) {
			t.Errorf("%s is %s, not %v", name, got, want[name])
		}
	}
	for name, got := range map[string]float64{"r": r, "slope": slope} {
		if w, err := strconv.ParseFloat(fmt.Sprint(want[name]), 64); err != nil || math.Abs(got-w) > 1e-14 {
			t.Errorf("%s is %v, not %v", name, got, want[name])
		}
	}
}

// The two leads of record 100 of the MIT-BIH arrhythmia database, 30 minutes of samples.
func TestMITBIH(t *testing.T) {
	var x, y []int64
	rows := thoroughtest.Pick(500, 50_000)
	if thoroughtest.AtLeast(thoroughtest.Exhaustive) {
		rows = math.MaxInt // all 650,000
	}
	if !eachRow(t, "mitbih_100_ecg.csv.gz", func(f []string) {
		if len(x) >= rows {
			return
		}
		u, err1 := strconv.ParseInt(f[1], 10, 64)
		v, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("%v", f)
		}
		x, y = append(x, u), append(y, v)
	}) {
		return
	}
	m := ask(t, x, y, 2047)
	if !thoroughtest.AtLeast(thoroughtest.Exhaustive) {
		return // a part was compared with plain sums
	}
	want := expected(t, "mitbih_100")
	for name, got := range map[string]*big.Int{"n": big.NewInt(m.Count), "sum_MLII": m.Sums[0], "sum_V5": m.Sums[1],
		"sumsq_MLII": m.Product(0, 0), "sumprod": m.Product(0, 1), "sumsq_V5": m.Product(1, 1)} {
		if got.String() != fmt.Sprint(want[name]) {
			t.Errorf("%s is %s, not %v", name, got, want[name])
		}
	}
}
