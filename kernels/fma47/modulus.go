package fma47

import (
	"fmt"
	"unsafe"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/lanes"
)

const (
	// limbsMin keeps the kernels free of special cases; it adds nothing to moduli from 466 bits on.
	limbsMin = 12
	// spareBits is by how much R exceeds the modulus; see reduceGeneric.
	spareBits = 5
	// narrowLimbs is up to how many limbs of 47 bits the sums of a column stay in range, fusedLimbs up to how many those
	// of two products do.
	narrowLimbs = 116
	fusedLimbs  = 62
)

// kernel is a set of instructions.
type kernel struct {
	lanes    int
	assembly bool // whether to run it
}

// modulus is an odd number m with what its reduction needs.
type modulus struct {
	kernel
	w, n     int       // n limbs of w bits; R = 2^(wn) >= 32m
	fields   []uint64  // m
	m        []float64 // its digits and zeros, n+4 in all, rounded up to a multiple of 4
	multiple []float64 // M; see reduceGeneric
	consts   []float64
	twice    []float64 // consts with a scale of 2
}

// limbsOf is the number of limbs of w bits of a modulus.
func limbsOf(bits, w int) int {
	n := (bits + spareBits + w - 1) / w
	return max(limbsMin, n+n%2)
}

// radixOf is the radix, 2^w, and the number of limbs.
func radixOf(bits int) (w, n int) {
	if n := limbsOf(bits, 47); n <= narrowLimbs {
		return 47, n
	}
	return 46, limbsOf(bits, 46)
}

// Limbs is the number of limbs of a modulus of so many bits.
func Limbs(bits int) int {
	_, n := radixOf(bits)
	return n
}

func newModulus(m *bigmod.Modulus, k kernel) *modulus {
	w, n := radixOf(m.BitLen())
	p := &modulus{kernel: k, w: w, n: n}
	p.fields = fieldsOf(m.Words(), n, w)
	p.m = make([]float64, (n+2)/4*4+4)
	copy(p.m, digitsOf(p.fields, nil, 0, w))
	multiple, u := leadMultiple(p.fields, w, lastLimbs)
	// Balance: where the top bit of u is set, take u - 2^(4w) and M - m.
	high := -int64(u[lastLimbs-1] >> (w - 1))
	p.multiple = digitsOf(multiple, p.fields, high, w)
	balanced := digitsOf(u, []uint64{0, 0, 0, 1 << w}, high, w)
	p.consts = make([]float64, constCount)
	p.consts[constC] = 0x1.8p100
	p.consts[constD] = float64(uint64(3)<<(w-1)) * 0x1p52 // 1.5·2^(52+w)
	p.consts[constS] = 1 / float64(uint64(1)<<w)
	p.consts[constScale] = 1
	for i, v := range balanced {
		p.consts[constK+i], p.consts[constNegK+i] = v, -v
	}
	p.consts[constUnit] = -1
	p.twice = append([]float64(nil), p.consts...)
	p.twice[constScale] = 2
	return p
}

// space makes n vectors of zeros.
func (k kernel) space(n int) []float64 { return floats(lanes.Aligned(n * k.lanes)) }

// floats are the same memory as words.
func floats(words []uint64) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(words))), len(words))
}

// words are the same memory as floats.
func words(floats []float64) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(floats))), len(floats))
}

// spread sets every lane of z to the numbers x.
func (k kernel) spread(z, x []float64) {
	for j, v := range x {
		for l := range k.lanes {
			z[k.lanes*j+l] = v
		}
	}
}

// work is what products and reductions modulo one number need.
type work struct {
	*modulus
	t     []float64 // the columns, after 2 vectors of zeros
	q     []float64
	twice []float64
}

func (m *modulus) work() work {
	return work{m, m.space(2 + 2*m.n), m.space(m.n + 2 + 9), m.space(m.n)}
}

// columns are those of t.
func (k kernel) columns(t []float64) []float64 { return t[2*k.lanes:] }

// sum sets t = x·y + u·v.
func (m *modulus) sum(t, x, y, u, v []float64) {
	if m.n <= fusedLimbs {
		m.product2(t, x, y, u, v)
		return
	}
	m.product(t, x, y)
	m.productAdd(t, u, v)
}

// Lanes of a vector: of 256 bits, or of 512.
const (
	narrow = 4
	wide   = 8
)

// nameOf is the name of the implementation.
func nameOf(k kernel) string {
	if k.lanes == wide {
		return "fma512"
	}
	return "fma"
}

// what says what an implementation is.
func what(lanes int) string {
	instructions := "AVX2 and FMA"
	if lanes == wide {
		instructions = "AVX-512"
	}
	return fmt.Sprintf("%d lanes of 47-bit digits in double precision with %s", lanes, instructions)
}

// Implementation is the arithmetic of this package with AVX2 and FMA, named fma.
func Implementation() bigmod.Implementation { return implementation(narrow) }

// Wide is the same with AVX-512, on 8 residues at a time, named fma512.
func Wide() bigmod.Implementation { return implementation(wide) }

func implementation(lanes int) bigmod.Implementation {
	available, why := supported(lanes)
	k := kernel{lanes: lanes, assembly: available}
	return bigmod.Implementation{
		Name:      nameOf(k),
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return newRing(m, k) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring { return newSquareRing(root, k) },
	}
}

// ProductBurst computes products of limbs on registers only, for some microseconds, and returns how many, counted in all
// lanes: the limit that benchmarks compare multiplications to, which take 2·Limbs² of them. It needs Implementation.
func ProductBurst() (products int64) { return kernel{lanes: narrow}.burst() }

// WideProductBurst is ProductBurst for Wide.
func WideProductBurst() (products int64) { return kernel{lanes: wide}.burst() }

// form names how residues are laid out.
func form(what string, m *modulus) string {
	return fmt.Sprintf("%s of %d digits of %d bits", what, m.n, m.w)
}
