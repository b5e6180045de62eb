package codec

import "math"

// SaturatingAdd is a + b for non-negative numbers, or math.MaxInt64 where that does not fit. It adds up counts of
// additions: one that is too large for any slot stays too large. Not constant time: counts are public.
func SaturatingAdd(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxInt64
}

// SaturatingMul is a * b for non-negative numbers, or math.MaxInt64 where that does not fit. Not constant time.
func SaturatingMul(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	if p := a * b; p/b == a && p > 0 {
		return p
	}
	return math.MaxInt64
}
