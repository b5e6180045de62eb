package bigmod

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Generic is the portable implementation: radix 2^64, one residue after the other, no assembly.
func Generic() Implementation {
	return Implementation{
		Name:      "generic",
		Available: true,
		Why:       "portable Go, runs on every machine",
		New:       func(m *Modulus) Ring { return NewWordRing("generic", m, m.Limbs(), Portable) },
		NewSquare: func(root *Modulus) Ring { return NewSquareWordRing("generic", root, (*Modulus).Limbs, Portable) },
	}
}

// wordsMax is the length of the longest residue in words.
const wordsMax = MaxBits / 64

// generic is the Ring of NewWordRing and NewSquareWordRing. A residue is n consecutive little-endian words of a Vec: the
// number itself, or its pair.
type generic struct {
	name    string
	modulus *Modulus
	n       int        // words per residue, at least Limbs()
	m       []uint64   // the modulus; R = 2^(64n)
	mont    Montgomery // modulo m, or its root when there is a pairing
	pair    *pairing   // when residues are pairs
	one     []uint64   // R mod m
	rr      []uint64   // R² mod m
	scratch sync.Pool  // of *scratch
	// rPowers[k][d] caches what multiplies by R^(d·256^k), for MulRPow.
	rPowers [4][256]atomic.Pointer[[]uint64]
}

// NewWordRing makes a ring in radix 2^64, one residue after the other in n words each, modulus.Limbs() <= n <=
// MaxBits/64, that leaves multiplication to what montgomery makes for the n words of the modulus and its negative inverse
// modulo 2^64. It is how an implementation that differs in nothing else makes its rings.
func NewWordRing(name string, modulus *Modulus, n int, montgomery func(m []uint64, inv uint64) Montgomery) Ring {
	r := newWords(name, modulus, n)
	r.mont = montgomery(r.m, negInverse(r.m[0]))
	r.setRR()
	return r
}

// NewSquareWordRing is NewWordRing for the square of root. words says how many words residues of a modulus have. Where root
// fills them, montgomery multiplies modulo root, and that takes two thirds of the time.
func NewSquareWordRing(name string, root *Modulus, words func(*Modulus) int, montgomery func(m []uint64, inv uint64) Montgomery) Ring {
	square, err := root.Square()
	if err != nil {
		panic("bigmod: NewSquareWordRing: " + err.Error())
	}
	h := words(root)
	if !canPair(root, h) {
		return NewWordRing(name, square, words(square), montgomery)
	}
	half := newWords(name, root, h)
	half.mont = montgomery(half.m, negInverse(half.m[0]))
	half.setRR()
	r := newWords(name, square, 2*h)
	r.mont, r.pair = half.mont, newPairing(half, r.one)
	s := r.take(0)
	defer r.give(s)
	r.pair.encode(r.one, r.one, s.mont)
	r.setRR()
	return r
}

// newWords makes a ring that cannot multiply yet.
func newWords(name string, modulus *Modulus, n int) *generic {
	if n < modulus.Limbs() || n > wordsMax {
		panic(fmt.Sprintf("bigmod: NewWordRing: residues of %d words for a modulus of %d", n, modulus.Limbs()))
	}
	r := &generic{name: name, modulus: modulus, n: n, m: make([]uint64, n), one: make([]uint64, n), rr: make([]uint64, n)}
	copy(r.m, modulus.words)
	r.scratch.New = func() any { return &scratch{mont: make([]uint64, MontgomeryScratch*n)} }

	// one: 2^(BitLen-1) is below m; double it up to R.
	top := modulus.BitLen() - 1
	r.one[top/64] = 1 << (top % 64)
	for range 64*n - top {
		r.add(r.one, r.one, r.one)
	}
	return r
}

// setRR computes rr, the Montgomery form of 2^(64n): square and double from the form of 2^0.
func (r *generic) setRR() {
	s := r.take(0)
	defer r.give(s)
	copy(r.rr, r.one)
	for i := bits.Len(uint(64*r.n)) - 1; i >= 0; i-- {
		r.sqr(r.rr, r.rr, s.mont)
		if 64*r.n>>i&1 == 1 {
			r.add(r.rr, r.rr, r.rr)
		}
	}
}

// mul sets z = x·y·R⁻¹ mod m; without pairs for all x·y < m·R, in particular for x < R and y < m. z may be x or y. t is
// scratch.mont.
func (r *generic) mul(z, x, y, t []uint64) {
	if r.pair != nil {
		r.pair.mul(z, x, y, t)
		return
	}
	r.mont.Product(t[:2*r.n], x, y, t[2*r.n:])
	r.mont.Reduce(z, t[:2*r.n])
}

// sqr sets z = x·x·R⁻¹ mod m. z may be x.
func (r *generic) sqr(z, x, t []uint64) {
	if r.pair != nil {
		r.pair.sqr(z, x, t)
		return
	}
	r.mont.Square(t[:2*r.n], x, t[2*r.n:])
	r.mont.Reduce(z, t[:2*r.n])
}

// encode replaces the residue x by what stands for it in a Vec, and decode does the reverse.
func (r *generic) encode(x, t []uint64) {
	if r.pair != nil {
		r.pair.encode(x, x, t)
	}
}

func (r *generic) decode(x, t []uint64) {
	if r.pair != nil {
		r.pair.decode(x, x, t)
	}
}

func (r *generic) Name() string      { return r.name }
func (r *generic) Modulus() *Modulus { return r.modulus }

func (r *generic) NewVec(n int) *Vec {
	return &Vec{Len: n, Words: make([]uint64, n*r.n)}
}

// check panics unless every v belongs to this ring and has n elements.
func (r *generic) check(method string, n int, vs ...*Vec) {
	for _, v := range vs {
		r.checkVec(method, v)
		if v.Len != n {
			panic(fmt.Sprintf("bigmod: %s: vectors of %d and %d elements", method, n, v.Len))
		}
	}
}

func (r *generic) checkVec(method string, v *Vec) {
	if len(v.Words) != v.Len*r.n {
		panic("bigmod: " + method + ": a vector of another ring")
	}
}

func checkLen(method string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("bigmod: %s: buffer of length %d, want %d", method, got, want))
	}
}

// at is element i of v.
func (r *generic) at(v *Vec, i int) []uint64 {
	return v.Words[i*r.n : (i+1)*r.n : (i+1)*r.n]
}

// scratch is what a call needs beside its operands, of arbitrary contents.
type scratch struct {
	mont []uint64 // for products and their reduction
	more []uint64
}

// take takes scratch from the pool, with so many more words; the caller gives it back.
func (r *generic) take(more int) *scratch {
	s := r.scratch.Get().(*scratch)
	if len(s.more) < more {
		s.more = make([]uint64, more)
	}
	return s
}

func (r *generic) give(s *scratch) { r.scratch.Put(s) }

func (r *generic) SetBytes(z *Vec, be []byte) error {
	r.checkVec("SetBytes", z)
	size := r.modulus.Size()
	checkLen("SetBytes", len(be), z.Len*size)
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		x := r.at(z, i)
		WordsFromBytes(x, be[i*size:(i+1)*size])
		if LessWords(x, r.m) == 0 {
			return &RangeError{Index: i}
		}
		r.encode(x, s.mont)
	}
	return nil
}

func (r *generic) Bytes(be []byte, x *Vec) {
	r.checkVec("Bytes", x)
	size, limbs := r.modulus.Size(), r.modulus.Limbs()
	checkLen("Bytes", len(be), x.Len*size)
	s := r.take(r.n)
	defer r.give(s)
	for i := range x.Len {
		BytesFromWords(be[i*size:(i+1)*size], r.number(x, i, s)[:limbs])
	}
}

// number is the residue that element i of v stands for; it may be in s.more.
func (r *generic) number(v *Vec, i int, s *scratch) []uint64 {
	x := r.at(v, i)
	if r.pair == nil {
		return x
	}
	r.pair.decode(s.more[:r.n], x, s.mont)
	return s.more[:r.n]
}

func (r *generic) SetWords(z *Vec, w []uint64) {
	r.checkVec("SetWords", z)
	limbs := r.modulus.Limbs()
	checkLen("SetWords", len(w), z.Len*limbs)
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		zi := r.at(z, i)
		clear(zi[copy(zi, w[i*limbs:(i+1)*limbs]):])
		r.encode(zi, s.mont)
	}
}

func (r *generic) Words(w []uint64, x *Vec) {
	r.checkVec("Words", x)
	limbs := r.modulus.Limbs()
	checkLen("Words", len(w), x.Len*limbs)
	s := r.take(r.n)
	defer r.give(s)
	for i := range x.Len {
		copy(w[i*limbs:(i+1)*limbs], r.number(x, i, s))
	}
}

// SetWide splits a value into x0 + x1·R, reduces x0 + x1·(R mod m), which is below m·R, and repairs the R⁻¹ that the
// reduction brings. With pairs, both parts become pairs, and x1 is multiplied by R.
func (r *generic) SetWide(z *Vec, w []uint64, limbs int) {
	r.checkVec("SetWide", z)
	if limbs < 0 || limbs > 2*r.modulus.Limbs() {
		panic(fmt.Sprintf("bigmod: SetWide: %d words for a modulus of %d", limbs, r.modulus.Limbs()))
	}
	checkLen("SetWide", len(w), z.Len*limbs)
	s := r.take(r.n)
	defer r.give(s)
	n := r.n
	for i := range z.Len {
		x := w[i*limbs : (i+1)*limbs]
		low, high := x[:min(limbs, n)], x[min(limbs, n):]
		if r.pair != nil {
			zi, part := r.at(z, i), s.more[:n]
			clear(zi[copy(zi, low):])
			r.pair.encode(zi, zi, s.mont)
			if len(high) > 0 {
				clear(part[copy(part, high):])
				r.pair.encode(part, part, s.mont)
				r.mul(part, part, r.rr, s.mont)
				r.add(zi, zi, part)
			}
			continue
		}
		wide := s.mont[:2*n]
		clear(wide[copy(wide, low):])
		for j, v := range high {
			c := addMulWord(wide[j:j+n], r.one, v)
			wide[j+n] = c
		}
		zi := r.at(z, i)
		r.mont.Reduce(zi, wide)
		r.mul(zi, zi, r.rr, s.mont)
	}
}

func (r *generic) ToMont(z, x *Vec) {
	r.check("ToMont", z.Len, z, x)
	r.mulElem(z, x, r.rr)
}

func (r *generic) FromMont(z, x *Vec) {
	r.check("FromMont", z.Len, z, x)
	if r.pair != nil {
		r.mulElem(z, x, r.pair.one)
		return
	}
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		wide := s.mont[:2*r.n]
		clear(wide[copy(wide, r.at(x, i)):])
		r.mont.Reduce(r.at(z, i), wide)
	}
}

func (r *generic) Mul(z, x, y *Vec) {
	r.check("Mul", z.Len, z, x, y)
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		r.mul(r.at(z, i), r.at(x, i), r.at(y, i), s.mont)
	}
}

func (r *generic) Sqr(z, x *Vec) {
	r.check("Sqr", z.Len, z, x)
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		r.sqr(r.at(z, i), r.at(x, i), s.mont)
	}
}

func (r *generic) MulElem(z, x, c *Vec) {
	r.check("MulElem", z.Len, z, x)
	r.check("MulElem", 1, c)
	r.mulElem(z, x, c.Words)
}

// mulElem is MulElem for c in plain words.
func (r *generic) mulElem(z, x *Vec, c []uint64) {
	s := r.take(0)
	defer r.give(s)
	for i := range z.Len {
		r.mul(r.at(z, i), r.at(x, i), c, s.mont)
	}
}

func (r *generic) Add(z, x, y *Vec) {
	r.check("Add", z.Len, z, x, y)
	for i := range z.Len {
		r.add(r.at(z, i), r.at(x, i), r.at(y, i))
	}
}

// add sets z = x+y mod m.
func (r *generic) add(z, x, y []uint64) {
	if r.pair != nil {
		r.pair.add(z, x, y)
		return
	}
	reduceOnce(z, z, AddWords(z, x, y), r.m)
}

func (r *generic) Sub(z, x, y *Vec) {
	r.check("Sub", z.Len, z, x, y)
	for i := range z.Len {
		zi := r.at(z, i)
		if r.pair != nil {
			r.pair.sub(zi, r.at(x, i), r.at(y, i))
			continue
		}
		mask := -SubWords(zi, r.at(x, i), r.at(y, i))
		var carry uint64
		for j := range zi {
			zi[j], carry = bits.Add64(zi[j], mask&r.m[j], carry)
		}
	}
}

func (r *generic) MulAt(z *Vec, zi []int32, x *Vec, xi []int32) {
	r.checkVec("MulAt", z)
	r.checkVec("MulAt", x)
	checkLen("MulAt", len(xi), len(zi))
	s := r.take(0)
	defer r.give(s)
	for j, i := range zi {
		e := r.at(z, int(i))
		r.mul(e, e, r.at(x, int(xi[j])), s.mont)
	}
}

func (r *generic) CopyAt(z *Vec, zi []int32, x *Vec, xi []int32) {
	r.checkVec("CopyAt", z)
	r.checkVec("CopyAt", x)
	checkLen("CopyAt", len(xi), len(zi))
	for j, i := range zi {
		copy(r.at(z, int(i)), r.at(x, int(xi[j])))
	}
}

// MulRPow writes n in base 256 and multiplies once for each digit that is not zero: the cache stays below 4·255
// residues whatever the counts are, and a count below 256 still costs one multiplication.
func (r *generic) MulRPow(z *Vec, n []uint32) {
	r.checkVec("MulRPow", z)
	checkLen("MulRPow", len(n), z.Len)
	s := r.take(0)
	defer r.give(s)
	for i, v := range n {
		e := r.at(z, i)
		for k := 0; v != 0; k, v = k+1, v>>8 {
			if d := v & 255; d != 0 {
				r.mul(e, e, r.rPower(k, d), s.mont)
			}
		}
	}
}

// rPower returns the Montgomery form of R^(d·256^k), 0 < d < 256.
func (r *generic) rPower(k int, d uint32) []uint64 {
	cached := &r.rPowers[k][d]
	if p := cached.Load(); p != nil {
		return *p
	}
	s := r.take(0)
	defer r.give(s)
	p := append([]uint64(nil), r.one...)
	e := d << (8 * k)
	for i := bits.Len32(e) - 1; i >= 0; i-- {
		r.sqr(p, p, s.mont)
		if e>>i&1 == 1 {
			r.mul(p, p, r.rr, s.mont) // rr is the Montgomery form of R
		}
	}
	cached.Store(&p)
	return p
}
