package pages

import "encoding/binary"

// bitsAt returns the width bits, 0 to 64, that begin at bit position bit of
// src, least significant first. Bits beyond src are 0.
func bitsAt(src []byte, bit int, width uint) uint64 {
	i, shift := bit>>3, uint(bit&7)
	v := word(src, i) >> shift
	if shift+width > 64 && i+8 < len(src) {
		v |= uint64(src[i+8]) << (64 - shift)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// word loads the 8 bytes from i on, little-endian, with zeros beyond src.
func word(src []byte, i int) uint64 {
	if i+8 <= len(src) {
		return binary.LittleEndian.Uint64(src[i:])
	}
	var v uint64
	for k := len(src) - 1; k >= i; k-- {
		v = v<<8 | uint64(src[k])
	}
	return v
}

// setBit sets bit i of an Arrow bitmap.
func setBit(bitmap []byte, i int) { bitmap[i>>3] |= 1 << (i & 7) }
