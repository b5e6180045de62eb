package roundtrip_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/analyze"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func (b *bench) summarize(in, out string, s analyze.Summary) ([]map[string]string, error) {
	s.In, s.Out, s.Options = []string{in}, b.path(out), job.Options{Overwrite: true}
	if _, err := analyze.Summarize(b.Context(), s); err != nil {
		return nil, err
	}
	return b.rows(s.Out), nil
}

func number(t testing.TB, text string) float64 {
	t.Helper()
	if text == "" {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(a, b, tolerance float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tolerance*(1+math.Abs(b))
}

// A summary in the clear has what encryption and decryption of the same table give, text for text but for the types of sums.
func TestSummaryEqualsDecryption(t *testing.T) {
	rows := vitals(t)
	if len(rows) > 2000 {
		rows = rows[:2000]
	}
	table := [][]string{{"ward", "HR", "SysABP"}}
	for i, r := range rows[1:] {
		row := []string{string("abc"[i%3]), r[2], r[3]}
		if i%7 == 0 {
			row[1+i%2] = ""
		}
		table = append(table, row)
	}
	b := newBench(t, paillier.MHL)
	in := b.table("a.csv", table)
	e := encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{IDs: []string{"ward"}, Measures: measures(t, "HR:decimals=2:clip=50..120:max=1000", "SysABP:decimals=2:max=1000"), Squares: []string{"HR"}, Products: []string{"HR*SysABP"}}}
	clear, err := b.summarize(in, "clear.csv", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out, Further: stats.Further{Ratios: []string{"q=HR/SysABP"}}})
	if err != nil {
		t.Fatal(err)
	}
	fused := b.fuse("f.cf.parquet", fuse.Request{In: []string{b.encrypt(in, e)}})
	if _, err := decrypt.Run(t.Context(), decrypt.Request{Unfused: true, Key: keys.Of(b.key), In: fused, Out: b.path("f.csv"), Further: stats.Further{Ratios: []string{"q=HR/SysABP"}}}); err != nil {
		t.Fatal(err)
	}
	secret := map[string]map[string]string{}
	for _, r := range b.rows(b.path("f.csv")) {
		secret[r["ward"]] = r
	}
	if len(clear) != 3 {
		t.Errorf("%d wards", len(clear))
	}
	for _, r := range clear {
		if fmt.Sprint(r) != fmt.Sprint(secret[r["ward"]]) {
			t.Errorf("\n in the clear %v\nencrypted     %v", r, secret[r["ward"]])
		}
	}
	if _, err := b.summarize(in, "x.vcf", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out}); job.Explain(orNone(err)).Kind != job.Usage {
		t.Errorf("%v", err)
	}
	e.Measures = measures(t, "HR:decimals=18")
	e.Squares, e.Products = []string{"HR"}, nil
	_, err = b.summarize(b.csv("big.csv", "ward,HR", "a,9", "a,9"), "x.csv", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out})
	refused(t, err, `big.csv: row 2 (line 3), column "HR": the sum of this value and those before has more than 38 digits`)
}

// Pooled summaries are what one table of all records gives; the average counts every owner the same.
func TestCombine(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=1"), Squares: []string{"x"}}}
	x, y := []string{"b,1", "a,2.5", "b,4", "a,~"}, []string{"b,10", "c,7", "c,8", "c,7.5"}
	one, err := b.summarize(b.csv("1.csv", append([]string{"g,x"}, x...)...), "s1.csv", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out})
	if err != nil {
		t.Fatal(err)
	}
	e.In, e.Out = []string{b.csv("2.csv", append([]string{"g,x"}, y...)...)}, b.path("s2.parquet")
	if _, err := analyze.Summarize(t.Context(), analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out}); err != nil {
		t.Fatal(err)
	}
	all, err := b.summarize(b.csv("all.csv", append(append([]string{"g,x"}, x...), y...)...), "s.csv", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out})
	if err != nil || len(one) != 2 {
		t.Fatal(err)
	}
	combine := func(method string, in ...string) ([]map[string]string, error) {
		_, err := analyze.Combine(t.Context(), analyze.Combination{Options: job.Options{Overwrite: true}, In: in, Out: b.path("c.csv"), Method: method})
		if err != nil {
			return nil, err
		}
		return b.rows(b.path("c.csv")), nil
	}
	pooled, err := combine("", b.path("s1.csv"), b.path("s2.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{}
	for _, r := range all {
		want[r["g"]] = r
	}
	if cells(pooled, "g") != "a b c" {
		t.Fatalf("%v", pooled)
	}
	for _, r := range pooled {
		w := want[r["g"]]
		if r["x_count"] != w["x_count"] || !near(number(t, r["x_mean"]), number(t, w["x_mean"]), 1e-14) || !near(number(t, r["x_var"]), number(t, w["x_var"]), 1e-13) {
			t.Errorf("%v, want %v", r, w)
		}
	}
	average, err := combine(analyze.Average, b.path("s1.csv"), b.path("s2.parquet"))
	if err != nil || cells(average, "x_mean") != "2.5 6.25 7.5" || cells(average, "x_count") != "1 2 1" {
		t.Errorf("%v, %v", average, err)
	}
	b.csv("no.csv", "g,y", "a,1")
	_, err = combine("", b.path("s1.csv"), b.path("no.csv"))
	refused(t, err, "no.csv: not a summary")
	b.csv("twice.csv", "g,x_count,x_mean,x_var", "a,1,1,~", "a,1,1,~")
	_, err = combine("", b.path("twice.csv"))
	refused(t, err, `twice.csv: row 2 (line 3), column "g": duplicate id`)
	b.csv("half.csv", "g,x_count,x_mean", "a,1.5,1")
	_, err = combine("", b.path("half.csv"))
	refused(t, err, `column "x_count": this is no count`)
	_, err = combine("", b.path("s1.csv"), b.path("s2.parquet"), b.dir+"/./s1.csv")
	misused(t, err, "s1.csv is given twice", "Name every file once")
	vcf := b.write("v.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\n1\t9\t.\tA\tC\t.\t.\t.\tGT\t0/1\n")
	e = encrypt.Request{Spec: dataset.Spec{In: []string{vcf}, IDs: variantIDs, Measures: measures(t, "AC")}}
	for _, e.Out = range []string{b.path("v.csv"), b.path("v.parquet")} {
		if _, err := analyze.Summarize(t.Context(), analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = combine("", b.path("v.csv"), b.path("v.parquet")) // text in the one, numbers in the other
	refused(t, err, `v.parquet: column "pos": ids of type int64, but`, "v.csv has utf8")
	_, err = combine("", b.path("v.parquet"), b.path("v.csv"))
	refused(t, err, `v.csv: column "pos": ids of type utf8, but`, "v.parquet has int64")
	if _, err := combine("median", b.path("s1.csv")); job.Explain(orNone(err)).Kind != job.Usage {
		t.Errorf("%v", err)
	}
}

// A file that a source names twice, whatever the spelling, would count twice.
func TestFileGivenTwice(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file, other := b.csv("a.csv", "g,x", "a,1"), b.csv("b.csv", "g,x", "a,2")
	e := encrypt.Request{Key: keys.Of(b.key), Out: b.path("o.csv"), Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=9")}}
	for _, again := range []string{file, b.dir + "/./a.csv", b.path("?.csv"), b.dir} {
		e.In = []string{file, again}
		_, err := analyze.Summarize(t.Context(), analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out})
		misused(t, err, "a.csv is given twice", "Name every file once")
		_, err = encrypt.Run(t.Context(), e)
		misused(t, err, "a.csv is given twice")
	}
	e.In = []string{file, other}
	if _, err := analyze.Summarize(t.Context(), analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out}); err != nil {
		t.Error(err)
	}
}

// Association statistics are those computed elsewhere, also far out in the tails.
func TestAssociate(t *testing.T) {
	b := newBench(t, paillier.MHL)
	b.csv("cases.csv", "chrom,pos,alt,AC_sum,AN_sum,AC_count", "1,5,A,30,200,9", "1,6,C,0,200,9", "1,7,G,100,200,9", "2,1,T,5000,20000,9", "3,1,A,1,2,1", "1,8,T,0,0,0", "5,1,A,-3,200,9", "5,2,A,30,20,9", "5,3,A,3,20,9")
	b.csv("controls.csv", "chrom,pos,alt,AC_sum,AN_sum", "2,1,T,4000,20000", "1,5,A,15,180", "1,6,C,0,180", "1,7,G,90,180", "4,4,A,1,1", "1,8,T,5,10", "5,1,A,15,180", "5,2,A,15,180", "5,3,A,-1.5,180")
	associate := func(a analyze.Association) ([]map[string]string, *job.Report, error) {
		a.Options, a.Out = job.Options{Overwrite: true}, b.path("out.csv")
		report, err := analyze.Associate(t.Context(), a)
		if err != nil {
			return nil, nil, err
		}
		return b.rows(a.Out), report, nil
	}
	rows, report, err := associate(analyze.Association{Cases: []string{b.path("cases.csv")}, Controls: []string{b.path("controls.csv")}})
	if err != nil || *report.Unmatched != 2 || report.Records != 8 {
		t.Fatalf("%+v, %v", report, err)
	}
	for i, want := range []string{ // AF, AF, OR, chi-square, P, by Python's integers and math.erfc
		"0.15 0.0833333333333333 1.9411764705882353 4.033167495854063 0.044614102887251546",
		"0 0 NaN NaN NaN",
		"0.5 0.5 1 0 1",
		"0.25 0.2 1.3333333333333333 143.36917562724014 4.881048555269828e-33",
		"NaN 0.5 NaN NaN NaN",
		"-0.015 0.0833333333333333 NaN NaN NaN", // with noise: no counts of alleles
		"1.5 0.0833333333333333 NaN NaN NaN",
		"0.15 -0.0083333333333333 NaN NaN NaN",
	} {
		for k, name := range []string{"AF_cases", "AF_controls", "OR", "CHISQ", "P"} {
			w, err := strconv.ParseFloat(strings.Fields(want)[k], 64)
			if err != nil {
				t.Fatal(err)
			}
			got := number(t, rows[i][name])
			if !(near(got, w, 1e-13) && (name != "P" || !(w > 0) || math.Abs(got/w-1) < 1e-12)) {
				t.Errorf("%s: %s = %v, want %v", rows[i]["pos"], name, got, w)
			}
		}
	}
	// Student's sleep data (1908), the example of R's t.test: t = -1.8608, df = 17.776, p-value = 0.07939.
	b.csv("g1.csv", "g,x_count,x_mean,x_var", "s,10,0.75,3.200555555555556", "q,5,1,0")
	b.csv("g2.csv", "g,x_count,x_mean,x_var", "s,10,2.33,4.009", "q,5,1,0")
	rows, _, err = associate(analyze.Association{Cases: []string{b.path("g1.csv")}, Controls: []string{b.path("g2.csv")}, Test: analyze.Welch, Measure: "x"})
	if err != nil || !near(number(t, rows[0]["T"]), -1.8608, 1e-5) || !near(number(t, rows[0]["DF"]), 17.776, 1e-4) || !near(number(t, rows[0]["P"]), 0.07939, 1e-5) || rows[1]["P"] != "" {
		t.Errorf("%v, %v", rows, err)
	}
	for _, a := range []analyze.Association{{Test: "anova"}, {Test: analyze.Welch}, {Measure: "x"}} {
		a.Cases, a.Controls = []string{b.path("g1.csv")}, []string{b.path("g2.csv")}
		if _, _, err := associate(a); job.Explain(orNone(err)).Kind != job.Usage {
			t.Errorf("%+v: %v", a, err)
		}
	}
	b.csv("other.csv", "chrom,pos,alt,AC_sum,AN_sum", "9,9,T,1,2")
	_, _, err = associate(analyze.Association{Cases: []string{b.path("cases.csv")}, Controls: []string{b.path("other.csv")}})
	refused(t, err, "other.csv: no id is in", "cases.csv too")
	_, _, err = associate(analyze.Association{Cases: []string{b.path("cases.csv")}, Controls: []string{b.path("g1.csv")}})
	refused(t, err, `g1.csv`, `no such column: "AC_sum"`)
}

// An owner finds its ids in a result by the list of tokens.
func TestTokenList(t *testing.T) {
	b := newBench(t, paillier.MHL)
	key, token := b.tokenKey("tokens.json")
	in := b.csv("a.csv", "Gene,site,x", "ENSG00000000003.4,r,1", "ENSG00000000005,s,2")
	_, err := analyze.ListTokens(t.Context(), analyze.TokenList{Spec: dataset.Spec{In: []string{in}, IDs: []string{"Gene:as=gene:ensembl", "site"}, Tokenize: []string{"gene"}, TokenKey: key}, Out: b.path("list.csv")})
	if err != nil {
		t.Fatal(err)
	}
	rows := b.rows(b.path("list.csv"))
	for i, id := range []string{"ENSG00000000003", "ENSG00000000005"} {
		if rows[i]["gene"] != id || rows[i]["gene_token"] != token(idDomain, 16, id) || rows[i]["site"] != []string{"r", "s"}[i] || len(rows[i]) != 3 {
			t.Errorf("%v", rows[i])
		}
	}
}
