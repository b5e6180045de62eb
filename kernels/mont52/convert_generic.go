package mont52

import "encoding/binary"

// fromBytesGeneric sets a group to 8 big-endian values of size bytes each, one after the other in be, which fit k limbs.
func fromBytesGeneric(z []uint64, be []byte, size, k int) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		for j := range k {
			z[lanes*j+l] = limbOfBytes(row, j)
		}
	}
}

// limbOfBytes returns limb j of a big-endian value.
func limbOfBytes(be []byte, j int) uint64 {
	first, shift := limbBits*j/8, limbBits*j%8 // counted from the end
	end := len(be) - first
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
	return v >> shift & limbMask
}

// toBytesGeneric is the inverse of fromBytesGeneric. The values fit size bytes.
func toBytesGeneric(be []byte, x []uint64, size, k int) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		var v uint64
		have, next := 0, 0
		for i := size - 1; i >= 0; i-- {
			if have < 8 {
				if next < k {
					v |= x[lanes*next+l] << have
				}
				next++
				have += limbBits
			}
			row[i] = byte(v)
			v >>= 8
			have -= 8
		}
	}
}

// fromWordsGeneric sets a group to 8 values of n little-endian words each, one after the other in w, which fit k limbs.
func fromWordsGeneric(z, w []uint64, n, k int) {
	for l := range lanes {
		row := w[l*n : (l+1)*n]
		for j := range k {
			z[lanes*j+l] = limbOfWords(row, j)
		}
	}
}

// toWordsGeneric is the inverse of fromWordsGeneric. The values fit n words.
func toWordsGeneric(w, x []uint64, n, k int) {
	for l := range lanes {
		row := w[l*n : (l+1)*n]
		clear(row)
		for j := range k {
			v := x[lanes*j+l]
			i, shift := limbBits*j/64, limbBits*j%64
			if i < n {
				row[i] |= v << shift
			}
			if shift > 64-limbBits && i+1 < n {
				row[i+1] |= v >> (64 - shift)
			}
		}
	}
}

// gatherGeneric sets lane l of a group to the element at[l] of the groups x.
func gatherGeneric(z, x []uint64, at *[lanes]int32, k int) {
	for l, i := range at {
		from := x[int(i)/lanes*lanes*k:]
		lane := int(i) % lanes
		for j := range k {
			z[lanes*j+l] = from[lanes*j+lane]
		}
	}
}

// scatterGeneric sets the element at[l] of the groups z to lane l of the group x, for l < n.
func scatterGeneric(z []uint64, at *[lanes]int32, n int, x []uint64, k int) {
	for l, i := range at[:n] {
		to := z[int(i)/lanes*lanes*k:]
		lane := int(i) % lanes
		for j := range k {
			to[lanes*j+lane] = x[lanes*j+l]
		}
	}
}
