//go:build purego || !amd64

package ringlwe

import "crypto/cipher"

func supported() (bool, string) {
	return false, "8 lanes of 52-bit products with AVX-512 IFMA: this program was built without its assembly (another architecture, or the build tag purego)"
}

func (r *ring) forward(a []uint64) { r.forwardGeneric(a) }

func (r *ring) addProduct(m, a []uint64, f factors) { r.addProductGeneric(m, a, f) }

func (r *ring) encode(dst []uint64, values []int64, noise []uint64, shift int) {
	r.encodeGeneric(dst, values, noise, shift)
}

func used() bool { return false }

func (c *scaling) float64s(dst []int64, g []float64, words []uint64) {
	c.float64sGeneric(dst, g, words)
}

func (c *scaling) float32s(dst []int64, g []float32, words []uint64) {
	c.float32sGeneric(dst, g, words)
}

func keystream(dst []uint64, stream cipher.Stream) { keystreamGeneric(dst, stream) }
