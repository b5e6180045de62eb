package vcfio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
	"github.com/cipherfold/cipherfold/io/vcfio/vcfiotest"
)

// Whatever the bytes are, reading ends in rows or in an *column.InputError with a file, the same with one thread and
// with several. For a file of simple genotypes the result equals the straightforward count.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		vcf("A B", "1 5 . A C . PASS AF=0.2 GT 0/1 0|0", "1 7 . AT A,<DEL> . . . GT:DP 1/2:3 ./."),
		vcf("A", "1 5 . A C . . . DS 0.5"), vcf("", "1 5 . A C . . ."), "##fileformat=VCFv4.2\n", "",
	} {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(gzipped(f, text)), uint8(1))
		f.Add([]byte(bgzip(f, text)), uint8(6))
	}
	f.Fuzz(func(t *testing.T, content []byte, kind uint8) {
		o := vcfio.Options{PerSample: kind&1 != 0, AFMax: float64(kind >> 1 & 1), Alleles: vcfio.Keep}
		if kind&4 != 0 {
			o.Dosage = vcfio.DS
		}
		one, err := read(t, "f.vcf", string(content), o, column.ReadOptions{})
		two, again := read(t, "f.vcf", string(content), o, column.ReadOptions{Threads: 2, BatchRows: 3})
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() || err == nil && len(one.rows) != len(two.rows) {
			t.Fatalf("%d rows, %v with one thread; %d rows, %v with two", len(one.rows), err, len(two.rows), again)
		}
		var refused *column.InputError
		if err != nil {
			if !errors.As(err, &refused) || refused.File != "f.vcf" {
				t.Fatalf("%v", err)
			}
			return
		}
		if text := string(content); kind == 0 && strings.HasPrefix(text, "##") && !strings.ContainsAny(text, "\r<*[].") && len(one.header) > 4 {
			rows := vcfiotest.Count(strings.ToUpper(text), strings.Split(strings.Split(text[strings.Index(text, "#CHROM"):], "\n")[0], "\t")[9:])
			if len(rows) != len(one.rows) {
				t.Fatalf("%d rows, the plain count has %d", len(one.rows), len(rows))
			}
			for i, r := range rows {
				if got, want := one.rows[i][4:], []int{r.AC, r.AN, r.Missing, r.Het, r.Hom}; strings.Join(got, " ") != strings.Trim(fmt.Sprint(want), "[]") {
					t.Fatalf("row %d: %v, the plain count is %v", i, got, want)
				}
			}
		}
	})
}
