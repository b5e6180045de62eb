package roundtrip_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// csv writes lines of cells separated by blanks, "~" being an empty one.
func (b *bench) csv(name string, lines ...string) string {
	b.Helper()
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, strings.Fields(strings.ReplaceAll(l, ",", " ")))
		for i, c := range rows[len(rows)-1] {
			if c == "~" {
				rows[len(rows)-1][i] = ""
			}
		}
	}
	return b.table(name, rows)
}

// column returns a column of decrypted rows, separated by blanks, "~" for an empty cell.
func cells(rows []map[string]string, name string) string {
	var out []string
	for _, r := range rows {
		v, ok := r[name]
		switch {
		case !ok:
			v = "no-column"
		case v == "":
			v = "~"
		}
		out = append(out, v)
	}
	return strings.Join(out, " ")
}

// refused checks that an error is about the input, with everything said.
func refused(t testing.TB, err error, want ...string) {
	t.Helper()
	f := job.Explain(orNone(err))
	if err == nil || f.Kind != job.Refused || f.Hint == "" {
		t.Errorf("%v (kind %s, hint %q), want a refusal with %q", err, f.Kind, f.Hint, want)
		return
	}
	for _, w := range want {
		if !strings.Contains(f.Message, w) {
			t.Errorf("%s\nlacks %q", f.Message, w)
		}
	}
}

// misused checks that an error is about what was asked for, with everything said.
func misused(t testing.TB, err error, want ...string) {
	t.Helper()
	f := job.Explain(orNone(err))
	for _, w := range want {
		if err == nil || f.Kind != job.Usage || !strings.Contains(f.Message+" "+f.Hint, w) {
			t.Errorf("%v (kind %s, hint %q), want a usage error with %q", err, f.Kind, f.Hint, w)
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}

// Every step of a preparation, alone and together, gives what arithmetic by hand gives, in both layouts.
func TestPreparation(t *testing.T) {
	lines := []string{"g,x", "a,0", "b,1", "c,7", "d,~", "e,100.5", "f,3"}
	for spec, want := range map[string]string{
		"x:decimals=1:range=0..100.5":                                "0.0 1.0 7.0 0.0 100.5 3.0",
		"x:decimals=1:unit=TPM:clip=1..50":                           "1.0 1.0 7.0 0.0 50.0 3.0",
		"x:decimals=3:log2:max=20":                                   "0.000 1.000 3.000 0.000 6.665 2.000", // log2(101.5) = 6.6653359...
		"x:decimals=2:zscore=3.5/2:max=1000":                         "-1.75 -1.25 1.75 0.00 48.50 -0.25",
		"x:decimals=0:zscore=0/2:max=1000":                           "0 0 4 0 50 2", // 0.5, 3.5, 50.25, 1.5: ties to even
		"x:decimals=1:tpm:max=1000000":                               "0.0 8968.6 62780.3 0.0 901345.3 26905.8",
		"x:decimals=1:clip=0..10:missing=zero":                       "0.0 1.0 7.0 0.0 10.0 3.0",
		"x:decimals=1:missing=mean:max=1000":                         "0.0 1.0 7.0 22.3 100.5 3.0", // 111.5 / 5
		"x:decimals=1:missing=median:max=1000":                       "0.0 1.0 7.0 3.0 100.5 3.0",
		"x:decimals=4:range=0..200:log2:zscore=2/1:clip=-2..3:max=9": "-2.0000 -1.0000 1.0000 0.0000 3.0000 0.0000",
		"x:decimals=4:tpm:log2:missing=mean:max=30":                  "0.0000 13.1308 15.9380 12.7132 19.7817 14.7157",
	} {
		for _, layout := range []string{slots.Records, slots.Blocks} {
			b := newBench(t, paillier.MHL)
			ct := b.encrypt(b.csv("a.csv", lines...), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, spec)}, Layout: layout})
			rows := b.decrypt(ct)
			if got := cells(rows, "x_sum"); got != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", spec, layout, got, want)
			}
			missing := "1 1 1 0 1 1"
			if strings.Contains(spec, "missing=") {
				missing = "1 1 1 1 1 1"
			}
			if got := cells(rows, "x_count"); got != missing {
				t.Errorf("%s, %s: counts %s", spec, layout, got)
			}
		}
	}
}

// Blanks around a number do not matter, whether it stays a decimal or becomes a double.
func TestBlanksAroundNumbers(t *testing.T) {
	for _, spec := range []string{"x:decimals=2:max=100", "x:decimals=2:missing=mean:max=100", "x:decimals=2:zscore=0/1:max=100"} {
		b := newBench(t, paillier.MHL)
		file := b.write("a.csv", "g,x\na, 5\nb,6.5 \nc,\t7\t\n")
		if got := cells(b.decrypt(b.encrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, spec)}})), "x_sum"); got != "5.00 6.50 7.00" {
			t.Errorf("%s: %s", spec, got)
		}
		_, _, err := b.tryEncrypt(b.write("b.csv", "g,x\na,5 6\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, spec)}})
		refused(t, err, `"5 6" is not a number`)
		_, _, err = b.tryEncrypt(b.write("c.csv", "g,x\na, \n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, spec)}})
		refused(t, err, `" " is not a number`)
	}
}

// Values that the preparation cannot have are refused with their place; what was filled is reported.
func TestPreparationRefuses(t *testing.T) {
	for _, c := range []struct{ spec, value, want string }{
		{"x:range=0..10", "11", `a.csv: row 2 (line 3), column "x": "11" is outside the declared range 0..10`},
		{"x:unit=TPM:range=0..", "-1", `"-1" is outside the declared range 0.. TPM`},
		{"x:range=..5:log2", "5.5", `"5.5" is outside the declared range ..5`},
		{"x:log2", "-1", `"-1" has no log2(x + 1)`},
		{"x:log2", "abc", `"abc" is not a number`},
		{"x:log2", "0x10", `"0x10" is not a number`},
		{"x:log2", "inf", `"inf" is not a finite number`},
		{"x:tpm", "-2", `"-2" is negative, where parts of a million are to be made`},
		{"x:tpm:log2:decimals=2", "1e303", `"1e303" overflows: tpm of it is beyond the range of doubles`},
		{"x:tpm:clip=0..5", "1e303", `"1e303" overflows: tpm of it`},
		{"x:zscore=-1e308/1:clip=0..5", "1e308", `"1e308" overflows: zscore of it`},
		{"x:zscore=0/1e-300:clip=0..5", "-1e10", `"-1e10" overflows: zscore of it`},
		{"x:zscore=0/1:max=3", "4", `is beyond max=3`},
		{"x:zscore=0/0.0000000001:decimals=18", "4", `overflows`},
		{"x:levels=0=5|low=7", "high", `"high" is none of the declared levels`},
		{"x:missing=refuse", "~", `column "x": the value is missing`},
	} {
		b := newBench(t, paillier.MHL)
		_, _, err := b.tryEncrypt(b.csv("a.csv", "g,x", "a,0", "b,"+c.value), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, c.spec)}})
		refused(t, err, "row 2 (line 3)", c.want)
		if files := b.files(); len(files) != 1 {
			t.Errorf("%s left %v", c.spec, files)
		}
	}
	b := newBench(t, paillier.MHL)
	_, _, err := b.tryEncrypt(b.csv("a.csv", "g,x", "a,~", "b,~"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:missing=median")}})
	refused(t, err, "every value of \"x\" is missing: there is no median")
	_, _, err = b.tryEncrypt(b.csv("a.csv", "g,x", "a,0", "b,0"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:tpm")}})
	refused(t, err, `add up to 0`)
	_, _, err = b.tryEncrypt(b.csv("a.csv", "g,x", "a,1.7e308", "b,1.5e307", "c,1"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:tpm")}})
	refused(t, err, `a.csv: row 2 (line 3), column "x": the sum of this value and those before overflows`)
	got := b.decrypt(b.encrypt(b.csv("max.csv", "g,x", "a,1.7976931348623157e308", "b,0"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:log2:decimals=3:max=1024")}}))
	if cells(got, "x_sum") != "1024.000 0.000" {
		t.Errorf("%v", got)
	}
	_, report, err := b.tryEncrypt(b.csv("b.csv", "g,x", "a,~", "b,4", "c,~"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:missing=zero")}})
	if err != nil || report.Filled["x"] != 2 || report.Missing["x"] != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// Measures that make no sense are refused before anything is read.
func TestMeasureSettings(t *testing.T) {
	for spec, want := range map[string]string{
		"x:range=5..1": "begins above its end", "x:range=5": "is not LOW..HIGH", "x:range=a..b": `"a", which is not a number`,
		"x:zscore=1": "is not MEAN/SD", "x:zscore=1/0": "not positive", "x:clip=..": "is not LOW..HIGH", "x:missing=none": "is none of zero, mean, median, refuse",
		"x:log2=2": "takes no value", "x:log2:log2": "log2 is given twice", "x:unit=": "is empty", "x:mising=zero": `did you mean "missing"`,
		"x:max=5:max=6": "max is given twice", "x:levels=a": "is not TEXT=NUMBER", "x:levels=a=1|a=2": "has \"a\" twice", "x:levels=a=b": "not a number",
	} {
		if _, err := slots.ParseMeasure(spec); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(job.Explain(err).Hint, want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	m, err := slots.ParseMeasure("a:b:log2:decimals=3:clip=0.50..07")
	if err != nil || m.Name != "a:b" || m.Decimals != 3 || !m.Prepare.Log2 || m.Prepare.Clip.String() != "0.5..7" {
		t.Errorf("%+v, %v", m, err)
	}
	b := newBench(t, paillier.MHL)
	_, _, err = b.tryEncrypt(b.csv("a.csv", "g,x", "a,1"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:range=0.5..1")}})
	if f := job.Explain(orNone(err)); f.Kind != job.Usage || !strings.Contains(f.Message, "range=0.5..1") {
		t.Errorf("%v", err)
	}
}

// A setting that does not exist may be a part of a column's name; when there is no such column, the hint tells the settings.
func TestUnknownSettings(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file := b.csv("a.csv", "g,x,y:z", "a,1,2")
	for spec, name := range map[string]string{"x:max=10:bogus=1": "x:max=10:bogus=1", "*:log:max=10": "*:log", "x:bogus:decimals=1": "x:bogus"} {
		_, _, err := b.tryEncrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, spec)}})
		refused(t, err, fmt.Sprintf("a.csv: no such column: %q", name))
		if hint := job.Explain(orNone(err)).Hint; !strings.Contains(hint, "unless it is a setting: decimals, max, unit, levels, range, tpm, log2, zscore, clip, missing.") {
			t.Errorf("%s: hint %q", spec, hint)
		}
	}
	_, _, err := b.tryEncrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "w")}})
	if hint := job.Explain(orNone(err)).Hint; strings.Contains(hint, "setting") {
		t.Errorf("hint %q", hint)
	}
	if got := cells(b.decrypt(b.encrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "y:z:max=9")}})), "y:z_sum"); got != "2" {
		t.Errorf("y:z_sum %s", got)
	}
}

// Texts stand for the numbers that owners agreed on, in whatever order they are declared.
func TestLevels(t *testing.T) {
	b := newBench(t, paillier.MHL)
	x := b.encrypt(b.csv("a.csv", "g,x", "a,low", "b,~", "c,high"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:levels=low=1|high=2.50:decimals=1:clip=0..2")}})
	y := b.encrypt(b.csv("b.csv", "g,x", "a,high", "b,low"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:levels=high=2.5|low=1.0:decimals=1:clip=0..2")}})
	rows := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: []string{x, y}}))
	if got := cells(rows, "x_sum") + " " + cells(rows, "x_count"); got != "3.0 1.0 2.0 2 1 1" {
		t.Errorf("%s", got)
	}
	z := b.encrypt(b.csv("c.csv", "g,x", "a,low", "b,high"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:levels=low=1|high=3:log2:decimals=3:max=9")}})
	if got := cells(b.decrypt(z), "x_sum"); got != "1.000 2.000" {
		t.Errorf("%s", got)
	}
}

// Constants come from a file by the measures' names.
func TestConstants(t *testing.T) {
	b := newBench(t, paillier.MHL)
	constants := b.csv("c.csv", "measure,mean,sd,low,high", "x,10,2,-1,1", "y,0,1,~,~")
	ct := b.encrypt(b.csv("a.csv", "g,x,y", "a,11,3", "b,20,-4"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Constants: []string{constants}, Measures: measures(t, "x:decimals=1:zscore:clip", "y:decimals=1:zscore:max=9")}})
	rows := b.decrypt(ct)
	if x, y := cells(rows, "x_sum"), cells(rows, "y_sum"); x != "0.5 1.0" || y != "3.0 -4.0" {
		t.Errorf("x %s, y %s", x, y)
	}
	_, _, err := b.tryEncrypt(b.csv("b.csv", "g,z", "a,11"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Constants: []string{constants}, Measures: measures(t, "z:zscore")}})
	if f := job.Explain(orNone(err)); f.Kind != job.Usage || !strings.Contains(f.Message, "zscore has no constants") {
		t.Errorf("%v", err)
	}
	for _, bad := range [][]string{{"measure,mean,sd", "x,1,0"}, {"measure,mean,sd", "x,a,1"}, {"measure,mean,sd", "x,1,1", "x,2,2"}, {"measure,mean", "~,1"}, {"name,mean", "x,1"}} {
		_, _, err := b.tryEncrypt(b.path("a.csv"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Constants: []string{b.csv("bad.csv", bad...)}, Measures: measures(t, "x:zscore")}})
		refused(t, err, "bad.csv")
	}
}

// Rows of one id are kept, refused, added up, averaged or all but the first dropped.
func TestDuplicates(t *testing.T) {
	lines := []string{"g,x,y", "b,1.5,1", "a,2.0,~", "b,3.0,~", "c,~,~", "b,~,4", "c,~,7"}
	for _, c := range []struct{ policy, ids, x, y, xn, yn string }{
		{slots.DuplicatesSum, "a b c", "2.0 4.5 0.0", "0 5 7", "1 1 0", "0 1 1"},
		{slots.DuplicatesMean, "a b c", "2.0 2.2 0.0", "0 2 7", "1 1 0", "0 1 1"}, // 2.25 and 2.5: ties to even
		{slots.DuplicatesFirst, "a b c", "2.0 1.5 0.0", "0 1 0", "1 1 0", "0 1 0"},
	} {
		for _, layout := range []string{slots.Records, slots.Blocks} {
			b := newBench(t, paillier.MHL)
			ct := b.encrypt(b.csv("a.csv", lines...), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=1:max=100", "y:max=100"), Duplicates: c.policy}, Layout: layout})
			rows := b.decrypt(ct)
			sort.Slice(rows, func(i, j int) bool { return rows[i]["g"] < rows[j]["g"] })
			got := []string{cells(rows, "g"), cells(rows, "x_sum"), cells(rows, "y_sum"), cells(rows, "x_count"), cells(rows, "y_count")}
			if want := []string{c.ids, c.x, c.y, c.xn, c.yn}; !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n got %q\nwant %q", c.policy, layout, got, want)
			}
		}
	}
	b := newBench(t, paillier.MHL)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		_, _, err := b.tryEncrypt(b.csv("a.csv", lines...), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=1:max=100"), Duplicates: slots.DuplicatesRefuse}, Layout: layout})
		refused(t, err, `a.csv: row 3 (line 4), column "g": duplicate id`)
	}
	_, _, err := b.tryEncrypt(b.csv("a.csv", lines...), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=1:max=4"), Duplicates: slots.DuplicatesSum}})
	refused(t, err, `row 3 (line 4), column "x": the sum of this row's value and those before`)
}

// Sums of duplicates are held against max when all rows are in, whatever their order.
func TestDuplicateSumsInAnyOrder(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=100"), Duplicates: slots.DuplicatesSum}}
	for _, rows := range [][]string{{"w,60", "w,60", "v,1", "w,-60"}, {"w,60", "w,-60", "v,1", "w,60"}, {"w,-60", "v,1", "w,60", "w,60"}} {
		got := b.decrypt(b.encrypt(b.csv("a.csv", append([]string{"g,x"}, rows...)...), e))
		sort.Slice(got, func(i, j int) bool { return got[i]["g"] < got[j]["g"] })
		if sums := cells(got, "x_sum"); sums != "1 60" {
			t.Errorf("%v: %s", rows, sums)
		}
		os.Remove(b.path("a.cf.parquet"))
	}
	_, _, err := b.tryEncrypt(b.csv("a.csv", "g,x", "v,60", "w,60", "w,60", "v,60", "w,-30", "v,-90", "w,20"), e)
	refused(t, err, `a.csv: row 7 (line 8), column "x": the sum of this row's value and those before with the same id is beyond max`)
	_, _, err = b.tryEncrypt(b.csv("a.csv", "g,x", "w,9000000000000000000", "w,9000000000000000000", "w,-9000000000000000000"), encrypt.Request{Spec: dataset.Spec{IDs: e.IDs, Measures: measures(t, "x"), Duplicates: slots.DuplicatesSum}})
	refused(t, err, `a.csv: row 2 (line 3), column "x": overflows`)
}

// A long table and the wide one that it stands for give the same.
func TestPivot(t *testing.T) {
	b := newBench(t, paillier.MHL)
	long := b.table("long.csv", [][]string{{"Gene", "Cell line", "TPM"}, {"G1", "HeLa", "1.5"}, {"G2", "A-431", "2"}, {"G1", "A-431", ""}, {"G3", "HeLa", "0.5"}, {"G2", "HeLa", "7"}})
	wide := b.table("wide.csv", [][]string{{"Gene", "A-431", "HeLa"}, {"G1", "", "1.5"}, {"G2", "2", "7"}, {"G3", "", "0.5"}})
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"Gene"}, Measures: measures(t, "*:decimals=1:max=100")}, Layout: slots.Blocks}
	want := b.decrypt(b.encrypt(wide, e))
	e.Pivot = "Cell line:TPM"
	if got := b.decrypt(b.encrypt(long, e)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, c := range []struct{ pivot, row, want string }{
		{"Cell line:TPM", "G2 HeLa 9", `long.csv: row 6 (line 7), column "Cell line": a row before has a value for "HeLa" of the same record`},
		{"Cell line:TPM", "G2 U-2 many", `long.csv: row 6 (line 7), column "TPM": "many" is not a number`},
		{"Cell line:TPM", "G9 ~ 5", `long.csv: row 6 (line 7), column "Cell line": the name is missing`},
		{"Cell:TPM", "G9 U 5", `no such column: "Cell"`},
	} {
		cells := strings.Fields(strings.ReplaceAll(c.row, "~", "NA"))
		bad := b.table("long.csv", [][]string{{"Gene", "Cell line", "TPM"}, {"G1", "HeLa", "1.5"}, {"G2", "A-431", "2"}, {"G1", "A-431", ""}, {"G3", "HeLa", "0.5"}, {"G2", "HeLa", "7"}, cells})
		e.Pivot = c.pivot
		_, _, err := b.tryEncrypt(bad, e)
		refused(t, err, c.want)
	}
	versions := b.table("versions.csv", [][]string{{"Gene", "Cell line", "TPM"}, {"ENSG00000000003.1", "HeLa", "1.5"}, {"ENSG00000000003.2", "A-431", "2"}})
	e.Pivot, e.IDs = "Cell line:TPM", []string{"Gene:as=gene:ensembl"}
	if got := b.decrypt(b.encrypt(versions, e)); len(got) != 1 || got[0]["gene"] != "ENSG00000000003" || got[0]["HeLa_sum"] != "1.5" || got[0]["A-431_sum"] != "2.0" {
		t.Errorf("two versions of a gene: %v", got)
	}
	e.IDs = []string{"Gene"}
	for _, spec := range []string{"TPM", "Gene:TPM", "TPM:TPM", ":TPM"} {
		e.Pivot = spec
		if _, _, err := b.tryEncrypt(long, e); job.Explain(orNone(err)).Kind != job.Usage {
			t.Errorf("‹pivot› %s: %v", spec, err)
		}
	}
}

// tokenKey writes a key of tokens and returns its file, and how to make a token of fields with nothing but the description.
func (b *bench) tokenKey(name string) (string, func(domain string, bytes int, fields ...string) string) {
	b.Helper()
	file := b.path(name)
	if _, err := ids.CreateTokenKey(context.Background(), b.options, file); err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var k struct{ Key string }
	if err := json.Unmarshal(data, &k); err != nil {
		b.Fatal(err)
	}
	key, err := hex.DecodeString(k.Key)
	if err != nil {
		b.Fatal(err)
	}
	return file, func(domain string, bytes int, fields ...string) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(domain + "\x00"))
		for _, f := range fields {
			h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(f))))
			h.Write([]byte(f))
		}
		return hex.EncodeToString(h.Sum(nil)[:bytes])
	}
}

const idDomain = "cipherfold id v1"

// Tables of two owners with different measures join by tokens: the aggregator finds neither ids nor their order.
func TestTokens(t *testing.T) {
	for _, layout := range []string{slots.Records, slots.Blocks} {
		b := newBench(t, paillier.MHL)
		file, token := b.tokenKey("tokens.json")
		universe := b.csv("u.csv", "gene", "ENSG00000000001", "ENSG00000000002.9", "ENSG00000000003", "ENSG00000000004")
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"GeneID:as=gene:ensembl"}, Tokenize: []string{"gene"}, TokenKey: file}, Layout: layout, Universe: []string{universe}}
		if layout == slots.Records {
			e.Universe = nil
		}
		e.Measures = measures(t, "x:max=100")
		a := b.encrypt(b.csv("a.csv", "GeneID,x", "ENSG00000000001.2,1", "ENSG00000000002,2", "ENSG00000000003.11,3"), e)
		e.IDs, e.Measures = []string{"gene:ensembl"}, measures(t, "y:max=100")
		c := b.encrypt(b.csv("c.csv", "gene,y", "ENSG00000000004.1,40", "ENSG00000000003.12,30", "ENSG00000000001,10"), e)
		rows := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: []string{a, c}}))
		got := map[string]string{}
		for _, r := range rows {
			got[r["gene"]] = r["x_sum"] + "/" + r["x_count"] + " " + r["y_sum"] + "/" + r["y_count"]
		}
		for _, file := range []string{a, c} {
			ids := strings.Fields(cells(b.decrypt(file), "gene"))
			if !slices.IsSorted(ids) {
				t.Errorf("%s, %s: tokens are not in their own order", layout, file)
			}
		}
		for id, want := range map[string]string{"1": "1/1 10/1", "2": "2/1 0/0", "3": "3/1 30/1", "4": "0/0 40/1"} {
			if x := got[token(idDomain, 16, "ENSG0000000000"+id)]; x != want {
				t.Errorf("%s: gene %s: %s, want %s", layout, id, x, want)
			}
		}
		for _, name := range []string{a, c, b.path("f.cf.parquet")} {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "ENSG") {
				t.Errorf("%s has an id in the clear", name)
			}
		}
		other, _ := b.tokenKey("other.json")
		e.TokenKey = other
		d := b.encrypt(b.csv("d.csv", "gene,y", "ENSG00000000004.1,40"), e)
		_, err := b.tryFuse("g.cf.parquet", fuse.Request{In: []string{a, d}})
		refused(t, err, "d.cf.parquet", `column "gene": its tokens are under another key than those of`, "a.cf.parquet")
	}
}

// Several columns make one token; numbers are written as they are in any file; tokens may stand beside ids in the clear.
func TestTokensOfSeveralColumns(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file, token := b.tokenKey("tokens.json")
	ct := b.encrypt(b.csv("a.csv", "site,chrom,pos,x", "s,22,5,1", "s,2,25,2", "r,22,6,3"),
		encrypt.Request{Spec: dataset.Spec{IDs: []string{"chrom", "site", "pos"}, Tokenize: []string{"chrom,pos"}, TokenKey: file, Measures: measures(t, "x:max=10")}})
	rows := b.decrypt(ct)
	got := map[string]string{}
	for _, r := range rows {
		got[r["site"]+r["chrom_pos"]] = r["x_sum"]
	}
	want := map[string]string{"s" + token(idDomain, 16, "22", "5"): "1", "s" + token(idDomain, 16, "2", "25"): "2", "r" + token(idDomain, 16, "22", "6"): "3"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	table := b.inspect(ct)
	if !slices.Equal(table.IDs, []string{"chrom_pos", "site"}) {
		t.Errorf("ids %v", table.IDs)
	}
}

func (b *bench) inspect(file string) *ctfile.Table {
	b.Helper()
	r, err := ctfile.Open(context.Background(), blob.Local{}, file, column.ReadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	return r.Table()
}

// A key of tokens that is none, or damaged, is refused; so are requests that need one and do not have it.
func TestTokenKeyRefused(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file, token := b.tokenKey("tokens.json")
	k, err := ids.ReadTokenKey(context.Background(), blob.Local{}, file)
	if err != nil || k.Check() != token("cipherfold token key check v1", 8) {
		t.Errorf("%v, %v", k, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(text), `"key": "`) + 8
	flipped := string(text[:i]) + map[bool]string{true: "0", false: "1"}[text[i] != '0'] + string(text[i+1:])
	for name, bad := range map[string]string{"flipped": flipped, "empty": "", "other": `{"kind":"token key"}`, "public": string(b.key.Public().MarshalPublic()),
		"version": strings.Replace(string(text), `version": 1`, `version": 2`, 1), "unknown": strings.Replace(string(text), `"kind"`, `"x":1,"kind"`, 1)} {
		_, err := ids.ReadTokenKey(context.Background(), blob.Local{}, b.write(name+".json", bad))
		refused(t, err, name+".json")
	}
	in := b.csv("a.csv", "g,x", "a,1")
	for _, e := range []encrypt.Request{
		{Spec: dataset.Spec{Tokenize: []string{"g"}}}, {Spec: dataset.Spec{TokenKey: file}}, {Spec: dataset.Spec{Tokenize: []string{"h"}, TokenKey: file}},
		{Spec: dataset.Spec{Tokenize: []string{"g", "g"}, TokenKey: file}}, {TokenSamples: true},
	} {
		e.IDs, e.Measures = []string{"g"}, measures(t, "x")
		if _, _, err := b.tryEncrypt(in, e); job.Explain(orNone(err)).Kind != job.Usage {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// IDs are normalised; what is none of the declared kind is refused with its place.
func TestIDs(t *testing.T) {
	b := newBench(t, paillier.MHL)
	for spec, want := range map[string]string{
		"id":                 "ENSG00000000003.15 chr1:5:CAA:CA",
		"id:as=v":            "ENSG00000000003.15 chr1:5:CAA:CA",
		"id:ensembl":         "ENSG00000000003 ~",
		"id:variant:as=name": "~ 1:5:CA:C",
	} {
		name := "id"
		for _, part := range strings.Split(spec, ":") {
			if n, ok := strings.CutPrefix(part, "as="); ok {
				name = n
			}
		}
		for i, id := range []string{"ENSG00000000003.15", "chr1:5:CAA:CA"} {
			ct, _, err := b.tryEncrypt(b.table("a.csv", [][]string{{"id", "x"}, {id, "1"}}), encrypt.Request{Options: job.Options{Overwrite: true}, Spec: dataset.Spec{IDs: []string{spec}, Measures: measures(t, "x:max=5")}})
			w := strings.Fields(want)[i]
			if w == "~" {
				refused(t, err, `a.csv: row 1 (line 2), column "id"`)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := b.decrypt(ct)[0][name]; got != w {
				t.Errorf("%s: %s, want %s", spec, got, w)
			}
			os.Remove(ct)
		}
	}
	for _, id := range []string{"ENSMUSG00000064372", "ENST00000373020.9", "ENSG00000182378.15_PAR_Y"} {
		ct := b.encrypt(b.table("b.csv", [][]string{{"id", "x"}, {id, "1"}}), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id:ensembl"}, Measures: measures(t, "x:max=5")}})
		want, rest, _ := strings.Cut(id, ".")
		if strings.Contains(rest, "_PAR_Y") {
			want += "_PAR_Y"
		}
		if got := b.decrypt(ct)[0]["id"]; got != want {
			t.Errorf("%s: %s", id, got)
		}
		os.Remove(ct)
	}
}

// Fuse refuses tables that were prepared differently, and says how.
func TestPreparationsMustAgree(t *testing.T) {
	b := newBench(t, paillier.MHL)
	n := 0
	table := func(e encrypt.Request, spec string) string {
		n++
		if e.IDs == nil {
			e.IDs = []string{"g"}
		}
		e.Measures = measures(t, spec)
		return b.encrypt(b.csv(fmt.Sprintf("t%d.csv", n), "g,x,y", "ENSG00000000003,1,2"), e)
	}
	same := table(encrypt.Request{}, "x:decimals=1:clip=0..5.0")
	if _, err := b.tryFuse("ok.cf.parquet", fuse.Request{In: []string{same, table(encrypt.Request{}, "x:decimals=1:clip=0.0..5")}}); err != nil {
		t.Error(err)
	}
	fused := b.inspect(b.path("ok.cf.parquet"))
	if want := []ctfile.Step{{On: "x", Step: "clip", Value: "0..5"}}; !slices.Equal(fused.Preparation, want) {
		t.Errorf("%v, want %v", fused.Preparation, want)
	}
	if _, err := b.tryFuse("joined.cf.parquet", fuse.Request{In: []string{same, table(encrypt.Request{Spec: dataset.Spec{Duplicates: slots.DuplicatesSum}}, "y:max=9:log2:decimals=3")}}); err != nil {
		t.Error(err) // no measure in common
	}
	if got, want := len(b.inspect(b.path("joined.cf.parquet")).Preparation), 3; got != want {
		t.Errorf("%d steps, want %d", got, want)
	}
	for _, c := range []struct{ a, b, want string }{
		{same, table(encrypt.Request{}, "x:decimals=1:clip=0..6"), `column "x": prepared by "clip=0..6", but in `},
		{same, table(encrypt.Request{}, "x:decimals=1:max=5"), `column "x": prepared by nothing, but in `},
		{same, table(encrypt.Request{}, "x:decimals=1:log2:clip=0..5"), `column "x": prepared by "log2, clip=0..5", but in `},
		{same, table(encrypt.Request{Spec: dataset.Spec{Duplicates: slots.DuplicatesFirst}}, "x:decimals=1:clip=0..5"), `the table was prepared by "duplicates=first", but that of `},
		{same, table(encrypt.Request{Spec: dataset.Spec{IDs: []string{"g:ensembl"}}}, "x:decimals=1:clip=0..5"), `column "g": prepared by "ensembl", but in `},
	} {
		for _, by := range [][]string{nil, {}} {
			_, err := b.tryFuse("no.cf.parquet", fuse.Request{In: []string{c.a, c.b}, By: by})
			refused(t, err, c.want)
		}
	}
	blocks := table(encrypt.Request{Layout: slots.Blocks}, "x:decimals=1:clip=0..5")
	_, err := b.tryFuse("no.cf.parquet", fuse.Request{In: []string{blocks, table(encrypt.Request{Layout: slots.Blocks}, "x:decimals=1:clip=0..500000")}, By: []string{}})
	refused(t, err, `prepared by "clip=0..500000", but in `)
}

// log2 is within a unit in the last place of the standard library's, exact at powers of two, and monotonic around them.
func TestLog2ThroughEncryption(t *testing.T) {
	b := newBench(t, paillier.MHL)
	rows := [][]string{{"g", "x"}}
	var want []float64
	for i, x := range []float64{0, 1, 3, 7, 1023, 1<<40 - 1, 0.5, 0.1, 1e-9, 1e-300, 123456.789, 6519.9, 1e15, 4.2e-5, 999999, 2.718281828459045} {
		rows = append(rows, []string{strconv.Itoa(i), strconv.FormatFloat(x, 'g', -1, 64)})
		want = append(want, math.Log2(x+1))
	}
	ct := b.encrypt(b.table("a.csv", rows), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:log2:decimals=15:max=100")}})
	for i, r := range b.decrypt(ct) {
		got, err := strconv.ParseFloat(r["x_sum"], 64)
		if err != nil || math.Abs(got-want[i]) > 1e-15+math.Abs(want[i])*2.3e-16 {
			t.Errorf("log2(%s + 1) = %s, want %.17g", rows[i+1][1], r["x_sum"], want[i])
		}
	}
}
