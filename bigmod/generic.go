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
		New:       func(m *Modulus) Ring { return newGeneric(m) },
	}
}

// wordsMax is the length of the longest residue in words.
const wordsMax = MaxBits / 64

// generic is the Ring of Generic. A residue is n consecutive little-endian words of a Vec.
type generic struct {
	modulus *Modulus
	n       int       // words per residue, Limbs()
	m       []uint64  // the modulus; R = 2^(64n)
	inv     uint64    // -m⁻¹ mod 2^64
	one     []uint64  // R mod m
	rr      []uint64  // R² mod m
	scratch sync.Pool // of *[]uint64
	// rPowers[k][d] caches what multiplies by R^(d·256^k), for MulRPow.
	rPowers [4][256]atomic.Pointer[[]uint64]
}

func newGeneric(modulus *Modulus) *generic {
	n := modulus.Limbs()
	r := &generic{modulus: modulus, n: n, m: modulus.words, one: make([]uint64, n), rr: make([]uint64, n)}
	r.scratch.New = func() any { return new([]uint64) }
	r.inv = negInverse(r.m[0])

	// one: 2^(BitLen-1) is below m; double it up to R.
	top := modulus.BitLen() - 1
	r.one[top/64] = 1 << (top % 64)
	for range 64*n - top {
		r.add(r.one, r.one, r.one)
	}
	// rr, the Montgomery form of 2^(64n): square and double from the form of 2^0.
	var t montScratch
	copy(r.rr, r.one)
	for i := bits.Len(uint(64*n)) - 1; i >= 0; i-- {
		montSqr(r.rr, r.rr, r.m, r.inv, &t)
		if 64*n>>i&1 == 1 {
			r.add(r.rr, r.rr, r.rr)
		}
	}
	return r
}

func (r *generic) Name() string      { return "generic" }
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

// buffer takes a scratch buffer of at least the given length from the pool; the caller gives it back with
// r.scratch.Put. Its contents are arbitrary.
func (r *generic) buffer(words int) *[]uint64 {
	b := r.scratch.Get().(*[]uint64)
	if len(*b) < words {
		*b = make([]uint64, words)
	}
	return b
}

func (r *generic) SetBytes(z *Vec, be []byte) error {
	r.checkVec("SetBytes", z)
	size := r.modulus.Size()
	checkLen("SetBytes", len(be), z.Len*size)
	for i := range z.Len {
		x := r.at(z, i)
		WordsFromBytes(x, be[i*size:(i+1)*size])
		if LessWords(x, r.m) == 0 {
			return &RangeError{Index: i}
		}
	}
	return nil
}

func (r *generic) Bytes(be []byte, x *Vec) {
	r.checkVec("Bytes", x)
	size := r.modulus.Size()
	checkLen("Bytes", len(be), x.Len*size)
	for i := range x.Len {
		BytesFromWords(be[i*size:(i+1)*size], r.at(x, i))
	}
}

func (r *generic) SetWords(z *Vec, w []uint64) {
	r.checkVec("SetWords", z)
	checkLen("SetWords", len(w), z.Len*r.n)
	copy(z.Words, w)
}

func (r *generic) Words(w []uint64, x *Vec) {
	r.checkVec("Words", x)
	checkLen("Words", len(w), x.Len*r.n)
	copy(w, x.Words)
}

// SetWide splits a value into x0 + x1·R, reduces x0 + x1·(R mod m), which is below m·R, and repairs the R⁻¹ that the
// reduction brings.
func (r *generic) SetWide(z *Vec, w []uint64, limbs int) {
	r.checkVec("SetWide", z)
	if limbs < 0 || limbs > 2*r.modulus.Limbs() {
		panic(fmt.Sprintf("bigmod: SetWide: %d words for a modulus of %d", limbs, r.modulus.Limbs()))
	}
	checkLen("SetWide", len(w), z.Len*limbs)
	var t montScratch
	n := r.n
	for i := range z.Len {
		x := w[i*limbs : (i+1)*limbs]
		low, high := x[:min(limbs, n)], x[min(limbs, n):]
		wide := t[:2*n]
		clear(wide[copy(wide, low):])
		for j, v := range high {
			c := addMulWord(wide[j:j+n], r.one, v)
			wide[j+n] = c
		}
		zi := r.at(z, i)
		montReduce(zi, r.m, r.inv, wide)
		montMul(zi, zi, r.rr, r.m, r.inv, &t)
	}
}

func (r *generic) ToMont(z, x *Vec) {
	r.check("ToMont", z.Len, z, x)
	r.mulElem(z, x, r.rr)
}

func (r *generic) FromMont(z, x *Vec) {
	r.check("FromMont", z.Len, z, x)
	var t montScratch
	for i := range z.Len {
		wide := t[:2*r.n]
		clear(wide[copy(wide, r.at(x, i)):])
		montReduce(r.at(z, i), r.m, r.inv, wide)
	}
}

func (r *generic) Mul(z, x, y *Vec) {
	r.check("Mul", z.Len, z, x, y)
	var t montScratch
	for i := range z.Len {
		montMul(r.at(z, i), r.at(x, i), r.at(y, i), r.m, r.inv, &t)
	}
}

func (r *generic) Sqr(z, x *Vec) {
	r.check("Sqr", z.Len, z, x)
	var t montScratch
	for i := range z.Len {
		montSqr(r.at(z, i), r.at(x, i), r.m, r.inv, &t)
	}
}

func (r *generic) MulElem(z, x, c *Vec) {
	r.check("MulElem", z.Len, z, x)
	r.check("MulElem", 1, c)
	r.mulElem(z, x, c.Words)
}

// mulElem is MulElem for c in plain words.
func (r *generic) mulElem(z, x *Vec, c []uint64) {
	var t montScratch
	for i := range z.Len {
		montMul(r.at(z, i), r.at(x, i), c, r.m, r.inv, &t)
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
	reduceOnce(z, z, AddWords(z, x, y), r.m)
}

func (r *generic) Sub(z, x, y *Vec) {
	r.check("Sub", z.Len, z, x, y)
	for i := range z.Len {
		zi := r.at(z, i)
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
	var t montScratch
	for j, i := range zi {
		e := r.at(z, int(i))
		montMul(e, e, r.at(x, int(xi[j])), r.m, r.inv, &t)
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
	var t montScratch
	for i, v := range n {
		e := r.at(z, i)
		for k := 0; v != 0; k, v = k+1, v>>8 {
			if d := v & 255; d != 0 {
				montMul(e, e, r.rPower(k, d), r.m, r.inv, &t)
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
	var t montScratch
	p := append([]uint64(nil), r.one...)
	e := d << (8 * k)
	for i := bits.Len32(e) - 1; i >= 0; i-- {
		montSqr(p, p, r.m, r.inv, &t)
		if e>>i&1 == 1 {
			montMul(p, p, r.rr, r.m, r.inv, &t) // rr is the Montgomery form of R
		}
	}
	cached.Store(&p)
	return p
}
