//go:build !purego

package mont64

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/cpu"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// wordsMax is the length of the longest residue.
const wordsMax = bigmod.MaxBits / 64

// guarded is memory of words whose surroundings are known, for functions that might write there.
type guarded struct{ all, words []uint64 }

const guard = 16

func newGuarded(n int) guarded {
	all := make([]uint64, n+2*guard)
	for i := range all {
		all[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
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

// lengths calls f for every number of words that a residue may have, often for short ones.
func lengths(t *testing.T, f func(rng *rand.Rand, n int)) {
	if ok, why := supported(); !ok {
		t.Skip(why)
	}
	rng := rand.New(rand.NewPCG(64, 1))
	for n := blockWords; n <= wordsMax; n += blockWords {
		for range (20 + 400/n) / thoroughtest.Pick(3, 1) {
			f(rng, n)
		}
	}
}

// orders are the arithmetic modulo m with either order of instructions, whichever this machine prefers.
func orders(m []uint64, inv uint64) []*montgomery {
	return []*montgomery{{m, inv, false}, {m, inv, true}}
}

// TestProduct compares products and squares, by the assembly alone and by Karatsuba's method, with math/big.
func TestProduct(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		x, y := extreme(rng, make([]uint64, n)), extreme(rng, make([]uint64, n))
		xs, ys := slices.Clone(x), slices.Clone(y)
		s := extreme(rng, make([]uint64, 2*n))
		for _, f := range []struct {
			name string
			run  func(t []uint64)
			y    []uint64
		}{
			{"productADX", func(t []uint64) { productADX(&t[0], &x[0], &y[0], n) }, y},
			{"squareADX", func(t []uint64) { squareADX(&t[0], &x[0], n) }, x},
			{"productADX2", func(t []uint64) { productADX2(&t[0], &x[0], &y[0], n) }, y},
			{"squareADX2", func(t []uint64) { squareADX2(&t[0], &x[0], n) }, x},
			{"product", func(t []uint64) { orders(x, 0)[0].product(t, x, y, s) }, y},
			{"square", func(t []uint64) { orders(x, 0)[0].square(t, x, s) }, x},
			{"product by two", func(t []uint64) { orders(x, 0)[1].product(t, x, y, s) }, y},
			{"square by two", func(t []uint64) { orders(x, 0)[1].square(t, x, s) }, x},
		} {
			z := newGuarded(2 * n)
			extreme(rng, z.words)
			f.run(z.words)
			z.check(t, f.name)
			if got, want := value(z.words), new(big.Int).Mul(value(x), value(f.y)); got.Cmp(want) != 0 {
				t.Fatalf("%s of %x and %x is\n  %x, want\n  %x", f.name, value(x), value(f.y), got, want)
			}
			if !slices.Equal(x, xs) || !slices.Equal(y, ys) {
				t.Fatalf("%s changes what it multiplies", f.name)
			}
		}
	})
}

// TestReduce compares the reduction of the largest and of other values with math/big, modulo the largest, the smallest and
// other moduli, with its quotient.
func TestReduce(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		m := extreme(rng, make([]uint64, n))
		m[0] |= 1
		if rng.IntN(2) == 0 {
			m[n-1] |= 1 << 63
		}
		if rng.IntN(4) == 0 {
			clear(m[1:])
			m[n-1], m[0] = 1<<63, 1
		}
		inv := new(big.Int).ModInverse(value(m[:1]), power(1))
		inv.Sub(power(1), inv)
		modulus := value(m)
		limit := new(big.Int).Mul(modulus, power(n))
		v := value(extreme(rng, make([]uint64, 2*n)))
		all := rng.IntN(4) == 0 // not below m·R
		if !all {
			v.Mod(v, limit)
		}
		switch rng.IntN(4) {
		case 0:
			v.Sub(limit, big.NewInt(1+rng.Int64N(3)))
		case 1: // a multiple of the modulus
			v.Mul(modulus, value(extreme(rng, make([]uint64, n))))
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
		for _, a := range orders(m, inv.Uint64()) {
			x, z := newGuarded(2*n), newGuarded(n)
			bigmod.WordsFromBytes(x.words, v.Bytes())
			extreme(rng, z.words)
			got := a.Reduce(z.words, x.words)
			x.check(t, "Reduce, t")
			z.check(t, "Reduce, z")
			if value(z.words).Cmp(want) != 0 || got != over || value(x.words[:n]).Cmp(q) != 0 {
				t.Fatalf("reduction of %x modulo %x, by two %t, is\n  %x, %d times less, quotient %x, want\n  %x, %d, %x",
					v, modulus, a.byTwo, value(z.words), got, value(x.words[:n]), want, over, q)
			}
		}
	})
}

// TestReduceOnce chooses what is left before the last subtraction: the modulus and its neighbours, the smallest numbers with
// a word more than the modulus, and the largest that occur.
func TestReduceOnce(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		m := extreme(rng, make([]uint64, n))
		m[0], m[n-1] = m[0]|1, m[n-1]|1<<63
		modulus, r := value(m), power(n)
		inv := new(big.Int).ModInverse(value(m[:1]), power(1))
		inv.Sub(power(1), inv)
		minus := func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
		carry := minus(r, modulus) // above the modulus
		for _, above := range []*big.Int{
			big.NewInt(-2), big.NewInt(-1), big.NewInt(0), big.NewInt(1), big.NewInt(2),
			minus(carry, big.NewInt(1)), carry, minus(modulus, big.NewInt(2)), minus(modulus, big.NewInt(1)),
		} {
			// v = left·R - q·m for q < R is reduced by adding q·m: so left remains.
			left := new(big.Int).Add(modulus, above)
			q := minus(r, big.NewInt(5))
			if above.Sign() >= 0 {
				q = minus(r, big.NewInt(1))
			}
			v := minus(new(big.Int).Mul(left, r), q.Mul(q, modulus))
			if v.Sign() < 0 || v.Cmp(new(big.Int).Mul(modulus, r)) >= 0 {
				continue // above is not below a modulus that is close to R/2
			}
			for _, a := range orders(m, inv.Uint64()) {
				x, z := make([]uint64, 2*n), make([]uint64, n)
				bigmod.WordsFromBytes(x, v.Bytes())
				over := a.Reduce(z, x)
				want := new(big.Int).Mod(left, modulus)
				if got := value(z); got.Cmp(want) != 0 || over != 0 != (above.Sign() >= 0) {
					t.Fatalf("%x above the modulus %x is reduced, by two %t, to\n  %x, want\n  %x", above, modulus, a.byTwo, got, want)
				}
			}
		}
	})
}

// TestKaratsuba compares the functions between the halves with math/big.
func TestKaratsuba(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		x, y := extreme(rng, make([]uint64, n)), extreme(rng, make([]uint64, n))
		if rng.IntN(4) == 0 {
			copy(y[rng.IntN(n):], x)
		}
		z := newGuarded(n)
		extreme(rng, z.words)
		less := differenceADX(&z.words[0], &x[0], &y[0], n)
		z.check(t, "differenceADX")
		want := new(big.Int).Sub(value(x), value(y))
		if less != 0 != (want.Sign() < 0) || less+1 > 1 || value(z.words).Cmp(want.Abs(want)) != 0 {
			t.Fatalf("|%x - %x| is %x, mask %x", value(x), value(y), value(z.words), less)
		}
		if n%(2*blockWords) != 0 {
			return
		}

		// t0 and t1 such that all fits; the sum in brackets has a carry when they are large.
		sum, d := newGuarded(2*n), newGuarded(n)
		extreme(rng, sum.words)
		sum.words[2*n-1] >>= 2
		extreme(rng, d.words)
		middle := new(big.Int).Add(value(sum.words[:n]), value(sum.words[n:]))
		mask := uint64(0)
		if middle.Cmp(value(d.words)) >= 0 && rng.IntN(4) > 0 {
			mask = ^uint64(0)
			middle.Sub(middle, value(d.words))
		} else {
			middle.Add(middle, value(d.words))
		}
		want = middle.Add(value(sum.words), middle.Lsh(middle, uint(32*n)))
		if want.BitLen() > 128*n || middle.BitLen() > 128*n {
			t.Fatal("the test is wrong: a result that does not fit")
		}
		middleADX(&sum.words[0], &d.words[0], mask, n)
		sum.check(t, "middleADX, t")
		d.check(t, "middleADX, d")
		if got := value(sum.words); got.Cmp(want) != 0 {
			t.Fatalf("middle of %d words, mask %x:\n  %x, want\n  %x", n, mask, got, want)
		}
	})
}

func TestSelect(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		rows := 1 << (1 + rng.IntN(6))
		table := make([]uint64, rows*n)
		for i := range table {
			table[i] = rng.Uint64()
		}
		for _, d := range []int{0, 1, rows - 1, rng.IntN(rows)} {
			z := newGuarded(n)
			selectAVX2(&z.words[0], &table[0], uint64(d), uint64(rows), n)
			z.check(t, "selectAVX2")
			if !slices.Equal(z.words, table[d*n:(d+1)*n]) {
				t.Fatalf("row %d of %d of %d words is another one", d, rows, n)
			}
		}
	})
}

// TestPortable compares the assembly, in either order, with what takes its place elsewhere.
func TestPortable(t *testing.T) {
	lengths(t, func(rng *rand.Rand, n int) {
		m := extreme(rng, make([]uint64, n))
		m[0], m[n-1] = m[0]|1, m[n-1]|1
		inv := new(big.Int).ModInverse(value(m[:1]), power(1))
		inv.Sub(power(1), inv)
		portable := newMontgomery(m, inv.Uint64(), false)
		x, y := extreme(rng, make([]uint64, n)), extreme(rng, make([]uint64, n))
		run := func(a bigmod.Montgomery) (all []uint64) {
			for _, f := range []func(t, s []uint64){
				func(t, s []uint64) { a.Product(t, x, y, s) },
				func(t, s []uint64) { a.Product(t, x, x, s) },
				func(t, s []uint64) { a.Square(t, x, s) },
			} {
				t, s, z := make([]uint64, 2*n), make([]uint64, 2*n), make([]uint64, n)
				f(t, s)
				all = append(all, t...)
				all = append(all, a.Reduce(z, t))
				all = append(append(all, t[:n]...), z...)
			}
			return all
		}
		want := run(portable)
		for _, a := range orders(m, inv.Uint64()) {
			if !slices.Equal(run(a), want) {
				t.Fatalf("%d words, by two %t: x = %x, y = %x, m = %x differ from the portable arithmetic", n, a.byTwo, value(x), value(y), value(m))
			}
		}
	})
}

// TestSwitch turns the processor feature off, as a machine without it would have it: the implementation says so, and a ring
// that is made all the same computes the same.
func TestSwitch(t *testing.T) {
	modulus, err := bigmod.NewModulus(new(big.Int).Add(power(17), big.NewInt(1)).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	cube := func() []uint64 {
		r := Implementation().New(modulus)
		x, w := r.NewVec(1), make([]uint64, modulus.Limbs())
		w[9] = 5
		r.SetWords(x, w)
		r.Exp(x, x, []byte{3})
		r.Words(w, x)
		return w
	}
	want := cube()
	defer cpu.Disable("noadx")()
	if i := Implementation(); i.Available {
		t.Fatal("available without its instructions:", i.Why)
	}
	if !slices.Equal(cube(), want) {
		t.Fatal("the assembly and what takes its place disagree")
	}
}
