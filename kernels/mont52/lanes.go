package mont52

import "unsafe"

const (
	// lanes is the number of residues in a group.
	lanes = 8
	// limbBits is the radix: limbs are below 2^limbBits.
	limbBits = 52
	limbMask = 1<<limbBits - 1
	// vectorBytes is the size and the alignment of a vector.
	vectorBytes = 64
)

// alignedWords makes n zero words that start at a multiple of vectorBytes. Go aligns slices to less, and a vector that
// straddles two cache lines takes twice as long to load.
func alignedWords(n int) []uint64 {
	const spare = vectorBytes / 8
	w := make([]uint64, n+spare)
	skip := 0
	if misaligned := int(uintptr(unsafe.Pointer(&w[0])) % vectorBytes); misaligned != 0 {
		skip = (vectorBytes - misaligned) / 8
	}
	return w[skip : skip+n : skip+n]
}

// groups is how many groups n residues take.
func groups(n int) int { return (n + lanes - 1) / lanes }

// spread sets every lane of a group to the limbs x.
func spread(z, x []uint64) {
	for j, v := range x {
		vector := z[lanes*j:][:lanes]
		for l := range vector {
			vector[l] = v
		}
	}
}

// limbsFromWords sets the limbs z to a value in little-endian 64-bit words, which fits.
func limbsFromWords(z, w []uint64) {
	for j := range z {
		z[j] = limbOfWords(w, j)
	}
}

// limbOfWords returns limb j of a value in little-endian 64-bit words.
func limbOfWords(w []uint64, j int) uint64 {
	i, shift := limbBits*j/64, limbBits*j%64
	if i >= len(w) {
		return 0
	}
	v := w[i] >> shift
	if shift > 64-limbBits && i+1 < len(w) {
		v |= w[i+1] << (64 - shift)
	}
	return v & limbMask
}
