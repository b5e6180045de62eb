package analyze

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"gonum.org/v1/gonum/mathext"

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
	Cases, Controls string // decrypted tables
	Out             string
	Test            string // Allelic or Welch; "" is Allelic
	Measure         string // Welch: whose means are compared
}

// Tests of an association.
const (
	// Allelic compares the frequencies of an allele, AC/AN, by Pearson's chi-square of the table of allele counts, with one
	// degree of freedom and without continuity correction.
	Allelic = "allelic"
	// Welch compares two means by Welch's t test: variances may differ, and the degrees of freedom are those of
	// Satterthwaite.
	Welch = "welch"
)

// Associate writes the estimates and the p value of the test for each id that both tables have, in the order of the
// cases. Report.Unmatched counts the ids that only one has. The controls are held in memory.
//
// Allelic writes AF_cases, AF_controls, OR (odds ratio), CHISQ and P; Welch MEAN_cases, MEAN_controls, DIFF, T, DF and P. What is
// undefined, such as a test of an allele that nobody has, is null.
func Associate(ctx context.Context, a Association) (*job.Report, error) {
	start := time.Now()
	a.Options = a.Options.WithDefaults()
	t, err := a.test()
	if err != nil {
		return nil, err
	}
	format, err := dataset.OutputFormat(a.Out)
	if err != nil {
		return nil, err
	}
	if err := job.CheckOutput(ctx, a.Options.FS, a.Out, []string{a.Cases, a.Controls}); err != nil {
		return nil, err
	}
	var once blob.Uses
	for _, name := range []string{a.Cases, a.Controls} {
		if err := job.Once(ctx, a.Options.FS, &once, name, "Cases and controls are two tables."); err != nil {
			return nil, err
		}
	}
	rows := job.NewRowCounter()
	cases := dataset.Source{Opts: a.Options, Files: []string{a.Cases}, Rows: rows}
	controls := dataset.Source{Opts: a.Options, Files: []string{a.Controls}, Rows: rows}
	idColumns, err := commonIDs(ctx, cases, controls, t.columns)
	if err != nil {
		return nil, err
	}
	budget := engine.NewBudget(a.Memory)
	index := engine.NewGroups(budget)
	defer index.Free()
	var group [][]float64 // of the controls: per column, of all ids
	if group, err = t.load(ctx, controls, idColumns, index, budget); err != nil {
		return nil, err
	}
	r, err := cases.OpenFiles(ctx, append(slices.Clone(idColumns), t.columns...))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	fields := slices.Clone(r.Schema().Fields()[:len(idColumns)])
	for _, f := range fields {
		if err := ids.CheckType(a.Cases, f); err != nil {
			return nil, err
		}
	}
	for _, name := range t.results {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	out, err := format.Create(ctx, a.FS, a.Out, schema, dataset.WriteOptions(a.Options, a.Out))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	seen := make([]bool, index.Len())
	var matched, unmatched int64
	var key []byte
	err = column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, len(idColumns)); err != nil {
			return err
		}
		keys := ids.NewKeyBuilder(fields[:len(idColumns)])
		results := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields[len(idColumns):], nil))
		defer results.Release()
		here := int64(0)
		for i := range int(b.NumRows()) {
			key = ids.AppendTextKey(key[:0], b.Columns()[:len(idColumns)], i)
			n, found := index.Lookup(key)
			if !found {
				unmatched++
				continue
			}
			if seen[n] {
				return b.Refuse(i, idColumns[0], "duplicate id %s", ids.Text(b.Columns()[:len(idColumns)], i)).WithHint("A decrypted table has every id once.")
			}
			seen[n] = true
			x, y := make([]float64, len(t.columns)), make([]float64, len(t.columns))
			for c := range t.columns {
				var err error
				if x[c], err = t.cell(b, i, len(idColumns)+c); err != nil {
					return err
				}
				y[c] = group[c][n]
			}
			if err := keys.Append(ids.AppendKey(nil, b.Columns()[:len(idColumns)], i)); err != nil {
				return err
			}
			for c, v := range t.compare(x, y) {
				if f := results.Field(c).(*array.Float64Builder); math.IsNaN(v) || math.IsInf(v, 0) {
					f.AppendNull()
				} else {
					f.Append(v)
				}
			}
			here++
		}
		if here == 0 {
			return nil
		}
		matched += here
		part := results.NewRecord()
		defer part.Release()
		names := keys.Arrays()
		defer ids.Release(names)
		rec := array.NewRecord(schema, append(names[:len(names):len(names)], part.Columns()...), here)
		defer rec.Release()
		return out.Write(ctx, column.Batch{Record: rec})
	})
	if err != nil {
		return nil, err
	}
	if matched == 0 {
		return nil, column.Refuse(a.Controls, "no id is in %s too", a.Cases).WithHint("Check that both are results of the same variants or records.")
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	unmatched += int64(index.Len()) - matched
	report := &job.Report{Out: a.Out, Records: matched, Inputs: rows.Files, Unmatched: &unmatched}
	report.Finish(start, engine.Stats{})
	return report, nil
}

// test is which columns a test reads and what it makes of them.
type test struct {
	columns []string
	results []string
	compare func(cases, controls []float64) []float64
}

func (a *Association) test() (*test, error) {
	switch a.Test {
	case "", Allelic:
		if a.Measure != "" {
			return nil, job.Misuse("‹test› welch compares the means of a measure.", "‹measure› without ‹test› welch")
		}
		return &test{[]string{"AC_sum", "AN_sum"}, []string{"AF_cases", "AF_controls", "OR", "CHISQ", "P"}, allelic}, nil
	case Welch:
		if a.Measure == "" {
			return nil, job.Misuse("Name it: ‹measure› NAME.", "‹test› welch compares the means of a measure")
		}
		return &test{[]string{a.Measure + "_count", a.Measure + "_mean", a.Measure + "_var"}, []string{"MEAN_cases", "MEAN_controls", "DIFF", "T", "DF", "P"}, welch}, nil
	}
	return nil, job.Misuse("Choose allelic or welch.", "unknown ‹test› %s", a.Test)
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
			return nil, column.MissingColumn(cases.Files[0], name, have)
		}
		if !slices.Contains(other, name) {
			return nil, column.MissingColumn(controls.Files[0], name, other)
		}
	}
	ids, _ := statisticsOf(have)
	theirs, _ := statisticsOf(other)
	if len(ids) == 0 || !slices.Equal(ids, theirs) {
		return nil, column.Refuse(controls.Files[0], "id columns %q, but %s has %q", theirs, cases.Files[0], ids).WithHint("Give two tables of the same ids that «decrypt» wrote; their ids come first.")
	}
	return ids, nil
}

// load reads a table into memory.
func (t *test) load(ctx context.Context, s dataset.Source, idColumns []string, index *engine.Groups, budget *engine.Budget) ([][]float64, error) {
	r, err := s.OpenFiles(ctx, append(slices.Clone(idColumns), t.columns...))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	values := make([][]float64, len(t.columns))
	var key []byte
	return values, column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, len(idColumns)); err != nil {
			return err
		}
		if err := budget.Keep("the controls", b.NumRows()*int64(8*len(values)+1)); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			key = ids.AppendTextKey(key[:0], b.Columns()[:len(idColumns)], i)
			if _, added, err := index.Index(key); err != nil {
				return err
			} else if !added {
				return b.Refuse(i, idColumns[0], "duplicate id %s", ids.Text(b.Columns()[:len(idColumns)], i)).WithHint("A decrypted table has every id once.")
			}
			for c := range values {
				v, err := t.cell(b, i, len(idColumns)+c)
				if err != nil {
					return err
				}
				values[c] = append(values[c], v)
			}
		}
		return nil
	})
}

// cell reads a number, NaN for a null.
func (t *test) cell(b column.Batch, i, c int) (float64, error) {
	v, ok, err := cellFloat(b, i, c)
	if err == nil && !ok {
		return math.NaN(), nil
	}
	return v, err
}

// allelic tests the table of alternative and other alleles, given AC and AN of both groups.
func allelic(cases, controls []float64) []float64 {
	a, b := cases[0], cases[1]-cases[0]
	c, d := controls[0], controls[1]-controls[0]
	n := cases[1] + controls[1]
	odds, chisq := math.NaN(), math.NaN()
	if a >= 0 && b >= 0 && c >= 0 && d >= 0 { // sums with noise need not be a table of counts
		odds = a * d / (b * c)
		chisq = n * (difference(a, d, b, c) / (a + b)) * (difference(a, d, b, c) / (c + d)) / (a + c) / (b + d)
	}
	return []float64{cases[0] / cases[1], controls[0] / controls[1], odds, chisq, chiSquareP(chisq)}
}

// difference is a·d - b·c with little loss when the two are nearly equal (Kahan; see Jeannerod, Louvet and Muller, 2013).
func difference(a, d, b, c float64) float64 {
	w := b * c
	e := math.FMA(-b, c, w)
	return math.FMA(a, d, -w) + e
}

// chiSquareP is the upper tail of the chi-square distribution with one degree of freedom.
func chiSquareP(x float64) float64 { return math.Erfc(math.Sqrt(x / 2)) }

// welch tests means, given count, mean and variance of both groups.
func welch(cases, controls []float64) []float64 {
	n1, m1, v1 := cases[0], cases[1], cases[2]
	n2, m2, v2 := controls[0], controls[1], controls[2]
	s1, s2 := v1/n1, v2/n2
	t := (m1 - m2) / math.Sqrt(s1+s2)
	df := (s1 + s2) * (s1 + s2) / (s1*s1/(n1-1) + s2*s2/(n2-1))
	return []float64{m1, m2, m1 - m2, t, df, studentP(t, df)}
}

// studentP is the probability of |T| >= |t| under Student's distribution: the regularized incomplete beta function
// I(df/(df+t²); df/2, 1/2).
func studentP(t, df float64) float64 {
	if math.IsNaN(t) || math.IsNaN(df) || math.IsInf(t, 0) || df <= 0 {
		return math.NaN()
	}
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}
