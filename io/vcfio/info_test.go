package vcfio_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

const defineCounts = `##INFO=<ID=AC,Number=A,Type=Integer,Description="Alternate alleles, counted">
##INFO=<Description="AN, ID=AC,Number=7",ID=AN,Number=1,Type=Integer>
##INFO=<ID=AC_Het,Number=A,Type=Integer,Description="">
##INFO=<ID=nhomalt,Number=A,Type=Integer,Description="">
##INFO=<ID=AF,Number=A,Type=Float,Description="">
`

// sites is a file without samples; define are its header lines.
func sites(define string, lines ...string) string {
	head, rest, _ := strings.Cut(vcf("", lines...), "\n")
	return head + "\n" + define + rest
}

var infoCounts = vcfio.Options{Counts: vcfio.Info, Alleles: vcfio.Keep}

// TestSitesOnly: that a file has no samples is said, and what may be read instead.
func TestSitesOnly(t *testing.T) {
	file := sites(defineCounts, "1 5 . A C . . AC=3;AN=10")
	for _, name := range []string{"AC", "AN", "MISSING", "HET", "HOM"} {
		_, err := read(t, "a.vcf", file, vcfio.Options{}, column.ReadOptions{Columns: []string{"chrom", name}})
		var e *column.InputError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "a.vcf: line 7, column \""+name+"\": the file has no samples") || !strings.Contains(e.Hint, "‹counts› info") {
			t.Errorf("%v (%+v)", err, e)
		}
	}
	_, err := read(t, "a.vcf", vcf("", "1 5 . A C . . ."), vcfio.Options{}, column.ReadOptions{Columns: []string{"AC"}})
	var e *column.InputError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "the file has no samples") || strings.Contains(e.Hint, "‹counts› info") {
		t.Errorf("%v (%+v)", err, e)
	}
	if _, err := read(t, "a.vcf", file, vcfio.Options{}, column.ReadOptions{Columns: []string{"depth"}}); !errors.Is(err, column.ErrMissingColumn) {
		t.Error(err)
	}
	if got, err := read(t, "a.vcf", file, vcfio.Options{}, column.ReadOptions{}); err != nil || strings.Join(got.header, " ") != "chrom pos ref alt" {
		t.Errorf("%v, %v", got.header, err)
	}
}

func TestInfoCounts(t *testing.T) {
	for name, c := range map[string]struct {
		file, header, rows string // rows separated by |
		o                  vcfio.Options
		columns            []string
	}{
		"all": {sites(defineCounts, "1 5 . A C . . AF=0.5;AC=3;AN=10;AC_Het=1;nhomalt=1;DB", "1 6 . A C,G . . DP=4;AC=3,1;AN=10;AC_Het=3,1;nhomalt=0,0"),
			"chrom pos ref alt AC AN AC_Het nhomalt", "1 5 A C 3 10 1 1|1 6 A C 3 10 3 0|1 6 A G 1 10 1 0", infoCounts, nil},
		"missing": {sites(defineCounts, "1 5 . A C . . .", "1 6 . A C . . AC=.;AN=.", "1 7 . A C,G . . AC=.,2;AN=7", "1 8 . A C,G . . AC=.;AN=0", "1 9 . A C . . AC=0;AN=0"),
			"chrom pos ref alt AC AN AC_Het nhomalt", "1 5 A C ~ ~ ~ ~|1 6 A C ~ ~ ~ ~|1 7 A C ~ 7 ~ ~|1 7 A G 2 7 ~ ~|1 8 A C ~ 0 ~ ~|1 8 A G ~ 0 ~ ~|1 9 A C 0 0 ~ ~", infoCounts, nil},
		"AC alone": {sites("##INFO=<ID=AC,Number=.,Type=Integer,Description=\"x\">\n", "1 5 . A C . . AC=3;AN=x;AC_Het=9"),
			"chrom pos ref alt AC", "1 5 A C 3", infoCounts, nil},
		"projected": {sites(defineCounts, "1 5 . A C . . AC=3;AN=10;AC_Het=1"), "AN AC pos", "10 3 5", infoCounts, []string{"AN", "AC", "pos"}},
		"of a file with samples, which is not read": {sites(defineCounts) + "", "chrom pos ref alt AC AN AC_Het nhomalt", "", infoCounts, nil},
		"skipped alleles": {sites(defineCounts, "1 5 . A C,<DEL> . . AC=3,4;AN=10", "1 6 . A . . . AC=0;AN=10"),
			"chrom pos ref alt AC AN AC_Het nhomalt", "1 5 A C 3 10 ~ ~", vcfio.Options{Counts: vcfio.Info, Symbolic: vcfio.Skip}, nil},
		"by frequency": {sites(defineCounts, "1 5 . A C . . AC=3;AN=10;AF=0.3", "1 6 . A C . . AC=5;AN=10;AF=0.5"),
			"chrom pos ref alt AC AN AC_Het nhomalt", "1 6 A C 5 10 ~ ~", vcfio.Options{Counts: vcfio.Info, AFMin: 0.4, AFMax: 1}, nil},
		"keys that look like them": {sites(defineCounts, "1 5 . A C . . AC_afr=99;AN_afr=1;ACX=7;nhomaltx=3;AC=3;xAN=5;AN=10"),
			"chrom pos ref alt AC AN AC_Het nhomalt", "1 5 A C 3 10 ~ ~", infoCounts, nil},
		"large": {sites(defineCounts, "1 5 . A C . . AC=1099511627776;AN=1099511627776"), "AC", "1099511627776", infoCounts, []string{"AC"}},
	} {
		for _, threads := range []int{1, 3} {
			got, err := read(t, "a.vcf", c.file, c.o, column.ReadOptions{Columns: c.columns, Threads: threads})
			var rows []string
			for i := range got.rows {
				rows = append(rows, got.text(i))
			}
			if err != nil || strings.Join(got.header, " ") != c.header || strings.Join(rows, "|") != c.rows {
				t.Errorf("%s: %v, %v, %v", name, got.header, rows, err)
			}
		}
	}
	// Genotypes are passed over, whatever they are.
	file := strings.Replace(vcf("A B", "1 5 . A C . . AC=3;AN=10 GT 9/9 x"), "#CHROM", defineCounts+"#CHROM", 1)
	if got, err := read(t, "a.vcf", file, infoCounts, column.ReadOptions{}); err != nil || got.text(0) != "1 5 A C 3 10 ~ ~" {
		t.Errorf("%v, %v", got.rows, err)
	}
}

func TestInfoCountsRefused(t *testing.T) {
	define := func(lines string) string { return sites(lines, "1 5 . A C . . AC=1;AN=2") }
	record := func(info string) string { return sites(defineCounts, "1 5 . A C,G . . "+info) }
	for name, c := range map[string]struct{ file, want string }{
		"nothing defined":        {define(""), "the header defines no counts in INFO"},
		"AC of a wrong number":   {define(`##INFO=<ID=AC,Number=R,Type=Integer,Description="x">` + "\n"), `column "AC": INFO/AC is defined with Number="R"`},
		"AC of a wrong type":     {define(`##INFO=<ID=AC,Number=A,Type=Float,Description="x">` + "\n"), `Type="Float"`},
		"AC of one number":       {define(`##INFO=<ID=AC,Number=1,Type=Integer,Description="x">` + "\n"), `Number="1"`},
		"AN of a number each":    {define(strings.Replace(defineCounts, "Number=1", "Number=A", 1)), `INFO/AN is defined with Number="A"`},
		"nhomalt of groups":      {define(strings.Replace(defineCounts, "ID=nhomalt,Number=A", "ID=nhomalt,Number=G", 1)), `INFO/nhomalt is defined with Number="G"`},
		"defined in two ways":    {define(defineCounts + `##INFO=<ID=AC,Number=1,Type=Integer,Description="x">` + "\n"), "defined in two ways"},
		"too few":                {record("AC=1;AN=5"), `column "INFO": AC has 1 values for 2 alternative alleles`},
		"too many":               {record("AC=1,2,3;AN=5"), "AC has 3 values for 2"},
		"two AN":                 {record("AC=1,2;AN=5,6"), "AN has 2 values"},
		"AC above AN":            {record("AC=3,3;AN=5"), "AC is 6, more than AN, which is 5"},
		"heterozygotes above":    {record("AC=1,2;AN=5;AC_Het=2,0"), "AC_Het is 2, more than AC, which is 1"},
		"homozygotes above":      {record("AC=1,2;AN=5;nhomalt=0,3"), "nhomalt is 3, more than AC, which is 2"},
		"negative":               {record("AC=-1,2;AN=5"), `AC "-1" is no count`},
		"a fraction":             {record("AC=1.5,2;AN=5"), `AC "1.5" is no count`},
		"text":                   {record("AC=x,2;AN=5"), `AC "x" is no count`},
		"empty":                  {record("AC=,2;AN=5"), `AC "" is no count`},
		"a flag":                 {record("AC;AN=5"), `AC "" is no count`},
		"too large":              {record("AC=1,2;AN=99999999999999999999"), `is no count`},
		"twice":                  {record("AC=1,2;AN=5;AC=1,2"), "AC is there twice"},
		"AN twice, the second .": {record("AN=5;AC=1,2;AN=."), "AN is there twice"},
	} {
		_, err := read(t, "a.vcf", c.file, infoCounts, column.ReadOptions{})
		var e *column.InputError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Hint == "" || e.Line == 0 {
			t.Errorf("%s: %v (%+v), want %s", name, err, e, c.want)
		}
	}
	for _, o := range []vcfio.Options{{Counts: "both"}, {Counts: vcfio.Info, Samples: []string{"A"}}, {Counts: vcfio.Info, PerSample: true}, {Counts: vcfio.Info, Dosage: vcfio.DS}} {
		if o.Check() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// TestInfoCountsOfParts: the same stretch of two files that list sites would count twice.
func TestInfoCountsOfParts(t *testing.T) {
	parts := &vcfio.Parts{}
	o := infoCounts
	o.Parts = parts
	if _, err := read(t, "a.vcf", sites(defineCounts, "1 5 . A C . . AC=3;AN=10", "1 9 . A C . . AC=3;AN=10"), o, column.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, "b.vcf", sites(defineCounts, "1 10 . A C . . AC=3;AN=10"), o, column.ReadOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := read(t, "c.vcf", sites(defineCounts, "1 7 . A C . . AC=3;AN=10"), o, column.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "positions 5 to 9 of 1 too") {
		t.Error(err)
	}
}

// TestInfoCountsOf1000Genomes: the counts that the project published are those of its genotypes.
func TestInfoCountsOf1000Genomes(t *testing.T) {
	const name = "../../../shared/data/1kg_phase3_chr22_16-16.5mb.vcf.gz"
	if _, err := os.Stat(name); os.IsNotExist(err) {
		t.Log("NOT CHECKED: the excerpt of 1000 Genomes is not beside this checkout (../shared/data)")
		return
	}
	columns := column.ReadOptions{Columns: []string{"chrom", "pos", "ref", "alt", "AC", "AN"}, Threads: 2}
	counted, err := readFrom(t, blob.Local{}, name, vcfio.Options{}, columns)
	if err != nil {
		t.Fatal(err)
	}
	told, err := readFrom(t, blob.Local{}, name, vcfio.Options{Counts: vcfio.Info}, columns)
	if err != nil {
		t.Fatal(err)
	}
	if len(counted.rows) < 1000 || len(counted.rows) != len(told.rows) {
		t.Fatalf("%d rows and %d", len(counted.rows), len(told.rows))
	}
	for i := range counted.rows {
		if counted.text(i) != told.text(i) {
			t.Fatalf("row %d: counted %s, told %s", i, counted.text(i), told.text(i))
		}
	}
}

// TestCompressedRefusals: what is wrong with compressed data is said as it is, and zeros after it are nothing.
func TestCompressedRefusals(t *testing.T) {
	plain := vcf("A", "1 5 . A C . . . GT 0/1")
	block, member := bgzip(t, plain), gzipped(t, plain)
	head, tail := bgzip(t, vcf("A")), gzipped(t, "1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\n")
	zeros := strings.Repeat("\x00", 5000)
	for name, c := range map[string]struct{ file, want string }{
		"zeros after bgzip":           {block + zeros, ""},
		"a zero after bgzip":          {block + "\x00", ""},
		"zeros after gzip":            {member + zeros, ""},
		"bgzip after bgzip":           {head + bgzip(t, "1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\n"), ""},
		"gzip after gzip":             {gzipped(t, vcf("A")) + tail, ""},
		"gzip after bgzip":            {head + tail, "data that gzip compressed in another way follows the blocks of bgzip"},
		"gzip after a block of bgzip": {head[:len(head)-28] + tail, "data that gzip compressed in another way follows the blocks of bgzip"},
		"text after bgzip":            {block + "1\t9\t.\tA\tC\t.\t.\t.\tGT\t0/1\n", "something that is no BGZF block follows the end"},
		"zeros and text after bgzip":  {block + zeros + "x", "something that is no BGZF block follows the end"},
		"text after gzip":             {member + "more", "something that is not gzip follows"},
		"zeros within bgzip":          {head[:len(head)-28] + zeros, "not a BGZF block"},
	} {
		for _, threads := range []int{1, 4} {
			got, err := read(t, "a.vcf.gz", c.file, vcfio.Options{}, column.ReadOptions{Threads: threads})
			var e *column.InputError
			if c.want == "" {
				if err != nil || len(got.rows) != 1 {
					t.Errorf("%s: %v, %v", name, got.rows, err)
				}
			} else if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Hint == "" {
				t.Errorf("%s: %v (%+v), want %s", name, err, e, c.want)
			}
		}
	}
}

// TestDosageRefusals: numbers that are none, and those below 0.
func TestDosageRefusals(t *testing.T) {
	for text, want := range map[string]string{"-0.1": "is below 0", "-1e-3": "is below 0", "nan": "is not a number", "NaN": "is not a number", "inf": "is not a number", "NA": "is not a number", "-inf": "is below 0"} {
		_, err := read(t, "a.vcf", vcf("A", "1 5 . A C . . . DS "+text), vcfio.Options{Dosage: vcfio.DS}, column.ReadOptions{})
		var e *column.InputError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || strings.Contains(e.Hint, "Round") {
			t.Errorf("%s: %v (%+v)", text, err, e)
		}
	}
}
