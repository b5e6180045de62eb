//go:build !purego && linux

package mont52

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

func TestAssemblyIsUsed(t *testing.T) {
	bigmodtest.TestIsUsed(t, Implementation(), "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512ifma", "avx512vbmi", "bmi2")
}
