//go:build !purego

package ringlwe

import (
	"crypto/cipher"
	"unsafe"

	"github.com/cipherfold/cipherfold/internal/cpu"
	"github.com/klauspost/cpuid/v2"
)

// supported says whether this machine has the instructions of the assembly and an operating system that saves their
// registers, and why or why not.
func supported() (bool, string) {
	const what = "8 lanes of 52-bit products with AVX-512 IFMA"
	if why := cpu.Missing(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512IFMA, cpuid.AVX512VPOPCNTDQ, cpuid.AESNI); why != "" {
		return false, what + ": " + why
	}
	return true, what
}

// forward is forwardGeneric, of words below 2p. With the assembly the results are below 4p.
func (r *ring) forward(a []uint64) {
	if !r.ifma {
		r.forwardGeneric(a)
		return
	}
	checkLen("coefficients", len(a), r.n)
	raceRead(a)
	raceWrite(a)
	groups, half := 1, r.n/2
	for ; half >= 8; groups, half = 2*groups, half/2 {
		stageIFMA(&a[0], &r.pairs[2*groups], groups, half, r.p)
	}
	tailIFMA(&a[0], &r.lanes[0], r.n, r.p)
}

// addProduct is addProductGeneric, of words m as forward leaves them.
func (r *ring) addProduct(m, a []uint64, f factors) {
	if !r.ifma {
		r.addProductGeneric(m, a, f)
		return
	}
	a, w, ratio := a[:len(m)], f.w[:len(m)], f.ratio[:len(m)]
	raceRead(a)
	raceRead(w)
	raceRead(ratio)
	raceWrite(m)
	addProductIFMA(&m[0], &a[0], &w[0], &ratio[0], len(m), r.p)
}

// encode is encodeGeneric.
func (r *ring) encode(dst []uint64, values []int64, noise []uint64, shift int) {
	if !r.ifma {
		r.encodeGeneric(dst, values, noise, shift)
		return
	}
	values, noise = values[:len(dst)], noise[:len(dst)]
	raceReadSigned(values)
	raceRead(noise)
	raceWrite(dst)
	encodeIFMA(&dst[0], &values[0], &noise[0], len(dst), shift, r.p)
}

// used says whether the assembly is used where no ring is there to know.
func used() bool {
	ok, _ := supported()
	return ok
}

// vectors is how many of n words the assembly does; its twin does the rest.
func vectors(n int) int { return n &^ 7 }

// float64s is float64sGeneric.
func (c *scaling) float64s(dst []int64, g []float64, words []uint64) {
	n := 0
	if c.ifma {
		if n = vectors(len(dst)); n > 0 {
			raceReadFloats(g[:n])
			raceRead(words[:n/2])
			raceWriteSigned(dst[:n])
			quantize64IFMA(&dst[0], &g[0], &words[0], n, &c.vector[0])
		}
	}
	c.float64sGeneric(dst[n:], g[n:], words[n/2:])
}

// float32s is float32sGeneric.
func (c *scaling) float32s(dst []int64, g []float32, words []uint64) {
	n := 0
	if c.ifma {
		if n = vectors(len(dst)); n > 0 {
			raceReadSingles(g[:n])
			raceRead(words[:n/2])
			raceWriteSigned(dst[:n])
			quantize32IFMA(&dst[0], &g[0], &words[0], n, &c.vector[0])
		}
	}
	c.float32sGeneric(dst[n:], g[n:], words[n/2:])
}

// keystream is keystreamGeneric, in place: words of this architecture begin with their least significant byte.
func keystream(dst []uint64, stream cipher.Stream) {
	if len(dst) > 0 {
		clear(dst)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 8*len(dst))
		stream.XORKeyStream(b, b)
	}
}
