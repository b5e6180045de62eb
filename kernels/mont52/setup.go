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

func newRing(modulus *bigmod.Modulus, ifma bool) *ring {
	k := limbsOf(modulus)
	r := &ring{modulus: modulus, k: k, ifma: ifma, m: make([]uint64, k)}
	r.scratch.New = func() any { return newScratch(k) }
	r.portable = sync.OnceValue(func() bigmod.Ring { return bigmod.Generic().New(modulus) })
	limbsFromWords(r.m, modulus.Words())
	r.inv = negInverse52(r.m[0])
	r.long = leadMultiple(r.m, r.inv, longLag)
	r.short = leadMultiple(r.m, r.inv, shortLag)
	r.productPlan = productPlan(k)
	r.reducePlan = reducePlan(k)

	// one: 2^(BitLen-1) is below m; double it up to R.
	x := make([]uint64, k)
	top := modulus.BitLen() - 1
	x[top/limbBits] = 1 << (top % limbBits)
	for range limbBits*k - top {
		doubleMod(x, r.m)
	}
	r.one = r.newGroups(1)
	spread(r.one, x)
	// rr is the Montgomery form of R = 2^(52k): square and double from the form of 2^0.
	s := r.take()
	defer r.give(s)
	r.rr = r.newGroups(1)
	copy(r.rr, r.one)
	for i := bits.Len(uint(limbBits*k)) - 1; i >= 0; i-- {
		r.sqr(r.rr, r.rr, s, canonical)
		if limbBits*k>>i&1 == 1 {
			for j := range x {
				x[j] = r.rr[lanes*j]
			}
			doubleMod(x, r.m)
			spread(r.rr, x)
		}
	}
	r.rrr = r.newGroups(1)
	r.mul(r.rrr, r.rr, r.rr, s, canonical)
	return r
}

// negInverse52 returns -m0⁻¹ mod 2^52 for odd m0, by Newton's iteration.
func negInverse52(m0 uint64) uint64 {
	x := m0 // right in the low 3 bits
	for range 5 {
		x *= 2 - m0*x
	}
	return -x & limbMask
}

// leadMultiple returns (u·m+1)/2^(52·lag) for u = -m⁻¹ mod 2^(52·lag): add the multiples of m to 1 that clear its
// lowest limbs.
func leadMultiple(m []uint64, inv uint64, lag int) []uint64 {
	t := make([]uint64, len(m)+lag+1)
	t[0] = 1
	for i := range lag {
		q := t[i] * inv & limbMask
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
	return t[lag : lag+len(m)]
}

// doubleMod sets x = 2x mod m for x < m, in limbs.
func doubleMod(x, m []uint64) {
	var carry, borrow uint64
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
}
