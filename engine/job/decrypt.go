package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Decryption describes the opening of an encrypted table.
type Decryption struct {
	Options
	Key Key // with its secret part
	In  string
	Out string // .parquet, .arrow, .csv or .tsv
}

// Decrypt writes the exact sums and counts of an encrypted table and the statistics made of them.
func Decrypt(ctx context.Context, d Decryption) (*Report, error) {
	start := time.Now()
	d.Options = d.Options.withDefaults()
	if d.Key.Secret == nil {
		return nil, column.Refuse(d.Key.File, "this is a public key, and decrypting needs the secret one").WithHint("Give the secret.age or secret.json that keygen wrote beside it.")
	}
	f, err := formatOf(d.Out)
	if err != nil {
		return nil, err
	}
	if err := notAnInput(d.Out, []string{d.In}); err != nil {
		return nil, err
	}
	if err := d.Key.useKernel(d.Kernel); err != nil {
		return nil, err
	}
	t, ids, err := readTable(ctx, d.Options, d.In)
	if err != nil {
		return nil, err
	}
	if t.Fingerprint != d.Key.Public.Fingerprint() {
		return nil, column.Refuse(d.In, "wrong key: the table is encrypted under key %s, this is key %s", short(t.Fingerprint), short(d.Key.Public.Fingerprint())).
			WithHint("Find the secret key whose fingerprint is %s.", t.Fingerprint)
	}
	if _, err := tableKey(input{file: d.In, table: t}); err != nil {
		return nil, err
	}
	o, err := newOpening(&d, t)
	if err != nil {
		return nil, err
	}
	in, err := ctfile.Open(ctx, d.FS, d.In, column.ReadOptions{Threads: d.Threads, BatchRows: tableRows(len(t.Columns), d.Key.Public.CiphertextSize())})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for i := range ids {
		ids[i] = arrow.Field{Name: ids[i].Name, Type: elem(ids[i].Type)}
	}
	schema := resultSchema(ids, o.stats)
	out, err := f.create(ctx, d.FS, d.Out, schema, column.WriteOptions{Overwrite: d.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()
	done := d.Watch("decrypt", &o.progress)
	o.progress.Total.Store(t.Rows)
	stats, err := engine.Run(ctx, engine.Pipeline[column.Batch, column.Batch]{
		Source: engine.Source[column.Batch]{Name: "read", Next: in.Read},
		Stages: engine.Stage[column.Batch, column.Batch]{Name: "decrypt", Workers: d.Threads, Discard: column.Batch.Release, New: func(int) (engine.Work[column.Batch, column.Batch], error) {
			return o.worker(schema)
		}},
		Sink: engine.Sink[column.Batch]{Name: "write", Discard: column.Batch.Release, Put: func(ctx context.Context, b column.Batch) error {
			defer b.Release()
			return out.Write(ctx, b)
		}},
	})
	done()
	if err == nil && o.progress.Done.Load() != t.Rows {
		err = column.Refuse(d.In, "the footer promises %d records and the table has %d", t.Rows, o.progress.Done.Load()).WithHint(foreignFooter)
	}
	if err != nil {
		return nil, unwrapStage(err)
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &Report{Out: d.Out, Kernel: d.Key.Public.Kernel(), Key: keyReport(d.Key.Public), Inputs: []InputReport{{d.In, t.Rows}}, Records: t.Rows, Ciphertexts: o.ciphertexts.Load(), Values: t.Rows * int64(len(baseMeasures(t)))}
	report.finish(start, stats)
	return report, nil
}

// opening is the decrypting stage.
type opening struct {
	d           *Decryption
	table       *ctfile.Table
	plan        *plan
	totals      []*codec.Total // per column, when the table is a total of blocks
	stats       []statistic
	limits      []codec.Bound // per quantity: what |sum| can at most be
	ciphertexts atomic.Int64
	progress    engine.Progress
}

const foreignFooter = "The footer was changed, or written by other software."

func newOpening(d *Decryption, t *ctfile.Table) (*opening, error) {
	n := d.Key.Public.NWords()
	p, err := newPlan(t, n)
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
	}
	if t.Layout == Blocks && !t.Total && len(t.IDs) == 0 {
		return nil, column.Refuse(d.In, "unusable layout: blocks without ids do not tell how many records they have").WithHint(foreignFooter)
	}
	stats, err := statistics(t)
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
	}
	o := &opening{d: d, table: t, plan: p, stats: stats}
	for _, m := range t.Measures {
		bound, err := codec.ParseBound(m.Bound)
		if err != nil {
			return nil, column.Refuse(d.In, "measure %s: bound %w", column.Quote(m.Name), err).WithHint(foreignFooter)
		}
		o.limits = append(o.limits, bound.Times(codec.BoundOf(uint64(t.AddsUsed))))
	}
	if t.Total {
		if err := checkTuples(t); err != nil {
			return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
		}
		if o.totals, err = totals(t, n); err != nil {
			return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
		}
	}
	return o, nil
}

func (o *opening) worker(schema *arrow.Schema) (engine.Work[column.Batch, column.Batch], error) {
	decryptor := o.d.Key.Secret.NewDecryptor()
	limbs := o.d.Key.Public.PlaintextLimbs()
	ids := len(o.table.IDs)
	var m []uint64
	sums := make([][]codec.Int, len(o.table.Measures))
	var values []codec.Int
	return func(ctx context.Context, b column.Batch) (column.Batch, error) {
		defer b.Release()
		rows := int(b.NumRows())
		first, records, err := o.rowRecords(b)
		if err != nil {
			return column.Batch{}, err
		}
		for q := range sums {
			sums[q] = slices.Grow(sums[q][:0], records)[:records]
			clear(sums[q])
		}
		m = slices.Grow(m[:0], rows*limbs)[:rows*limbs]
		for c := range o.plan.columns {
			if err := ctx.Err(); err != nil {
				return column.Batch{}, err
			}
			if err := decryptor.Decrypt(m, column.FixedBytes(b.Column(ids+c))); err != nil {
				return column.Batch{}, refuseCiphertext(b, o.table.Columns[c], err)
			}
			col := &o.plan.columns[c]
			values = slices.Grow(values[:0], len(col.cells))[:len(col.cells)]
			for row := range rows {
				residue := m[row*limbs : (row+1)*limbs]
				if o.totals != nil {
					o.totals[c].Unpack(values, residue)
				} else if err := col.packer.Unpack(values, residue); err != nil {
					return column.Batch{}, b.Refuse(row, o.table.Columns[c], "%w", err).
						WithHint("The ciphertext was not made by this layout: it may have been tampered with or folded by other software beyond its headroom.")
				}
				for i, cell := range col.cells {
					if record := int(first[row]) + cell.record; record < int(first[row+1]) {
						sums[cell.quantity][record] = values[i]
					}
					if exceeds(values[i], o.limits[cell.quantity]) {
						return column.Batch{}, b.Refuse(row, o.table.Columns[c], "the sum of %s is beyond what the footer's bound and additions allow", column.Quote(o.table.Measures[cell.quantity].Name)).
							WithHint("An owner encrypted a value beyond the agreed max, or the footer or a ciphertext was changed.")
					}
				}
			}
		}
		clear(m)
		o.ciphertexts.Add(int64(rows * len(o.plan.columns)))
		o.progress.Done.Add(int64(records))
		return o.result(schema, b, sums, records), nil
	}, nil
}

// rowRecords returns for every row of the batch the number of its first record within the batch, and their total.
func (o *opening) rowRecords(b column.Batch) (first []int32, records int, err error) {
	rows := int(b.NumRows())
	first = make([]int32, rows+1)
	for row := range rows {
		n := 1
		if o.table.Layout == Blocks && !o.table.Total {
			from, to := b.Column(0).(*array.List).ValueOffsets(row)
			n = int(to - from)
			if n < 1 || n > o.plan.records {
				return nil, 0, b.Refuse(row, b.ColumnName(0), "a block of %d records where %d is the most", n, o.plan.records)
			}
		}
		first[row+1] = first[row] + int32(n)
	}
	return first, int(first[rows]), nil
}

// result makes a batch of the decrypted table.
func (o *opening) result(schema *arrow.Schema, b column.Batch, sums [][]codec.Int, records int) column.Batch {
	ids := slices.Clone(b.Columns()[:len(o.table.IDs)])
	if o.table.Layout == Blocks {
		ids = flattened(ids)
		defer releaseArrays(ids)
	}
	stats := statisticColumns(o.stats, sums, records)
	defer releaseArrays(stats)
	return column.Batch{Record: array.NewRecord(schema, append(ids, stats...), int64(records))}
}

// exceeds reports |v| > limit.
func exceeds(v codec.Int, limit codec.Bound) bool {
	a := v.Abs()
	return codec.Bound{a.LowBits(), uint64(a.HighBits())}.Cmp(limit) > 0
}

// totals prepares to read the columns of a total of blocks: one column for each tuple.
func totals(t *ctfile.Table, n []uint64) ([]*codec.Total, error) {
	out := make([]*codec.Total, len(t.Columns))
	for c, tuple := range tupleWidths(t) {
		var err error
		if out[c], err = codec.NewTotal(n, tuple); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tupleWidths returns the slot widths of the tuple that each column of a blocks table holds.
func tupleWidths(t *ctfile.Table) []codec.Tuple {
	out := make([]codec.Tuple, len(t.Columns))
	for _, m := range t.Measures {
		for _, name := range m.InColumns {
			c := slices.Index(t.Columns, name)
			out[c] = append(out[c], m.Width)
		}
	}
	return out
}

// refuseCiphertext gives a kernel's error about the i-th ciphertext of a batch its place.
func refuseCiphertext(b column.Batch, name string, err error) error {
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return b.Refuse(bad.Index, name, "invalid ciphertext: %s", bad.Reason).
			WithHint("The file was changed after it was written, or made by other software.")
	}
	return fmt.Errorf("column %s: %w", name, err)
}

// baseMeasures lists the measures that were given, without squares, products and counts.
func baseMeasures(t *ctfile.Table) []ctfile.Measure {
	var out []ctfile.Measure
	for _, m := range t.Measures {
		if len(m.Terms) == 1 && len(m.Given) == 1 {
			out = append(out, m)
		}
	}
	return out
}

func short(fingerprint string) string { return fingerprint[:min(16, len(fingerprint))] }

// unwrapStage removes the engine's stage and item number from errors about the input, which name their own place.
func unwrapStage(err error) error {
	var e *engine.Error
	var refused *column.InputError
	if errors.As(err, &e) && errors.As(err, &refused) {
		return refused
	}
	return err
}
