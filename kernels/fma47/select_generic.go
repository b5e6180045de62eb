package fma47

// selectGeneric sets z to number d of the table, of words words each, reading all 1<<width of them: constant time in d.
func selectGeneric(z, table []uint64, d uint64, width, words int) {
	clear(z[:words])
	for row := range uint64(1) << width {
		mask := zeroMask(row ^ d)
		for i, v := range table[int(row)*words:][:words] {
			z[i] |= v & mask
		}
	}
}

// lookupGeneric sets lane l of group g of z to entry d[lanes·g+l] of a table of 1<<width residues of k words, of which word j
// of entry i is at j<<width + i. It reads all of the table for every lane.
func lookupGeneric(z, table, d []uint64, width, k, lanes int) {
	for g := range len(d) / lanes {
		for j := range k {
			out := z[lanes*(k*g+j):][:lanes]
			clear(out)
			for i, v := range table[j<<width:][:1<<width] {
				for l := range out {
					out[l] |= v & zeroMask(uint64(i)^d[lanes*g+l])
				}
			}
		}
	}
}

// zeroMask returns all ones when v = 0 and 0 otherwise, in constant time.
func zeroMask(v uint64) uint64 {
	return uint64(int64(^v&(v-1)) >> 63)
}
