package thoroughtest

import (
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Level{"": Quick, "quick": Quick, "thorough": Thorough, "exhaustive": Exhaustive} {
		if got, err := parse(text); got != want || err != nil {
			t.Errorf("%q is level %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"1", "Thorough", "full", " "} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), Variable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPick(t *testing.T) {
	defer func(was Level) { level = was }(level)
	for l, want := range map[Level]int{Quick: 1, Thorough: 9, Exhaustive: 9} {
		level = l
		if got := Pick(1, 9); got != want {
			t.Errorf("on level %d: %d, want %d", l, got, want)
		}
		if AtLeast(Exhaustive) != (l == Exhaustive) || !AtLeast(Quick) {
			t.Errorf("level %d is at least exhaustive: %t, at least quick: %t", l, AtLeast(Exhaustive), AtLeast(Quick))
		}
	}
}

// The level of this run is what the environment says.
func TestEnvironment(t *testing.T) {
	if want, err := parse(os.Getenv(Variable)); level != want || err != nil {
		t.Errorf("level %d, want %d, %v", level, want, err)
	}
}
