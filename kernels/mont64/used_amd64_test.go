//go:build !purego && linux

package mont64

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// A processor that has the instructions, as the kernel of the system says, runs the assembly.
func TestAssemblyIsUsed(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nflags")
	line, _, _ := strings.Cut(rest, "\n")
	flags := strings.Fields(line)
	has := true
	for _, flag := range []string{"adx", "bmi2", "avx2"} {
		has = has && slices.Contains(flags, flag)
	}
	switch i := Implementation(); cpu.Setting() {
	case "":
		if i.Available != has {
			t.Errorf("%s: available %t, but by the processor's flags %t: %s", i.Name, i.Available, has, i.Why)
		}
	case "none":
		if i.Available {
			t.Errorf("%s is available with all features off", i.Name)
		}
	}
}
