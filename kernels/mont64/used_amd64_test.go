//go:build !purego && linux

package mont64

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

func TestAssemblyIsUsed(t *testing.T) {
	bigmodtest.TestIsUsed(t, Implementation(), "adx", "bmi2", "avx2")
}
