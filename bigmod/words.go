package bigmod

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// AddWords sets z = x+y mod 2^(64·len(z)) and returns the carry, 0 or 1. The lengths are equal; z may be x or y.
// Constant time.
func AddWords(z, x, y []uint64) (carry uint64) {
	checkWords("AddWords", len(z), len(x), len(y))
	for i := range z {
		z[i], carry = bits.Add64(x[i], y[i], carry)
	}
	return carry
}

// SubWords sets z = x-y mod 2^(64·len(z)) and returns the borrow, 0 or 1. The lengths are equal; z may be x or y.
// Constant time.
func SubWords(z, x, y []uint64) (borrow uint64) {
	checkWords("SubWords", len(z), len(x), len(y))
	for i := range z {
		z[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return borrow
}

// SelectWords sets z = x when mask is all ones and z = y when it is zero; other masks mix the two bit by bit. The
// lengths are equal; z may be x or y. Constant time in mask, x and y.
func SelectWords(z []uint64, mask uint64, x, y []uint64) {
	checkWords("SelectWords", len(z), len(x), len(y))
	for i := range z {
		z[i] = y[i] ^ mask&(x[i]^y[i])
	}
}

// MulWords sets z = x·y. len(z) = len(x)+len(y); z aliases neither operand. Constant time.
func MulWords(z, x, y []uint64) {
	if len(z) != len(x)+len(y) {
		panic(fmt.Sprintf("bigmod: MulWords: %d words for a product of %d and %d", len(z), len(x), len(y)))
	}
	mulRows(z, x, y)
}

// EqualWords returns all ones when x = y and 0 otherwise. The lengths are equal. Constant time.
func EqualWords(x, y []uint64) uint64 {
	checkWords("EqualWords", len(x), len(y), len(y))
	var diff uint64
	for i := range x {
		diff |= x[i] ^ y[i]
	}
	return zeroMask(diff)
}

// LessWords returns all ones when x < y and 0 otherwise. The lengths are equal. Constant time.
func LessWords(x, y []uint64) uint64 {
	checkWords("LessWords", len(x), len(y), len(y))
	var borrow uint64
	for i := range x {
		_, borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return -borrow
}

// WordsFromBytes sets z to the big-endian value be, extended by zeros. It panics when be has more bytes than z,
// leading zeros included. Constant time.
func WordsFromBytes(z []uint64, be []byte) {
	if len(be) > 8*len(z) {
		panic(fmt.Sprintf("bigmod: WordsFromBytes: %d bytes do not fit %d words", len(be), len(z)))
	}
	for i := range z {
		switch n := len(be); {
		case n >= 8:
			z[i] = binary.BigEndian.Uint64(be[n-8:])
			be = be[:n-8]
		default:
			var v uint64
			for _, b := range be {
				v = v<<8 | uint64(b)
			}
			z[i] = v
			be = nil
		}
	}
}

// BytesFromWords sets be to the big-endian value x, extended by zeros. The value must fit len(be) bytes, else it
// panics. Constant time in the value of an x that fits.
func BytesFromWords(be []byte, x []uint64) {
	var lost uint64
	n := len(be)
	for _, v := range x {
		if n >= 8 {
			binary.BigEndian.PutUint64(be[n-8:], v)
			n -= 8
			continue
		}
		for n > 0 {
			n--
			be[n] = byte(v)
			v >>= 8
		}
		lost |= v
	}
	if lost != 0 {
		panic(fmt.Sprintf("bigmod: BytesFromWords: value does not fit %d bytes", len(be)))
	}
	clear(be[:n])
}

// zeroMask returns all ones when v = 0 and 0 otherwise, in constant time.
func zeroMask(v uint64) uint64 {
	return uint64(int64(^v&(v-1)) >> 63)
}

func checkWords(name string, z, x, y int) {
	if z != x || z != y {
		panic(fmt.Sprintf("bigmod: %s: lengths %d, %d and %d differ", name, z, x, y))
	}
}
