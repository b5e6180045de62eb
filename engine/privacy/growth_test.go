package privacy

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/internal/growthtest"
)

// A budget that somebody forged, with a long fraction of its own in every entry, is added up in time in proportion to the entries.
// The exact sum would have as many digits as all of them.
func TestForgedBudgetsAreAddedUpInTime(t *testing.T) {
	growthtest.Linear(t, 1000, func(n int, work func(func())) {
		b := &Budget{Rho: "1", file: "b.json"}
		if err := b.parse(); err != nil {
			t.Fatal(err)
		}
		d := new(big.Int).Exp(big.NewInt(10), big.NewInt(190), nil)
		for range n {
			d.Add(d, big.NewInt(2))
			b.Spent = append(b.Spent, Release{Rho: fmt.Sprintf("1/%d", d)})
		}
		work(func() {
			g, err := b.Composed()
			if err != nil || g.Rho.Sign() <= 0 {
				t.Fatal(err)
			}
			if _, err := b.State(); err != nil {
				t.Fatal(err)
			}
		})
	})
}
