package job

import (
	"context"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Summary describes the summing up of one owner's table in the clear: by the same ids and measures, prepared in the same
// way, as an encryption of it. Its result has the columns of a decrypted table. Owners who send such summaries instead of
// encrypted records do what the literature calls feature-level fusion: everybody who gets a summary reads it.
type Summary struct {
	Options
	Spec
	Out    string
	Ratios []string // as in Decryption
}

// Summarize writes the sums, counts and statistics of each id of a table. It holds them in memory.
func Summarize(ctx context.Context, s Summary) (*Report, error) {
	start := time.Now()
	s.Options = s.Options.withDefaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	format, err := outputFormat(s.Out)
	if err != nil {
		return nil, err
	}
	x, err := s.Spec.open(ctx, s.Options, needs{Output: func(inputs []string) error { return notAnInput(s.Out, inputs) }})
	if err != nil {
		return nil, err
	}
	t := &summing{ownTable: x, opts: s.Options, budget: engine.NewBudget(s.Memory)}
	t.index = engine.NewGroups(t.budget)
	table := ctfile.Table{IDs: x.IDs, AddsUsed: 1 << 20}
	for _, tuple := range x.tuples {
		for _, q := range tuple {
			t.quantities = append(t.quantities, q)
			table.Measures = append(table.Measures, summaryMeasure(x.Measures, q))
		}
	}
	stats, err := statistics(&table)
	if err != nil {
		return nil, err
	}
	more, err := ratios(x.src.files[0], &table, s.Ratios, stats)
	if err != nil {
		return nil, err
	}
	stats = append(stats, more...)
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	schema := resultSchema(x.idFields, stats)
	out, err := format.create(ctx, s.FS, s.Out, schema, column.WriteOptions{Overwrite: s.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()
	for from := 0; from < t.index.Len(); from += readRows {
		if err := t.write(ctx, out, schema, stats, from, min(from+readRows, t.index.Len())); err != nil {
			return nil, err
		}
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &Report{Out: s.Out, Records: int64(t.index.Len()), Values: t.rows * int64(len(x.Measures)), Inputs: x.src.rows.files, Preparation: x.src.steps(x.Measures), Filled: x.src.filled(),
		Missing: map[string]int64{}}
	for i, m := range x.Measures {
		report.Measures = append(report.Measures, m.Name)
		report.Missing[m.Name] = t.missing[i]
	}
	report.finish(start, engine.Stats{})
	return report, nil
}

// summaryMeasure describes a quantity as a table's footer would. The bound is one that makes every sum a decimal.
func summaryMeasure(measures []Measure, q quantity) ctfile.Measure {
	m := ctfile.Measure{Name: quantityName(names(measures, q.terms), names(measures, q.given)), Terms: names(measures, q.terms), Given: names(measures, q.given),
		Bound: codec.PowerOfTen(codec.MaxDigits).String()}
	for _, i := range q.terms {
		m.Decimals += measures[i].Decimals
	}
	return m
}

// summing adds up the quantities of each id.
type summing struct {
	*ownTable
	opts       Options
	budget     *engine.Budget
	index      *engine.Groups
	quantities []quantity
	sums       [][]codec.Int // per quantity, of all ids
	missing    []int64
	rows       int64
}

func (t *summing) read(ctx context.Context) error {
	r, err := t.src.open(ctx, t.columns())
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer t.opts.Watch("summarize", progress)()
	t.sums, t.missing = make([][]codec.Int, len(t.quantities)), make([]int64, len(t.Measures))
	values := make([]scaled, len(t.Measures))
	ids := len(t.IDs)
	var key []byte
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := checkIDs(b, ids); err != nil {
			return err
		}
		for m := range values {
			if err := scaleColumn(&values[m], b, ids+m, t.Measures[m]); err != nil {
				return err
			}
		}
		for i := range int(b.NumRows()) {
			key = rowKey(key[:0], b.Columns()[:ids], i)
			n, added, err := t.index.Index(key)
			if err != nil {
				return err
			}
			if added {
				if err := t.budget.Keep("the sums of a summary", int64(16*len(t.quantities))); err != nil {
					return err
				}
				for q := range t.sums {
					t.sums[q] = append(t.sums[q], codec.Int{})
				}
			}
			for q := range t.sums {
				var ok bool
				if t.sums[q][n], ok = plus(t.sums[q][n], t.quantities[q].of(values, i)); !ok {
					return b.Refuse(i, t.Measures[t.quantities[q].given[0]].Name, "the sum of this value and those before has more than %d digits", codec.MaxDigits).
						WithHint("Declare fewer decimals.")
				}
			}
		}
		for m := range values {
			for _, ok := range values[m].ok {
				if !ok {
					t.missing[m]++
				}
			}
		}
		t.rows += b.NumRows()
		progress.Done.Add(b.NumRows())
		return nil
	})
}

// digitsMax is 10^38, which a result must stay below.
var digitsMax = func() codec.Int {
	x := codec.FromInt64(1)
	for range codec.MaxDigits {
		x = x.Mul(codec.FromInt64(10))
	}
	return x
}()

// plus is a + b while it has at most MaxDigits digits. So have a and b, or they are products of two 64-bit numbers: the sum
// fits 128 bits.
func plus(a, b codec.Int) (codec.Int, bool) {
	sum := a.Add(b)
	return sum, sum.Abs().Cmp(digitsMax) < 0
}

// write writes the ids from..to.
func (t *summing) write(ctx context.Context, out column.Writer, schema *arrow.Schema, stats []statistic, from, to int) error {
	keys := newKeyBuilder(t.idFields)
	for n := from; n < to; n++ {
		if err := keys.append(t.index.Key(int32(n))); err != nil {
			return err
		}
	}
	ids := keys.arrays()
	defer releaseArrays(ids)
	part := make([][]codec.Int, len(t.sums))
	for q := range part {
		part[q] = t.sums[q][from:to]
	}
	columns := statisticColumns(stats, part, to-from)
	defer releaseArrays(columns)
	rec := array.NewRecord(schema, append(ids[:len(ids):len(ids)], columns...), int64(to-from))
	defer rec.Release()
	return out.Write(ctx, column.Batch{Record: rec})
}
