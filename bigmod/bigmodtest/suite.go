// Package bigmodtest holds what every implementation of bigmod.Ring must pass: tests against math/big, fuzz targets and
// benchmarks, each a function of the implementation.
package bigmodtest

import (
	"fmt"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// lengths are the lengths of the moduli, in bits: those of keys, those one word longer or shorter in radix 2^64 and 2^52,
// and small ones.
var lengths = []int{
	2, 3, 8, 51, 52, 53, 63, 64, 65, 103, 104, 105, 127, 128, 129, 256, 500, 512, 520, 832, 1000, 1024, 1536, 2048, 2049,
	3072, 4096, 6144, 8192,
}

// batches are the numbers of elements, around the multiples of 8 lanes.
var batches = []int{0, 1, 7, 8, 9, 15, 16, 17}

// someModuli returns the moduli of a length for tests: all in a thorough run. A quick run takes turns, so that neighbouring
// lengths together have all kinds of moduli.
func someModuli(bits, turn int) []modulus {
	all := moduli(bits)
	if n := len(all); bits > 1024 {
		return thoroughtest.Pick([]modulus{all[turn%n]}, all) // there are more such lengths than kinds of moduli
	} else if n == 5 {
		return thoroughtest.Pick([]modulus{all[turn%n], all[(turn+1)%n], all[(turn+3)%n]}, all)
	}
	return all
}

// TestImplementation tests everything that Ring and Table promise, with math/big as the oracle. The implementation must be
// available.
func TestImplementation(t *testing.T, impl bigmod.Implementation) {
	testLengths(t, impl, bigmod.MaxBits)
}

// TestSquares is TestImplementation for the rings of squares.
func TestSquares(t *testing.T, impl bigmod.Implementation) {
	testLengths(t, Squares(impl), bigmod.MaxBits/2)
}

// Squares returns an implementation that makes the ring of the square of a modulus, or of its low half if the modulus is
// longer than MaxBits/2.
func Squares(impl bigmod.Implementation) bigmod.Implementation {
	impl.Name += " squares"
	impl.New = func(m *bigmod.Modulus) bigmod.Ring {
		if be := m.Bytes(); m.BitLen() > bigmod.MaxBits/2 {
			be = be[len(be)-bigmod.MaxBits/16:]
			be[0] |= 1 << 7 // more than 1
			m, _ = bigmod.NewModulus(be)
		}
		return impl.NewSquare(m)
	}
	return impl
}

func testLengths(t *testing.T, impl bigmod.Implementation, longest int) {
	if !impl.Available {
		t.Fatalf("%s is not available: %s", impl.Name, impl.Why)
	}
	for i, bits := range lengths {
		if bits > longest {
			break
		}
		for _, m := range someModuli(bits, i) {
			t.Run(fmt.Sprintf("%d bits %s", bits, m.name), func(t *testing.T) {
				s := newSetup(t, impl, m.value)
				t.Run("form", s.testForm)
				t.Run("bytes", s.testBytes)
				t.Run("words", s.testWords)
				t.Run("wide", s.testWide)
				t.Run("mul", s.testMul)
				t.Run("add", s.testAdd)
				t.Run("batches", s.testBatches)
				t.Run("aliasing", s.testAliasing)
				t.Run("at", s.testAt)
				t.Run("rpow", s.testRPow)
				t.Run("inverse", s.testInverse)
				t.Run("exp", s.testExp)
				t.Run("table", s.testTable)
				t.Run("plan", s.testPlan)
			})
		}
	}
	t.Run("small moduli", func(t *testing.T) { testSmall(t, impl) })
	t.Run("long exponents", func(t *testing.T) { testLongExponents(t, impl) })
	t.Run("crt", func(t *testing.T) { testCRT(t, impl) })
	t.Run("misuse", func(t *testing.T) { testMisuse(t, impl) })
	t.Run("concurrent", func(t *testing.T) { testConcurrent(t, impl) })
	t.Run("allocations", func(t *testing.T) { testAllocations(t, impl) })
}
