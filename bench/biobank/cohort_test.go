package biobank

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// What the files say is the truth: the reader of VCF files counts what the generator counted, in the same variants for every
// owner, most of them rare, with some calls missing.
func TestCohorts(t *testing.T) {
	o := &Options{Variants: 4000, Owners: 2, Samples: 40, Seed: 7}
	truth := &truth{ac: make([]int32, o.Variants), an: make([]int32, o.Variants)}
	ac, an, missing, rare := make([]int64, o.Variants), make([]int64, o.Variants), int64(0), 0
	var first []string
	for owner := range o.Owners {
		name := filepath.Join(t.TempDir(), "a.vcf.gz")
		if err := o.writeCohort(context.Background(), name, owner, truth); err != nil {
			t.Fatal(err)
		}
		r, err := vcfio.Open(context.Background(), blob.Local{}, name, vcfio.Options{Multiallelic: vcfio.Refuse}, column.ReadOptions{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		batches, err := column.Collect(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		v := 0
		for _, b := range batches {
			for i := range int(b.NumRows()) {
				id := ""
				for c := range 4 {
					id += b.Column(c).ValueStr(i) + " "
				}
				if owner == 0 {
					first = append(first, id)
				} else if id != first[v] {
					t.Fatalf("variant %d is %s, of the first owner %s", v, id, first[v])
				}
				ac[v] += b.Column(4).(*array.Int64).Value(i)
				an[v] += b.Column(5).(*array.Int64).Value(i)
				missing += b.Column(6).(*array.Int64).Value(i)
				v++
			}
			b.Release()
		}
		if v != o.Variants {
			t.Fatalf("%d variants", v)
		}
	}
	for v := range ac {
		if ac[v] != int64(truth.ac[v]) || an[v] != int64(truth.an[v]) {
			t.Fatalf("variant %d: %d of %d read, %d of %d made", v, ac[v], an[v], truth.ac[v], truth.an[v])
		}
		if 20*ac[v] < an[v] {
			rare++
		}
	}
	if calls := int64(o.Variants * o.Owners * o.Samples); missing < calls*3/1000 || missing > calls*7/1000 {
		t.Errorf("%d of %d calls are missing", missing, calls)
	}
	if rare < o.Variants/2 || rare == o.Variants {
		t.Errorf("%d of %d variants are rare", rare, o.Variants)
	}
}
