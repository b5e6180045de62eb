package papers

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// A figure is one of the paper's, done right: two panels, one for each axis.
type figure struct {
	number   int
	title    string
	quantity string // axis caption, with its unit
	methods  []string
	value    func(p Point) float64
}

func figures() []figure {
	data := []string{methodInsecure, methodTextbook, methodRecords, methodBlocks, methodFeature}
	seconds := func(p Point) float64 { return p.Seconds }
	return []figure{
		{2, "Execution time of data-level and feature-level fusion", "time [s]", data, seconds},
		{3, "Memory of data-level and feature-level fusion", "peak memory of a process [MiB]", data, func(p Point) float64 { return p.PeakMiB }},
		{4, "Execution time of Paillier and of differential privacy", "time [s]", []string{methodInsecure, methodTextbook, methodBlocks, methodBoth, methodCurator, methodLocal}, seconds},
	}
}

// style is how a method is drawn, the same in all figures. The colours are those of Okabe and Ito, darkened. People
// with any colour vision can tell them apart, and the shapes as well.
type style struct {
	color string // as SVG has it
	mark  mark
	dash  string // lengths of strokes and gaps in turn, or none
}

var styles = map[string]style{
	methodInsecure: {"#a03000", mark{sides: 4, turn: math.Pi / 4, spokes: true}, "2 3"},
	methodTextbook: {"#b05a8a", mark{sides: 3, turn: math.Pi / 2}, "6 3"},
	methodRecords:  {"#b87a00", mark{sides: 4, turn: math.Pi / 4}, "none"},
	methodBlocks:   {"#005a9c", mark{sides: 24, filled: true}, "none"},
	methodBoth:     {"#6a3d9a", mark{sides: 24}, "5 2"},
	methodFeature:  {"#007855", mark{sides: 3, turn: math.Pi / 2, filled: true}, "8 2 2 2"},
	methodCurator:  {"#007855", mark{sides: 4, turn: math.Pi / 4, filled: true}, "8 2 2 2"},
	methodLocal:    {"#444444", mark{sides: 4, spokes: true}, "3 2"},
}

// panel draws the points of one axis as SVG. Both scales are logarithmic.
func (f figure) panel(points []Point, axis string, bits int) (string, error) {
	c := chart{
		title: fmt.Sprintf("Figure %d, along the number of %s: %s", f.number, axis, f.title),
		x:     f.caption(points, axis, bits),
		y:     fmt.Sprintf("%s, %d-bit keys", f.quantity, bits),
	}
	xs, ys := newRange(), newRange()
	for _, m := range methods() {
		line := f.series(points, axis, m.name)
		if !slices.Contains(f.methods, m.name) || len(line) == 0 {
			continue
		}
		c.series = append(c.series, series{legendTitle(m, bits), styles[m.name], line})
		for _, at := range line {
			xs.include(at.x)
			ys.include(at.y)
		}
	}
	if len(c.series) == 0 {
		return "", fmt.Errorf("figure %d has no points along %s", f.number, axis)
	}
	c.xs.lo, c.xs.hi = xs.padded(0.1)
	c.ys.lo, c.ys.hi = ys.padded(0.15)
	c.xTicks, c.yTicks = decades(c.xs.lo, c.xs.hi), decades(c.ys.lo, c.ys.hi)
	if axis == AxisSources {
		c.xTicks = doublings(c.xs.lo, c.xs.hi)
	}
	return c.svg(), nil
}

// legendTitle names a method and its key.
func legendTitle(m method, bits int) string {
	switch m.name {
	case methodTextbook, methodRecords, methodBlocks, methodBoth:
		return fmt.Sprintf("%s, %d bits", m.title, bits)
	}
	return m.title
}

// caption is what the horizontal axis is about.
func (f figure) caption(points []Point, axis string, bits int) string {
	i := slices.IndexFunc(points, func(p Point) bool { return p.Axis == axis })
	if i < 0 {
		return axis
	}
	if axis == AxisRecords {
		return fmt.Sprintf("records of each of %d sources [count], %d-bit keys", points[i].Sources, bits)
	}
	return fmt.Sprintf("sources of %s records each [count], %d-bit keys", thousands(points[i].Records), bits)
}

// series are the points of a method along an axis, as decimal logarithms.
func (f figure) series(points []Point, axis, method string) []point {
	var out []point
	for _, p := range points {
		if p.Axis != axis || p.Method != method {
			continue
		}
		x := float64(p.Records)
		if axis == AxisSources {
			x = float64(p.Sources)
		}
		out = append(out, point{math.Log10(x), math.Log10(f.value(p))})
	}
	return out
}

// span is the range of what is drawn, in decimal logarithms.
type span struct{ lo, hi float64 }

func newRange() *span { return &span{math.Inf(1), math.Inf(-1)} }

func (r *span) include(x float64) { r.lo, r.hi = min(r.lo, x), max(r.hi, x) }

// padded leaves a margin on either side, and shows a decade at least.
func (r *span) padded(margin float64) (lo, hi float64) {
	margin = max(margin, (1-(r.hi-r.lo))/2)
	return r.lo - margin, r.hi + margin
}

// denseDecades is the range below which 2 and 5 are labelled too.
const denseDecades = 2.5

// decades are the ticks of a logarithmic axis: labels at powers of ten, and at 2 and 5 between them where that leaves
// room.
func decades(lo, hi float64) []tick {
	dense := hi-lo < denseDecades
	var out []tick
	for e := int(math.Floor(lo)); e <= int(math.Ceil(hi)); e++ {
		for d := 1; d < 10; d++ {
			t := tick{at: float64(e) + math.Log10(float64(d))}
			if t.at < lo || t.at > hi {
				continue
			}
			if d == 1 || dense && (d == 2 || d == 5) {
				t.label = number(d, e)
			}
			out = append(out, t)
		}
	}
	return out
}

// doublings are the ticks at powers of two.
func doublings(lo, hi float64) []tick {
	var out []tick
	for v := 1; ; v *= 2 {
		switch at := math.Log10(float64(v)); {
		case at > hi:
			return out
		case at >= lo:
			out = append(out, tick{at: at, label: strconv.Itoa(v)})
		}
	}
}

// number writes d·10^e.
func number(d, e int) string {
	if e < 0 {
		return strconv.FormatFloat(float64(d)*math.Pow10(e), 'f', -e, 64)
	}
	return thousands(d * int(math.Pow10(e)))
}

// thousands groups digits by threes.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u00a0" + s[i:]
	}
	return s
}
