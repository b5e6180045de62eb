//go:build purego || !amd64

package mont52

func supported() (bool, string) {
	return false, "8 lanes of 52-bit limbs with AVX-512 IFMA: this program was built without its assembly (another architecture, or the build tag purego)"
}

func (r *ring) product(sums, x, y []uint64) { productGeneric(sums, x, y, r.k) }

func (r *ring) square(sums, x []uint64) { squareGeneric(sums, x, r.k) }

func (r *ring) reduce(z, sums []uint64, canonical uint64) {
	reduceGeneric(z, sums, r.multiple, r.m, r.inv, r.k, canonical)
}
