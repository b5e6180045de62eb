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

// lookupLimbs is how many limbs of a table are interleaved; see entryAt.
const lookupLimbs = 4

// entryAt is where limb j of entries d...d+15 (16 divides d) begins in a table of 1<<width single residues. The
// assembly reads such tables from front to end: blocks of 4 limbs (of 1 limb at the end of k), in these 16 entries
// after the other.
func entryAt(j, d, width, k int) int {
	n := lookupLimbs
	if j >= k&^(lookupLimbs-1) {
		n = 1
	}
	return j/n*n<<width + d*n + 16*(j%n)
}

// lookupGeneric sets lane l of the group z to the entry d[l] < 1<<width of a table of single residues in the layout of
// entryAt. It reads all entries for every lane: constant time in d. width >= 4.
func lookupGeneric(z, table []uint64, d []uint64, width, k int) {
	for j := range k {
		out := vector(z, j)
		clear(out)
		for row := 0; row < 1<<width; row += 16 {
			for i, v := range table[entryAt(j, row, width, k):][:16] {
				for l := range out {
					out[l] |= v & zeroMask(uint64(row+i)^d[l])
				}
			}
		}
	}
}

// zeroMask returns all ones when v = 0 and 0 otherwise, in constant time.
func zeroMask(v uint64) uint64 {
	return uint64(int64(^v&(v-1)) >> 63)
}
