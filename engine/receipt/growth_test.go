package receipt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/growthtest"
	"github.com/cipherfold/cipherfold/io/blob"
)

// Verifying a receipt, which somebody may have forged, takes time in proportion to its files, openings, steps, and lengths of
// names.
func TestForgedReceiptsAreCheckedInTime(t *testing.T) {
	p := newPlace(t)
	unsigned := p.unsigned()
	verify := func(change func(r *receipt.Receipt, n int)) func(int, func(func())) {
		return func(n int, work func(func())) {
			r := *unsigned
			r.Inputs = append([]receipt.File(nil), unsigned.Inputs...)
			r.Steps = append([]receipt.Step(nil), unsigned.Steps...)
			change(&r, n)
			data := p.sign(&r)
			o := p.with(receipt.VerifyOptions{SkipInputs: true})
			work(func() {
				if report, err := receipt.Verify(ctx, blob.Local{}, data, o); err != nil || len(report.Files) != len(r.Inputs)+1 {
					t.Fatal(err)
				}
			})
		}
	}
	missing := func(r *receipt.Receipt, names ...string) {
		for _, name := range names {
			r.Inputs = append(r.Inputs, receipt.File{Path: name, SHA256: strings.Repeat("ab", 32)})
		}
		r.Steps[0].Inputs = append(append([]string(nil), r.Steps[0].Inputs...), names...)
	}
	growthtest.Linear(t, 300, verify(func(r *receipt.Receipt, n int) { // each with an opening
		for i := range n {
			missing(r, fmt.Sprintf("none-%d.csv", i))
		}
	}))
	growthtest.Linear(t, 300, verify(func(r *receipt.Receipt, n int) {
		for range n {
			r.Steps = append(r.Steps, r.Steps[0])
		}
	}))
	growthtest.Linear(t, 500, verify(func(r *receipt.Receipt, n int) { // of deep directories
		for i := range 30 {
			missing(r, fmt.Sprintf("%d/", i)+strings.Repeat("a/", n)+"a")
		}
	}))
	r := *unsigned
	missing(&r, strings.Repeat("a/", blob.NameBytesMax)+"a")
	if _, _, err := r.Sign(p.signer); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the name of a file has %d bytes", 2*blob.NameBytesMax+1)) {
		t.Errorf("%v", err)
	}
}
