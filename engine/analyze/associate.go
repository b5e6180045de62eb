package analyze

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Association describes a test, record by record, of whether two groups differ, such as cases and controls. It needs
// only their decrypted sums.
type Association struct {
	job.Options
	Cases, Controls []string // decrypted tables: cohort i is Cases[i] and Controls[i]
	Out             string
	Test            string   // Allelic, Trend, Logistic or Welch; "" is Allelic
	Measure         string   // Welch: whose means are compared
	Strata          []string // id columns whose values are strata: groups are compared within each
	Combine         string   // cohorts and strata: Meta or MantelHaenszel; "" is Meta
	Alternative     string   // TwoSided, Greater or Less; "" is TwoSided
	ByP             bool     // rows ascend by P, null last; otherwise they are in the order of the cases
}

// Alternatives: what P is the probability of.
const (
	TwoSided = "two-sided"
	Greater  = "greater" // the effect in cases is greater
	Less     = "less"
)

// Ways to combine cohorts and strata.
const (
	Meta           = "meta" // fixed effects, weighted by the inverse of their variances
	MantelHaenszel = "mh"   // Mantel and Haenszel
)

// Associate writes the estimates and P values of the test for each id that cases and controls of some cohort have. All
// results are in memory. Report.Unmatched counts the ids, by stratum, that only one of the two has.
//
// Columns are the frequencies or means of both groups, the effect (OR, the odds ratio, or DIFF), SE (of ln OR or DIFF), its
// confidence interval of 95% (L95, U95), the statistic (CHISQ, with one degree of freedom, or T and DF), and P. Then P_EXACT for
// small counts, P_BONF and P_BH (adjusted for the number of tests, by Bonferroni and by Benjamini and Hochberg), and P_GC (by
// genomic control). Of several cohorts or strata also STRATA (how many were combined), Q, P_Q and I2 (their heterogeneity).
// What is undefined, such as a test of an allele that nobody has, is null.
func Associate(ctx context.Context, a Association) (*job.Report, error) {
	start := time.Now()
	a.Options = a.Options.WithDefaults()
	if err := a.check(); err != nil {
		return nil, err
	}
	t, err := a.test()
	if err != nil {
		return nil, err
	}
	format, err := dataset.OutputFormat(a.Out)
	if err != nil {
		return nil, err
	}
	inputs := slices.Concat(a.Cases, a.Controls)
	if err := job.CheckOutput(ctx, a.Options.FS, a.Out, inputs); err != nil {
		return nil, err
	}
	var once blob.Uses
	for _, name := range inputs {
		if err := job.Once(ctx, a.Options.FS, &once, name, "Cases and controls are two tables."); err != nil {
			return nil, err
		}
	}
	c := &comparison{Association: &a, test: t, rows: job.NewRowCounter(), budget: engine.NewBudget(a.Memory), strata: map[string]int{}}
	c.index = engine.NewGroups(c.budget)
	defer c.index.Free()
	for cohort := range a.Cases {
		if err := c.load(ctx, cohort); err != nil {
			return nil, err
		}
	}
	matched, err := c.compare()
	if err != nil {
		return nil, err
	}
	if matched == 0 {
		return nil, column.Refuse(a.Controls[0], "no id is in %s too", a.Cases[0]).WithHint("Check that both are results of the same variants or records.")
	}
	summary := c.adjust()
	fields := slices.Clone(c.ids)
	for _, name := range c.names() {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	out, err := format.Create(ctx, a.FS, a.Out, schema, dataset.WriteOptions(a.Options, a.Out))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := c.write(ctx, out, schema); err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &job.Report{Out: a.Out, Records: matched, Inputs: c.rows.Files, Unmatched: &c.unmatched, Association: summary}
	report.Finish(start, engine.Stats{})
	return report, nil
}

// check refuses a request that makes no sense for any data.
func (a *Association) check() error {
	a.Test, a.Combine, a.Alternative = cmp.Or(a.Test, Allelic), cmp.Or(a.Combine, Meta), cmp.Or(a.Alternative, TwoSided)
	switch {
	case len(a.Cases) != len(a.Controls) || len(a.Cases) == 0:
		return job.Misuse("Give the tables in the same order: the first of both are one cohort.", "‹cases› has %s and ‹controls› %s", job.Count(len(a.Cases), "table"), job.Count(len(a.Controls), "table"))
	case a.Combine != Meta && a.Combine != MantelHaenszel:
		return job.Misuse("Choose meta or mh.", "unknown ‹combine› %s", a.Combine)
	case a.Combine == MantelHaenszel && a.Test != Allelic && a.Test != Trend:
		return job.Misuse("Mantel and Haenszel combine counts: choose ‹test› allelic or trend, or ‹combine› meta.", "‹combine› mh with ‹test› %s", a.Test)
	case a.Alternative != TwoSided && a.Alternative != Greater && a.Alternative != Less:
		return job.Misuse("Choose two-sided, greater or less.", "unknown ‹alternative› %s", a.Alternative)
	}
	return nil
}

// several reports whether a record can have several strata.
func (a *Association) several() bool { return len(a.Cases) > 1 || len(a.Strata) > 0 }

// comparison is an association under way: all numbers of all ids.
type comparison struct {
	*Association
	test   *test
	rows   *job.RowCounter
	budget *engine.Budget
	kept   int64
	ids    []arrow.Field // of the cases, without the strata
	index  *engine.Groups
	text   []byte   // the ids' typed keys
	key    [][2]int // per id: where its key is in text; nothing for one that no cases have
	// Per stratum: of each id, the numbers of cases, then of controls; and which of the two are there.
	strata    map[string]int
	numbers   [][]float64
	have      [][]byte
	unmatched int64

	results [][]float64 // of the ids that were compared
	order   []int32     // their numbers
}

// Which groups of a stratum an id is in.
const (
	inCases    = 1
	inControls = 2
)

// load reads the tables of a cohort.
func (c *comparison) load(ctx context.Context, cohort int) error {
	cases := dataset.Source{Opts: c.Options, Files: c.Cases[cohort : cohort+1], Rows: c.rows}
	controls := dataset.Source{Opts: c.Options, Files: c.Controls[cohort : cohort+1], Rows: c.rows}
	idColumns, err := commonIDs(ctx, cases, controls, c.test.columns)
	if err != nil {
		return err
	}
	for _, name := range c.Strata {
		if !slices.Contains(idColumns, name) {
			return column.MissingColumn(cases.Files[0], name, idColumns)
		}
	}
	names := slices.DeleteFunc(slices.Clone(idColumns), func(name string) bool { return slices.Contains(c.Strata, name) })
	if len(names) == 0 {
		return job.Misuse("Leave an id that names the record.", "all ids are ‹strata›")
	}
	if c.ids != nil && !slices.Equal(names, fieldNames(c.ids)) {
		return column.Refuse(cases.Files[0], "id columns %q, but %s has %q", names, c.Cases[0], fieldNames(c.ids)).WithHint("Give tables of the same ids.")
	}
	if err := c.read(ctx, cases, cohort, names, inCases); err != nil {
		return err
	}
	return c.read(ctx, controls, cohort, names, inControls)
}

func fieldNames(fields []arrow.Field) (out []string) {
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

// read takes in the numbers of one group of a cohort.
func (c *comparison) read(ctx context.Context, s dataset.Source, cohort int, names []string, group byte) error {
	r, err := s.OpenFiles(ctx, slices.Concat(names, c.Strata, c.test.columns))
	if err != nil {
		return err
	}
	defer r.Close()
	if fields := r.Schema().Fields()[:len(names)]; group == inCases {
		for i, f := range fields {
			if err := ids.CheckType(s.Files[0], f); err != nil {
				return err
			}
			if c.ids != nil && !arrow.TypeEqual(f.Type, c.ids[i].Type) {
				return column.Refuse(s.Files[0], "ids of type %s, but in %s they are %s", f.Type, c.Cases[0], c.ids[i].Type).InColumn(f.Name).WithHint("Write all tables of cases in the same format.")
			}
		}
		if c.ids == nil {
			c.ids = slices.Clone(fields)
		}
	}
	width := 2 * len(c.test.columns)
	first := 0 // of the group's numbers
	if group == inControls {
		first = len(c.test.columns)
	}
	var key []byte
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, len(names)+len(c.Strata)); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			key = ids.AppendTextKey(key[:0], b.Columns()[:len(names)], i)
			n, _, err := c.index.Index(key)
			if err != nil {
				return err
			}
			if group == inCases {
				c.keep(n, ids.AppendKey(nil, b.Columns()[:len(names)], i))
			}
			key = append(key[:0], byte(cohort), byte(cohort>>8), byte(cohort>>16))
			s := c.stratum(ids.AppendTextKey(key, b.Columns()[len(names):len(names)+len(c.Strata)], i))
			for len(c.have[s]) <= int(n) {
				c.have[s] = append(c.have[s], 0)
				for range width {
					c.numbers[s] = append(c.numbers[s], math.NaN())
				}
			}
			if c.have[s][n]&group != 0 {
				return b.Refuse(i, names[0], "duplicate id %s", ids.Text(b.Columns()[:len(names)+len(c.Strata)], i)).WithHint("A decrypted table has every id once.")
			}
			c.have[s][n] |= group
			for j := range c.test.columns {
				v, ok, err := cellFloat(b, i, len(names)+len(c.Strata)+j)
				if err != nil {
					return err
				}
				if ok {
					c.numbers[s][int(n)*width+first+j] = v
				}
			}
		}
		return c.account()
	})
}

// stratum is the number of a stratum.
func (c *comparison) stratum(key []byte) int {
	s, ok := c.strata[string(key)]
	if !ok {
		s = len(c.numbers)
		c.strata[string(key)], c.numbers, c.have = s, append(c.numbers, nil), append(c.have, nil)
	}
	return s
}

// keep keeps the typed key of an id.
func (c *comparison) keep(n int32, key []byte) {
	for len(c.key) <= int(n) {
		c.key = append(c.key, [2]int{})
	}
	if c.key[n] == [2]int{} {
		c.key[n] = [2]int{len(c.text), len(c.text) + len(key)}
		c.text = append(c.text, key...)
	}
}

// account takes what is in memory from the budget.
func (c *comparison) account() error {
	now := int64(cap(c.text) + 16*cap(c.key))
	for s := range c.numbers {
		now += int64(8*cap(c.numbers[s]) + cap(c.have[s]))
	}
	now += int64(c.index.Len()) * int64(8*len(c.names())+28) // results, to come
	err := c.budget.Keep("the tables", max(0, now-c.kept))
	c.kept = max(c.kept, now)
	return err
}

// names are those of the columns of results.
func (c *comparison) names() []string {
	of := []string{"AF_cases", "AF_controls", "OR", "SE", "L95", "U95", "CHISQ", "P"}
	switch {
	case c.Test == Welch && c.several():
		of = []string{"MEAN_cases", "MEAN_controls", "DIFF", "SE", "L95", "U95", "CHISQ", "P"}
	case c.Test == Welch:
		of = []string{"MEAN_cases", "MEAN_controls", "DIFF", "SE", "L95", "U95", "T", "DF", "P"}
	case c.Test == Allelic && !c.several():
		of = append(of, "P_EXACT")
	}
	of = append(of, "P_BONF", "P_BH", "P_GC")
	if c.several() {
		of = append(of, "STRATA", "Q", "P_Q", "I2")
	}
	return of
}

// compare computes the results of all ids but what depends on the others', in the order in which they came.
func (c *comparison) compare() (matched int64, err error) {
	width := len(c.test.columns)
	for n := range int32(c.index.Len()) {
		var cases, controls [][]float64
		for s := range c.have {
			if int(n) >= len(c.have[s]) {
				continue
			}
			switch c.have[s][n] {
			case inCases | inControls:
				x := c.numbers[s][int(n)*2*width : (int(n)+1)*2*width]
				cases, controls = append(cases, x[:width]), append(controls, x[width:])
			case inCases, inControls:
				c.unmatched++
			}
		}
		if len(cases) == 0 {
			continue
		}
		c.results, c.order = append(c.results, c.result(cases, controls)), append(c.order, n)
	}
	return int64(len(c.results)), nil
}

// write writes the results.
func (c *comparison) write(ctx context.Context, out column.Writer, schema *arrow.Schema) error {
	rows := make([]int, len(c.results))
	for i := range rows {
		rows[i] = i
	}
	if p := slices.Index(c.names(), "P"); c.ByP {
		slices.SortStableFunc(rows, func(a, b int) int { return compareP(c.results[a][p], c.results[b][p]) })
	}
	for part := range slices.Chunk(rows, 1<<14) {
		if err := c.writePart(ctx, out, schema, part); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) writePart(ctx context.Context, out column.Writer, schema *arrow.Schema, rows []int) error {
	keys := ids.NewKeyBuilder(c.ids)
	results := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(schema.Fields()[len(c.ids):], nil))
	defer results.Release()
	for _, i := range rows {
		at := c.key[c.order[i]]
		if err := keys.Append(c.text[at[0]:at[1]]); err != nil {
			return err
		}
		for j, v := range c.results[i] {
			if f := results.Field(j).(*array.Float64Builder); math.IsNaN(v) || math.IsInf(v, 0) {
				f.AppendNull()
			} else {
				f.Append(v)
			}
		}
	}
	part := results.NewRecord()
	defer part.Release()
	names := keys.Arrays()
	defer ids.Release(names)
	rec := array.NewRecord(schema, append(names[:len(names):len(names)], part.Columns()...), int64(len(rows)))
	defer rec.Release()
	return out.Write(ctx, column.Batch{Record: rec})
}

// commonIDs are the columns that name a record in both tables.
func commonIDs(ctx context.Context, cases, controls dataset.Source, needed []string) ([]string, error) {
	x, err := cases.RawSchema(ctx)
	if err != nil {
		return nil, err
	}
	y, err := controls.RawSchema(ctx)
	if err != nil {
		return nil, err
	}
	have, other := column.Names(x), column.Names(y)
	for _, name := range needed {
		if !slices.Contains(have, name) {
			return nil, missingStatistic(cases.Files[0], name, have)
		}
		if !slices.Contains(other, name) {
			return nil, missingStatistic(controls.Files[0], name, other)
		}
	}
	ids, _ := statisticsOf(have)
	theirs, _ := statisticsOf(other)
	if len(ids) == 0 || !slices.Equal(ids, theirs) {
		return nil, column.Refuse(controls.Files[0], "id columns %q, but %s has %q", theirs, cases.Files[0], ids).WithHint("Give two tables of the same ids that «decrypt» wrote; their ids come first.")
	}
	return ids, nil
}

// missingStatistic refuses a table that lacks a column.
func missingStatistic(file, name string, have []string) error {
	err := column.MissingColumn(file, name, have)
	if base, ok := strings.CutSuffix(name, "_var"); ok && slices.Contains(have, base+"_mean") {
		return err.WithHint("Encrypt with ‹square› %s: a variance needs its squares.", base)
	}
	return err
}
