package vcfio_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
	"github.com/cipherfold/cipherfold/io/vcfio/vcfiotest"
)

// Bad files are refused with the file, the line, what is wrong and what to do.
func TestRefusals(t *testing.T) {
	const good = "1 5 . A C . . . GT 0/1 0|0"
	head := "##fileformat=VCFv4.2\n"
	columns := "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\n"
	one := func(line string) string { return vcf("A B", good, line) }
	for _, c := range []struct {
		name, text, want string // want: the error as far as it matters
		o                vcfio.Options
	}{
		{"empty", "", "a.vcf: line 1: the file is empty", vcfio.Options{}},
		{"no fileformat", "#CHROM\tPOS\n", "a.vcf: line 1: not a VCF file: it does not begin with ##fileformat=VCFv4", vcfio.Options{}},
		{"version 3", "##fileformat=VCFv3.3\n", `a.vcf: line 1: file format "VCFv3.3" is not known`, vcfio.Options{}},
		{"bcf inside", "BCF\x02\x02", "a.vcf: line 1: not a VCF file: it is BCF", vcfio.Options{}},
		{"csv", "gene,x\n", "a.vcf: line 1: not a VCF file", vcfio.Options{}},
		{"header only begun", head + "##contig=<ID=1>\n", "a.vcf: line 3: the file ends too early: there is no line #CHROM", vcfio.Options{}},
		{"record in the header", head + "1\t5\t.\tA\tC\n", `a.vcf: line 2: "1\t5\t.\tA\tC" where a header line is expected`, vcfio.Options{}},
		{"blanks for tabs", head + "#CHROM POS ID REF ALT QUAL FILTER INFO\n", "a.vcf: line 2: column 1 of the header is not #CHROM", vcfio.Options{}},
		{"header column misnamed", head + strings.Replace(columns, "REF", "REFERENCE", 1), "a.vcf: line 2: column 4 of the header is not REF", vcfio.Options{}},
		{"header cut", head + "#CHROM\tPOS\tID\n", "a.vcf: line 2: column 4 of the header is not REF", vcfio.Options{}},
		{"format without samples", head + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\n", "a.vcf: line 2: FORMAT but no sample", vcfio.Options{}},
		{"duplicate sample", vcf("A B A", good+" 0/0"), `a.vcf: line 2, column "A": duplicate sample: columns 10 and 12 are both "A"`, vcfio.Options{}},
		{"unnamed sample", head + strings.Replace(columns, "\tA\t", "\t\t", 1), `a.vcf: line 2: column 10 has "" as the name of a sample`, vcfio.Options{}},
		{"no such sample", vcf("NA01 NA02", good), `a.vcf: line 2: there is no sample "NA03"`, vcfio.Options{Samples: []string{"NA03"}}},
		{"sample asked for twice", vcf("A B", good), `a.vcf: line 2, column "A": sample "A" is asked for twice`, vcfio.Options{Samples: []string{"A", "A"}}},

		{"too few columns", one("1 6 . A C . . . GT 0/1"), "a.vcf: row 2 (line 4): 10 columns, but the header has 11", vcfio.Options{}},
		{"too many columns", one("1 6 . A C . . . GT 0/1 0/1 0/1"), "a.vcf: row 2 (line 4): 12 columns, but the header has 11", vcfio.Options{}},
		{"header line after records", one("##late"), "a.vcf: row 2 (line 4): a header line after the first record", vcfio.Options{}},
		{"empty line", vcf("A B", good, "", "1 7 . A C . . . GT 0/1 0|0"), "a.vcf: row 2 (line 4): an empty line", vcfio.Options{}},
		{"cut line", strings.TrimSuffix(one("1 6 . A C . . . GT"), "\n"), "a.vcf: row 2 (line 4): the file ends too early: the last line has 9 columns, not 11, and no line end", vcfio.Options{}},
		{"cut genotype", strings.TrimSuffix(one("1 6 . A C . . . GT 0/1 0"), "\n"), "a.vcf: row 2 (line 4): the file ends too early: the last line has no line end, and its last sample has no whole genotype", vcfio.Options{}},
		{"empty column", one("1 6 . A C . .  GT 0/1 0/0"), `a.vcf: row 2 (line 4), column "INFO": INFO is empty`, vcfio.Options{}},

		{"position is text", one("1 6x . A C . . . GT 0/1 0/0"), `a.vcf: row 2 (line 4), column "POS": "6x" is no position`, vcfio.Options{}},
		{"position is negative", one("1 -6 . A C . . . GT 0/1 0/0"), `column "POS": "-6" is no position`, vcfio.Options{}},
		{"position is huge", one("1 99999999999999999999 . A C . . . GT 0/1 0/0"), `column "POS": "99999999999999999999" is no position`, vcfio.Options{}},
		{"unsorted", one("1 4 . A C . . . GT 0/1 0/0"), `a.vcf: row 2 (line 4), column "POS": not sorted: position 4 of 1 comes after 5 on line 3`, vcfio.Options{}},
		{"chromosome comes back", vcf("A B", good, "2 1 . A C . . . GT 0/1 0/0", "1 7 . A C . . . GT 0/1 0/0"), `a.vcf: row 3 (line 5), column "CHROM": not sorted: chromosome 1 comes again, after others; it was left on line 3`, vcfio.Options{}},
		{"duplicate variant", one("1 5 . A C . . . GT 0/0 0/0"), `a.vcf: row 2 (line 4), column "POS": duplicate variant: 1:5 "A\tC" was already on line 3`, vcfio.Options{}},
		{"duplicate variant in one record", one("1 6 . A C,T,C . . . GT 0/0 0/0"), `a.vcf: row 2 (line 4), column "POS": duplicate variant: 1:6 "A\tC" was already on line 4`, vcfio.Options{}},
		{"duplicate variant after trimming", vcf("A B", "1 4 . GA GC . . . GT 0/0 0/0", good), `a.vcf: row 2 (line 4), column "POS": duplicate variant: 1:5 "A\tC" was already on line 3`, vcfio.Options{}},
		{"chromosome with a control character", one("\x011 6 . A C . . . GT 0/1 0/0"), `column "CHROM": "\x011" is no name of a chromosome`, vcfio.Options{}},

		{"reference is no base", one("1 6 . 1 C . . . GT 0/1 0/0"), `a.vcf: row 2 (line 4), column "REF": "1" is no reference allele`, vcfio.Options{}},
		{"alternative is no base", one("1 6 . A C,9 . . . GT 0/1 0/0"), `column "ALT": "9" is no alternative allele`, vcfio.Options{}},
		{"alternative is empty", one("1 6 . A C,,G . . . GT 0/1 0/0"), `column "ALT": "" is no alternative allele`, vcfio.Options{}},
		{"symbol is open", one("1 6 . A <DEL . . . GT 0/1 0/0"), `column "ALT": "<DEL" is no alternative allele`, vcfio.Options{}},
		{"alternative equals reference", one("1 6 . A a . . . GT 0/1 0/0"), `column "ALT": ALT equals REF, "a"`, vcfio.Options{}},
		{"several alleles", one("1 6 . A C,G . . . GT 0/1 0/0"), `a.vcf: row 2 (line 4), column "ALT": 2 alternative alleles`, vcfio.Options{Multiallelic: vcfio.Refuse}},
		{"symbolic allele", one("1 6 . A <DEL> . . . GT 0/1 0/0"), `column "ALT": the allele "<DEL>" is not bases`, vcfio.Options{Symbolic: vcfio.Refuse}},

		{"allele out of range", one("1 6 . A C . . . GT 0/1 0|2"), `a.vcf: row 2 (line 4), column "B": genotype "0|2" has an allele that the record does not have: it has one alternative allele`, vcfio.Options{}},
		{"allele out of range in a split record", one("1 6 . A C,G . . . GT:DP 0/3:1 0|2"), `column "A": genotype "0/3" has an allele that the record does not have: it has 2 alternative alleles`, vcfio.Options{}},
		{"allele far out of range", one("1 6 . A C . . . GT 0/1 99999999999999999999999/0"), `column "B": genotype`, vcfio.Options{}},
		{"allele of a sample that is not chosen", one("1 6 . A C . . . GT 0/1 0|2"), `column "B": genotype "0|2" has an allele`, vcfio.Options{Samples: []string{"A"}}},
		{"genotype is text", one("1 6 . A C . . . GT 0/1 A/C"), `a.vcf: row 2 (line 4), column "B": "A/C" is no genotype`, vcfio.Options{}},
		{"genotype ends early", one("1 6 . A C . . . GT 0/1 0|"), `column "B": "0|" is no genotype`, vcfio.Options{}},
		{"genotype is empty", one("1 6 . A C . . . GT:DP 0/1 :5"), `column "B": "" is no genotype`, vcfio.Options{}},
		{"genotype column is empty", one("1 6 . A C . . . GT 0/1 "), `column "B": "" is no genotype`, vcfio.Options{}},
		{"genotype with a strange separator", one("1 6 . A C . . . GT 0/1 0-1"), `column "B": "0-1" is no genotype`, vcfio.Options{}},
		{"genotype of 65 alleles", one("1 6 . A C . . . GT 0/1 0" + strings.Repeat("/0", 64)), `column "B": a genotype of more than 64 alleles`, vcfio.Options{}},
		{"no GT", one("1 6 . A C . . . DP 0 1"), `a.vcf: row 2 (line 4), column "FORMAT": FORMAT "DP" has no GT`, vcfio.Options{}},
		{"more fields than FORMAT has", one("1 6 . A C . . . GT 0/1:3 0/0"), `a.vcf: row 2 (line 4), column "A": 2 fields, but FORMAT "GT" has 1`, vcfio.Options{}},
		{"more fields than a long FORMAT has", one("1 6 . A C . . . GT:DP 0/1:3 0/0:3:4"), `column "B": 3 fields, but FORMAT "GT:DP" has 2`, vcfio.Options{}},
		{"more fields beside dosages", vcf("A B", "1 6 . A C . . . GT:DS 0/1:1 0/0:0:4"), `column "B": 3 fields, but FORMAT "GT:DS" has 2`, vcfio.Options{Dosage: vcfio.DS}},
		{"GT twice", one("1 6 . A C . . . GT:GT 0/0:1/1 0/1:0/0"), `a.vcf: row 2 (line 4), column "FORMAT": FORMAT "GT:GT" has GT twice`, vcfio.Options{}},
		{"no DS", one("1 6 . A C . . . GT 0/0 0/1"), `a.vcf: row 1 (line 3), column "FORMAT": FORMAT "GT" has no DS`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS is text", vcf("A", "1 6 . A C . . . DS x"), `column "A": DS "x" is not a number of at most 9 decimals`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS too fine", vcf("A", "1 6 . A C . . . DS 1e-10"), `column "A": DS "1e-10" is not a number of at most 9 decimals`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS out of range", vcf("A", "1 6 . A C . . . DS 2.001"), `column "A": DS "2.001" is not between 0 and 2`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS of a haploid", vcf("A", "1 6 . A C . . . GT:DS 1:1.5"), `column "A": DS "1.5" is not between 0 and 1`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS is negative", vcf("A", "1 6 . A C . . . DS -0.5"), `column "A": DS "-0.5" is below 0`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS of another number of alleles", vcf("A", "1 6 . A C,G . . . DS 0.5"), `column "A": DS "0.5" has 1 numbers for 2 alternative alleles`, vcfio.Options{Dosage: vcfio.DS}},
		{"DS partly missing", vcf("A", "1 6 . A C,G . . . DS 0.5,."), `column "A": DS "0.5,." is not a number`, vcfio.Options{Dosage: vcfio.DS}},
		{"AF of another number of alleles", vcf("A", "1 6 . A C,G . . AF=0.1 GT 0/1"), `column "INFO": AF has 1 values for 2 alternative alleles`, vcfio.Options{AFMax: 1}},
		{"AF is text", vcf("A", "1 6 . A C . . AF=x GT 0/1"), `column "INFO": AF "x" is no frequency`, vcfio.Options{AFMax: 1}},
	} {
		for _, form := range []string{"plain", "gzip", "bgzip"} {
			name, content := "a.vcf", c.text
			switch {
			case form == "gzip" && c.text != "":
				content = gzipped(t, c.text)
			case form == "bgzip" && c.text != "":
				content = bgzip(t, c.text)
			}
			_, err := read(t, name, content, c.o, column.ReadOptions{Threads: 2})
			var refused *column.InputError
			if !errors.As(err, &refused) || refused.Hint == "" || refused.Line == 0 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s:\n got %v\nwant %s", c.name, form, err, c.want)
			}
		}
	}
}

// A whole file whose last line lacks its end looks cut off when its last sample is haploid; the hint says what to do then.
func TestLastLineWithoutEnd(t *testing.T) {
	text := vcf("A B", "X 5 . A C . . . GT 0/1 1")
	_, err := read(t, "a.vcf", strings.TrimSuffix(text, "\n"), vcfio.Options{}, column.ReadOptions{})
	var refused *column.InputError
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "or, if it is whole, end its last line with a line feed") {
		t.Errorf("%v", err)
	}
	if _, err := read(t, "a.vcf", text, vcfio.Options{}, column.ReadOptions{}); err != nil {
		t.Error(err)
	}
}

// Records on either side of a boundary between chunks are held against each other.
func TestRefusalsAcrossChunks(t *testing.T) {
	samples := vcfiotest.Names("S", 3000)
	text := vcfiotest.Random(rand.New(rand.NewPCG(7, 8)), vcfiotest.Shape{Samples: samples, Records: 290, Plain: true})
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	for name, change := range map[string]func(l []string, at int){
		"not sorted: position":   func(l []string, at int) { l[at] = l[at-2] },
		"not sorted: chromosome": func(l []string, at int) { l[at+115] = l[at] }, // of another chromosome
		"duplicate variant":      func(l []string, at int) { l[at] = l[at-1] },
	} {
		from, to := thoroughtest.Pick(84, 80), thoroughtest.Pick(92, 95) // about 87 lines of 12 kB are a chunk
		for at := from; at < to; at++ {
			l := slices.Clone(lines)
			change(l, at)
			_, err := read(t, "a.vcf", strings.Join(l, ""), vcfio.Options{}, column.ReadOptions{Threads: 2})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("line %d: %v, want %s", at, err, name)
			}
		}
	}
}

// A compressed file that is cut anywhere, or has a bit changed, is refused.
func TestDamagedCompression(t *testing.T) {
	text := vcfiotest.Random(rand.New(rand.NewPCG(9, 10)), vcfiotest.Shape{Samples: vcfiotest.Names("S", 100), Records: 1200})
	for form, whole := range map[string]string{"bgzip": bgzip(t, text), "gzip": gzipped(t, text)} {
		step := thoroughtest.Pick(3, 1) // odd, so that threads change
		for i := 0; i < 60; i += step {
			cut := whole[:len(whole)-1-i*i*len(whole)/3700]
			_, err := read(t, "a.vcf.gz", cut, vcfio.Options{}, column.ReadOptions{Threads: 1 + i%2})
			if !errors.Is(err, column.ErrTruncated) || !strings.Contains(err.Error(), "line") {
				t.Errorf("%s cut to %d of %d bytes: %v", form, len(cut), len(whole), err)
			}
		}
		for i := 0; i < 60; i += step {
			at := 10 + i*(len(whole)-40)/60
			_, err := read(t, "a.vcf.gz", whole[:at]+string(whole[at]^4)+whole[at+1:], vcfio.Options{}, column.ReadOptions{Threads: 1 + i%2})
			var refused *column.InputError
			if !errors.As(err, &refused) {
				t.Errorf("%s with byte %d changed: %v", form, at, err)
			}
			// Every block of bgzip has a checksum: nobody is told to sort a file whose text is garbled.
			if form == "bgzip" && !strings.Contains(err.Error(), "BGZF") && !strings.Contains(err.Error(), "compressed") {
				t.Errorf("bgzip with byte %d changed: %v, which is not about the compression", at, err)
			}
		}
		if _, err := read(t, "a.vcf.gz", whole+"rubbish after the end", vcfio.Options{}, column.ReadOptions{}); err == nil {
			t.Errorf("%s followed by rubbish is let through", form)
		}
	}
	// Files joined end to end are one; a marker in between is no end.
	records := text[strings.Index(text, "\n21\t")+1:]
	joined, err := read(t, "a.vcf.gz", bgzip(t, strings.TrimSuffix(text, records))+bgzip(t, records), vcfio.Options{}, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	compareCounts(t, joined, vcfiotest.Count(text, vcfiotest.Names("S", 100)))
}

// Several files make one table when they have the same samples and different positions, or different samples.
func TestParts(t *testing.T) {
	all := func(samples, at string) string {
		return vcf(samples, at+" . A C . . . GT"+strings.Repeat(" 0/1", len(strings.Fields(samples))))
	}
	for _, c := range []struct{ name, a, b, want string }{
		{"by chromosome", all("A B", "1 5"), all("A B", "2 5"), ""},
		{"by stretch", all("A B", "1 5"), all("B A", "1 6"), ""},
		{"by sample", all("A B", "1 5"), all("C D", "1 5"), ""},
		{"overlapping samples", all("A B", "1 5"), all("C B", "2 5"), `b.vcf: line 2, column "B": duplicate sample: "B" is in a.vcf too, as are 1 of the 2 samples here`},
		{"more samples", all("A B", "1 5"), all("A B C", "2 5"), `b.vcf: line 2, column "A": duplicate sample: "A" is in a.vcf too, as are 2 of the 3 samples here`},
		{"fewer samples", all("A B", "1 5"), all("A", "2 5"), `b.vcf: line 2, column "A": duplicate sample: "A" is in a.vcf too`},
		{"the same positions", all("A B", "1 5"), all("A B", "1 5"), `b.vcf: row 1 (line 3), column "POS": a.vcf has the same samples and positions 5 to 5 of 1 too`},
	} {
		fs := &blobtest.Mem{}
		fs.Put("a.vcf", []byte(c.a))
		fs.Put("b.vcf", []byte(c.b))
		parts := &vcfio.Parts{}
		var err error
		for _, name := range []string{"a.vcf", "b.vcf"} { // as column.OpenParts looks at the columns first
			if r, e := vcfio.Open(ctx, fs, name, vcfio.Options{Parts: parts}, column.ReadOptions{}); e == nil {
				r.Close()
			} else {
				err = e
			}
		}
		for _, name := range []string{"a.vcf", "b.vcf"} {
			if err == nil {
				_, err = readFrom(t, fs, name, vcfio.Options{Parts: parts}, column.ReadOptions{})
			}
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// BCF is refused by its name.
func TestBCF(t *testing.T) {
	fs := &blobtest.Mem{}
	fs.Put("a.bcf", []byte("BCF"))
	_, err := vcfio.Open(ctx, fs, "a.bcf", vcfio.Options{}, column.ReadOptions{})
	var refused *column.InputError
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "bcftools view") {
		t.Errorf("%v", err)
	}
}
