package umulh

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

// underTest is the implementation with the assembly where this machine runs it, else with bigmod.Portable.
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

func FuzzMul(f *testing.F)     { bigmodtest.FuzzMul(f, underTest()) }
func FuzzSqr(f *testing.F)     { bigmodtest.FuzzSqr(f, underTest()) }
func FuzzExp(f *testing.F)     { bigmodtest.FuzzExp(f, underTest()) }
func FuzzBytes(f *testing.F)   { bigmodtest.FuzzBytes(f, underTest()) }
func FuzzInverse(f *testing.F) { bigmodtest.FuzzInverse(f, underTest()) }

func BenchmarkImplementation(b *testing.B) { bigmodtest.BenchmarkImplementation(b, underTest()) }
