package paillier

import (
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// In its steady state no worker allocates for each row: many rows take hardly more allocations than few, only those
// that an inversion needs for each piece of 32 rows or more.
func TestNoAllocationPerRow(t *testing.T) {
	forKeysOf(t, 512, func(t *testing.T, sk *SecretKey) {
		if testing.CoverMode() != "" {
			t.Skip("coverage counters allocate")
		}
		pk := sk.Public()
		public, owner, d, e := pk.NewEncryptor(), sk.NewEncryptor(), sk.NewDecryptor(), pk.NewEvaluator()
		sums := pk.NewAccumulator(20)
		few, many := 64, thoroughtest.Pick(192, 384)
		m := make([]uint64, many*pk.PlaintextLimbs())
		ct, dst := make([]byte, many*pk.CiphertextSize()), make([]byte, many*pk.CiphertextSize())
		ok(t, owner.Encrypt(ct, m))
		w := make([]int64, many)
		groups := make([]int32, many)
		for i := range w {
			w[i], groups[i] = int64(i%50)-20, int32(i%20)
		}
		scalars := Int64Scalars(w)
		one := make([]byte, pk.CiphertextSize())
		three := big.NewInt(3)
		part := func(n int) ([]byte, []byte, []uint64) {
			return dst[:n*pk.CiphertextSize()], ct[:n*pk.CiphertextSize()], m[:n*pk.PlaintextLimbs()]
		}
		head := func(n int) Scalars { return Scalars{8, scalars.Abs[:8*n], scalars.Neg[:n]} }
		for name, f := range map[string]func(n int) error{
			"Encrypt":       func(n int) error { dst, _, m := part(n); return public.Encrypt(dst, m) },
			"Encrypt owner": func(n int) error { dst, _, m := part(n); return owner.Encrypt(dst, m) },
			"Decrypt":       func(n int) error { _, ct, m := part(n); return d.Decrypt(m, ct) },
			"Check":         func(n int) error { _, ct, _ := part(n); return e.Check(ct) },
			"Fold":          func(n int) error { dst, ct, _ := part(n); return e.Fold(dst, ct, ct) },
			"Sum":           func(n int) error { _, ct, _ := part(n); return e.Sum(one, ct) },
			"WeightedFold":  func(n int) error { dst, ct, _ := part(n); return e.WeightedFold(dst, []int64{3, -2}, ct, ct) },
			"WeightedSum":   func(n int) error { _, ct, _ := part(n); return e.WeightedSum(one, ct, head(n)) },
			"AddPlain":      func(n int) error { dst, ct, m := part(n); return e.AddPlain(dst, ct, m) },
			"MulPlain":      func(n int) error { dst, ct, _ := part(n); return e.MulPlain(dst, ct, three) },
			"MulEach":       func(n int) error { dst, ct, _ := part(n); return e.MulEach(dst, ct, head(n)) },
			"Negate":        func(n int) error { dst, ct, _ := part(n); return e.Negate(dst, ct) },
			"Add":           func(n int) error { _, ct, _ := part(n); return sums.Add(groups[:n], ct) },
		} {
			allocations := func(n int) float64 {
				return testing.AllocsPerRun(1, func() {
					if err := f(n); err != nil {
						t.Fatal(name, err)
					}
				})
			}
			small, large := allocations(few), allocations(many)
			if large > small+float64(many-few)/4 {
				t.Errorf("%s: %v allocations for %d rows, %v for %d", name, small, few, large, many)
			}
		}
	})
}

// A worker reports the memory that it holds.
func TestWorkerBytes(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		for _, e := range []*Encryptor{sk.NewEncryptor(), sk.Public().NewEncryptor()} {
			before := e.Bytes()
			ok(t, e.Encrypt(o.room(100), make([]uint64, 100*sk.Public().PlaintextLimbs())))
			if before <= 0 || e.Bytes() <= before || e.Bytes() > 1<<22 {
				t.Errorf("an encryptor holds %d, then %d bytes", before, e.Bytes())
			}
		}
		d := sk.NewDecryptor()
		before := d.Bytes()
		ok(t, d.Decrypt(make([]uint64, sk.Public().PlaintextLimbs()), o.ct(one)))
		if before <= 0 || d.Bytes() <= before || d.Bytes() > 1<<22 {
			t.Errorf("a decryptor holds %d, then %d bytes", before, d.Bytes())
		}
		e := sk.Public().NewEvaluator()
		for name, f := range map[string]func() error{
			"Sum":          func() error { return e.Sum(o.room(1), o.ct(one, one)) },
			"WeightedSum":  func() error { return e.WeightedSum(o.room(1), o.ct(one, one), Int64Scalars([]int64{1, -2})) },
			"WeightedFold": func() error { return e.WeightedFold(o.room(1), []int64{5}, o.ct(one)) },
			"MulEach":      func() error { return e.MulEach(o.room(1), o.ct(one), Int64Scalars([]int64{1})) },
			"Rerandomize":  func() error { return e.Rerandomize(o.room(1), o.ct(one)) },
			"of own":       func() error { return e.RerandomizeOf(o.room(2), o.ct(one, one), OwnRandomizers) },
		} {
			before := e.Bytes()
			ok(t, f())
			if before <= 0 || e.Bytes() <= before || e.Bytes() > 1<<22 {
				t.Errorf("%s: an evaluator holds %d, then %d bytes", name, before, e.Bytes())
			}
		}
	})
}
