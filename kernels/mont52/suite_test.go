package mont52

import (
	"testing"

	"github.com/cipherfold/cipherfold/bigmod/bigmodtest"
)

func TestSuite(t *testing.T) {
	for _, impl := range implementations() {
		t.Run(impl.Name, func(t *testing.T) { bigmodtest.TestImplementation(t, impl) })
	}
}
