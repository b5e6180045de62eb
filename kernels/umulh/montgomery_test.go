package umulh

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// guarded is memory of words whose surroundings are known, for functions that might write there.
type guarded struct{ all, words []uint64 }

const guard = 16

func newGuarded(rng *rand.Rand, n int) guarded {
	all := make([]uint64, n+2*guard)
	for i := range all {
		all[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	extreme(rng, all[guard:guard+n])
	return guarded{all, all[guard : guard+n]}
}

// check fails when a word around the others has been written.
func (g guarded) check(t *testing.T, what string) {
	t.Helper()
	for i, v := range g.all {
		if (i < guard || i >= guard+len(g.words)) && v != uint64(i)*0x9e3779b97f4a7c15 {
			t.Fatalf("%s of %d words wrote at word %d", what, len(g.words), i-guard)
		}
	}
}

// extreme fills x with words that are random, all ones, zero or all ones, or all ones in one block only.
func extreme(rng *rand.Rand, x []uint64) []uint64 {
	style, some := rng.IntN(5), rng.IntN(len(x)/blockWords+1)
	for i := range x {
		switch x[i] = rng.Uint64(); style {
		case 1:
			x[i] = ^uint64(0)
		case 2:
			x[i] = -(x[i] & 1)
		case 3:
			if i/blockWords != some {
				x[i] = 0
			}
		case 4:
			x[i] = 0
			if i/blockWords >= some {
				x[i] = ^uint64(0)
			}
		}
	}
	return x
}

func value(x []uint64) *big.Int {
	be := make([]byte, 8*len(x))
	bigmod.BytesFromWords(be, x)
	return new(big.Int).SetBytes(be)
}

func power(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(64*n)) }

// TestMontgomery compares products, squares and reductions, of the largest and of other values modulo the largest, the
// smallest and other moduli, with math/big.
func TestMontgomery(t *testing.T) {
	rng := rand.New(rand.NewPCG(64, 2))
	for n := blockWords; n <= bigmod.MaxBits/64; n += blockWords {
		for range 20 + 400/n {
			m := extreme(rng, make([]uint64, n))
			m[0] |= 1
			switch rng.IntN(4) {
			case 0:
				m[n-1] |= 1 << 63
			case 1:
				clear(m[1:])
				m[n-1], m[0] = 1<<63, 1
			}
			inv := new(big.Int).ModInverse(value(m[:1]), power(1))
			testMontgomery(t, rng, m, inv.Sub(power(1), inv).Uint64())
		}
	}
}

func testMontgomery(t *testing.T, rng *rand.Rand, m []uint64, inv uint64) {
	n, modulus := len(m), value(m)
	a := newMontgomery(m, inv)
	x, y := extreme(rng, make([]uint64, n)), extreme(rng, make([]uint64, n))
	xs, ys := slices.Clone(x), slices.Clone(y)
	for name, f := range map[string]struct {
		run func(t, s []uint64)
		y   []uint64
	}{
		"product":            {func(t, s []uint64) { a.Product(t, x, y, s) }, y},
		"product by itself":  {func(t, s []uint64) { a.Product(t, x, x, s) }, x},
		"square":             {func(t, s []uint64) { a.Square(t, x, s) }, x},
		"product in reverse": {func(t, s []uint64) { a.Product(t, y, x, s) }, y},
	} {
		z, s := newGuarded(rng, 2*n), newGuarded(rng, 2*n)
		f.run(z.words, s.words)
		z.check(t, name)
		s.check(t, name+", scratch")
		if got, want := value(z.words), new(big.Int).Mul(value(x), value(f.y)); got.Cmp(want) != 0 {
			t.Fatalf("%s of %x and %x is\n  %x, want\n  %x", name, value(x), value(f.y), got, want)
		}
		if !slices.Equal(x, xs) || !slices.Equal(y, ys) {
			t.Fatalf("%s changes what it multiplies", name)
		}
	}

	v, limit := value(extreme(rng, make([]uint64, 2*n))), new(big.Int).Mul(modulus, power(n))
	if rng.IntN(4) > 0 {
		v.Mod(v, limit)
	}
	switch rng.IntN(4) {
	case 0:
		v.Sub(limit, big.NewInt(1+rng.Int64N(3)))
	case 1: // a multiple of the modulus
		v.Mul(modulus, value(y))
	}
	q := new(big.Int).ModInverse(modulus, power(n))
	q.Mul(q.Neg(q), v).Mod(q, power(n))
	want := new(big.Int).Mul(q, modulus)
	want.Add(want, v).Rsh(want, uint(64*n))
	over := uint64(0)
	if want.Cmp(modulus) >= 0 {
		over = 1
		want.Sub(want, modulus)
	}
	w, z := newGuarded(rng, 2*n), newGuarded(rng, n)
	bigmod.WordsFromBytes(w.words, v.Bytes())
	got := a.Reduce(z.words, w.words)
	w.check(t, "Reduce, t")
	z.check(t, "Reduce, z")
	if value(z.words).Cmp(want) != 0 || got != over || value(w.words[:n]).Cmp(q) != 0 {
		t.Fatalf("reduction of %x modulo %x is\n  %x, %d times less, quotient %x, want\n  %x, %d, %x",
			v, modulus, value(z.words), got, value(w.words[:n]), want, over, q)
	}
}
