package fma47

import "encoding/binary"

// fromBytesGeneric sets the n limbs of z to the digits of one big-endian value for each lane: lane l is
// be[l·size:(l+1)·size]. It returns the set of lanes whose value is below that of the fields m.
func fromBytesGeneric(z []float64, be []byte, m []uint64, size, n, w, lanes int) (below uint64) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		below |= digitsOfFields(z, m, n, w, lanes, l, func(bit int) uint64 {
			return bitsOfBytes(row, bit)
		}) << l
	}
	return below
}

// fromWordsGeneric sets the n limbs of z to the digits of the bits from bit on of a value of size words for each lane.
func fromWordsGeneric(z []float64, words []uint64, size, bit, n, w, lanes int) {
	for l := range lanes {
		row := words[l*size : (l+1)*size]
		digitsOfFields(z, nil, n, w, lanes, l, func(at int) uint64 {
			at += bit
			i, shift := at/64, at%64
			if i >= len(row) {
				return 0
			}
			v := row[i] >> shift
			if i+1 < len(row) {
				v |= row[i+1] << (63 - shift) << 1
			}
			return v
		})
	}
}

// digitsOfFields sets lane l of z to the digits of the fields that start at bits w·j and returns 1 when their value is below
// that of the fields m, if there are any.
func digitsOfFields(z []float64, m []uint64, n, w, lanes, l int, field func(bit int) uint64) (borrow uint64) {
	var carry int64
	for j := range n {
		f := field(w*j) & (1<<w - 1)
		if m != nil {
			borrow = (f - m[j] - borrow) >> 63
		}
		v := int64(f) + carry
		if j < n-1 {
			carry = (int64(f) + 1<<(w-1) - 1) >> w // of the field alone; halves to even, as the assembly rounds
			v -= carry << w
		}
		z[lanes*j+l] = float64(v)
	}
	return borrow
}

// bitsOfBytes returns 57 or more bits of a big-endian value from a bit on, counted from its end.
func bitsOfBytes(be []byte, bit int) uint64 {
	end := len(be) - bit/8
	if end <= 0 {
		return 0
	}
	var v uint64
	if end >= 8 {
		v = binary.BigEndian.Uint64(be[end-8:])
	} else {
		for _, b := range be[:end] {
			v = v<<8 | uint64(b)
		}
	}
	return v >> (bit % 8)
}

// canonicalGeneric sets z to the n fields of the number x, between -m and m, plus m where it is negative. The limbs of x may
// have 51 bits.
func canonicalGeneric(z []uint64, x []float64, m []uint64, n, w, lanes int) {
	mask := int64(1)<<w - 1
	for l := range lanes {
		var carry int64
		for j := range n {
			v := int64(x[lanes*j+l]) + carry
			z[lanes*j+l] = uint64(v & mask)
			carry = v >> w
		}
		negative := uint64(carry >> 63)
		var over uint64
		for j := range n {
			v := z[lanes*j+l] + m[j]&negative + over
			z[lanes*j+l] = v & uint64(mask)
			over = v >> w
		}
	}
}

// toWordsGeneric writes the n fields x as size words for each lane. The values fit.
func toWordsGeneric(words, x []uint64, size, n, w, lanes int) {
	for l := range lanes {
		row := words[l*size : (l+1)*size]
		clear(row)
		for j := range n {
			v := x[lanes*j+l]
			i, shift := w*j/64, w*j%64
			if i < size {
				row[i] |= v << shift
			}
			if shift > 64-w && i+1 < size {
				row[i+1] |= v >> (64 - shift)
			}
		}
	}
}

// toBytesGeneric writes the n fields x as size bytes, big-endian, for each lane. The values fit.
func toBytesGeneric(be []byte, x []uint64, size, n, w, lanes int) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		var v uint64
		have, next := 0, 0
		for i := size - 1; i >= 0; i-- {
			if have < 8 {
				if next < n {
					v |= x[lanes*next+l] << have
				}
				next++
				have += w
			}
			row[i] = byte(v)
			v >>= 8
			have -= 8
		}
	}
}
