package dataset

import (
	"math"
	"math/bits"
)

// log2 returns the binary logarithm of a positive finite number. It uses integer arithmetic, so that every machine
// gets the same bits: the standard library's result differs between processors. The error is below 2^-60 before the
// one rounding to a double.
//
// The fraction is computed bit by bit (Knuth, The Art of Computer Programming, vol. 1, exercise 1.2.2-25). If m is in
// [1, 2), the first bit of log2(m) is whether m² is 2 or more. The rest is the logarithm of m², halved if it is.
func log2(x float64) float64 {
	fraction, exponent := math.Frexp(x) // fraction in [1/2, 1)
	m := uint64(fraction*(1<<53)) << 11 // in [1, 2), times 2^63
	var f uint64                        // log2(m), times 2^64
	for range 64 {
		hi, lo := bits.Mul64(m, m)
		f <<= 1
		if hi>>63 != 0 {
			f |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return fromFixed(int64(exponent-1), f)
}

// fromFixed is whole + fraction/2^64 as a double, rounded once, to nearest, ties to even.
func fromFixed(whole int64, fraction uint64) float64 {
	if whole < 0 {
		hi, lo := ^uint64(whole), ^fraction // -x, less one unit
		lo, carry := bits.Add64(lo, 1, 0)
		return -fromFixed(int64(hi+carry), lo)
	}
	// These are the 64 leading bits. The last one is also set for bits that do not fit. Powers of 2 do not round.
	hi, lo := uint64(whole), fraction
	n := bits.Len64(hi)
	leading := hi<<(64-n) | lo>>n
	if lo<<(64-n) != 0 && n > 0 {
		leading |= 1
	}
	return math.Ldexp(float64(leading), n-64)
}
