package bigmod

import (
	"fmt"
	"math/bits"
)

// ExactDivisor divides by one odd number where the remainder is known to be 0 or has to be tested for that, such as
// in (u-1)/p. It is read-only and safe for concurrent use. The divisor may be secret.
type ExactDivisor struct {
	d   []uint64
	inv []uint64 // d⁻¹ mod 2^(64·len(d))
}

// NewExactDivisor prepares the division by d in little-endian words, leading zeros allowed. d must be odd, else it
// panics. Constant time in d.
func NewExactDivisor(d []uint64) *ExactDivisor {
	if len(d) == 0 || d[0]&1 == 0 {
		panic("bigmod: NewExactDivisor: the divisor is even")
	}
	n := len(d)
	x := &ExactDivisor{d: append([]uint64(nil), d...), inv: make([]uint64, n)}
	// Word by word (Jebelean, "An algorithm for exact division", 1993): the remainder of 1 - d·inv stays 0 mod 2^(64i).
	d0 := -negInverse(d[0])
	rest := make([]uint64, n)
	rest[0] = 1
	for i := range n {
		q := rest[i] * d0
		x.inv[i] = q
		subMulWord(rest[i:], d, q)
	}
	return x
}

// subMulWord sets z -= x·y mod 2^(64·len(z)). len(x) >= len(z).
func subMulWord(z, x []uint64, y uint64) {
	x = x[:len(z)]
	var carry, c uint64
	for i := range z {
		hi, lo := bits.Mul64(x[i], y)
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		z[i], c = bits.Sub64(z[i], lo, 0)
		carry = hi + c
	}
}

// Div sets q = x/d and returns all ones when d divides x and the quotient fits len(q) words, else returns 0 with q
// unspecified. len(q) must be the length of the divisor, x may have any length and must not overlap q. Constant time in
// x and d; only the caller can leak the answer.
func (x *ExactDivisor) Div(q, dividend []uint64) (exact uint64) {
	n := len(x.d)
	if len(q) != n {
		panic(fmt.Sprintf("bigmod: ExactDivisor.Div: quotient of %d words for a divisor of %d", len(q), n))
	}
	// q = x·d⁻¹ mod 2^(64n), one column of the product after the other
	var s columnSum
	for k := range q {
		low := dividend[:min(k+1, len(dividend))]
		for i, v := range low {
			s.addMul(v, x.inv[k-i])
		}
		q[k] = s.next()
	}
	// q·d = x, again column by column so that no product has to be stored
	s = columnSum{}
	var diff uint64
	for k := range max(2*n, len(dividend)) {
		for i := max(0, k-n+1); i <= min(k, n-1); i++ {
			s.addMul(q[i], x.d[k-i])
		}
		v := s.next()
		if k < len(dividend) {
			v ^= dividend[k]
		}
		diff |= v
	}
	return zeroMask(diff)
}

// columnSum adds up a column of a product.
type columnSum struct{ lo, mid, hi uint64 }

func (s *columnSum) addMul(a, b uint64) {
	hi, lo := bits.Mul64(a, b)
	var c uint64
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.mid, c = bits.Add64(s.mid, hi, c)
	s.hi += c
}

// next returns the column's word and goes on to the next column.
func (s *columnSum) next() uint64 {
	v := s.lo
	s.lo, s.mid, s.hi = s.mid, s.hi, 0
	return v
}
