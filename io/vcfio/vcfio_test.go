package vcfio_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
	"github.com/cipherfold/cipherfold/io/vcfio/vcfiotest"
)

var ctx = context.Background()

// checked returns an allocator that the test fails with if anything leaks.
func checked(t testing.TB) *memory.CheckedAllocator {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// bgzip compresses as bgzip does.
func bgzip(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := vcfio.NewBlockWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// table is what was read: values as text, "~" for null, and the line of each row.
type table struct {
	header []string
	rows   [][]string
	lines  []int64
}

// read reads a file of the given content.
func read(t testing.TB, name, content string, o vcfio.Options, opts column.ReadOptions) (table, error) {
	t.Helper()
	fs := &blobtest.Mem{}
	fs.Put(name, []byte(content))
	return readFrom(t, fs, name, o, opts)
}

func readFrom(t testing.TB, fs blob.FS, name string, o vcfio.Options, opts column.ReadOptions) (table, error) {
	t.Helper()
	if opts.Mem == nil {
		opts.Mem = checked(t)
	}
	r, err := vcfio.Open(ctx, fs, name, o, opts)
	if err != nil {
		return table{}, err
	}
	defer func() {
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}()
	x := table{header: column.Names(r.Schema())}
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return x, nil
		}
		if err != nil {
			return x, err
		}
		if n := b.NumRows(); n == 0 || int(n) > opts.WithDefaults().BatchRows {
			t.Errorf("a batch of %d rows", n)
		}
		for i := range int(b.NumRows()) {
			var row []string
			for c := range int(b.NumCols()) {
				if b.Column(c).IsNull(i) {
					row = append(row, "~")
				} else {
					row = append(row, b.Column(c).ValueStr(i))
				}
			}
			x.rows, x.lines = append(x.rows, row), append(x.lines, b.Line(i))
		}
		b.Release()
	}
}

func (x table) text(i int) string { return strings.Join(x.rows[i], " ") }

// vcf joins lines, whose columns are separated by blanks, under a header of the given samples.
func vcf(samples string, lines ...string) string {
	columns := "#CHROM POS ID REF ALT QUAL FILTER INFO"
	if samples != "" {
		columns += " FORMAT " + samples
	}
	text := "##fileformat=VCFv4.3\n" + strings.ReplaceAll(columns, " ", "\t") + "\n"
	for _, l := range lines {
		text += strings.ReplaceAll(l, " ", "\t") + "\n"
	}
	return text
}

// Random files of every kind, over all samples and some, compressed and not, whole and in small batches, with one thread
// and several, give what the straightforward count gives.
func TestAgainstCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	samples := vcfiotest.Names("S", 41)
	for i, s := range []vcfiotest.Shape{
		{Plain: true},
		{Plain: true, Missing: true},
		{Plain: true, Missing: true, Multiallelic: true},
		{Missing: true, Multiallelic: true},
		{Missing: true, Multiallelic: true, Ploidy: true},
		{Missing: true, Multiallelic: true, Ploidy: true, Fields: true},
	} {
		s.Samples, s.Records = samples, thoroughtest.Pick(100, 300)
		text := vcfiotest.Random(rng, s)
		for _, chosen := range [][]string{samples, samples[:1], {samples[40], samples[3], samples[17]}} {
			want := vcfiotest.Count(text, chosen)
			o := vcfio.Options{Samples: chosen}
			if len(chosen) == len(samples) && i%2 == 0 {
				o.Samples = nil
			}
			for name, content := range map[string]string{"a.vcf": text, "a.vcf.gz": bgzip(t, text), "plain.vcf.gz": gzipped(t, text)} {
				got, err := read(t, name, content, o, column.ReadOptions{Threads: 1 + i%3, BatchRows: 64})
				if err != nil {
					t.Fatal(err)
				}
				compareCounts(t, got, want)
			}
			o.PerSample, o.Alleles = true, vcfio.Keep
			got, err := read(t, "a.vcf", text, o, column.ReadOptions{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			compareDosages(t, got, chosen, samples, want)
		}
	}
}

func compareCounts(t *testing.T, got table, want []vcfiotest.Row) {
	t.Helper()
	if h := strings.Join(got.header, " "); h != "chrom pos ref alt AC AN MISSING HET HOM" || len(got.rows) != len(want) {
		t.Fatalf("%d rows of %s, want %d", len(got.rows), h, len(want))
	}
	for i, w := range want {
		text := fmt.Sprint(w.Chrom, " ", w.Pos, " ", w.Ref, " ", w.Alt, " ", w.AC, w.AN, w.Missing, w.Het, w.Hom)
		if got.text(i) != text {
			t.Fatalf("row %d: %s, want %s", i, got.text(i), text)
		}
	}
}

func compareDosages(t *testing.T, got table, chosen, all []string, want []vcfiotest.Row) {
	t.Helper()
	if h := got.header[4:]; !slices.Equal(h, chosen) {
		t.Fatalf("samples %v, want %v", h, chosen)
	}
	var inFile []string // Count gives dosages in the order of the file
	for _, s := range all {
		if slices.Contains(chosen, s) {
			inFile = append(inFile, s)
		}
	}
	for i, w := range want {
		for k, name := range chosen {
			d := w.Dosages[slices.Index(inFile, name)]
			text := strconv.Itoa(d)
			if d < 0 {
				text = "~"
			}
			if got.rows[i][4+k] != text {
				t.Fatalf("row %d, sample %s: %s, want %s", i, name, got.rows[i][4+k], text)
			}
		}
	}
}

// Genotypes of every form, one by one.
func TestGenotypes(t *testing.T) {
	for gt, want := range map[string]string{ // AC AN MISSING HET HOM of alternative alleles 1 and 2
		"0/0": "0 2 0 0 0; 0 2 0 0 0", "0|1": "1 2 0 1 0; 0 2 0 0 0", "1/1": "2 2 0 0 1; 0 2 0 0 0", "1/2": "1 2 0 1 0; 1 2 0 1 0",
		"2|2": "0 2 0 0 0; 2 2 0 0 1", "./.": "0 0 1 0 0; 0 0 1 0 0", ".": "0 0 1 0 0; 0 0 1 0 0", ".|1": "1 1 0 0 0; 0 1 0 0 0",
		"0/.": "0 1 0 0 0; 0 1 0 0 0", "1": "1 1 0 0 1; 0 1 0 0 0", "0": "0 1 0 0 0; 0 1 0 0 0", "0/1/1": "2 3 0 1 0; 0 3 0 0 0",
		"1/2/.": "1 2 0 1 0; 1 2 0 1 0", "2/2/2/2": "0 4 0 0 0; 4 4 0 0 1", "./././.": "0 0 1 0 0; 0 0 1 0 0",
		"/0/1": "1 2 0 1 0; 0 2 0 0 0", "|1|1": "2 2 0 0 1; 0 2 0 0 0", "00/01": "1 2 0 1 0; 0 2 0 0 0",
	} {
		for _, format := range []string{"GT", "GT:DP", "DP:GT"} {
			cell := map[string]string{"GT": gt, "GT:DP": gt + ":7", "DP:GT": ".:" + gt}[format]
			x, err := read(t, "a.vcf", vcf("S", "1 5 . A C,G . . . "+format+" "+cell), vcfio.Options{}, column.ReadOptions{})
			if err != nil {
				t.Fatalf("%s %s: %v", format, cell, err)
			}
			if got := strings.Join(x.rows[0][4:], " ") + "; " + strings.Join(x.rows[1][4:], " "); got != want {
				t.Errorf("%s %s: %s, want %s", format, cell, got, want)
			}
		}
	}
}

// Dosages sum exactly, whatever way they are written; the ploidy is that of GT.
func TestDosages(t *testing.T) {
	text := vcf("A B C D", "1 5 . A C . . . GT:DS 0|1:0.9 0|0:1e-3 .:. 1:1", "1 6 . A C,G . . . DS 0.25,1.5 .,. . 2.000,0", "1 7 . A G . . . GT:DS 0/1 0/0:0 0/0:.5 0/0:0.123456789",
		"1 8 . A G . . . GT:DS |0/1:0.5 /1:1 0|0|1:2.5 ./.:0")
	x, err := read(t, "a.vcf", text, vcfio.Options{Dosage: vcfio.DS}, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1 5 A C 1.901000000 5 1", "1 6 A C 2.250000000 4 2", "1 6 A G 1.500000000 4 2", "1 7 A G 0.623456789 6 1", "1 8 A G 4 8 0"}
	for i, w := range want {
		if !sameDecimals(x.text(i), w) {
			t.Errorf("%s, want %s", x.text(i), w)
		}
	}
	x, err = read(t, "a.vcf", text, vcfio.Options{Dosage: vcfio.DS, PerSample: true, Samples: []string{"D", "B"}}, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []string{"1 5 A C 1 0.001", "1 6 A C 2 ~", "1 6 A G 0 ~", "1 7 A G 0.123456789 0"} {
		if !sameDecimals(x.text(i), w) {
			t.Errorf("%s, want %s", x.text(i), w)
		}
	}
}

func sameDecimals(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return slices.EqualFunc(x, y, func(s, t string) bool {
		f, e1 := strconv.ParseFloat(s, 64)
		g, e2 := strconv.ParseFloat(t, 64)
		return s == t || e1 == nil && e2 == nil && f == g
	})
}

// Variants are named by trimmed alleles in upper case.
func TestVariantNames(t *testing.T) {
	mitochondrial := []string{"chrM", "M", "MT"}
	for in, want := range map[string]string{
		"10 A G": "10 A G", "10 a g": "10 A G", "10 CAA CA": "10 CA C", "10 GCAT GCAC": "13 T C", "10 ATT A": "10 ATT A", "10 AT ATT": "10 A AT",
		"10 GGTC GGAC": "12 T A", "10 AC GT": "10 AC GT", "10 CACA CA": "10 CAC C", "10 A <DEL>": "10 A <DEL>", "10 a *": "10 A *",
		"10 A A[2:321681[": "10 A A[2:321681[", "10 N .TT": "10 N .TT", "10 TCT TGT": "11 C G", "10 AA AAA": "10 A AA",
	} {
		f := strings.Fields(in)
		x, err := read(t, "a.vcf", vcf("S", "chr1 "+f[0]+" . "+f[1]+" "+f[2]+" . . . GT 0/1"), vcfio.Options{ChromPrefix: vcfio.Strip}, column.ReadOptions{})
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if got := strings.Join(x.rows[0][1:4], " "); got != want || x.rows[0][0] != "1" {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		x, err = read(t, "a.vcf", vcf("S", mitochondrial[len(want)%3]+" "+f[0]+" . "+f[1]+" "+f[2]+" . . . GT 0/1"), vcfio.Options{ChromPrefix: vcfio.Strip, Alleles: vcfio.Keep}, column.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(x.rows[0][1:3], " "); got != f[0]+" "+strings.ToUpper(f[1]) || x.rows[0][0] != "MT" {
			t.Errorf("kept: %s of %s", got, in)
		}
	}
}

// What options leave out is counted.
func TestFilters(t *testing.T) {
	text := vcf("A B",
		"1 5 . A C . PASS AF=0.2 GT 0/1 0/0", "1 7 . A C,G . q10;s50 DP=1;AF=0.3,0.001 GT 0/1 0/2", "1 8 . A . . PASS . GT 0/0 0/0",
		"1 9 . A <DEL> . . AF=. GT 0/1 0/0", "2 5 . A C . s50 XAF=0.2;NS=2 GT 0/1 ./.", "2 90 . T C . PASS AF=0.9 GT 0/1 1/1")
	ids := func(x table) string {
		var out []string
		for _, r := range x.rows {
			out = append(out, r[0]+":"+r[1]+r[3])
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		o     vcfio.Options
		want  string
		tally vcfio.Tally
	}{
		{vcfio.Options{}, "1:5C 1:7C 1:7G 1:9<DEL> 2:5C 2:90C", vcfio.Tally{Rows: 6, Monomorphic: 1}},
		{vcfio.Options{Filter: []string{"PASS", "."}}, "1:5C 1:9<DEL> 2:90C", vcfio.Tally{Rows: 3, Filtered: 2, Monomorphic: 1}},
		{vcfio.Options{Filter: []string{"s50"}}, "1:7C 1:7G 2:5C", vcfio.Tally{Rows: 3, Filtered: 4}},
		{vcfio.Options{AFMin: 0.01, AFMax: 0.5}, "1:5C 1:7C", vcfio.Tally{Rows: 2, Frequency: 2, WithoutAF: 2, Monomorphic: 1}},
		{vcfio.Options{Regions: []vcfio.Region{{Chrom: "1", From: 6, To: 9}, {Chrom: "2", From: 90, To: 90}}}, "1:7C 1:7G 1:9<DEL> 2:90C", vcfio.Tally{Rows: 4, Outside: 2, Monomorphic: 1}},
		{vcfio.Options{Multiallelic: vcfio.Skip, Symbolic: vcfio.Skip}, "1:5C 2:5C 2:90C", vcfio.Tally{Rows: 3, Multiallelic: 1, Symbolic: 1, Monomorphic: 1}},
	} {
		got, chromosomes := vcfio.Tally{}, []string{"2"}
		c.o.Tally, c.o.Chromosomes = &got, &chromosomes
		c.tally.Records = 6
		x, err := read(t, "a.vcf", text, c.o, column.ReadOptions{})
		if err != nil || ids(x) != c.want || got != c.tally {
			t.Errorf("%+v:\n got %s, %+v, %v\nwant %s, %+v", c.o, ids(x), got, err, c.want, c.tally)
		}
		if !slices.Equal(chromosomes, []string{"2", "1"}) {
			t.Errorf("%+v: chromosomes %q", c.o, chromosomes)
		}
	}
	o := vcfio.Options{ChromPrefix: vcfio.Strip, Regions: []vcfio.Region{{Chrom: "chr1"}, {Chrom: "3"}, {Chrom: "chr3"}, {Chrom: "chrM"}}}
	if got := strings.Join(o.Unseen([]string{"1", "2"}), " "); got != "3 MT" {
		t.Errorf("unseen: %s", got)
	}
}

func TestParseRegion(t *testing.T) {
	for in, want := range map[string]string{"22": "22 0 9223372036854775807", "22:5": "22 5 5", "chr1:1000-2000": "chr1 1000 2000", "HLA:A*01:7-": "HLA:A*01 7 9223372036854775807"} {
		r, err := vcfio.ParseRegion(in)
		if got := fmt.Sprint(r.Chrom, " ", r.From, r.To); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "22:", "22:x", "22:9-5", ":5-9", "22:-5", "22:1-2-3", "22:1,000-2,000", "21,22"} {
		if r, err := vcfio.ParseRegion(in); err == nil {
			t.Errorf("%q: %v", in, r)
		}
	}
	for _, in := range []string{"", "0.1", "0.5-0.1", "-0.1-0.5", "0-0", "0-2", "nan-1"} {
		if _, _, err := vcfio.ParseAF(in); err == nil {
			t.Errorf("AF %q is let through", in)
		}
	}
}

// A projection reads what is asked for; without a column that needs them, samples are not looked at.
func TestColumns(t *testing.T) {
	text := vcf("A B", "1 5 . A C . . . GT 0/1 rubbish")
	x, err := read(t, "a.vcf", text, vcfio.Options{}, column.ReadOptions{Columns: []string{"alt", "pos"}})
	if err != nil || x.text(0) != "C 5" {
		t.Errorf("%v, %v", x.rows, err)
	}
	x, err = read(t, "a.vcf", vcf("", "1 5 . A C . . ."), vcfio.Options{}, column.ReadOptions{})
	if err != nil || strings.Join(x.header, " ") != "chrom pos ref alt" || x.text(0) != "1 5 A C" {
		t.Errorf("%v %v, %v", x.header, x.rows, err)
	}
	x, err = read(t, "a.vcf", vcf("A B", "1 5 . A C . . . GT 0/1 1/1"), vcfio.Options{Samples: []string{"B"}}, column.ReadOptions{Columns: []string{"HOM", "AC"}})
	if err != nil || x.text(0) != "1 2" {
		t.Errorf("%v, %v", x.rows, err)
	}
}

// Line ends may be CRLF; the last may be missing. Lines are as long as they need to be, and places are right.
func TestLines(t *testing.T) {
	samples := vcfiotest.Names("S", 3000)
	text := vcfiotest.Random(rand.New(rand.NewPCG(3, 4)), vcfiotest.Shape{Samples: samples, Records: thoroughtest.Pick(120, 250), Fields: true, Multiallelic: true})
	want := vcfiotest.Count(text, samples)
	for name, content := range map[string]string{"lf": text, "crlf": strings.ReplaceAll(text, "\n", "\r\n"), "unended": strings.TrimSuffix(text, "\n")} {
		x, err := read(t, "a.vcf", content, vcfio.Options{}, column.ReadOptions{Threads: 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compareCounts(t, x, want)
		previous, line := "", int64(3)
		for i, r := range x.rows {
			if at := r[0] + r[1]; at != previous {
				previous, line = at, line+1
			}
			if x.lines[i] != line {
				t.Fatalf("%s: row %d is on line %d, not %d", name, i, x.lines[i], line)
			}
		}
	}
}

// 1000 Genomes: dosage sums and sums of squares of all bi-allelic variants of the excerpt equal the published digest.
func Test1000Genomes(t *testing.T) {
	const dir = "../../../shared/data/"
	f, err := os.Stat(dir + "1kg_phase3_chr22_16-16.5mb.vcf.gz")
	if os.IsNotExist(err) {
		t.Log("NOT CHECKED: the excerpt of 1000 Genomes is not beside this checkout (../shared/data); the random files of TestAgainstCount are")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(dir + "expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Genomes struct {
			Samples  int
			Variants int    `json:"biallelic_variants"`
			Skipped  int64  `json:"multiallelic_skipped"`
			Total    int64  `json:"total_dosage"`
			SHA256   string `json:"sha256_of_pos_sum_sumsq"`
		} `json:"1kg_chr22"`
	}
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	want := expected.Genomes
	tally := vcfio.Tally{}
	r, err := vcfio.Open(ctx, blob.Local{}, dir+f.Name(), vcfio.Options{Multiallelic: vcfio.Skip, Alleles: vcfio.Keep, Tally: &tally},
		column.ReadOptions{Threads: 2, Columns: []string{"pos", "AC", "AN", "HET", "HOM"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	digest, total, rows := sha256.New(), int64(0), 0
	for _, b := range batches {
		value := func(c, i int) int64 { return b.Column(c).(*array.Int64).Value(i) }
		for i := range int(b.NumRows()) {
			ac, het, hom := value(1, i), value(3, i), value(4, i)
			if ac != het+2*hom || value(2, i) != 2*int64(want.Samples) {
				t.Fatalf("position %d: AC %d, HET %d, HOM %d, AN %d", value(0, i), ac, het, hom, value(2, i))
			}
			fmt.Fprintf(digest, "%d:%d:%d;", value(0, i), ac, het+4*hom)
			total += ac
			rows++
		}
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != want.SHA256 || total != want.Total || rows != want.Variants || tally.Multiallelic != want.Skipped {
		t.Errorf("digest %s, total %d, %d rows, %d skipped; want %+v", got, total, rows, tally.Multiallelic, want)
	}
}

// Every operation of the file system fails once; the error arrives, and nothing is left open.
func TestFaults(t *testing.T) {
	content := bgzip(t, vcfiotest.Random(rand.New(rand.NewPCG(5, 6)), vcfiotest.Shape{Samples: vcfiotest.Names("S", 30), Records: 500}))
	mem := &blobtest.Mem{}
	mem.Put("a.vcf.gz", []byte(content))
	for at := int64(1); ; at++ {
		faulty := &blobtest.Faulty{FS: mem, FailAt: at}
		_, err := readFrom(t, faulty, "a.vcf.gz", vcfio.Options{}, column.ReadOptions{Threads: 2})
		if !faulty.Failed() {
			if err != nil {
				t.Fatal(err)
			}
			if at < 3 {
				t.Errorf("only %d operations", at-1)
			}
			return
		}
		if err == nil {
			t.Errorf("operation %d failed and nobody heard of it", at)
		}
	}
}
