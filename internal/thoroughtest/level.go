// Package thoroughtest says how often tests repeat their checks.
//
// The environment variable CIPHERFOLD_TESTS holds the level. Every level makes the same kinds of checks:
//
//	quick       few repetitions and small keys; the level when the variable is not set
//	thorough    many repetitions and keys of full size; the level of .ci/run
//	exhaustive  where a test takes a sample of failures or crash points, all of them; takes an hour
package thoroughtest

import (
	"fmt"
	"os"
)

// Variable is the name of the environment variable.
const Variable = "CIPHERFOLD_TESTS"

// Level is a number of repetitions. A higher one includes what the lower ones check.
type Level int

// The levels, in order.
const (
	Quick Level = iota
	Thorough
	Exhaustive
)

var level = func() Level {
	l, err := parse(os.Getenv(Variable))
	if err != nil {
		panic(err)
	}
	return l
}()

func parse(text string) (Level, error) {
	switch text {
	case "", "quick":
		return Quick, nil
	case "thorough":
		return Thorough, nil
	case "exhaustive":
		return Exhaustive, nil
	}
	return Quick, fmt.Errorf("the environment variable %s is %q: set it to quick, thorough or exhaustive, or unset it", Variable, text)
}

// AtLeast reports whether this run is on level l or above.
func AtLeast(l Level) bool { return level >= l }

// Pick returns the first of two values in a quick run, and the second one in a thorough run.
func Pick[T any](quick, thorough T) T {
	if AtLeast(Thorough) {
		return thorough
	}
	return quick
}
