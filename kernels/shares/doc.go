// Package shares is additive secret sharing modulo 2^64 among two or more servers, and the layouts in which shares
// travel in Paillier plaintexts.
//
// A value v is a signed 64-bit integer, stored as the word v mod 2^64. Its shares are n words with the sum v modulo
// 2^64. All but one are uniform and independent, and so is any choice of n-1 of them: n-1 servers together learn
// nothing. That is perfect, as far as the stream is random. Shares without a modulus leak; see Yi et al., "Privacy
// Protection for Wireless Medical Sensor Data" (IEEE TDSC 2016), section 3.2, whose shares are such.
//
// Sums and products of shares wrap modulo 2^64, silently. Whoever asks for a sum decides first that it fits: its
// magnitude must be below 2^63.
//
// Vectors are flat: one word for each record. A plaintext is a row of limbs words, least significant first, as package
// paillier has them.
//
// Everything is constant time in shares, values, masks and keys. Lengths, layouts and labels leak. Functions panic when
// lengths do not agree, which is a caller's bug.
package shares

import "fmt"

// checkLen panics unless a length is what it must be.
func checkLen(what string, n, want int) {
	if n != want {
		panic(fmt.Sprintf("shares: %d %s, not %d", n, what, want))
	}
}
