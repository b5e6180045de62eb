package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// A chart has points or bars over two scales. Colours come from the page: classes even, odd, bar, line and band.
type chart struct {
	title, x, y string
	width       float64
	xs, ys      scale
	xTicks      []tick // nil: those of the scale
	body        strings.Builder
	drawn       map[[2]int]bool // cells of the drawing that have a point
}

// scale maps values to places.
type scale struct{ from, to float64 }

// tick is a place on a scale.
type tick struct {
	at    float64
	label string
}

// Sizes, in units of the drawing.
const (
	chartHeight = 300.0
	axisLeft    = 56.0
	axisRight   = 12.0
	axisTop     = 12.0
	axisBottom  = 46.0
	cell        = 1.5 // points in one cell of this size are drawn once
)

func (c *chart) at(x, y float64) (float64, float64) {
	return axisLeft + (x-c.xs.from)/max(c.xs.to-c.xs.from, 1e-300)*(c.width-axisLeft-axisRight),
		chartHeight - axisBottom - (y-c.ys.from)/max(c.ys.to-c.ys.from, 1e-300)*(chartHeight-axisTop-axisBottom)
}

// point draws a point, unless there is one in its place.
func (c *chart) point(x, y float64, class string) {
	px, py := c.at(x, y)
	place := [2]int{int(px / cell), int(py / cell)}
	if c.drawn[place] {
		return
	}
	if c.drawn == nil {
		c.drawn = map[[2]int]bool{}
	}
	c.drawn[place] = true
	fmt.Fprintf(&c.body, `<circle class="%s" cx="%.1f" cy="%.1f" r="2"/>`, class, px, py)
}

func (c *chart) line(x1, y1, x2, y2 float64, class string) {
	a, b := c.at(x1, y1)
	d, e := c.at(x2, y2)
	fmt.Fprintf(&c.body, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, a, b, d, e)
}

func (c *chart) bar(from, to, height float64) {
	x1, y := c.at(from, height)
	x2, base := c.at(to, c.ys.from)
	fmt.Fprintf(&c.body, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x1+0.5, y, max(0.5, x2-x1-1), base-y)
}

// area draws a band between two lines through the same x.
func (c *chart) area(x, low, high []float64) {
	c.body.WriteString(`<polygon class="band" points="`)
	for i := range x {
		a, b := c.at(x[i], low[i])
		fmt.Fprintf(&c.body, "%.1f,%.1f ", a, b)
	}
	for i := len(x) - 1; i >= 0; i-- {
		a, b := c.at(x[i], high[i])
		fmt.Fprintf(&c.body, "%.1f,%.1f ", a, b)
	}
	c.body.WriteString(`"/>`)
}

// ticks are round numbers on a scale, about n of them; or its ends, where doubles have no such numbers between them.
func (s scale) ticks(n float64) (out []tick) {
	span := s.to - s.from
	if !(span > 0) || math.IsInf(span, 0) {
		return []tick{{s.from, number(s.from)}}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/n)))
	for _, f := range []float64{1, 2, 5, 10} {
		if span/(step*f) <= n {
			step *= f
			break
		}
	}
	if !(max(math.Abs(s.from), math.Abs(s.to))/step < 1<<50) { // k++ would leave k as it is
		return []tick{{s.from, number(s.from)}, {s.to, number(s.to)}}
	}
	for k := math.Ceil(s.from/step-1e-9) + 0; k*step <= s.to+1e-9*span; k++ { // + 0: no negative zero
		out = append(out, tick{k * step, number(k * step)})
	}
	return out
}

// number writes a number in few digits.
func number(x float64) string {
	return strings.Replace(fmt.Sprintf("%.6g", x), "e+0", "e", 1)
}

// svg is the drawing.
func (c *chart) svg() template.HTML {
	var s strings.Builder
	fmt.Fprintf(&s, `<svg role="img" aria-label="%s" viewBox="0 0 %.0f %.0f" xmlns="http://www.w3.org/2000/svg">`, html.EscapeString(c.title), c.width, chartHeight)
	xTicks := c.xTicks
	if xTicks == nil {
		xTicks = c.xs.ticks(c.width / 110)
	}
	for _, t := range c.ys.ticks(6) {
		x, y := c.at(c.xs.from, t.at)
		fmt.Fprintf(&s, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, x, y, c.width-axisRight, y, x-6, y+4, html.EscapeString(t.label))
	}
	for _, t := range xTicks {
		x, y := c.at(t.at, c.ys.from)
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, y+16, html.EscapeString(t.label))
	}
	s.WriteString(c.body.String())
	fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, (axisLeft+c.width-axisRight)/2, chartHeight-8, html.EscapeString(c.x))
	fmt.Fprintf(&s, `<text transform="translate(13 %.1f) rotate(-90)" text-anchor="middle">%s</text></svg>`, (axisTop+chartHeight-axisBottom)/2, html.EscapeString(c.y))
	return template.HTML(s.String()) // all texts are escaped
}

// histogram draws how often values are in each of some ranges of one width.
func histogram(title, x string, values []float64) template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if low == high {
		half := max(0.5, math.Abs(low)/1024) // more than the doubles near it are apart
		low, high = low-half, high+half
	}
	const bins = 40
	var counts [bins]float64
	most := 0.0
	for _, v := range values {
		i := max(0, min(bins-1, int((v-low)/(high-low)*bins)))
		counts[i]++
		most = max(most, counts[i])
	}
	c := chart{title: title, x: x, y: "records", width: 460, xs: scale{low, high}, ys: scale{0, most}}
	for i, n := range counts {
		if n > 0 {
			c.bar(low+(high-low)*float64(i)/bins, low+(high-low)*float64(i+1)/bins, n)
		}
	}
	return c.svg()
}
