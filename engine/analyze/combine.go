package analyze

import (
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
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// Combination describes the combining of summaries in the clear: feature-level fusion, for comparison with what encryption
// gives.
type Combination struct {
	job.Options
	In     []string // what Summarize or Decrypt wrote
	Out    string
	Method string // "pooled" or "average"; "" is pooled
}

// Methods of a combination.
const (
	Pooled  = "pooled"  // as if all records were in one table: counts and sums are added up
	Average = "average" // the mean of the owners' means, each of which counts the same however many values it has
)

// Combine writes a table of the ids of all summaries, each once, in ascending order (numbers by value, text by its
// bytes). For every measure NAME it has NAME_count, NAME_mean and, where the summaries have it, NAME_var, in double
// precision. With Average the count is of summaries, and the mean and variance are the means of theirs.
func Combine(ctx context.Context, c Combination) (*job.Report, error) {
	start := time.Now()
	c.Options = c.Options.WithDefaults()
	if c.Method == "" {
		c.Method = Pooled
	}
	if c.Method != Pooled && c.Method != Average {
		return nil, job.Misuse("Choose pooled or average.", "unknown ‹method› %s", c.Method)
	}
	format, err := dataset.OutputFormat(c.Out)
	if err != nil {
		return nil, err
	}
	src, err := dataset.List(ctx, c.Options, c.In, nil)
	if err != nil {
		return nil, err
	}
	if err := job.CheckOutput(ctx, c.Options.FS, c.Out, src.Files); err != nil {
		return nil, err
	}
	m := &combining{Combination: c, budget: engine.NewBudget(c.Memory), rows: job.NewRowCounter()}
	m.index = engine.NewGroups(m.budget)
	for _, file := range src.Files {
		if err := m.add(ctx, file); err != nil {
			return nil, err
		}
	}
	schema, columns, err := m.result()
	if err != nil {
		return nil, err
	}
	defer ids.Release(columns)
	out, err := format.Create(ctx, c.FS, c.Out, schema, dataset.WriteOptions(c.Options, c.Out))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	rec := array.NewRecord(schema, columns, int64(m.index.Len()))
	defer rec.Release()
	if rec.NumRows() > 0 {
		if err := out.Write(ctx, column.Batch{Record: rec}); err != nil {
			return nil, err
		}
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &job.Report{Out: c.Out, Records: int64(m.index.Len()), Inputs: m.rows.Files, Measures: m.names}
	report.Finish(start, engine.Stats{})
	return report, nil
}

// combining is a combination under way.
type combining struct {
	Combination
	budget *engine.Budget
	rows   *job.RowCounter
	first  string        // file
	ids    []arrow.Field // of it
	index  *engine.Groups
	names  []string   // of the measures
	spread []bool     // per measure: every summary has its variance
	sums   [][]moment // per measure, of all ids
}

// moment holds one measure of one id: how many values there were, their mean, and the sum of the squares of their
// deviations from it (Chan, Golub and LeVeque, 1979). With Average, n counts summaries, and mean and squares are sums.
type moment struct {
	n, mean, squares float64
	spreads          float64 // how many summaries had a variance
}

// statisticsOf finds the ids and measures of a summary by the names of its columns: the ids are those before the first one
// called NAME_sum, NAME_count or NAME_mean.
func statisticsOf(have []string) (ids, measures []string) {
	first := slices.IndexFunc(have, func(name string) bool {
		return strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_mean")
	})
	for _, name := range have[max(first, 0):] {
		if base, ok := strings.CutSuffix(name, "_mean"); ok && slices.Contains(have, base+"_count") {
			measures = append(measures, base)
		}
	}
	return have[:max(first, 0)], measures
}

// add takes in one summary.
func (m *combining) add(ctx context.Context, file string) error {
	src := dataset.Source{Opts: m.Options, Files: []string{file}, Rows: m.rows}
	schema, err := src.RawSchema(ctx)
	if err != nil {
		return err
	}
	have := column.Names(schema)
	idColumns, names := statisticsOf(have)
	if m.names == nil {
		m.names, m.spread, m.sums = names, make([]bool, len(names)), make([][]moment, len(names))
		for i := range m.spread {
			m.spread[i] = true
		}
		for _, id := range idColumns {
			f := schema.Field(schema.FieldIndices(id)[0])
			if err := ids.CheckType(file, f); err != nil {
				return err
			}
			m.ids = append(m.ids, arrow.Field{Name: f.Name, Type: f.Type})
		}
		m.first = file
	}
	if len(names) == 0 || len(m.ids) == 0 {
		return column.Refuse(file, "not a summary: it has no id, or no columns NAME_count and NAME_mean").WithHint("Give tables that «summarize» or «decrypt» wrote.")
	}
	columns := make([]string, 0, len(m.ids)+3*len(m.names))
	for _, f := range m.ids {
		columns = append(columns, f.Name)
	}
	for i, name := range m.names {
		if !slices.Contains(names, name) {
			return column.Refuse(file, "measure %s is missing, which other summaries have", column.Quote(name)).WithHint("Combine summaries of the same measures.")
		}
		columns = append(columns, name+"_count", name+"_mean")
		m.spread[i] = m.spread[i] && slices.Contains(have, name+"_var")
	}
	for i, name := range m.names {
		if m.spread[i] {
			columns = append(columns, name+"_var")
		}
	}
	r, err := src.OpenFiles(ctx, columns)
	if err != nil {
		return err
	}
	defer r.Close()
	for i, f := range m.ids {
		if t := r.Schema().Field(i).Type; !arrow.TypeEqual(t, f.Type) && !(isText(t) && isText(f.Type)) {
			return column.Refuse(file, "ids of type %s, but %s has %s", t, m.first, f.Type).InColumn(f.Name).
				WithHint("In CSV and TSV every id is text. Give summaries of one format.")
		}
	}
	seen := make([]bool, m.index.Len())
	var key []byte
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, len(m.ids)); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			key = ids.AppendKey(key[:0], b.Columns()[:len(m.ids)], i)
			n, added, err := m.index.Index(key)
			if err != nil {
				return err
			}
			if added {
				if err := m.budget.Keep("the combined summaries", int64(33*len(m.names))); err != nil {
					return err
				}
				seen = append(seen, false)
				for k := range m.sums {
					m.sums[k] = append(m.sums[k], moment{})
				}
			}
			if seen[n] {
				return b.Refuse(i, m.ids[0].Name, "duplicate id %s", ids.Text(b.Columns()[:len(m.ids)], i)).WithHint("A summary has every id once.")
			}
			seen[n] = true
			if err := m.addRow(b, i, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// isText says whether ids of a type have the keys of texts.
func isText(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING }

// addRow adds row i of a batch, the summary of the n-th id.
func (m *combining) addRow(b column.Batch, i int, n int32) error {
	first := len(m.ids)
	spread := first + 2*len(m.names)
	for k, name := range m.names {
		count, ok, err := cellFloat(b, i, first+2*k)
		if err != nil {
			return err
		}
		if !ok || count < 0 || count != math.Trunc(count) {
			return b.Refuse(i, name+"_count", "this is no count").WithHint("A count is a whole number.")
		}
		mean, there, err := cellFloat(b, i, first+2*k+1)
		if err != nil {
			return err
		}
		variance, varied := 0.0, false
		if m.spread[k] {
			if variance, varied, err = cellFloat(b, i, spread); err != nil {
				return err
			}
			spread++
		}
		if count == 0 || !there {
			continue
		}
		x := &m.sums[k][n]
		if m.Method == Average {
			x.n++
			x.mean += mean
			if varied {
				x.squares += variance
				x.spreads++
			}
			continue
		}
		delta, total := mean-x.mean, x.n+count
		x.squares += variance*(count-1) + delta*delta*x.n*count/total
		x.mean += delta * count / total
		x.n = total
	}
	return nil
}

// cellFloat reads a number; ok is false for a null.
func cellFloat(b column.Batch, i, c int) (v float64, ok bool, err error) {
	arr := b.Column(c)
	value, text, err := dataset.Floats(arr)
	if err == nil && arr.IsNull(i) {
		return 0, false, nil
	}
	if err == nil {
		if v, err = value(i); err == nil {
			return v, true, nil
		}
		return 0, false, slots.RefuseValue(b, i, slots.Measure{Name: b.ColumnName(c)}, text(i), err)
	}
	return 0, false, column.Refuse(slots.FileOf(b), "%w", err).InColumn(b.ColumnName(c)).WithHint("Statistics are numbers.")
}

// result makes the table.
func (m *combining) result() (*arrow.Schema, []arrow.Array, error) {
	order := make([]int32, m.index.Len())
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return slices.Compare(m.index.Key(a), m.index.Key(b)) })
	keys := ids.NewKeyBuilder(m.ids)
	for _, n := range order {
		if err := keys.Append(m.index.Key(n)); err != nil {
			return nil, nil, err
		}
	}
	fields, columns := slices.Clone(m.ids), keys.Arrays()
	add := func(name string, value func(x moment) (float64, bool), k int) {
		b := array.NewFloat64Builder(memory.DefaultAllocator)
		defer b.Release()
		for _, n := range order {
			if v, ok := value(m.sums[k][n]); ok {
				b.Append(v)
			} else {
				b.AppendNull()
			}
		}
		fields, columns = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}), append(columns, b.NewArray())
	}
	average := m.Method == Average
	for k, name := range m.names {
		counts := array.NewInt64Builder(memory.DefaultAllocator)
		for _, n := range order {
			counts.Append(int64(m.sums[k][n].n))
		}
		fields, columns = append(fields, arrow.Field{Name: name + "_count", Type: arrow.PrimitiveTypes.Int64}), append(columns, counts.NewArray())
		counts.Release()
		add(name+"_mean", func(x moment) (float64, bool) {
			if average {
				return x.mean / x.n, x.n > 0
			}
			return x.mean, x.n > 0
		}, k)
		if m.spread[k] {
			add(name+"_var", func(x moment) (float64, bool) {
				if average {
					return x.squares / x.spreads, x.spreads > 0
				}
				return x.squares / (x.n - 1), x.n > 1
			}, k)
		}
	}
	return arrow.NewSchema(fields, nil), columns, nil
}
