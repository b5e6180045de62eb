package papers

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
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
	color color.NRGBA
	shape draw.GlyphDrawer
	dash  []vg.Length
}

var styles = map[string]style{
	methodInsecure: {color.NRGBA{0xa0, 0x30, 0x00, 0xff}, glyph{sides: 4, turn: math.Pi / 4, spokes: true}, []vg.Length{2, 3}},
	methodTextbook: {color.NRGBA{0xb0, 0x5a, 0x8a, 0xff}, glyph{sides: 3, turn: math.Pi / 2}, []vg.Length{6, 3}},
	methodRecords:  {color.NRGBA{0xb8, 0x7a, 0x00, 0xff}, glyph{sides: 4, turn: math.Pi / 4}, nil},
	methodBlocks:   {color.NRGBA{0x00, 0x5a, 0x9c, 0xff}, glyph{sides: 24, filled: true}, nil},
	methodBoth:     {color.NRGBA{0x6a, 0x3d, 0x9a, 0xff}, glyph{sides: 24}, []vg.Length{5, 2}},
	methodFeature:  {color.NRGBA{0x00, 0x78, 0x55, 0xff}, glyph{sides: 3, turn: math.Pi / 2, filled: true}, []vg.Length{8, 2, 2, 2}},
	methodCurator:  {color.NRGBA{0x00, 0x78, 0x55, 0xff}, glyph{sides: 4, turn: math.Pi / 4, filled: true}, []vg.Length{8, 2, 2, 2}},
	methodLocal:    {color.NRGBA{0x44, 0x44, 0x44, 0xff}, glyph{sides: 4, spokes: true}, []vg.Length{3, 2}},
}

// glyph is a mark at a point: a regular polygon, filled or not, or spokes to its corners.
type glyph struct {
	sides          int
	turn           float64 // radians
	filled, spokes bool
}

// DrawGlyph implements draw.GlyphDrawer.
func (g glyph) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetColor(s.Color)
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 1.3})
	var path vg.Path
	for i := range g.sides {
		angle := g.turn + 2*math.Pi*float64(i)/float64(g.sides)
		corner := vg.Point{X: at.X + s.Radius*vg.Length(math.Cos(angle)), Y: at.Y + s.Radius*vg.Length(math.Sin(angle))}
		switch {
		case g.spokes:
			path.Move(at)
			path.Line(corner)
		case i == 0:
			path.Move(corner)
		default:
			path.Line(corner)
		}
	}
	if !g.spokes {
		path.Close()
	}
	if g.filled {
		c.Fill(path)
	} else {
		c.Stroke(path)
	}
}

// panelFont is the font by which gonum/plot measures text. The report includes it.
var panelFont = font.Font{Typeface: "Liberation", Variant: "Sans"}

// Sizes of a panel. The legend is below the axes, a line for each method.
const (
	panelWidth   vg.Length = 460 // points, as all lengths here
	axesHeight   vg.Length = 280
	legendLine   vg.Length = 14
	legendMargin vg.Length = 14
	legendIndent vg.Length = 6
)

// panel draws the points of one axis as SVG. embed includes the font. Both scales are logarithmic: decimal logarithms are
// drawn on linear axes, because plot.LogScale centres captions as if it were linear.
func (f figure) panel(points []Point, axis string, bits int, embed bool) (string, error) {
	p := plot.New()
	p.X.Label.Text = f.caption(points, axis, bits)
	p.Y.Label.Text = fmt.Sprintf("%s, %d-bit keys", f.quantity, bits)
	for _, s := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		*s = panelFont
	}
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = 11, 11
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size, p.Legend.TextStyle.Font.Size = 10, 10, 10
	p.X.Label.Padding, p.Y.Label.Padding = 6, 6
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xd0}, color.Gray{0xd0}
	p.Add(grid)
	p.Legend.YPosition, p.Legend.Padding, p.Legend.ThumbnailWidth = draw.PosCenter, 4, 34
	p.Legend.Left, p.Legend.Top = true, true
	lines := 0
	var drawn [][]plot.Plotter
	xs, ys := newRange(), newRange()
	for _, m := range methods() {
		series := f.series(points, axis, m.name)
		if !slices.Contains(f.methods, m.name) || len(series) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(series)
		if err != nil {
			return "", err
		}
		s := styles[m.name]
		line.Color, line.Dashes, line.Width = s.color, s.dash, vg.Points(1.5)
		marks.Color, marks.Shape, marks.Radius = s.color, s.shape, vg.Points(4)
		drawn = append(drawn, []plot.Plotter{line, marks})
		p.Legend.Add(legendTitle(m, bits), line, marks)
		lines++
		for _, v := range series {
			xs.include(v.X)
			ys.include(v.Y)
		}
	}
	for _, d := range slices.Backward(drawn) { // what comes first in the legend lies on top: small marks on large ones
		p.Add(d...)
	}
	if lines == 0 {
		return "", fmt.Errorf("figure %d has no points along %s", f.number, axis)
	}
	p.X.Min, p.X.Max = xs.padded(0.1)
	p.Y.Min, p.Y.Max = ys.padded(0.15)
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{}, decades{}
	if axis == AxisSources {
		p.X.Tick.Marker = doublings{}
	}
	height := axesHeight + legendMargin + vg.Length(lines)*legendLine
	c := vgsvg.NewWith(vgsvg.UseWH(panelWidth, height), vgsvg.EmbedFonts(embed))
	canvas := draw.New(c)
	legend := p.Legend
	p.Legend = plot.NewLegend() // drawn by itself, below
	p.Draw(draw.Crop(canvas, 0, -14, height-axesHeight, -4))
	legend.Draw(draw.Crop(canvas, legendIndent, 0, 0, -axesHeight-legendMargin/2))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return "", err
	}
	return inline(out.String(), fmt.Sprintf("Figure %d, along the number of %s: %s", f.number, axis, f.title)), nil
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

func (f figure) series(points []Point, axis, method string) plotter.XYs {
	var out plotter.XYs
	for _, p := range points {
		if p.Axis != axis || p.Method != method {
			continue
		}
		x := float64(p.Records)
		if axis == AxisSources {
			x = float64(p.Sources)
		}
		out = append(out, plotter.XY{X: math.Log10(x), Y: math.Log10(f.value(p))})
	}
	return out
}

var svgSize = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)

// inline turns an SVG file into an element of a page, as wide as there is room.
func inline(svg, label string) string {
	svg = svg[strings.Index(svg, "<svg"):]
	return svgSize.ReplaceAllString(svg, `<svg role="img" aria-label="`+label+`"`)
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

// decades are the ticks of a logarithmic axis: labels at powers of ten, and at 2 and 5 between them where that leaves
// room.
type decades struct{}

// denseDecades is the range below which 2 and 5 are labelled too.
const denseDecades = 2.5

func (decades) Ticks(lo, hi float64) []plot.Tick {
	dense := hi-lo < denseDecades
	var out []plot.Tick
	for e := int(math.Floor(lo)); e <= int(math.Ceil(hi)); e++ {
		for d := 1; d < 10; d++ {
			t := plot.Tick{Value: float64(e) + math.Log10(float64(d))}
			if t.Value < lo || t.Value > hi {
				continue
			}
			if d == 1 || dense && (d == 2 || d == 5) {
				t.Label = number(d, e)
			}
			out = append(out, t)
		}
	}
	return out
}

// doublings are the ticks at powers of two.
type doublings struct{}

func (doublings) Ticks(lo, hi float64) []plot.Tick {
	var out []plot.Tick
	for v := 1; ; v *= 2 {
		switch at := math.Log10(float64(v)); {
		case at > hi:
			return out
		case at >= lo:
			out = append(out, plot.Tick{Value: at, Label: strconv.Itoa(v)})
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
