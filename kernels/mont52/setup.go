package mont52

import (
	"math/bits"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// limbsMin keeps the kernels free of special cases; it adds nothing to moduli from 829 bits on.
const limbsMin = 16

// limbsOf is the number of limbs K for a modulus, such that R = 2^(52K) >= 16m; see reduceGeneric.
func limbsOf(modulus *bigmod.Modulus) int {
	return max(limbsMin, (modulus.BitLen()+4+limbBits-1)/limbBits)
}

// layout makes a ring of k limbs without its constants.
func layout(modulus *bigmod.Modulus, k int, ifma bool) *ring {
	r := &ring{modulus: modulus, k: k, ifma: ifma, m: make([]uint64, k)}
	r.scratch.New = func() any { return newScratch(k) }
	r.portable = sync.OnceValue(func() bigmod.Ring { return bigmod.Generic().New(modulus) })
	limbsFromWords(r.m, modulus.Words())
	return r
}

func newRing(modulus *bigmod.Modulus, ifma bool) *ring {
	k := limbsOf(modulus)
	r := layout(modulus, k, ifma)
	r.inv = negInverse52(r.m[0])
	r.long, _ = leadMultiple(r.m, r.inv, longLag)
	r.short, _ = leadMultiple(r.m, r.inv, shortLag)
	r.productPlan = productPlan(k)
	r.reducePlan = reducePlan(k)

	x := powerOfTwo(r.m, limbBits*k)
	r.one = r.newGroups(1)
	spread(r.one, x)
	// rr is the Montgomery form of R = 2^(52k): square and double from the form of 2^0.
	s := r.take()
	defer r.give(s)
	r.rr = r.newGroups(1)
	copy(r.rr, r.one)
	for i := bits.Len(uint(limbBits*k)) - 1; i >= 0; i-- {
		r.sqr(r.rr, r.rr, s)
		r.canonical(r.rr, r.rr)
		if limbBits*k>>i&1 == 1 {
			for j := range x {
				x[j] = r.rr[lanes*j]
			}
			doubleMod(x, r.m, 0)
			spread(r.rr, x)
		}
	}
	r.rrr = r.newGroups(1)
	r.mul(r.rrr, r.rr, r.rr, s)
	r.canonical(r.rrr, r.rrr)
	return r
}

// powerOfTwo returns 2^e mod m in limbs, for e of at least m's length in bits less 1.
func powerOfTwo(m []uint64, e int) []uint64 {
	top := len(m) - 1
	for m[top] == 0 {
		top--
	}
	at := limbBits*top + bits.Len64(m[top]) - 1 // 2^at < m, as m is odd
	x := make([]uint64, len(m))
	x[at/limbBits] = 1 << (at % limbBits)
	for range e - at {
		doubleMod(x, m, 0)
	}
	return x
}

// negInverse52 returns -m0⁻¹ mod 2^52 for odd m0, by Newton's iteration.
func negInverse52(m0 uint64) uint64 {
	x := m0 // right in the low 3 bits
	for range 5 {
		x *= 2 - m0*x
	}
	return -x & limbMask
}

// leadMultiple returns (u·m+1)/2^(52·lag) and the limbs of u = -m⁻¹ mod 2^(52·lag): add the multiples of m to 1 that
// clear its lowest limbs.
func leadMultiple(m []uint64, inv uint64, lag int) (multiple, u []uint64) {
	u = make([]uint64, lag)
	t := make([]uint64, len(m)+lag+1)
	t[0] = 1
	for i := range lag {
		q := t[i] * inv & limbMask
		u[i] = q
		var carry uint64
		for j, v := range m {
			hi, lo := mul52(v, q)
			s := t[i+j] + lo + carry
			t[i+j] = s & limbMask
			carry = hi + s>>limbBits
		}
		for j := i + len(m); j < len(t); j++ {
			s := t[j] + carry
			t[j] = s & limbMask
			carry = s >> limbBits
		}
	}
	return t[lag : lag+len(m)], u
}

// doubleMod sets x = 2x+bit mod m for x < m, in limbs, and returns 1 when that subtracted m, else 0.
func doubleMod(x, m []uint64, bit uint64) uint64 {
	carry, borrow := bit, uint64(0)
	for j, v := range x {
		v = v<<1 | carry
		carry = v >> limbBits
		x[j] = v & limbMask
		borrow = (x[j] - m[j] - borrow) >> 63
	}
	keep := -borrow // 2x < 2m < R, so that carry is 0 here
	borrow = 0
	for j, v := range x {
		v -= m[j]&^keep + borrow
		borrow = v >> 63
		x[j] = v & limbMask
	}
	return 1 + keep
}

// Name is the name of the implementation.
const Name = "ifma"

// Implementation is the arithmetic of this package. It is available on processors with AVX-512 IFMA.
func Implementation() bigmod.Implementation {
	available, why := supported()
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return newRing(m, available) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring { return newSquareRing(root, available) },
	}
}
