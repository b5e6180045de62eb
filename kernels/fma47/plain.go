package fma47

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/lanes"
)

// plainUnit is the arithmetic on residues as they are.
type plainUnit struct {
	work
	bits   *bigmod.Modulus
	one    []float64 // R mod m, a group
	shift  []float64 // the Montgomery form of 2^(w(n-1))
	minus  []float64 // the Montgomery form of -1
	part   []float64 // a group
	fields []uint64  // a group
}

// newRing makes the ring modulo m.
func newRing(m *bigmod.Modulus, k kernel) bigmod.Ring {
	p := newModulus(m, k)
	group := func(x []float64) []float64 {
		z := p.space(p.n)
		p.spread(z, x)
		return z
	}
	x := powerOfTwo(p.fields, p.w*p.n, p.w)
	one := digitsOf(x, nil, 0, p.w)
	doubleMod(x, p.fields, p.w)
	proto := plainUnit{work: p.work(), bits: m, one: group(one)}
	power := powersOfTwo(&proto, p.space(p.n), proto.one, group(digitsOf(x, nil, 0, p.w)))
	proto.shift = power(p.w * (p.n - 1))
	proto.minus = negated(proto.one)
	r := power(p.w * p.n)
	plain := group([]float64{1})
	return lanes.NewRing(lanes.Arithmetic{
		Name: nameOf(k), Modulus: m, Lanes: p.lanes, K: p.n, Form: form("residues", p),
		One: words(proto.one), Plain: words(plain), R: words(r),
		NewUnit: func() lanes.Unit {
			u := proto
			u.work, u.part, u.fields = p.work(), p.space(p.n), words(p.space(p.n))
			return &u
		},
	})
}

// powersOfTwo returns a function that makes the Montgomery form of 2^e, from those of 1 and 2.
func powersOfTwo(u interface {
	Mul(z, x, y []uint64)
	Sqr(z, x []uint64)
}, like, one, two []float64) func(e int) []float64 {
	return func(e int) []float64 {
		z := floats(lanes.Aligned(len(like)))
		copy(z, one)
		for i := bits.Len(uint(e)) - 1; i >= 0; i-- {
			u.Sqr(words(z), words(z))
			if e>>i&1 == 1 {
				u.Mul(words(z), words(z), words(two))
			}
		}
		return z
	}
}

// negated returns -x.
func negated(x []float64) []float64 {
	z := floats(lanes.Aligned(len(x)))
	for i, v := range x {
		z[i] = 0 - v
	}
	return z
}

func (u *plainUnit) Mul(z, x, y []uint64) {
	u.product(u.t, floats(x), floats(y))
	u.reduce(floats(z), u.t, u.q)
}

func (u *plainUnit) Sqr(z, x []uint64) {
	u.square(u.t, floats(x), u.work.twice)
	u.reduce(floats(z), u.t, u.q)
}

// combine sets z = x·c + y·d, of which c and d are in Montgomery form.
func (u *plainUnit) combine(z, x, c, y, d []float64) {
	u.sum(u.t, x, c, y, d)
	u.reduce(z, u.t, u.q)
}

func (u *plainUnit) Add(z, x, y []uint64) { u.combine(floats(z), floats(x), u.one, floats(y), u.one) }
func (u *plainUnit) Sub(z, x, y []uint64) { u.combine(floats(z), floats(x), u.one, floats(y), u.minus) }

// FromMont reduces the value itself as columns.
func (u *plainUnit) FromMont(z, x []uint64) {
	t := u.columns(u.t)
	clear(t[copy(t, floats(x)):])
	u.reduce(floats(z), u.t, u.q)
}

func (u *plainUnit) FromBytes(z []uint64, be []byte) uint64 {
	return u.fromBytes(floats(z), be, u.modulus.fields, u.bits.Size(), u.n)
}

func (u *plainUnit) FromWords(z, w []uint64) { u.fromWords(floats(z), w, u.bits.Limbs(), 0, u.n) }

func (u *plainUnit) canonical(x []uint64) []uint64 {
	u.work.canonical(u.fields, floats(x), u.modulus.fields, u.n)
	return u.fields
}

func (u *plainUnit) Bytes(be []byte, x []uint64) { u.toBytes(be, u.canonical(x), u.bits.Size(), u.n) }

func (u *plainUnit) Words(w, x []uint64) { u.toWords(w, u.canonical(x), u.bits.Limbs(), u.n) }

// FromWide reads parts of n-1 fields, most significant first, and combines them by Horner's rule.
func (u *plainUnit) FromWide(z, w []uint64, n int) {
	length := u.n - 1
	parts := max(1, (64*n+u.w*length-1)/(u.w*length))
	clear(z)
	clear(u.part[length*u.lanes:])
	for i := parts - 1; i >= 0; i-- {
		u.fromWords(u.part, w, n, i*u.w*length, length)
		u.combine(floats(z), floats(z), u.shift, u.part, u.one)
	}
}

func (u *plainUnit) Select(z, table []uint64, d uint64, width int) {
	u.selectNumber(z, table, d, width, u.n*u.lanes)
}

func (u *plainUnit) Lookup(z, table, d []uint64, width int) { u.lookup(z, table, d, width, u.n) }
