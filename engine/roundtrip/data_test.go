package roundtrip_test

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

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// realData reads a file of the real data sets beside the repository, or says loudly that it is not there and returns nil:
// what the test then still checks is said by the test.
func realData(t testing.TB, name string, comma rune) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("../../../shared/data", name))
	if os.IsNotExist(err) {
		t.Logf("NOT CHECKED: %s is not beside this checkout (../shared/data)", name)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	c := csv.NewReader(r)
	c.Comma, c.LazyQuotes, c.ReuseRecord = comma, true, false
	rows, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func expected(t testing.TB, section string, v any) {
	t.Helper()
	data, err := os.ReadFile("../../../shared/data/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[section], v); err != nil {
		t.Fatal(err)
	}
}

// vitals returns the pairs of heart rate and blood pressure of the full data, or of the excerpt that ships with the
// project.
func vitals(t testing.TB) [][]string {
	rows := realData(t, "physionet2012_setA_600_vitals_long.csv.gz", ',')
	if rows == nil {
		for _, name := range []string{"icu-east.csv", "icu-west.csv"} {
			for i, r := range excerpt(t, name, ',') {
				if i == 0 && rows != nil || slices.Contains(r, "") || slices.Contains(r, "NA") {
					continue
				}
				rows = append(rows, r)
			}
		}
		return rows
	}
	type key struct{ record, minute string }
	hr, abp := map[key]string{}, map[key]string{}
	out := [][]string{{"record", "minute", "HR", "SysABP"}}
	for _, r := range rows[1:] {
		switch r[2] {
		case "HR":
			hr[key{r[0], r[1]}] = r[3]
		case "SysABP":
			abp[key{r[0], r[1]}] = r[3]
		}
	}
	for k, x := range hr {
		if y, ok := abp[k]; ok {
			out = append(out, []string{k.record, k.minute, x, y})
		}
	}
	return out
}

// PhysioNet 2012: mean, variance and correlation of heart rate and blood pressure over three owners equal what the exact
// integers give.
func TestPhysioNet(t *testing.T) {
	rows := vitals(t)
	b := newBench(t, paillier.MHL)
	var files []string
	for o := range 3 {
		part := [][]string{rows[0]}
		for i, r := range rows[1:] {
			if i%3 == o {
				part = append(part, r)
			}
		}
		e := encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{IDs: []string{"record", "minute"}, Measures: measures(t, "HR:decimals=2:max=1000", "SysABP:decimals=2:max=1000"), Squares: []string{"HR", "SysABP"}, Products: []string{"HR*SysABP"}}, Layout: slots.Blocks, MaxAdds: 1 << 16}
		files = append(files, b.encrypt(b.table("o"+strconv.Itoa(o)+".csv", part), e))
	}
	got := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: files, By: []string{}}))[0]
	p := newMoments()
	for _, r := range rows[1:] {
		p.add(1, rat(t, r[2]), rat(t, r[3]))
	}
	if got["HR_count"] != strconv.FormatInt(p.n, 10) || rat(t, got["HR_sum"]).Cmp(p.x) != 0 || rat(t, got["SysABP_sum"]).Cmp(p.y) != 0 {
		t.Errorf("sums %s, %s of %s, want %v, %v of %d", got["HR_sum"], got["SysABP_sum"], got["HR_count"], p.x, p.y, p.n)
	}
	equalNumber(t, "mean", got["HR_mean"], p.mean())
	equalNumber(t, "variance", got["HR_var"], p.spread(p.xx, p.x, p.x))
	equalNumber(t, "covariance", got["HR_SysABP_cov"], p.spread(p.xy, p.x, p.y))
	if len(rows) < 20000 {
		return
	}
	var want struct {
		N      int64   `json:"n"`
		SX     int64   `json:"sx"`
		R      float64 `json:"r"`
		VarHR  float64 `json:"var_HR"`
		MeanHR float64 `json:"mean_HR"`
	}
	expected(t, "physionet2012_HR_SysABP", &want)
	if p.n != want.N || rat(t, got["HR_sum"]).Cmp(big.NewRat(want.SX, 100)) != 0 {
		t.Errorf("%d pairs with sum %s, want %d with %d hundredths", p.n, got["HR_sum"], want.N, want.SX)
	}
	for name, w := range map[string]float64{"HR_SysABP_cor": want.R, "HR_var": want.VarHR, "HR_mean": want.MeanHR} {
		// The published figures were rounded twice (quotient, then units), which may cost their last bit.
		if g, _ := rat(t, got[name]).Float64(); g != w && g != math.Nextafter(w, g) {
			t.Errorf("%s = %s, want %v", name, got[name], w)
		}
	}
}

// GEUVADIS expression: signed values of up to 17 decimals sum exactly, and one owner's values come back as they were.
func TestGeuvadis(t *testing.T) {
	rows := realData(t, "geuvadis_chr22_expression_fastqtl.bed.gz", '\t')
	if rows == nil {
		rows = [][]string{{"#Chr", "start", "end", "TargetID", "HG1", "HG2"},
			{"22", "1", "2", "E1", "-0.380649691780917", "1.4732165988722801"}, {"22", "3", "4", "E2", "-2.26018899132937", "0.03527372856099109"}}
	}
	const decimals = 17
	b := newBench(t, paillier.DJN)
	// two samples per owner, as the measures s0 and s1, so that fusing adds samples up gene by gene
	var files []string
	const owners = 3
	for o := range owners {
		part := [][]string{{"gene", "s0"}}
		for _, r := range rows[1:] {
			part = append(part, []string{r[3], r[4+o%(len(r)-4)]})
		}
		files = append(files, b.encrypt(b.table("o"+strconv.Itoa(o)+".csv", part),
			encrypt.Request{Spec: dataset.Spec{IDs: []string{"gene"}, Measures: measures(t, "s0:decimals=17:max=10")}, Layout: slots.Blocks}))
	}
	single := b.decrypt(files[0])
	sum := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: files}))
	if len(sum) != len(rows)-1 {
		t.Fatalf("%d genes, want %d", len(sum), len(rows)-1)
	}
	negative := 0
	for i, r := range rows[1:] {
		if strings.HasPrefix(r[4], "-") {
			negative++
		}
		if single[i]["gene"] != r[3] || rat(t, single[i]["s0_sum"]).Cmp(rat(t, r[4])) != 0 {
			t.Fatalf("%s: %s comes back as %s", r[3], r[4], single[i]["s0_sum"])
		}
		want := new(big.Rat)
		for o := range owners {
			want.Add(want, rat(t, r[4+o%(len(r)-4)]))
		}
		if rat(t, sum[i]["s0_sum"]).Cmp(want) != 0 {
			t.Fatalf("%s: sum %s, want %s", r[3], sum[i]["s0_sum"], want.FloatString(decimals))
		}
	}
	if negative == 0 {
		t.Error("no negative value was among them")
	}
}

// Human Protein Atlas: rows split among three owners, both layouts; column sums equal the published answers.
func TestProteinAtlas(t *testing.T) {
	rows := realData(t, "hpa_rna_celline_tissue_extended.tsv.gz", '\t')
	short := rows == nil
	if short {
		rows = excerpt(t, "brain.tsv", '\t')
	}
	const columns = 6 // of the 12 whose answers are published
	for _, layout := range []string{slots.Records, slots.Blocks} {
		b := newBench(t, paillier.MHL)
		var files []string
		for o := range 3 {
			part := [][]string{rows[0][:columns+1]}
			for i, r := range rows[1:] {
				if i%3 == o && (layout == slots.Blocks || i%8 == o) { // records cost a ciphertext each: an eighth of the genes will do
					part = append(part, r[:columns+1])
				}
			}
			files = append(files, b.encrypt(b.table("o"+strconv.Itoa(o)+".csv", part), encrypt.Request{Key: keys.Of(b.key),
				Spec: dataset.Spec{IDs: rows[0][:1], Measures: measures(t, "*:decimals=1:max=6520")}, Layout: layout, MaxAdds: 1 << 16}))
		}
		got := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: files, By: []string{}}))[0]
		want := map[string]*big.Rat{}
		for i, r := range rows[1:] {
			if layout == slots.Records && i%8 != i%3 {
				continue
			}
			for c := 1; c <= columns; c++ {
				if want[rows[0][c]] == nil {
					want[rows[0][c]] = new(big.Rat)
				}
				if r[c] != "NA" && r[c] != "" {
					want[rows[0][c]].Add(want[rows[0][c]], rat(t, r[c]))
				}
			}
		}
		if layout == slots.Blocks && !short {
			var published struct {
				Genes int              `json:"genes"`
				Sum   map[string]int64 `json:"sum"`
			}
			expected(t, "hpa_rna", &published)
			if published.Genes != len(rows)-1 {
				t.Errorf("%d genes, want %d", len(rows)-1, published.Genes)
			}
			for c := 1; c <= columns; c++ {
				want[rows[0][c]] = big.NewRat(published.Sum[rows[0][c]], 10)
			}
		}
		for name, w := range want {
			if rat(t, got[name+"_sum"]).Cmp(w) != 0 {
				t.Errorf("%s: %s = %s, want %s", layout, name, got[name+"_sum"], w.FloatString(1))
			}
		}
	}
}

// excerpt reads a small excerpt of real data that ships with the project.
func excerpt(t testing.TB, name string, comma rune) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("../../testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = comma
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// An interrupted job says so and leaves nothing.
func TestInterruption(t *testing.T) {
	b := newBench(t, paillier.DJN)
	rows := [][]string{{"g", "x"}}
	for i := range 20_000 { // long enough for whoever interrupts
		rows = append(rows, []string{strconv.Itoa(i), strconv.Itoa(i)})
	}
	in := b.table("a.csv", rows)
	ctx, cancel := context.WithCancel(context.Background())
	o := job.Options{Watch: func(stage string, p *job.Progress) func() {
		if stage == "encrypt" {
			go func() {
				for p.Done.Load() == 0 {
				}
				cancel()
			}()
		}
		return func() {}
	}}
	_, err := encrypt.Run(ctx, encrypt.Request{Options: o, Key: keys.Of(b.key.Public()), Spec: dataset.Spec{In: []string{in}, IDs: []string{"g"}, Measures: measures(t, "x:max=100000")}, Out: b.path("a.cf.parquet")})
	if f := job.Explain(err); err == nil || f.Kind != job.Interrupted {
		t.Errorf("%v, want an interruption", err)
	}
	if got := b.files(); len(got) != 1 || got[0] != "a.csv" {
		t.Errorf("files left: %q", got)
	}
}

// gunzip returns the text of a compressed file, at most `most` bytes of it.
func gunzip(t testing.TB, file string, most int64) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(io.LimitReader(z, most))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Human Protein Atlas: where proteins are in the cell and how much RNA there is, two owners' tables joined by tokens of the
// genes, equal the plain join; the aggregator hears how many genes are in one table only.
func TestProteinAtlasJoinedByTokens(t *testing.T) {
	places, rna := realData(t, "hpa_subcellular_location.tsv", '\t'), realData(t, "hpa_rna_celline_tissue_extended.tsv.gz", '\t')
	if places == nil || rna == nil {
		rna = excerpt(t, "brain.tsv", '\t')
		places = [][]string{{"Gene", "Reliability"}}
		for i, r := range rna[1:] {
			gene := r[0]
			if i%3 == 0 {
				gene = fmt.Sprintf("ENSG%011d", i) // not in the other table
			}
			places = append(places, []string{gene, []string{"Uncertain", "Supported"}[i%2]})
		}
	}
	levels := map[string]string{"Uncertain": "1", "Approved": "2", "Supported": "3", "Validated": "4"}
	at := slices.Index(places[0], "Reliability")
	const every, columns = 4, 3 // a quarter of the genes, and the first columns, will do: each gene costs a ciphertext
	var left, right [][]string
	plain := map[string][]string{} // by gene: reliability, then the columns
	for i, r := range places {
		if i == 0 || i%every == 1 {
			left = append(left, []string{r[0], r[at]})
		}
		if i%every == 1 {
			plain[r[0]] = append([]string{levels[r[at]]}, make([]string, columns)...)
		}
	}
	for i, r := range rna {
		if i == 0 || i%every == 1 {
			right = append(right, append([]string{r[0] + map[bool]string{true: ".7"}[i > 0]}, r[1:columns+1]...))
		}
		if i%every == 1 {
			if plain[r[0]] == nil {
				plain[r[0]] = make([]string, columns+1)
			}
			copy(plain[r[0]][1:], r[1:columns+1])
		}
	}
	unmatched := int64(0)
	for _, x := range plain {
		if x[0] == "" || x[1] == "" {
			unmatched++
		}
	}
	if unmatched == 0 || unmatched == int64(len(plain)) {
		t.Fatalf("%d of %d genes are in one table only", unmatched, len(plain))
	}
	b := newBench(t, paillier.MHL)
	key, token := b.tokenKey("tokens.json")
	e := encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{IDs: []string{left[0][0] + ":as=gene:ensembl"}, Tokenize: []string{"gene"}, TokenKey: key, Measures: measures(t, "Reliability:levels=Uncertain=1|Approved=2|Supported=3|Validated=4:max=4")}}
	x := b.encrypt(b.table("places.csv", left), e)
	e.IDs = []string{right[0][0] + ":as=gene:ensembl"}
	if e.Measures = measures(t, "*:decimals=1:max=6520"); right[0][0] == "gene" {
		e.IDs = []string{"gene:ensembl"}
	}
	y := b.encrypt(b.table("rna.csv", right), e)
	report, err := fuse.Run(t.Context(), fuse.Request{In: []string{x, y}, Out: b.path("f.cf.parquet"), Unmatched: true})
	if err != nil || report.Unmatched == nil || *report.Unmatched != unmatched {
		t.Fatalf("%+v, %v, want %d unmatched genes", report, err, unmatched)
	}
	rows := b.decrypt(b.path("f.cf.parquet"))
	if len(rows) != len(plain) {
		t.Errorf("%d genes, want %d", len(rows), len(plain))
	}
	got := map[string]map[string]string{}
	for _, r := range rows {
		got[r["gene"]] = r
	}
	names := append([]string{"Reliability"}, rna[0][1:columns+1]...)
	for gene, want := range plain {
		r := got[token(idDomain, 16, gene)]
		for i, name := range names {
			there := "1"
			if want[i] == "" || want[i] == "NA" {
				want[i], there = "0", "0"
			}
			if r[name+"_count"] != there || rat(t, r[name+"_sum"]).Cmp(rat(t, want[i])) != 0 {
				t.Fatalf("%s: %s is %s of %s, want %s of %s", gene, name, r[name+"_sum"], r[name+"_count"], want[i], there)
			}
		}
	}
}

// GEUVADIS as FastQTL has it: a BED file is read as it is, its gene ids without their versions.
func TestGeuvadisBED(t *testing.T) {
	rows := realData(t, "geuvadis_chr22_expression_fastqtl.bed.gz", '\t')
	if rows == nil {
		rows = [][]string{{"#Chr", "start", "end", "TargetID", "HG00096"}, {"22", "1", "2", "ENSG00000237438.1", "-0.380649691780917"}}
	}
	var text strings.Builder
	for i, r := range rows {
		rows[i] = r[:min(len(r), 6)] // two samples
		text.WriteString(strings.Join(rows[i], "\t") + "\n")
	}
	b := newBench(t, paillier.MHL)
	got := b.decrypt(b.encrypt(b.write("expression.bed", text.String()), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id:as=gene:ensembl"}, Measures: measures(t, "*:decimals=17:max=10")}, Layout: slots.Blocks})) // the samples, not where a gene is
	if len(got) != len(rows)-1 || len(got[0]) != 1+3*(len(rows[0])-4) {
		t.Fatalf("%d genes of %d columns, want %d", len(got), len(got[0]), len(rows)-1)
	}
	for i, r := range rows[1:] {
		gene, _, _ := strings.Cut(r[3], ".")
		for k, v := range r[4:] {
			if sum := got[i][rows[0][4+k]+"_sum"]; got[i]["gene"] != gene || rat(t, sum).Cmp(rat(t, v)) != 0 {
				t.Fatalf("%s of %s comes back as %s of %s", v, r[3], sum, got[i]["gene"])
			}
		}
	}
}
