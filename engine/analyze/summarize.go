// Package analyze works on tables in the clear: it sums up one owner's table, combines summaries, tests cases against
// controls, and lists the tokens of ids.
package analyze

import (
	"context"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Summary describes a summary of one owner's table in the clear. It has the same ids and measures, prepared in the
// same way, as an encryption of the table. Its result has the columns of a decrypted table. Owners who send such
// summaries instead of encrypted records do what the literature calls feature-level fusion: everybody who gets a
// summary reads it.
type Summary struct {
	job.Options
	dataset.Spec
	Out     string
	Further stats.Further // as of a decryption
}

// Summarize writes the sums, counts and statistics of each id of a table. It holds them in memory.
func Summarize(ctx context.Context, s Summary) (*job.Report, error) {
	start := time.Now()
	s.Options = s.Options.WithDefaults()
	if err := s.Check(); err != nil {
		return nil, err
	}
	format, err := dataset.OutputFormat(s.Out)
	if err != nil {
		return nil, err
	}
	x, err := s.Spec.Open(ctx, s.Options, dataset.Needs{Output: func(inputs []string) error { return job.CheckOutput(ctx, s.Options.FS, s.Out, inputs) }})
	if err != nil {
		return nil, err
	}
	t := &summing{Table: x, opts: s.Options, budget: engine.NewBudget(s.Memory)}
	t.index = engine.NewGroups(t.budget)
	table := ctfile.Table{IDs: x.IDs, AddsUsed: 1 << 20}
	for _, tuple := range x.Tuples {
		for _, q := range tuple {
			t.quantities = append(t.quantities, q)
			table.Measures = append(table.Measures, summaryMeasure(x.Measures, q))
		}
	}
	statistics, err := stats.ForTable(&table)
	if err != nil {
		return nil, err
	}
	more, err := s.Further.Columns(x.Src.Files[0], &table, statistics)
	if err != nil {
		return nil, err
	}
	statistics = append(statistics, more...)
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	schema := stats.Schema(x.IDFields, statistics, false)
	out, err := format.Create(ctx, s.FS, s.Out, schema, dataset.WriteOptions(s.Options, s.Out))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	for from := 0; from < t.index.Len(); from += dataset.BatchRows {
		if err := t.write(ctx, out, schema, statistics, from, min(from+dataset.BatchRows, t.index.Len())); err != nil {
			return nil, err
		}
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &job.Report{Out: s.Out, Records: int64(t.index.Len()), Values: t.rows * int64(len(x.Measures)), Inputs: x.Src.Rows.Files, Preparation: x.Src.Steps(x.Measures), Filled: x.Src.Filled(),
		Missing: map[string]int64{}}
	for i, m := range x.Measures {
		report.Measures = append(report.Measures, m.Name)
		report.Missing[m.Name] = t.missing[i]
	}
	report.Finish(start, engine.Stats{})
	return report, nil
}

// summaryMeasure describes a quantity as a table's footer would. The bound is one that makes every sum a decimal.
func summaryMeasure(measures []slots.Measure, q slots.Quantity) ctfile.Measure {
	m := ctfile.Measure{Name: slots.QuantityName(slots.Names(measures, q.Terms), slots.Names(measures, q.Given)), Terms: slots.Names(measures, q.Terms), Given: slots.Names(measures, q.Given),
		Bound: codec.PowerOfTen(codec.MaxDigits).String()}
	for _, i := range q.Terms {
		m.Decimals += measures[i].Decimals
	}
	return m
}

// summing adds up the quantities of each id.
type summing struct {
	*dataset.Table
	opts       job.Options
	budget     *engine.Budget
	index      *engine.Groups
	quantities []slots.Quantity
	sums       [][]codec.Int // per quantity, of all ids
	missing    []int64
	rows       int64
}

func (t *summing) read(ctx context.Context) error {
	r, err := t.Src.Open(ctx, t.Columns())
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer t.opts.Watch("summarize", progress)()
	t.sums, t.missing = make([][]codec.Int, len(t.quantities)), make([]int64, len(t.Measures))
	values := make([]slots.Scaled, len(t.Measures))
	idColumns := len(t.IDs)
	var key []byte
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, idColumns); err != nil {
			return err
		}
		for m := range values {
			if err := slots.ScaleColumn(&values[m], b, idColumns+m, t.Measures[m]); err != nil {
				return err
			}
		}
		for i := range int(b.NumRows()) {
			key = ids.AppendKey(key[:0], b.Columns()[:idColumns], i)
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
				if t.sums[q][n], ok = plus(t.sums[q][n], t.quantities[q].Of(values, i)); !ok {
					return b.Refuse(i, t.Measures[t.quantities[q].Given[0]].Name, "the sum of this value and those before has more than %d digits", codec.MaxDigits).
						WithHint("Declare fewer decimals.")
				}
			}
		}
		for m := range values {
			for _, ok := range values[m].Ok {
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

// plus is a + b if that has at most MaxDigits digits. a and b have, or they are products of two 64-bit numbers, so the
// sum fits 128 bits.
func plus(a, b codec.Int) (codec.Int, bool) {
	sum := a.Add(b)
	return sum, sum.Abs().Cmp(digitsMax) < 0
}

// write writes the ids from..to.
func (t *summing) write(ctx context.Context, out column.Writer, schema *arrow.Schema, statistics []stats.Statistic, from, to int) error {
	keys := ids.NewKeyBuilder(t.IDFields)
	for n := from; n < to; n++ {
		if err := keys.Append(t.index.Key(int32(n))); err != nil {
			return err
		}
	}
	idColumns := keys.Arrays()
	defer ids.Release(idColumns)
	part := make([][]codec.Int, len(t.sums))
	for q := range part {
		part[q] = t.sums[q][from:to]
	}
	columns := stats.Columns(statistics, part, nil, to-from)
	defer ids.Release(columns)
	rec := array.NewRecord(schema, append(idColumns[:len(idColumns):len(idColumns)], columns...), int64(to-from))
	defer rec.Release()
	return out.Write(ctx, column.Batch{Record: rec})
}
