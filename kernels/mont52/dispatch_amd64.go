//go:build !purego

package mont52

import (
	"github.com/cipherfold/cipherfold/internal/cpu"
	"github.com/klauspost/cpuid/v2"
)

// supported says whether this machine has the instructions of the assembly and an operating system that saves their
// registers (cpuid reports no AVX-512 otherwise), and why or why not.
func supported() (bool, string) {
	const what = "8 lanes of 52-bit limbs with AVX-512 IFMA"
	if why := cpu.Missing(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512IFMA, cpuid.AVX512VBMI, cpuid.BMI2); why != "" {
		return false, what + ": " + why
	}
	return true, what
}

func (r *ring) product(sums, x, y []uint64, ahead *uint64) {
	if !r.ifma {
		productGeneric(sums, x, y, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceRead(y[:lanes*r.k])
	raceWrite(sums[:lanes*(2*r.k+tailSums)])
	productIFMA(&sums[0], &x[0], &y[0], &r.productPlan[0], r.k, ahead)
}

func (r *ring) productAdd(sums, x, y []uint64) {
	if !r.ifma {
		productAddGeneric(sums, x, y, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceRead(y[:lanes*r.k])
	raceWrite(sums[:lanes*2*r.k])
	productIFMA(&sums[0], &x[0], &y[0], &r.productPlan[0], r.k, nil)
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

func (r *ring) reduce(z, sums []uint64) {
	if !r.ifma {
		reduceGeneric(z, sums, r.m, r.long, r.short, r.inv, r.k)
		return
	}
	raceWrite(z[:lanes*r.k])
	raceWrite(sums[:lanes*2*r.k])
	reduceIFMA(&z[0], &sums[0], &r.m[0], &r.long[0], &r.short[0], r.inv, &r.reducePlan[0], r.k)
}

func (p *pairing) reduceQuotient(z, quotient, sums []uint64) {
	r := p.root
	if !r.ifma {
		reduceQuotientGeneric(z, quotient, sums, r.m, r.long, r.short, p.longDigits, p.shortDigits, p.half, r.inv, r.k)
		return
	}
	raceWrite(z[:lanes*r.k])
	raceWrite(quotient[:lanes*r.k])
	raceWrite(sums[:lanes*2*r.k])
	reduceQuotientIFMA(&z[0], &quotient[0], &sums[0], &r.m[0], &r.long[0], &r.short[0], &p.longDigits[0], &p.shortDigits[0],
		&p.half[0], r.inv, &r.reducePlan[0], r.k)
}

// normalize propagates the carries of k columns, which may be other than r.k.
func (r *ring) normalize(z, sums []uint64, k int) {
	if !r.ifma {
		normalizeGeneric(z, sums, k)
		return
	}
	raceRead(sums[:lanes*k])
	raceWrite(z[:lanes*k])
	normalizeIFMA(&z[0], &sums[0], k)
}

func (r *ring) double(z, x []uint64) {
	if !r.ifma {
		doubleGeneric(z, x, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceWrite(z[:lanes*r.k])
	doubleIFMA(&z[0], &x[0], r.k)
}

func (r *ring) add(z, x, y []uint64) {
	if !r.ifma {
		addGeneric(z, x, y, r.m, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceRead(y[:lanes*r.k])
	raceWrite(z[:lanes*r.k])
	addIFMA(&z[0], &x[0], &y[0], &r.m[0], r.k)
}

func (r *ring) sub(z, x, y []uint64) {
	if !r.ifma {
		subGeneric(z, x, y, r.m, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceRead(y[:lanes*r.k])
	raceWrite(z[:lanes*r.k])
	subIFMA(&z[0], &x[0], &y[0], &r.m[0], r.k)
}

func (r *ring) below(x []uint64) uint64 {
	if !r.ifma {
		return belowGeneric(x, r.m, r.k)
	}
	raceRead(x[:lanes*r.k])
	return belowIFMA(&x[0], &r.m[0], r.k)
}

func (r *ring) canonical(z, x []uint64) {
	if !r.ifma {
		canonicalGeneric(z, x, r.m, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceWrite(z[:lanes*r.k])
	canonicalIFMA(&z[0], &x[0], &r.m[0], r.k)
}

func (r *ring) fromBytes(z []uint64, be []byte, size int) {
	if !r.ifma {
		fromBytesGeneric(z, be, size, r.k)
		return
	}
	raceReadBytes(be[:lanes*size])
	raceWrite(z[:lanes*r.k])
	fromBytesIFMA(&z[0], &be[0], size, r.k)
}

func (r *ring) toBytes(be []byte, x []uint64, size int) {
	if !r.ifma {
		toBytesGeneric(be, x, size, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceWriteBytes(be[:lanes*size])
	toBytesIFMA(&be[0], &x[0], size, r.k)
}

// fromWords reads 8 values of n > 0 words into k limbs each, which may be other than r.k.
func (r *ring) fromWords(z, w []uint64, n, k int) {
	if !r.ifma {
		fromWordsGeneric(z, w, n, k)
		return
	}
	raceRead(w[:lanes*n])
	raceWrite(z[:lanes*k])
	fromWordsIFMA(&z[0], &w[0], 8*n, k)
}

func (r *ring) toWords(w, x []uint64, n int) {
	if !r.ifma {
		toWordsGeneric(w, x, n, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceWrite(w[:lanes*n])
	toWordsIFMA(&w[0], &x[0], 8*n, r.k)
}

func (r *ring) gather(z, x []uint64, at *[lanes]int32) {
	if !r.ifma {
		gatherGeneric(z, x, at, r.k)
		return
	}
	raceElements(x, at, lanes, r.k, raceRead)
	raceWrite(z[:lanes*r.k])
	offsets := r.offsets(at)
	gatherIFMA(&z[0], &x[0], &offsets, r.k)
}

func (r *ring) scatter(z []uint64, at *[lanes]int32, n int, x []uint64) {
	if !r.ifma {
		scatterGeneric(z, at, n, x, r.k)
		return
	}
	raceRead(x[:lanes*r.k])
	raceElements(z, at, n, r.k, raceWrite)
	offsets := r.offsets(at)
	scatterIFMA(&z[0], &offsets, 1<<n-1, &x[0], r.k)
}

// offsets returns the distances in bytes from the start of a Vec to limb 0 of its elements.
func (r *ring) offsets(at *[lanes]int32) (offsets [lanes]uint64) {
	for l, i := range at {
		offsets[l] = 8 * (uint64(i)/lanes*lanes*uint64(r.k) + uint64(i)%lanes)
	}
	return offsets
}

func (r *ring) selectGroup(z, table []uint64, d uint64, width int) {
	if !r.ifma {
		selectGeneric(z, table, d, width, r.k)
		return
	}
	raceRead(table[:lanes*r.k<<width])
	raceWrite(z[:lanes*r.k])
	selectIFMA(&z[0], &table[0], d, 1<<width, r.k)
}

// lookup looks up groups z with the indices d, one group after the other.
func (r *ring) lookup(z, table, d []uint64, width int) {
	n := len(d) / lanes
	if !r.ifma {
		for g := range n {
			lookupGeneric(r.group(z, g), table, d[g*lanes:], width, r.k)
		}
		return
	}
	raceRead(table[:r.k<<width])
	raceRead(d)
	raceWrite(z[:n*lanes*r.k])
	const some = 4 // groups are looked up together
	if n >= some {
		lookup4IFMA(&z[0], &table[0], &d[0], 1<<width, r.k, n/some)
	}
	if rest := n % some; rest > 0 {
		n -= rest
		lookup1IFMA(&r.group(z, n)[0], &table[0], &d[n*lanes], 1<<width, r.k, rest)
	}
}

// MultiplyBurst executes VPMADD52 instructions on registers only, as fast as the machine can, and returns how many: the
// limit that multiplication is measured against. Only where Implementation().Available.
func MultiplyBurst() int64 {
	limitIFMA(1000)
	return 64 * 1000
}
