package bigmod_test

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

func TestGeneric(t *testing.T) { bigmodtest.TestImplementation(t, bigmod.Generic()) }

func TestGenericSquares(t *testing.T) { bigmodtest.TestSquares(t, bigmod.Generic()) }

func FuzzMul(f *testing.F)     { bigmodtest.FuzzMul(f, bigmod.Generic()) }
func FuzzSqr(f *testing.F)     { bigmodtest.FuzzSqr(f, bigmod.Generic()) }
func FuzzExp(f *testing.F)     { bigmodtest.FuzzExp(f, bigmod.Generic()) }
func FuzzBytes(f *testing.F)   { bigmodtest.FuzzBytes(f, bigmod.Generic()) }
func FuzzInverse(f *testing.F) { bigmodtest.FuzzInverse(f, bigmod.Generic()) }

func FuzzMulSquares(f *testing.F)   { bigmodtest.FuzzMul(f, bigmodtest.Squares(bigmod.Generic())) }
func FuzzSqrSquares(f *testing.F)   { bigmodtest.FuzzSqr(f, bigmodtest.Squares(bigmod.Generic())) }
func FuzzExpSquares(f *testing.F)   { bigmodtest.FuzzExp(f, bigmodtest.Squares(bigmod.Generic())) }
func FuzzBytesSquares(f *testing.F) { bigmodtest.FuzzBytes(f, bigmodtest.Squares(bigmod.Generic())) }
func FuzzInverseSquares(f *testing.F) {
	bigmodtest.FuzzInverse(f, bigmodtest.Squares(bigmod.Generic()))
}

func BenchmarkGeneric(b *testing.B) { bigmodtest.BenchmarkImplementation(b, bigmod.Generic()) }
