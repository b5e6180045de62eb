package mont52

// selectGeneric sets the group z to group d of the table, reading all 1<<width of them: constant time in d.
func selectGeneric(z, table []uint64, d uint64, width, k int) {
	n := lanes * k
	clear(z[:n])
	for row := range uint64(1) << width {
		mask := zeroMask(row ^ d)
		for i, v := range table[int(row)*n:][:n] {
			z[i] |= v & mask
		}
	}
}

// lookupGeneric sets lane l of the group z to the entry d[l] < 1<<width of a table of single residues, whose limb j of
// entry i is word j<<width+i. It reads all entries for every lane: constant time in d. 4 <= width <= 9.
func lookupGeneric(z, table []uint64, d *[lanes]uint64, width, k int) {
	for j := range k {
		out := vector(z, j)
		clear(out)
		for row, v := range table[j<<width:][:1<<width] {
			for l := range out {
				out[l] |= v & zeroMask(uint64(row)^d[l])
			}
		}
	}
}

// zeroMask returns all ones when v = 0 and 0 otherwise, in constant time.
func zeroMask(v uint64) uint64 {
	return uint64(int64(^v&(v-1)) >> 63)
}
