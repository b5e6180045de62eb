package lanes

import (
	"fmt"
	"math/bits"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// ring is the Ring of an Arithmetic.
type ring struct {
	Arithmetic
	scratch  sync.Pool
	powers   rPowers
	portable func() bigmod.Ring // of the same modulus, made when first needed
}

// NewRing makes the ring.
func NewRing(a Arithmetic) bigmod.TablePlanner {
	r := &ring{Arithmetic: a}
	r.scratch.New = func() any {
		n := a.Lanes * a.K
		w := Aligned(2 * n)
		return &scratch{Unit: a.NewUnit(), x: w[:n:n], y: w[n:], digits: make([]uint64, tableGroups*a.Lanes)}
	}
	r.portable = sync.OnceValue(func() bigmod.Ring { return bigmod.Generic().New(a.Modulus) })
	return r
}

// scratch is what a call needs beside its operands.
type scratch struct {
	Unit
	x, y []uint64 // a group each
	more []uint64 // of any length; see scratch.words
	tail []byte   // of any length; see scratch.bytes

	digits []uint64 // of the exponents of tableGroups groups
}

// words returns n words, aligned as vectors, of arbitrary contents.
func (s *scratch) words(n int) []uint64 {
	if len(s.more) < n {
		s.more = Aligned(n)
	}
	return s.more[:n]
}

// bytes returns n bytes of arbitrary contents.
func (s *scratch) bytes(n int) []byte {
	if len(s.tail) < n {
		s.tail = make([]byte, n)
	}
	return s.tail[:n]
}

func (r *ring) take() *scratch  { return r.scratch.Get().(*scratch) }
func (r *ring) give(s *scratch) { r.scratch.Put(s) }

// groups is how many groups n residues take.
func (r *ring) groups(n int) int { return (n + r.Lanes - 1) / r.Lanes }

// newGroups makes n groups of zeros.
func (r *ring) newGroups(n int) []uint64 { return Aligned(n * r.Lanes * r.K) }

// group is group i of a sequence of them.
func (r *ring) group(x []uint64, i int) []uint64 {
	n := r.Lanes * r.K
	return x[i*n : (i+1)*n : (i+1)*n]
}

// spread sets all lanes of z to lane 0 of x. z may be x.
func (r *ring) spread(z, x []uint64) {
	for j := 0; j < len(x); j += r.Lanes {
		v := x[j]
		for l := range r.Lanes {
			z[j+l] = v
		}
	}
}

func (r *ring) Name() string             { return r.Arithmetic.Name }
func (r *ring) Modulus() *bigmod.Modulus { return r.Arithmetic.Modulus }

func (r *ring) NewVec(n int) *bigmod.Vec {
	return &bigmod.Vec{Len: n, Words: r.newGroups(r.groups(n))}
}

func (r *ring) panicf(format string, args ...any) {
	panic(r.Name() + ": " + fmt.Sprintf(format, args...))
}

// check panics unless every v belongs to this ring and has n elements.
func (r *ring) check(method string, n int, vs ...*bigmod.Vec) {
	for _, v := range vs {
		r.checkVec(method, v)
		if v.Len != n {
			r.panicf("%s: vectors of %d and %d elements", method, n, v.Len)
		}
	}
}

func (r *ring) checkVec(method string, v *bigmod.Vec) {
	if len(v.Words) != r.groups(v.Len)*r.Lanes*r.K {
		r.panicf("%s: a vector of another ring", method)
	}
}

func (r *ring) checkLen(method string, got, want int) {
	if got != want {
		r.panicf("%s: buffer of length %d, want %d", method, got, want)
	}
}

func (r *ring) ToMont(z, x *bigmod.Vec) {
	r.check("ToMont", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.Mul(r.group(z.Words, g), r.group(x.Words, g), r.R)
	}
}

func (r *ring) FromMont(z, x *bigmod.Vec) {
	r.check("FromMont", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.FromMont(r.group(z.Words, g), r.group(x.Words, g))
	}
}

func (r *ring) Mul(z, x, y *bigmod.Vec) {
	r.check("Mul", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.Mul(r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g))
	}
}

func (r *ring) Sqr(z, x *bigmod.Vec) {
	r.check("Sqr", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.Sqr(r.group(z.Words, g), r.group(x.Words, g))
	}
}

func (r *ring) MulElem(z, x, c *bigmod.Vec) {
	r.check("MulElem", z.Len, z, x)
	r.check("MulElem", 1, c)
	s := r.take()
	defer r.give(s)
	r.spread(s.y, c.Words)
	for g := range r.groups(z.Len) {
		s.Mul(r.group(z.Words, g), r.group(x.Words, g), s.y)
	}
}

func (r *ring) Add(z, x, y *bigmod.Vec) {
	r.check("Add", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.Add(r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g))
	}
}

func (r *ring) Sub(z, x, y *bigmod.Vec) {
	r.check("Sub", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.Sub(r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g))
	}
}

func (r *ring) SetBytes(z *bigmod.Vec, be []byte) error {
	r.checkVec("SetBytes", z)
	size := r.Modulus().Size()
	r.checkLen("SetBytes", len(be), z.Len*size)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		rows := be[g*r.Lanes*size:]
		n := min(r.Lanes, z.Len-g*r.Lanes)
		if n < r.Lanes {
			tail := s.bytes(r.Lanes * size)
			clear(tail[copy(tail, rows):])
			rows = tail
		}
		below := s.FromBytes(r.group(z.Words, g), rows)
		if low := bits.TrailingZeros64(^below); low < n {
			return &bigmod.RangeError{Index: g*r.Lanes + low}
		}
	}
	return nil
}

func (r *ring) Bytes(be []byte, x *bigmod.Vec) {
	r.checkVec("Bytes", x)
	size := r.Modulus().Size()
	r.checkLen("Bytes", len(be), x.Len*size)
	s := r.take()
	defer r.give(s)
	full := x.Len / r.Lanes
	for g := range full {
		s.Bytes(be[g*r.Lanes*size:], r.group(x.Words, g))
	}
	if rest := be[full*r.Lanes*size:]; len(rest) > 0 {
		tail := s.bytes(r.Lanes * size)
		s.Bytes(tail, r.group(x.Words, full))
		copy(rest, tail)
	}
}

func (r *ring) SetWords(z *bigmod.Vec, w []uint64) {
	r.checkVec("SetWords", z)
	n := r.Modulus().Limbs()
	r.checkLen("SetWords", len(w), z.Len*n)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.FromWords(r.group(z.Words, g), r.rows(w, g, n, s))
	}
}

func (r *ring) Words(w []uint64, x *bigmod.Vec) {
	r.checkVec("Words", x)
	n := r.Modulus().Limbs()
	r.checkLen("Words", len(w), x.Len*n)
	s := r.take()
	defer r.give(s)
	full := x.Len / r.Lanes
	for g := range full {
		s.Words(w[g*r.Lanes*n:], r.group(x.Words, g))
	}
	if rest := w[full*r.Lanes*n:]; len(rest) > 0 {
		tail := s.words(r.Lanes * n)
		s.Words(tail, r.group(x.Words, full))
		copy(rest, tail)
	}
}

func (r *ring) SetWide(z *bigmod.Vec, w []uint64, limbs int) {
	r.checkVec("SetWide", z)
	if limbs < 0 || limbs > 2*r.Modulus().Limbs() {
		r.panicf("SetWide: %d words for a modulus of %d", limbs, r.Modulus().Limbs())
	}
	r.checkLen("SetWide", len(w), z.Len*limbs)
	if limbs == 0 {
		clear(z.Words)
		return
	}
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		s.FromWide(r.group(z.Words, g), r.rows(w, g, limbs, s), limbs)
	}
}

// rows returns a value of n words for each lane of group g, with zeros after the end of w.
func (r *ring) rows(w []uint64, g, n int, s *scratch) []uint64 {
	rows := w[g*r.Lanes*n:]
	if len(rows) >= r.Lanes*n {
		return rows[:r.Lanes*n]
	}
	tail := s.words(r.Lanes * n)
	clear(tail[copy(tail, rows):])
	return tail
}
