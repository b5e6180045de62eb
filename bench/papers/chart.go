package papers

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A chart is lines with marks over two scales, with a grid and a legend below. Coordinates are decimal logarithms.
type chart struct {
	title, x, y    string // captions
	xs, ys         span
	xTicks, yTicks []tick
	series         []series
}

// series is one line of a chart.
type series struct {
	title string
	style style
	line  []point
}

type point struct{ x, y float64 }

// tick is a place on a scale. Those without a label are short and have no line in the grid.
type tick struct {
	at    float64
	label string
}

// mark is the shape at a point: a regular polygon, filled or not, or spokes to its corners.
type mark struct {
	sides          int
	turn           float64 // radians
	filled, spokes bool
}

// Sizes of a chart, in points. The legend is below the axes, a line for each method.
const (
	chartWidth   = 460.0
	axesLeft     = 64.0
	axesRight    = chartWidth - 20
	axesTop      = 10.0
	axesBottom   = 240.0
	axesHeight   = 280.0 // with the captions
	legendLine   = 14.0
	legendMargin = 14.0
	legendIndent = 6.0
	legendSample = 34.0 // the piece of line before a title
	captionSize  = 11.0
	labelSize    = 10.0
	markRadius   = 4.0
)

// svg draws the chart as an element of a page, as wide as there is room.
func (c *chart) svg() string {
	var b strings.Builder
	height := axesHeight + legendMargin + legendLine*float64(len(c.series))
	fmt.Fprintf(&b, `<svg role="img" aria-label="%s" viewBox="0 0 %g %g" xmlns="http://www.w3.org/2000/svg" font-family="Arial, Helvetica, sans-serif">`+"\n",
		html.EscapeString(c.title), chartWidth, height)
	c.axes(&b)
	for i := len(c.series) - 1; i >= 0; i-- { // what comes first in the legend lies on top: small marks on large ones
		s := c.series[i]
		at := make([]point, len(s.line))
		for k, p := range s.line {
			at[k] = point{c.xs.scale(p.x, axesLeft, axesRight), c.ys.scale(p.y, axesBottom, axesTop)}
		}
		s.style.draw(&b, at, at)
	}
	for i, s := range c.series {
		y := axesHeight + legendMargin/2 + legendLine*(float64(i)+0.5)
		from, to := legendIndent, legendIndent+legendSample
		s.style.draw(&b, []point{{from, y}, {to, y}}, []point{{(from + to) / 2, y}})
		text(&b, point{to + 6, y + labelSize*0.35}, labelSize, "start", s.title)
	}
	b.WriteString("</svg>")
	return b.String()
}

// axes draws grid, ticks, labels and captions.
func (c *chart) axes(b *strings.Builder) {
	for _, t := range c.xTicks {
		x, length := c.xs.scale(t.at, axesLeft, axesRight), 3.0
		if t.label != "" {
			length = 6
			stroke(b, "#d0d0d0", 0.5, point{x, axesTop}, point{x, axesBottom})
			text(b, point{x, axesBottom + 18}, labelSize, "middle", t.label)
		}
		stroke(b, "#000000", 0.5, point{x, axesBottom}, point{x, axesBottom + length})
	}
	for _, t := range c.yTicks {
		y, length := c.ys.scale(t.at, axesBottom, axesTop), 3.0
		if t.label != "" {
			length = 6
			stroke(b, "#d0d0d0", 0.5, point{axesLeft, y}, point{axesRight, y})
			text(b, point{axesLeft - 9, y + labelSize*0.35}, labelSize, "end", t.label)
		}
		stroke(b, "#000000", 0.5, point{axesLeft - length, y}, point{axesLeft, y})
	}
	stroke(b, "#000000", 0.5, point{axesLeft, axesTop}, point{axesLeft, axesBottom}, point{axesRight, axesBottom})
	text(b, point{(axesLeft + axesRight) / 2, axesBottom + 35}, captionSize, "middle", c.x)
	fmt.Fprintf(b, `<text transform="translate(%g %g) rotate(-90)" font-size="%g" text-anchor="middle">%s</text>`+"\n",
		captionSize+2, axesHeight/2, captionSize, html.EscapeString(c.y))
}

// draw draws a line, and marks at points.
func (s style) draw(b *strings.Builder, line, marks []point) {
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5" stroke-dasharray="%s"/>`+"\n", path(line), s.color, s.dash)
	fill := "none"
	if s.mark.filled {
		fill = s.color
	}
	for _, at := range marks {
		fmt.Fprintf(b, `<path d="%s" fill="%s" stroke="%s" stroke-width="1.3"/>`+"\n", s.mark.path(at), fill, s.color)
	}
}

// path is the mark's outline, or its spokes.
func (m mark) path(at point) string {
	corners := make([]point, m.sides)
	spokes := ""
	for i := range corners {
		angle := m.turn + 2*math.Pi*float64(i)/float64(m.sides)
		corners[i] = point{at.x + markRadius*math.Cos(angle), at.y - markRadius*math.Sin(angle)}
		spokes += path([]point{at, corners[i]})
	}
	if m.spokes {
		return spokes
	}
	return path(corners) + "Z"
}

// path joins points by straight lines, in the notation of SVG's d.
func path(points []point) string {
	var b strings.Builder
	for i, p := range points {
		fmt.Fprintf(&b, "%c%.2f %.2f", "ML"[min(i, 1)], p.x, p.y)
	}
	return b.String()
}

func stroke(b *strings.Builder, color string, width float64, points ...point) {
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="%g"/>`+"\n", path(points), color, width)
}

// text writes s beside a point on its baseline; anchor is start, middle or end, as in SVG.
func text(b *strings.Builder, at point, size float64, anchor, s string) {
	fmt.Fprintf(b, `<text x="%.2f" y="%.2f" font-size="%g" text-anchor="%s">%s</text>`+"\n", at.x, at.y, size, anchor, html.EscapeString(s))
}

// scale maps a value of the range to a coordinate between from (the lower end) and to.
func (r span) scale(v, from, to float64) float64 {
	return from + (v-r.lo)/(r.hi-r.lo)*(to-from)
}
