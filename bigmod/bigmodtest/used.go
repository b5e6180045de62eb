package bigmodtest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/cpu"
)

// TestIsUsed fails where a processor has the instructions of an implementation, by the flags that Linux tells of it, and the
// implementation is not available, or the other way round. It heeds the variable that switches features off.
func TestIsUsed(t *testing.T, i bigmod.Implementation, flags ...string) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nflags")
	line, _, _ := strings.Cut(rest, "\n")
	have := strings.Fields(line)
	has := !slices.ContainsFunc(flags, func(flag string) bool { return !slices.Contains(have, flag) })
	switch cpu.Setting() {
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
