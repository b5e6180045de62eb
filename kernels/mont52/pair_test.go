package mont52

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// pairOracle knows what pairs stand for.
type pairOracle struct {
	r       *ring
	n, n2   *big.Int
	bigR    *big.Int // 2^(52k)
	rInv    *big.Int // its inverse modulo n²
	x1Bound *big.Int // 0.9·R
}

func newPairOracle(m *big.Int, ifma bool) *pairOracle {
	r := newSquareRing(modulusOf(m), ifma)
	o := &pairOracle{r: r, n: m, n2: new(big.Int).Mul(m, m), bigR: pow2(limbBits * r.pair.root.k)}
	o.rInv = new(big.Int).ModInverse(o.bigR, o.n2)
	o.x1Bound = new(big.Int).Mul(o.bigR, big.NewInt(9))
	o.x1Bound.Div(o.x1Bound, big.NewInt(10))
	return o
}

// group makes a group of 8 pairs.
func (o *pairOracle) group(x0, x1 []*big.Int) []uint64 {
	return slices.Concat(o.r.pair.root.groupOf(x0), o.r.pair.root.groupOf(x1))
}

// value is what the pair in lane l stands for. It checks the ranges.
func (o *pairOracle) value(t *testing.T, x []uint64, l int) *big.Int {
	t.Helper()
	h0, h1 := o.r.pair.halves(x)
	x0, x1 := limbsValue(h0[l:], lanes), limbsValue(h1[l:], lanes)
	if x0.Cmp(new(big.Int).Lsh(o.n, 1)) >= 0 || x1.Cmp(o.x1Bound) >= 0 {
		t.Fatalf("a pair out of range modulo the square of %d bits: %x, %x", o.n.BitLen(), x0, x1)
	}
	v := new(big.Int).Mul(x1, o.rInv)
	v.Mul(v, o.n).Sub(x0, v)
	return v.Mod(v, o.n2)
}

// operands are pairs at the ends of the ranges and within.
func (o *pairOracle) operands(rng *rand.Rand) (x0, x1 []*big.Int) {
	bound := new(big.Int).Lsh(o.n, 1)
	for range lanes {
		a, b := randomBelow(rng, bound), randomBelow(rng, o.x1Bound)
		switch rng.IntN(4) {
		case 0:
			a.Sub(bound, big.NewInt(1))
		case 1:
			a.SetInt64(0)
		}
		switch rng.IntN(4) {
		case 0:
			b.Sub(o.x1Bound, big.NewInt(1))
		case 1:
			b.SetInt64(0)
		}
		x0, x1 = append(x0, a), append(x1, b)
	}
	return x0, x1
}

// TestPairs checks the operations on pairs against math/big over the whole range of the operands, and that their results are
// within it.
func TestPairs(t *testing.T) {
	available, _ := supported()
	for _, bits := range lengths() {
		if bits > bigmod.MaxBits/2 {
			continue
		}
		rng := newRand(-bits)
		for _, m := range moduli(rng, bits) {
			o := newPairOracle(m, available)
			r, p := o.r, o.r.pair
			s := r.take()
			z, joined := r.newGroups(1), r.newGroups(1)
			for range thoroughtest.Pick(2, 6) {
				x0, x1 := o.operands(rng)
				y0, y1 := o.operands(rng)
				x, y := o.group(x0, x1), o.group(y0, y1)
				part := new(big.Int).Rsh(new(big.Int).Mul(o.n, o.bigR), 1)
				part.Sub(part, big.NewInt(1))
				parts := p.root.newGroups(2)
				spread(parts, limbsOfBig(part, 2*p.root.k))
				check := func(what string, want func(x, y *big.Int) *big.Int) {
					t.Helper()
					for l := range lanes {
						w := want(o.value(t, x, l), o.value(t, y, l))
						if got := o.value(t, z, l); got.Cmp(w.Mod(w, o.n2)) != 0 {
							t.Fatalf("%s modulo the square of %d bits: lane %d is %x, want %x", what, bits, l, got, w)
						}
					}
				}
				product := func(a, b *big.Int) *big.Int {
					w := new(big.Int).Mul(a, b)
					return w.Mul(w, o.rInv)
				}
				r.mul(z, x, y, s)
				check("mul", product)
				r.sqr(z, x, s)
				check("sqr", func(a, _ *big.Int) *big.Int { return product(a, a) })
				p.combine(z, x, r.one, y, r.one, s)
				check("sum", func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) })
				p.combine(z, x, r.one, y, p.minus, s)
				check("difference", func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) })
				p.split(z, parts, s)
				check("split", func(_, _ *big.Int) *big.Int { return new(big.Int).Mul(part, o.rInv) })
				copy(z, x)
				p.mulAdd(z, y, parts, s)
				check("mulAdd", func(a, b *big.Int) *big.Int {
					return new(big.Int).Add(product(a, b), new(big.Int).Mul(part, o.rInv))
				})
				p.join(joined, x, s)
				for l := range lanes {
					want := new(big.Int).Mul(o.value(t, x, l), o.bigR)
					if got := limbsValue(joined[l:], lanes); got.Cmp(want.Mod(want, o.n2)) != 0 {
						t.Fatalf("join modulo the square of %d bits: lane %d is %x, want %x", bits, l, got, want)
					}
				}
			}
		}
	}
}

// limbsOfBig returns k limbs.
func limbsOfBig(x *big.Int, k int) []uint64 {
	limbs := make([]uint64, k)
	for j := range limbs {
		limbs[j] = new(big.Int).Rsh(x, uint(limbBits*j)).Uint64() & limbMask
	}
	return limbs
}

// TestPairTwins compares the functions that only pairs use with their twins in Go, on sums and limbs of all sizes that
// they may meet.
func TestPairTwins(t *testing.T) {
	if ok, why := supported(); !ok {
		t.Skip(why)
	}
	for _, bits := range lengths() {
		if bits > bigmod.MaxBits/2 {
			continue
		}
		rng := newRand(bits)
		for _, m := range moduli(rng, bits) {
			a, g := newSquareRing(modulusOf(m), true), newSquareRing(modulusOf(m), false)
			same := func(what string, x, y []uint64) {
				t.Helper()
				if !slices.Equal(x, y) {
					t.Fatalf("%s differs for the square of a modulus of %d bits, %x...", what, bits, m.Bytes()[:1])
				}
			}
			same("setup", slices.Concat(a.one, a.rr, a.pair.minus, a.pair.shift), slices.Concat(g.one, g.rr, g.pair.minus, g.pair.shift))
			k := a.pair.root.k
			x, y, z1, z2 := a.newGroups(1), a.newGroups(1), a.newGroups(1), a.newGroups(1)
			sums, quotient := alignedWords(lanes*2*k), alignedWords(lanes*k)
			for range thoroughtest.Pick(2, 6) {
				extremeLimbs(rng, x)
				extremeLimbs(rng, y)
				for i := range sums {
					sums[i] = rng.Uint64() >> 2
				}
				for i := range quotient {
					quotient[i] = rng.Uint64() >> 2
				}
				x0, x1 := a.pair.halves(x)
				s1, s2 := slices.Clone(sums), slices.Clone(sums)
				w1, w2 := alignedWords(len(sums)), alignedWords(len(sums))
				copy(w1, s1)
				copy(w2, s2)
				a.pair.root.productAdd(w1, x0, x1)
				g.pair.root.productAdd(w2, x0, x1)
				same("productAdd", w1, w2)
				q1, q2 := alignedWords(len(quotient)), alignedWords(len(quotient))
				copy(q1, quotient)
				copy(q2, quotient)
				copy(w1, sums)
				copy(w2, sums)
				a.pair.reduceQuotient(z1, q1, w1)
				g.pair.reduceQuotient(z2, q2, w2)
				same("reduceQuotient", z1, z2)
				same("the quotient of reduceQuotient", q1, q2)
				a.pair.root.normalize(z1, sums, k)
				g.pair.root.normalize(z2, sums, k)
				same("normalize", z1, z2)
				a.pair.root.normalize(z1, sums, 2*k)
				g.pair.root.normalize(z2, sums, 2*k)
				same("normalize", z1, z2)
				a.pair.root.double(z1, y)
				g.pair.root.double(z2, y)
				same("double", z1, z2)
			}
		}
	}
}
