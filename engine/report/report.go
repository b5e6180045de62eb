// Package report writes a result as one page for a browser, without anything that the page would have to load.
//
// It reads the table that a verb has written: what is in the page is in that table, or in the verb's report.
package report

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"gonum.org/v1/gonum/mathext"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// document is what a page shows.
type document struct {
	Title    string
	Facts    []fact
	Sections []section
}

type fact struct{ Name, Value string }

type section struct {
	Title   string
	Text    []string
	Figures []figure
	Table   *table
}

type figure struct {
	Title   string
	Drawing template.HTML
	Note    string
	Wide    bool
}

type table struct {
	Caption string
	Head    []head
	Rows    [][]entry
}

type head struct {
	Name   string
	Number bool
}

type entry struct{ Text, Link string }

// limits of what a page shows.
const (
	hitsMax     = 100
	measuresMax = 24
	groupsMax   = 10
	valuesMax   = 1 << 17 // of a histogram: the first so many records
)

// Write writes the page of a result, which is in a file, or the files of a directory, in the clear. r is the report of the verb
// that wrote it.
func Write(ctx context.Context, o job.Options, result, name string, r *job.Report) error {
	o = o.WithDefaults()
	src, err := dataset.List(ctx, o, []string{result}, nil)
	if err != nil {
		return err
	}
	schema, err := src.RawSchema(ctx)
	if err != nil {
		return err
	}
	d := &document{Title: path.Base(strings.ReplaceAll(result, `\`, "/")), Facts: facts(r)}
	if r.Association != nil {
		err = d.association(ctx, src, schema, r.Association)
	} else {
		err = d.sums(ctx, src, schema)
	}
	if err != nil {
		return err
	}
	d.accuracy(r.Privacy)
	u, err := o.FS.Create(ctx, name, blob.CreateOptions{Overwrite: o.Overwrite})
	if err != nil {
		return err
	}
	defer u.Abort()
	if err := page.Execute(u, d); err != nil {
		return err
	}
	return u.Commit(ctx)
}

// facts are what was computed, of whose tables, under which key.
func facts(r *job.Report) []fact {
	out := []fact{{"Records", thousands(r.Records)}}
	add := func(name, format string, args ...any) { out = append(out, fact{name, fmt.Sprintf(format, args...)}) }
	if k := r.Key; k.Fingerprint != "" {
		add("Key", "%s, %s, %d bits, %.16s", k.Scheme, k.Variant, k.Bits, k.Fingerprint)
	}
	if s := r.Originals; s != nil {
		var names []string
		for _, o := range s.List[:min(len(s.List), 20)] {
			names = append(names, printable.Escape(cmp.Or(o.Source, o.ID[:8])))
		}
		if len(s.List) > 20 {
			names = append(names, "…")
		}
		add("Owners' tables", "%d: %s", s.Tables, strings.Join(names, ", "))
		if s.Unidentified > 0 {
			add("Without an id", "%d tables of earlier versions", s.Unidentified)
		}
	}
	for _, in := range r.Inputs {
		add("Input", "%s", printable.Escape(in.File))
	}
	if s := r.Suppressed; s != nil {
		add("Left out", "%s, of fewer than %d values; %s more, so that no total tells them", job.Count(int(s.Small), "result"), s.Least, thousands(s.Further))
	}
	if r.Single > 0 {
		add("Caution", "sums that rest on one value, and are that value: %s", thousands(r.Single))
	}
	if a := r.Association; a != nil {
		test := a.Test + ", " + a.Alternative
		if a.Combine != "" {
			test += ", combined by " + a.Combine
		}
		add("Test", "%s", test)
		add("P values", "%s; %s below 0.05 after Bonferroni", thousands(a.Tests), thousands(a.Significant))
		add("Lambda", "%.4g (genomic control; 1 is expected)", a.Lambda)
	}
	add("Time", "%.1f s", r.Seconds)
	return out
}

// thousands writes n with spaces between groups of digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// accuracy tells the noise of the numbers.
func (d *document) accuracy(p *job.PrivacyReport) {
	if p == nil {
		return
	}
	t := &table{Caption: "How far a number is from the sum without noise, on average", Head: []head{{"number", false}, {"mean error", true}}}
	for _, c := range p.Columns[:min(len(p.Columns), groupsMax*groupsMax)] {
		t.Rows = append(t.Rows, []entry{{Text: printable.Escape(c.Name)}, {Text: number(c.MeanError)}})
	}
	d.Sections = append(d.Sections, section{Title: "Noise", Text: []string{
		fmt.Sprintf("Every number has noise (%s, %s), so that the result says little about any one person: %s.", p.Mechanism, p.Place, p.Guarantee),
	}, Table: t})
}

// each calls f for each row of a table, with the texts of the ids and the numbers of other columns, NaN for null.
func each(ctx context.Context, src dataset.Source, idColumns, numbers []string, f func(ids []string, x []float64)) error {
	r, err := src.OpenFiles(ctx, slices.Concat(idColumns, numbers))
	if err != nil {
		return err
	}
	defer r.Close()
	return column.Each(ctx, r, func(b column.Batch) error {
		names, x := make([]string, len(idColumns)), make([]float64, len(numbers))
		values := make([]func(int) (float64, error), len(numbers))
		for j := range numbers {
			var err error
			if values[j], _, err = dataset.Floats(b.Column(len(idColumns) + j)); err != nil {
				return err
			}
		}
		for i := range int(b.NumRows()) {
			for j := range names {
				names[j] = b.Column(j).ValueStr(i)
			}
			for j := range x {
				x[j] = math.NaN()
				if b.Column(len(idColumns) + j).IsValid(i) {
					v, err := values[j](i)
					if err != nil {
						return err
					}
					x[j] = v
				}
			}
			f(names, x)
		}
		return nil
	})
}

// idsBefore are the columns before the first one that is a result.
func idsBefore(schema *arrow.Schema, first func(name string) bool) (ids, rest []string) {
	names := column.Names(schema)
	i := slices.IndexFunc(names, first)
	if i < 0 {
		return names, nil
	}
	return names[:i], names[i:]
}

// hit is a row of an association.
type hit struct {
	ids []string
	x   []float64
	p   float64
}

// association shows a Manhattan plot, a QQ plot and the records of the smallest P.
func (d *document) association(ctx context.Context, src dataset.Source, schema *arrow.Schema, a *job.AssociationReport) error {
	idColumns, results := idsBefore(schema, func(name string) bool { return strings.HasSuffix(name, "_cases") })
	at := slices.Index(results, "P")
	if at < 0 {
		return column.MissingColumn(src.Files[0], "P", results)
	}
	chrom, pos := slices.Index(idColumns, "chrom"), slices.Index(idColumns, "pos")
	var hits []hit
	var ps []float64
	// Positions are drawn as they come, chromosome after chromosome, each as long as its last position.
	type place struct {
		chromosome int
		pos        float64
	}
	var places []place
	var chromosomes []string
	known := map[string]int{} // their numbers
	var lengths []float64
	row, limit := 0.0, math.Inf(1) // no P of limit or more is among the hits
	err := each(ctx, src, idColumns, results, func(ids []string, x []float64) {
		row++
		p := x[at]
		if math.IsNaN(p) {
			return
		}
		where := place{0, row}
		name := ""
		if chrom >= 0 && pos >= 0 {
			name = ids[chrom]
			if v, err := parse(ids[pos]); err == nil {
				where.pos = v
			}
		}
		n, ok := known[name]
		if !ok {
			name = strings.Clone(name)
			n = len(chromosomes)
			known[name] = n
			chromosomes, lengths = append(chromosomes, name), append(lengths, 0)
		}
		where.chromosome = n
		lengths[where.chromosome] = max(lengths[where.chromosome], where.pos)
		ps, places = append(ps, p), append(places, where)
		if p < limit {
			hits = append(hits, hit{slices.Clone(ids), slices.Clone(x), p})
		}
		if len(hits) >= 4*hitsMax {
			hits = best(hits)
			limit = hits[hitsMax-1].p
		}
	})
	if err != nil {
		return err
	}
	hits = best(hits)
	if len(ps) == 0 {
		d.Sections = append(d.Sections, section{Title: "Association", Text: []string{"No record has a P value."}})
		return nil
	}
	least := slices.Min(ps)
	top := max(2, 1.05*min(320, -math.Log10(max(least, 1e-320))), 1.05*-math.Log10(0.05/float64(len(ps))))
	order := make([]int, len(chromosomes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return compareChromosomes(chromosomes[x], chromosomes[y]) })
	offset := make([]float64, len(chromosomes))
	total := 0.0
	var ticks []tick
	rank := make([]int, len(chromosomes))
	first := make([]float64, len(chromosomes))
	for i := range first {
		first[i] = math.Inf(1)
	}
	for _, w := range places {
		first[w.chromosome] = min(first[w.chromosome], w.pos)
	}
	for i, c := range order {
		rank[c] = i
		offset[c] = total - first[c]
		span := max(lengths[c]-first[c], 1)
		ticks = append(ticks, tick{total + span/2, chromosomes[c]})
		total += span
	}
	m := chart{title: "Manhattan plot", x: "chromosome", y: "−log₁₀ P", width: 1000, xs: scale{-0.01 * total, 1.01 * total}, ys: scale{0, top}, xTicks: ticks}
	if len(chromosomes) == 1 {
		m.xTicks = nil
		m.x = "record"
		if chromosomes[0] != "" {
			m.x = "position on chromosome " + chromosomes[0]
			m.xs = scale{first[0] - 0.01*total, first[0] + 1.01*total}
			offset[0] = 0
		}
	} else {
		m.xTicks = thin(ticks, total)
	}
	line := -math.Log10(0.05 / float64(len(ps)))
	m.line(m.xs.from, line, m.xs.to, line, "line")
	byP := make([]int, len(ps))
	for i := range byP {
		byP[i] = i
	}
	slices.SortFunc(byP, func(x, y int) int { return cmp.Compare(ps[x], ps[y]) })
	for _, i := range byP { // the smallest first: they are drawn whatever is near
		class := "even"
		if rank[places[i].chromosome]%2 == 1 {
			class = "odd"
		}
		m.point(offset[places[i].chromosome]+places[i].pos, logP(ps[i]), class)
	}
	note := "The dashed line is 0.05 divided by the number of tests."
	if chrom < 0 || pos < 0 {
		note += " Records are in the order of the table, which has no chromosome and position."
	}
	s := section{Title: "Association", Figures: []figure{{"P by position", m.svg(), note, true}, {"QQ plot", qq(ps, byP), fmt.Sprintf("Observed against expected P; lambda %.4g. The band holds 95%% of what chance gives at each place.", a.Lambda), false}}}
	d.Sections = append(d.Sections, s, section{Title: "Smallest P values", Table: d.hits(idColumns, results, hits)})
	return nil
}

func logP(p float64) float64 { return min(320, -math.Log10(max(p, 1e-320))) }

func parse(text string) (float64, error) {
	var v float64
	_, err := fmt.Sscan(text, &v)
	return v, err
}

// best are the hits of the smallest P, in order.
func best(hits []hit) []hit {
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.p, b.p) })
	return hits[:min(len(hits), hitsMax)]
}

// compareChromosomes orders 2 before 10, and numbers before X, Y and MT.
func compareChromosomes(a, b string) int {
	x, errX := parse(strings.TrimPrefix(a, "chr"))
	y, errY := parse(strings.TrimPrefix(b, "chr"))
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

// thin leaves out labels that would be too near to the one before.
func thin(ticks []tick, total float64) (out []tick) {
	last := math.Inf(-1)
	for _, t := range ticks {
		if t.at-last > 0.025*total+0.008*total*float64(len(t.label)) {
			out = append(out, t)
			last = t.at
		}
	}
	return out
}

// qq draws observed against expected P values.
func qq(ps []float64, byP []int) template.HTML {
	n := float64(len(ps))
	expected := func(i int) float64 { return -math.Log10((float64(i) + 0.5) / n) }
	top := max(1, 1.05*logP(ps[byP[0]]))
	c := chart{title: "QQ plot", x: "expected −log₁₀ P", y: "observed −log₁₀ P", width: 460, xs: scale{0, 1.05 * max(1, expected(0))}, ys: scale{0, top}}
	var x, low, high []float64
	for i := 0; i < len(ps); i = max(i+1, int(float64(i)*1.15)) {
		a, b := float64(i)+1, n-float64(i)
		x = append(x, expected(i))
		low = append(low, min(top, -math.Log10(mathext.InvRegIncBeta(a, b, 0.975))))
		high = append(high, min(top, -math.Log10(max(1e-300, mathext.InvRegIncBeta(a, b, 0.025)))))
	}
	c.area(x, low, high)
	end := min(c.xs.to, top)
	c.line(0, 0, end, end, "line")
	for i, k := range byP {
		c.point(expected(i), logP(ps[k]), "even")
	}
	return c.svg()
}

var rsID = regexp.MustCompile(`^rs[0-9]{1,12}$`)

// hits are the table of the smallest P values. Ids such as rs7903146 lead to dbSNP.
func (d *document) hits(idColumns, results []string, hits []hit) *table {
	t := &table{Caption: fmt.Sprintf("The %d smallest P values", len(hits))}
	for _, name := range idColumns {
		t.Head = append(t.Head, head{printable.Escape(name), false})
	}
	for _, name := range results {
		t.Head = append(t.Head, head{name, true})
	}
	for _, h := range hits {
		var row []entry
		for _, id := range h.ids {
			e := entry{Text: printable.Escape(id)}
			if rsID.MatchString(id) {
				e.Link = "https://www.ncbi.nlm.nih.gov/snp/" + id
			}
			row = append(row, e)
		}
		for _, x := range h.x {
			e := entry{}
			if !math.IsNaN(x) {
				e.Text = fmt.Sprintf("%.5g", x)
			}
			row = append(row, e)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// sums shows the distributions of the means, of ratios and of counts, and the largest groups.
func (d *document) sums(ctx context.Context, src dataset.Source, schema *arrow.Schema) error {
	idColumns, results := idsBefore(schema, func(name string) bool { return strings.HasSuffix(name, "_sum") })
	var measures, shown []string
	for _, name := range results {
		if base, ok := strings.CutSuffix(name, "_sum"); ok && slices.Contains(results, base+"_count") {
			measures = append(measures, base)
		}
	}
	some := measures[:min(len(measures), measuresMax)]
	for _, m := range some {
		shown = append(shown, m+"_sum", m+"_count", m+"_mean")
	}
	var others []string // ratios and the like
	for _, name := range results {
		of := slices.ContainsFunc(measures, func(m string) bool { return strings.HasPrefix(name, m+"_") })
		if !of && len(others) < measuresMax {
			others = append(others, name)
		}
	}
	values := make([][]float64, len(shown)+len(others))
	more := make([]bool, len(values)) // there are more of them than are kept
	type total struct{ sum, values, records float64 }
	totals := make([]total, len(some))
	type group struct {
		ids   []string
		count float64
	}
	var groups []group
	err := each(ctx, src, idColumns, slices.Concat(shown, others), func(ids []string, x []float64) {
		most := 0.0
		for i, v := range x {
			switch {
			case math.IsNaN(v) || i < len(shown) && i%3 == 0: // sums are not drawn
			case len(values[i]) < valuesMax:
				values[i] = append(values[i], v)
			default:
				more[i] = true
			}
		}
		for m := range some {
			if s, n := x[3*m], x[3*m+1]; !math.IsNaN(s) && !math.IsNaN(n) {
				totals[m].sum, totals[m].values, totals[m].records = totals[m].sum+s, totals[m].values+n, totals[m].records+1
				most = max(most, n)
			}
		}
		if len(groups) < groupsMax || most > groups[groupsMax-1].count {
			groups = append(groups, group{slices.Clone(ids), most})
			slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.count, a.count) })
			groups = groups[:min(len(groups), groupsMax)]
		}
	})
	if err != nil {
		return err
	}
	t := &table{Caption: "Measures", Head: []head{{"measure", false}, {"records", true}, {"values", true}, {"sum", true}, {"mean", true}}}
	for i, m := range some {
		mean := ""
		if totals[i].values > 0 {
			mean = number(totals[i].sum / totals[i].values)
		}
		t.Rows = append(t.Rows, []entry{{Text: printable.Escape(m)}, {Text: number(totals[i].records)}, {Text: number(totals[i].values)}, {Text: number(totals[i].sum)}, {Text: mean}})
	}
	s := section{Title: "Measures", Table: t}
	if len(measures) > len(some) {
		s.Text = append(s.Text, fmt.Sprintf("These are the first %d of %d measures.", len(some), len(measures)))
	}
	d.Sections = append(d.Sections, s)
	f := section{Title: "Distributions"}
	show := func(name string, i int) {
		if x := values[i]; len(x) > 1 {
			note := ""
			if more[i] {
				note = fmt.Sprintf("Of the first %s records that have a value.", thousands(valuesMax))
			}
			f.Figures = append(f.Figures, figure{Title: printable.Escape(name), Drawing: histogram(name+", a histogram", name, x), Note: note})
		}
	}
	for i, name := range others {
		show(name, len(shown)+i)
	}
	for i, m := range some {
		show(m+"_mean", 3*i+2)
		show(m+"_count", 3*i+1)
	}
	if len(f.Figures) > 0 {
		d.Sections = append(d.Sections, f)
	}
	if len(idColumns) > 0 && len(groups) > 1 {
		t := &table{Caption: "Records with the most values"}
		for _, name := range idColumns {
			t.Head = append(t.Head, head{printable.Escape(name), false})
		}
		t.Head = append(t.Head, head{"values of a measure, at most", true})
		for _, g := range groups {
			var row []entry
			for _, id := range g.ids {
				row = append(row, entry{Text: printable.Escape(id)})
			}
			t.Rows = append(t.Rows, append(row, entry{Text: number(g.count)}))
		}
		d.Sections = append(d.Sections, section{Title: "Largest groups", Table: t})
	}
	return nil
}
