package fma47

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

// underTest is the implementation with the assembly where this machine runs it, else with the Go twins. TestTwins ties
// one to the other.
func underTest() bigmod.Implementation {
	i := Implementation()
	i.Available = true
	return i
}

func TestImplementation(t *testing.T) {
	i := Implementation()
	t.Logf("%s: available %t: %s", i.Name, i.Available, i.Why)
	bigmodtest.TestImplementation(t, underTest())
}

func TestSquares(t *testing.T) { bigmodtest.TestSquares(t, underTest()) }

// wideUnderTest is the same for 8 lanes. Where this machine does not run its assembly, TestTwins and the tests of 4 lanes are
// enough: the Go twins are those of 4 lanes.
func wideUnderTest(t testing.TB) bigmod.Implementation {
	i := Wide()
	if !i.Available {
		t.Skip(i.Why)
	}
	return i
}

func TestWide(t *testing.T)        { bigmodtest.TestImplementation(t, wideUnderTest(t)) }
func TestWideSquares(t *testing.T) { bigmodtest.TestSquares(t, wideUnderTest(t)) }

func FuzzMul(f *testing.F)     { bigmodtest.FuzzMul(f, underTest()) }
func FuzzSqr(f *testing.F)     { bigmodtest.FuzzSqr(f, underTest()) }
func FuzzExp(f *testing.F)     { bigmodtest.FuzzExp(f, underTest()) }
func FuzzBytes(f *testing.F)   { bigmodtest.FuzzBytes(f, underTest()) }
func FuzzInverse(f *testing.F) { bigmodtest.FuzzInverse(f, underTest()) }

func FuzzMulSquares(f *testing.F)     { bigmodtest.FuzzMul(f, bigmodtest.Squares(underTest())) }
func FuzzSqrSquares(f *testing.F)     { bigmodtest.FuzzSqr(f, bigmodtest.Squares(underTest())) }
func FuzzExpSquares(f *testing.F)     { bigmodtest.FuzzExp(f, bigmodtest.Squares(underTest())) }
func FuzzBytesSquares(f *testing.F)   { bigmodtest.FuzzBytes(f, bigmodtest.Squares(underTest())) }
func FuzzInverseSquares(f *testing.F) { bigmodtest.FuzzInverse(f, bigmodtest.Squares(underTest())) }

func FuzzWideMul(f *testing.F)        { bigmodtest.FuzzMul(f, wideUnderTest(f)) }
func FuzzWideExpSquares(f *testing.F) { bigmodtest.FuzzExp(f, bigmodtest.Squares(wideUnderTest(f))) }

func BenchmarkImplementation(b *testing.B) { bigmodtest.BenchmarkImplementation(b, underTest()) }
func BenchmarkWide(b *testing.B)           { bigmodtest.BenchmarkImplementation(b, wideUnderTest(b)) }
