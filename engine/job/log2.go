package job

import (
	"math"
	"math/bits"
)

// log2 returns the binary logarithm of a positive finite number, in integer arithmetic, so that every machine gets the
// same bits: the standard library's differs between processors. The error is below 2^-60 before the one rounding to a
// double.
//
// The fraction comes bit by bit (Knuth, The Art of Computer Programming, vol. 1, exercise 1.2.2-25): if m is in [1, 2), the first bit
// of log2(m) is whether m² is 2 or more, and the rest is the logarithm of m², halved if it is.
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
	const unit = 1.0 / (1 << 53)
	return float64(exponent-1) + float64(f>>11)*unit // the product is exact
}
