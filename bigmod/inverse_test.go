package bigmod

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func gcdToBig(x []int64) *big.Int {
	z := new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		z.Lsh(z, gcdBits)
		z.Add(z, big.NewInt(x[i]))
	}
	return z
}

func gcdFromBig(x *big.Int, k int) []int64 {
	z, low := make([]int64, k), new(big.Int)
	x = new(big.Int).Set(x)
	for i := range k - 1 {
		low.And(x, big.NewInt(gcdMask))
		z[i] = low.Int64()
		x.Rsh(x, gcdBits)
	}
	z[k-1] = x.Int64()
	return z
}

// TestTransition checks a batch of division steps against its definition (Bernstein and Yang, section 2), and that
// the cofactors stay congruent and within (-2m, m), also from the ends of that range, which inversions rarely reach.
func TestTransition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(2, 400).Draw(t, "bits")
		k := (bits+2)/gcdBits + 1
		draw := func(name string, low, high *big.Int) *big.Int {
			span := new(big.Int).Sub(high, low)
			b := rapid.SliceOfN(rapid.Byte(), (bits+15)/8, (bits+15)/8).Draw(t, name)
			x := new(big.Int).SetBytes(b)
			switch x.Mod(x, span); rapid.IntRange(0, 4).Draw(t, name+" at an end") {
			case 0:
				x.SetInt64(0)
			case 1:
				x.Sub(span, big.NewInt(1))
			}
			return x.Add(x, low)
		}
		one, two := big.NewInt(1), big.NewInt(2)
		m := draw("m", new(big.Int).Lsh(one, uint(bits-1)), new(big.Int).Lsh(one, uint(bits)))
		m.SetBit(m, 0, 1)
		minus := new(big.Int).Neg(m)
		f := draw("f", minus, m)
		f.SetBit(f, 0, 1)
		g := draw("g", minus, m)
		d := draw("d", new(big.Int).Add(new(big.Int).Lsh(minus, 1), one), m)
		e := draw("e", new(big.Int).Add(new(big.Int).Lsh(minus, 1), one), m)
		delta := rapid.Int64Range(-70, 70).Draw(t, "delta")

		fw, gw, dw, ew, mw := gcdFromBig(f, k), gcdFromBig(g, k), gcdFromBig(d, k), gcdFromBig(e, k), gcdFromBig(m, k)
		gotDelta, tr := divsteps(delta, fw[0], gw[0])
		tr.apply(fw, gw)
		tr.applyMod(dw, ew, mw, -negInverse(m.Uint64())&gcdMask)

		for range gcdBits {
			switch odd := g.Bit(0) == 1; {
			case delta > 0 && odd:
				delta, f, g = 1-delta, g, new(big.Int).Rsh(new(big.Int).Sub(g, f), 1)
			case odd:
				delta, g = 1+delta, new(big.Int).Rsh(new(big.Int).Add(g, f), 1)
			default:
				delta, g = 1+delta, new(big.Int).Rsh(g, 1)
			}
		}
		if gotDelta != delta || gcdToBig(fw).Cmp(f) != 0 || gcdToBig(gw).Cmp(g) != 0 {
			t.Fatalf("after 62 steps: delta %d, f %x, g %x, want %d, %x, %x", gotDelta, gcdToBig(fw), gcdToBig(gw), delta, f, g)
		}

		check := func(name string, got []int64, a, b int64) {
			z := gcdToBig(got)
			want := new(big.Int).Add(new(big.Int).Mul(big.NewInt(a), d), new(big.Int).Mul(big.NewInt(b), e))
			want.Sub(want, new(big.Int).Lsh(z, gcdBits))
			if want.Mod(want, m).Sign() != 0 {
				t.Fatalf("%s is not congruent", name)
			}
			if z.Cmp(m) >= 0 || z.Cmp(new(big.Int).Mul(minus, two)) <= 0 {
				t.Fatalf("%s is out of range: %x for m = %x", name, z, m)
			}
		}
		check("d", dw, tr.u, tr.v)
		check("e", ew, tr.q, tr.r)
	})
}
