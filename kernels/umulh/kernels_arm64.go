//go:build !purego

package umulh

// multiplyBlock adds x·y to the n+8 words t, for n words x, 8 words y and a multiple n of 8 above 0. The last 8 words of t
// count as 0 before.
//
//go:noescape
func multiplyBlock(t, x, y *uint64, n int)

// reduceBlock adds q·m + carry·2^(64n) to the n+8 words t, for the q < 2^512 that makes the first 8 of them 0, and then puts
// q in their place. m has n words, a multiple of 8, and inv = -m⁻¹ mod 2^64; carry is 0 or 1, as what it returns: the carry
// out of t.
//
//go:noescape
func reduceBlock(t, m *uint64, inv uint64, n int, carry uint64) uint64
