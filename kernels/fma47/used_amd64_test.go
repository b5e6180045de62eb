//go:build !purego && linux

package fma47

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

func TestAssemblyIsUsed(t *testing.T) {
	bigmodtest.TestIsUsed(t, Implementation(), "avx2", "fma", "bmi2", "movbe")
	bigmodtest.TestIsUsed(t, Wide(), "avx2", "fma", "bmi2", "movbe", "avx512f", "avx512dq", "avx512vl")
}
