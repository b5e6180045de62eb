package mont52

import (
	"math/big"
	"testing"
)

// limbsValue is the value of limbs in the first lane of every stride words.
func limbsValue(x []uint64, stride int) *big.Int {
	v := new(big.Int)
	for j := (len(x) - 1) / stride * stride; j >= 0; j -= stride {
		v.Lsh(v, limbBits).Add(v, new(big.Int).SetUint64(x[j]))
	}
	return v
}

func TestSetup(t *testing.T) {
	for _, bits := range lengths() {
		for _, m := range moduli(newRand(bits), bits) {
			r := newRing(modulusOf(m), false)
			if got := limbsValue(r.m, 1); got.Cmp(m) != 0 {
				t.Fatalf("%d bits: limbs of the modulus are %x", bits, got)
			}
			if pow2(limbBits*r.k-4).Cmp(m) < 0 {
				t.Fatalf("%d bits: %d limbs leave m > R/16", bits, r.k)
			}
			for _, c := range []struct {
				lag      int
				multiple []uint64
			}{{longLag, r.long}, {shortLag, r.short}} {
				n := limbsValue(c.multiple, 1)
				// N·2^(52·lag) - 1 is a multiple of m, and N <= m.
				v := new(big.Int).Lsh(n, uint(limbBits*c.lag))
				v.Sub(v, big.NewInt(1))
				if n.Cmp(m) > 0 || v.Mod(v, m).Sign() != 0 {
					t.Fatalf("%d bits: wrong multiple of lag %d", bits, c.lag)
				}
			}
			for i, group := range [][]uint64{r.one, r.rr, r.rrr} {
				want := pow2(limbBits * r.k * (i + 1))
				for l := range lanes {
					if got := limbsValue(group[l:], lanes); got.Cmp(want.Mod(want, m)) != 0 {
						t.Fatalf("%d bits: R^%d is wrong in lane %d", bits, i+1, l)
					}
				}
			}
		}
	}
}

func TestPlans(t *testing.T) {
	sum := func(p []uint64) (rows int) {
		for _, n := range p {
			rows += int(n)
		}
		return rows
	}
	for k := limbsMin; k <= 160; k++ {
		p := productPlan(k)
		if p[0] < longRowsMin || p[0] > longRowsMax || sum(p) != k || p[len(p)-1] != 0 {
			t.Errorf("plan of products of %d limbs: %v", k, p)
		}
		long, short := reduceRows(k)
		if long+short+lastRows != k || long > 0 && short < longLag-lastRows+1 {
			t.Errorf("reduction of %d limbs: %d, %d, %d rows", k, long, short, lastRows)
		}
		if p := reducePlan(k); sum(p) != long+short || p[len(p)-1] != 0 {
			t.Errorf("plan of reductions of %d limbs: %v", k, p)
		}
		for _, n := range append(p, reducePlan(k)...) {
			if n > 8 && (n < longRowsMin || n > longRowsMax) {
				t.Errorf("%d limbs: a pass of %d rows", k, n)
			}
		}
	}
}
