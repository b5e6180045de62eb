package mont52

import (
	"fmt"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// ring is the Ring of Implementation. Residues in a Vec are below 2m, and canonical when they leave it.
type ring struct {
	modulus     *bigmod.Modulus
	k           int      // limbs per residue; R = 2^(52k)
	ifma        bool     // whether to run the assembly
	m           []uint64 // k limbs
	inv         uint64   // -m⁻¹ mod 2^52
	long        []uint64 // multiple of m of lag longLag, k limbs; see reduceGeneric
	short       []uint64 // multiple of m of lag shortLag
	one         []uint64 // R mod m, in every lane of a group; likewise the next ones
	rr          []uint64 // R² mod m
	rrr         []uint64 // R³ mod m
	productPlan plan
	reducePlan  plan
	scratch     sync.Pool
	powers      rPowers
	portable    func() bigmod.Ring // of the same modulus, made when first needed

	// pair is set for the square of a modulus: residues are pairs, and the fields from inv to short and the plans
	// are not used.
	pair *pairing
}

// scratch is what a call needs beside its operands.
type scratch struct {
	sums []uint64 // of a product
	x, y []uint64 // a group each
	x2   []uint64 // half a group; for pairs
	more []uint64 // of any length; see scratch.words
	tail []byte   // of any length; see scratch.bytes
}

// newScratch makes a scratch in one piece, with what conversions need in more: a value of two residues, and its limbs.
func newScratch(k int) *scratch {
	n := lanes * k
	sums := 2*n + 2*lanes*tailSums // for pairs, two times those of k/2 limbs
	w := alignedWords(3*n + sums + 5*n)
	return &scratch{x: w[:n:n], y: w[n : 2*n : 2*n], x2: w[2*n : 3*n : 3*n], sums: w[3*n : 3*n+sums : 3*n+sums], more: w[3*n+sums:]}
}

// words returns n words, aligned as vectors, of arbitrary contents.
func (s *scratch) words(n int) []uint64 {
	if len(s.more) < n {
		s.more = alignedWords(n)
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

// newGroups makes n groups of zeros.
func (r *ring) newGroups(n int) []uint64 { return alignedWords(n * lanes * r.k) }

// group is group i of a sequence of them.
func (r *ring) group(x []uint64, i int) []uint64 {
	n := lanes * r.k
	return x[i*n : (i+1)*n : (i+1)*n]
}

// mul sets the group z = x·y·R⁻¹. Ranges: see reduceGeneric.
func (r *ring) mul(z, x, y []uint64, s *scratch) { r.mulAhead(z, x, y, s, x) }

// mulAhead is mul and prefetches another group.
func (r *ring) mulAhead(z, x, y []uint64, s *scratch, ahead []uint64) {
	if r.pair != nil {
		r.pair.mul(z, x, y, s, ahead)
		return
	}
	r.product(s.sums, x, y, &ahead[0])
	r.reduce(z, s.sums)
}

// sqr sets the group z = x²·R⁻¹.
func (r *ring) sqr(z, x []uint64, s *scratch) {
	if r.pair != nil {
		r.pair.sqr(z, x, s)
		return
	}
	r.square(s.sums, x)
	r.reduce(z, s.sums)
}

func (r *ring) Name() string             { return Name }
func (r *ring) Modulus() *bigmod.Modulus { return r.modulus }

func (r *ring) NewVec(n int) *bigmod.Vec {
	return &bigmod.Vec{Len: n, Words: r.newGroups(groups(n))}
}

// check panics unless every v belongs to this ring and has n elements.
func (r *ring) check(method string, n int, vs ...*bigmod.Vec) {
	for _, v := range vs {
		r.checkVec(method, v)
		if v.Len != n {
			panic(fmt.Sprintf("mont52: %s: vectors of %d and %d elements", method, n, v.Len))
		}
	}
}

func (r *ring) checkVec(method string, v *bigmod.Vec) {
	if len(v.Words) != groups(v.Len)*lanes*r.k {
		panic("mont52: " + method + ": a vector of another ring")
	}
}

func checkLen(method string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("mont52: %s: buffer of length %d, want %d", method, got, want))
	}
}

func (r *ring) ToMont(z, x *bigmod.Vec) {
	r.check("ToMont", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		r.mul(r.group(z.Words, g), r.group(x.Words, g), r.rr, s)
	}
}

// FromMont reduces the value itself as column sums; pairs are multiplied by that of 1.
func (r *ring) FromMont(z, x *bigmod.Vec) {
	r.check("FromMont", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		if zg, xg := r.group(z.Words, g), r.group(x.Words, g); r.pair != nil {
			r.mul(zg, xg, r.pair.plainOne, s)
		} else {
			r.fromMont(zg, xg, s)
		}
	}
}

// fromMont sets z = x·R⁻¹ mod m for x < R.
func (r *ring) fromMont(z, x []uint64, s *scratch) {
	clear(s.sums[copy(s.sums, x):])
	r.reduce(z, s.sums)
}

func (r *ring) Mul(z, x, y *bigmod.Vec) {
	r.check("Mul", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		r.mul(r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g), s)
	}
}

func (r *ring) Sqr(z, x *bigmod.Vec) {
	r.check("Sqr", z.Len, z, x)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		r.sqr(r.group(z.Words, g), r.group(x.Words, g), s)
	}
}

func (r *ring) MulElem(z, x, c *bigmod.Vec) {
	r.check("MulElem", z.Len, z, x)
	r.check("MulElem", 1, c)
	s := r.take()
	defer r.give(s)
	for j := range r.k {
		v := vector(s.y, j)
		for l := range v {
			v[l] = c.Words[lanes*j]
		}
	}
	for g := range groups(z.Len) {
		r.mul(r.group(z.Words, g), r.group(x.Words, g), s.y, s)
	}
}

func (r *ring) Add(z, x, y *bigmod.Vec) {
	r.check("Add", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		zg, xg, yg := r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g)
		if r.pair != nil {
			r.pair.combine(zg, xg, r.one, yg, r.one, s)
			continue
		}
		r.canonical(s.x, xg)
		r.canonical(s.y, yg)
		r.add(zg, s.x, s.y)
	}
}

func (r *ring) Sub(z, x, y *bigmod.Vec) {
	r.check("Sub", z.Len, z, x, y)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		zg, xg, yg := r.group(z.Words, g), r.group(x.Words, g), r.group(y.Words, g)
		if r.pair != nil {
			r.pair.combine(zg, xg, r.one, yg, r.pair.minus, s)
			continue
		}
		r.canonical(s.x, xg)
		r.canonical(s.y, yg)
		r.sub(zg, s.x, s.y)
	}
}

// MulAt gathers 8 elements of each operand into groups and scatters the products, unless they are groups as they are.
func (r *ring) MulAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("MulAt", z)
	r.checkVec("MulAt", x)
	checkLen("MulAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	for len(zi) > 0 {
		n := min(lanes, len(zi))
		zat, xat := indices(zi[:n], z.Len), indices(xi[:n], x.Len)
		zg, xg := r.elements(s.x, z.Words, &zat), r.elements(s.y, x.Words, &xat)
		r.mul(zg, zg, xg, s)
		if &zg[0] == &s.x[0] {
			r.scatter(z.Words, &zat, n, zg)
		}
		zi, xi = zi[n:], xi[n:]
	}
}

func (r *ring) CopyAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("CopyAt", z)
	r.checkVec("CopyAt", x)
	checkLen("CopyAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	for len(zi) > 0 {
		n := min(lanes, len(zi))
		zat, xat := indices(zi[:n], z.Len), indices(xi[:n], x.Len)
		r.scatter(z.Words, &zat, n, r.elements(s.x, x.Words, &xat))
		zi, xi = zi[n:], xi[n:]
	}
}

// elements returns the elements at 8 indices of the groups x as one group: the one that they are, or buf.
func (r *ring) elements(buf, x []uint64, at *[lanes]int32) []uint64 {
	whole := at[0]%lanes == 0
	for l, i := range at {
		whole = whole && i == at[0]+int32(l)
	}
	if whole {
		return r.group(x, int(at[0]/lanes))
	}
	r.gather(buf, x, at)
	return buf
}

// indices copies 1 to 8 indices below n, and repeats the first of them up to 8.
func indices(i []int32, n int) (at [lanes]int32) {
	for l := range at {
		at[l] = i[0]
		if l < len(i) {
			at[l] = i[l]
		}
		if at[l] < 0 || int(at[l]) >= n {
			panic(fmt.Sprintf("mont52: index %d of a vector of %d elements", at[l], n))
		}
	}
	return at
}
