package render

import (
	"fmt"
	"io"
	"math"

	"github.com/cipherfold/cipherfold/bench"
)

const timingIntroduction = `Each operation runs for a fixed secret and for random ones, in random order. The worst t is the largest |t| of Welch's
test over all times, over the times below each of 100 limits, and over squared deviations (the method of dudect).

* Constant-time operations must stay at or below %[1]v.
* Operations named VarTime, which get public values only, must exceed %[1]v. So must a power that takes one product more
  for one class. Otherwise the test would see nothing. There is no variable-time power of a fixed base.

[docs/threat-model.md](docs/threat-model.md#what-the-timing-test-shows) says what this shows and what it cannot.
`

// printTiming writes the timing checks.
func printTiming(w io.Writer, f *bench.File) {
	fmt.Fprintln(w)
	fmt.Fprintf(w, timingIntroduction, bench.TimingThreshold)
	for _, bits := range f.TimingSizes() {
		t := &table{header: []string{"Operation", "kernel", "secret: fixed or random", ">rows", ">median µs", ">measurements", ">worst t", "of", ">t of all", "expected", "verdict"}}
		for _, c := range f.Timing {
			if c.Bits != bits {
				continue
			}
			expected := map[string]string{bench.ExpectSame: "constant", bench.ExpectDiffer: "varies"}[c.Expect]
			verdict := map[bool]string{true: "ok", false: "**fails**"}[c.Passed()]
			t.add(c.Title(), c.Kernel, c.Secret, fmt.Sprint(c.Rows), quantity(c.MedianNs/1000), grouped(int64(c.Measurements)),
				tText(c.T), shareText(c.Of), tText(c.PlainT), expected, verdict)
		}
		fmt.Fprintf(w, "\n### Keys of %d bits, fixed secrets against random ones\n\n", bits)
		t.write(w)
	}
}

func tText(t float64) string {
	if t = math.Abs(t); t >= 100 {
		return quantity(t)
	}
	return twoDecimals(t)
}

// shareText says which times a t is of.
func shareText(share float64) string {
	switch {
	case share == bench.SecondOrder:
		return "squares"
	case share == 1:
		return "all"
	}
	return "fastest " + percent(share)
}
