//go:build !purego

package mont52

import "github.com/klauspost/cpuid/v2"

// supported says whether this machine has the instructions of the assembly and an operating system that saves their
// registers (cpuid reports no AVX-512 otherwise), and why or why not.
func supported() (bool, string) {
	const what = "8 lanes of 52-bit limbs with AVX-512 IFMA"
	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512IFMA, cpuid.AVX512VBMI) {
		return true, what
	}
	return false, what + ": this processor or operating system does not support it"
}

func (r *ring) product(sums, x, y []uint64) {
	if !r.ifma {
		productGeneric(sums, x, y, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceRead(y[:lanes*r.k])
	raceWrite(sums[:lanes*(2*r.k+tailSums)])
	productIFMA(&sums[0], &x[0], &y[0], r.k)
}

func (r *ring) square(sums, x []uint64) {
	if !r.ifma {
		squareGeneric(sums, x, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceWrite(sums[:lanes*(2*r.k+tailSums)])
	squareIFMA(&sums[0], &x[0], r.k)
}

func (r *ring) reduce(z, sums []uint64, canonical uint64) {
	if !r.ifma {
		reduceGeneric(z, sums, r.multiple, r.m, r.inv, r.k, canonical)
		return
	}
	raceWrite(z[:lanes*r.k])
	raceWrite(sums[:lanes*2*r.k])
	reduceIFMA(&z[0], &sums[0], &r.multiple[0], &r.m[0], r.inv, r.k, canonical)
}
