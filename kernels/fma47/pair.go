package fma47

import (
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/lanes"
)

// pairUnit is the arithmetic modulo a square m², on pairs of numbers as long as m. The pair (x0, x1), both between -m and m, stands
// for x0 + x1·m modulo m².
//
// Montgomery's reduction of T modulo m finds a quotient Q with T + Q·m = t·R, so that T·R⁻¹ = t - Q·R⁻¹·m modulo m². Then
// the product of two pairs, times R⁻¹, is
//
//	x0·y0·R⁻¹ + (x0·y1 + x1·y0)·R⁻¹·m = t + (x0·y1 + x1·y0 - Q)·R⁻¹·m
//
// with t and Q from the reduction of x0·y0, and the other reduction modulo m only. So a multiplication takes three products
// and two reductions of n limbs, 5n² products of limbs, where one of numbers as long as m² takes 8n²; and a squaring 3.5n²
// instead of 6n². Q is a sum of multiples of k·m and m (see reduceGeneric), which takes 4n more.
//
// A vector holds a residue v as the pair of v·R⁻¹, x0 before x1 in each group. What bigmod.Ring calls R is R² here: then the
// product of two pairs is what Ring.Mul promises.
//
// About the ranges: |Q| < R·(1/4 + 1/2 + small), so that |x0·y1 + x1·y0 - Q| < 2m² + 0.8R < 3m². sumOf4 has 4m² + 0.8R,
// below the 7m² of reduceGeneric.
type pairUnit struct {
	work               // modulo m
	square    *modulus // m², only its fields
	bits      *bigmod.Modulus
	t1        []float64 // columns beside those of work
	quotient  []float64
	one       []float64 // the Montgomery form of 1: the pair of R. A group of pairs, as the next ones.
	minus     []float64 // that of -1
	plain     []float64 // the residue 1: the pair of R⁻¹
	r         []float64 // the pair of R²
	shift     []float64 // the Montgomery form of 2^(w·partLimbs)
	partLimbs int
	spreadM   []float64 // m, a group
	pair      []float64 // a group of pairs
	fields    []uint64  // a group of 2n
}

// newSquareRing makes the ring modulo root².
func newSquareRing(root *bigmod.Modulus, k kernel) bigmod.Ring {
	square, err := root.Square()
	if err != nil {
		panic("fma47: " + err.Error())
	}
	p := newModulus(root, k)
	n2 := 2 * p.n
	s := &modulus{kernel: k, w: p.w, n: n2, fields: fieldsOf(square.Words(), n2, p.w)}
	make1 := func(proto pairUnit) *pairUnit {
		u := proto
		u.work, u.t1, u.quotient = p.work(), p.space(2+n2), p.space(p.n+2+9)
		u.pair, u.fields = p.space(n2), words(p.space(n2))
		return &u
	}
	proto := pairUnit{square: s, bits: square, spreadM: p.space(p.n)}
	p.spread(proto.spreadM, p.m[:p.n])
	// T = v·R⁻¹·R must be below R·m/8; see split.
	proto.partLimbs = (root.BitLen() + p.w*p.n - 5) / p.w
	u := make1(proto)

	constant := func(v []uint64) []float64 { // the pair of v·R⁻¹
		z := p.space(n2)
		p.spread(p.columns(u.t), digitsOf(v, nil, 0, p.w))
		u.split(z)
		return z
	}
	x := powerOfTwo(s.fields, 2*p.w*p.n, p.w) // R²
	proto.one = constant(x)
	doubleMod(x, s.fields, p.w)
	two := constant(x)
	proto.minus = negated(proto.one)
	plain := make([]uint64, n2)
	plain[0] = 1
	proto.plain = constant(plain)
	power := powersOfTwo(u, proto.one, proto.one, two)
	proto.shift = power(p.w * proto.partLimbs)
	proto.r = power(p.w * p.n)
	return lanes.NewRing(lanes.Arithmetic{
		Name: nameOf(k), Modulus: square, Lanes: p.lanes, K: n2, Form: form("pairs", p),
		One: words(proto.one), Plain: words(proto.plain), R: words(power(2 * p.w * p.n)),
		NewUnit: func() lanes.Unit { return make1(proto) },
	})
}

// halves are the numbers of a pair.
func (u *pairUnit) halves(x []uint64) (x0, x1 []float64) {
	n := u.n * u.lanes
	return floats(x[:n:n]), floats(x[n : 2*n : 2*n])
}

func (u *pairUnit) Mul(z, x, y []uint64) {
	x0, x1 := u.halves(x)
	y0, y1 := u.halves(y)
	u.sum(u.t1, x0, y1, x1, y0)
	u.product(u.t, x0, y0)
	u.reduceBoth(z, u.consts)
}

func (u *pairUnit) Sqr(z, x []uint64) {
	x0, x1 := u.halves(x)
	u.product(u.t1, x0, x1)
	u.work.square(u.t, x0, u.work.twice)
	u.reduceBoth(z, u.modulus.twice)
}

// reduceBoth sets the pairs z from the columns t and t1, of which the latter are taken times the scale of consts.
func (u *pairUnit) reduceBoth(z []uint64, consts []float64) {
	z0, z1 := u.halves(z)
	u.reduce(z0, u.t, u.quotient)
	u.reducePair(z1, u.t1, u.q, u.quotient, consts)
}

// split sets the pairs z to those of T·R⁻¹ for the columns of t, |T| < R·m/8.
func (u *pairUnit) split(z []float64) {
	clear(u.t1)
	u.reduceBoth(words(z), u.consts)
}

// combine sets the pairs z = x·c + y·d, of which c and d are in Montgomery form.
func (u *pairUnit) combine(z, x, c, y, d []uint64) {
	x0, x1 := u.halves(x)
	c0, c1 := u.halves(c)
	y0, y1 := u.halves(y)
	d0, d1 := u.halves(d)
	u.sum(u.t1, x0, c1, x1, c0)
	u.productAdd(u.t1, y0, d1)
	u.productAdd(u.t1, y1, d0)
	u.sum(u.t, x0, c0, y0, d0)
	u.reduceBoth(z, u.consts)
}

func (u *pairUnit) Add(z, x, y []uint64) { u.combine(z, x, words(u.one), y, words(u.one)) }
func (u *pairUnit) Sub(z, x, y []uint64) { u.combine(z, x, words(u.one), y, words(u.minus)) }

func (u *pairUnit) FromMont(z, x []uint64) { u.Mul(z, x, words(u.plain)) }

func (u *pairUnit) FromBytes(z []uint64, be []byte) uint64 {
	below := u.fromBytes(u.columns(u.t), be, u.square.fields, u.bits.Size(), 2*u.n)
	u.split(floats(z))
	return below
}

func (u *pairUnit) FromWords(z, w []uint64) {
	u.fromWords(u.columns(u.t), w, u.bits.Limbs(), 0, 2*u.n)
	u.split(floats(z))
}

// join returns the fields of the residues whose pairs are x: x times R as a pair, and then x0 + x1·m.
func (u *pairUnit) join(x []uint64) []uint64 {
	u.Mul(words(u.pair), x, words(u.r))
	x0, x1 := u.halves(words(u.pair))
	u.product(u.t, x1, u.spreadM)
	t := u.columns(u.t)
	for i, v := range x0 {
		t[i] += v
	}
	u.canonical(u.fields, t, u.square.fields, 2*u.n)
	return u.fields
}

func (u *pairUnit) Bytes(be []byte, x []uint64) { u.toBytes(be, u.join(x), u.bits.Size(), 2*u.n) }

func (u *pairUnit) Words(w, x []uint64) { u.toWords(w, u.join(x), u.bits.Limbs(), 2*u.n) }

// FromWide reads parts that split takes, most significant first, and combines them by Horner's rule.
func (u *pairUnit) FromWide(z, w []uint64, n int) {
	t := u.columns(u.t)
	length := min(u.partLimbs, 2*u.n)
	parts := max(1, (64*n+u.w*length-1)/(u.w*length))
	for i := parts - 1; i >= 0; i-- {
		if i == parts-1 {
			clear(t[length*u.lanes:])
			u.fromWords(t, w, n, i*u.w*length, length)
			u.split(floats(z))
			continue
		}
		// z·shift, with the part added to the columns: it comes times R⁻¹, as it should.
		z0, z1 := u.halves(z)
		c0, c1 := u.halves(words(u.shift))
		u.sum(u.t1, z0, c1, z1, c0)
		u.fromWords(u.pair, w, n, i*u.w*length, length)
		u.product(u.t, z0, c0)
		for j, v := range u.pair[:length*u.lanes] {
			t[j] += v
		}
		u.reduceBoth(z, u.consts)
	}
}

func (u *pairUnit) Select(z, table []uint64, d uint64, width int) {
	u.selectNumber(z, table, d, width, 2*u.n*u.lanes)
}

func (u *pairUnit) Lookup(z, table, d []uint64, width int) { u.lookup(z, table, d, width, 2*u.n) }
