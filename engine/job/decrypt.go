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
	Key    Key // with its secret part
	In     string
	Ratios []string // NAME=A/B: further columns, the sum of measure A divided by that of B
	Out    string   // .parquet, .arrow, .csv or .tsv

	RowsPerFile int64 // > 0: Out is a directory of part files of so many records each

	Privacy Privacy // noise to add: NoiseRelease
}

// Decrypt writes the exact sums and counts of an encrypted table and the statistics made of them.
func Decrypt(ctx context.Context, d Decryption) (*Report, error) {
	start := time.Now()
	d.Options = d.Options.withDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.noise.affordable(ctx); err != nil {
		return nil, err
	}
	in, err := o.openTable(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := createRows(ctx, d.Options, d.Out, d.RowsPerFile, o.schema)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	progress := &engine.Progress{}
	progress.Total.Store(o.table.Rows)
	defer d.Watch("decrypt", progress)()
	report, err := o.write(ctx, in, out, progress)
	if err == nil && report.Records != o.table.Rows {
		err = column.Refuse(d.In, "the footer promises %d records and the table has %d", o.table.Rows, report.Records).WithHint(foreignFooter)
	}
	if err != nil {
		return nil, err
	}
	if report.Privacy, err = o.charge(ctx); err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report.Out, report.Seconds = d.Out, time.Since(start).Seconds()
	return report, nil
}

// open checks the key and the request, and reads the table's footer.
func (d *Decryption) open(ctx context.Context) (*opening, error) {
	if d.Key.Secret == nil {
		return nil, column.Refuse(d.Key.File, "this is a public key, and decrypting needs the secret one").WithHint("Give the secret.age or secret.json that keygen wrote beside it.")
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := d.Key.useKernel(d.Kernel); err != nil {
		return nil, err
	}
	d.keyed(d.Key.Public)
	in, err := d.table(ctx)
	if err != nil {
		return nil, err
	}
	t := in.table
	if t.Fingerprint != d.Key.Public.Fingerprint() {
		return nil, column.Refuse(d.In, "wrong key: the table is encrypted under key %s, this is key %s", short(t.Fingerprint), short(d.Key.Public.Fingerprint())).
			WithHint("Find the secret key whose fingerprint is %s.", t.Fingerprint)
	}
	return newOpening(d, in)
}

// table finds the table to open.
func (d *Decryption) table(ctx context.Context) (*tableSet, error) {
	in, err := readOne(ctx, d.Options, d.In)
	if err != nil {
		return nil, err
	}
	return in, notAnInput(d.Out, in.files)
}

// check refuses a request that makes no sense whatever is in the table.
func (d *Decryption) check() error {
	if err := checkRowsPerFile(d.RowsPerFile); err != nil {
		return err
	}
	if _, _, err := rowsFormat(d.Out, d.RowsPerFile); err != nil {
		return err
	}
	return notAnInput(d.Out, []string{d.In})
}

// opening is the decrypting stage.
type opening struct {
	d       *Decryption
	in      *tableSet
	pk      *paillier.PublicKey
	table   *ctfile.Table
	plan    *plan
	totals  []*codec.Total // per column, when the table is a total of blocks
	stats   []statistic
	limits  []codec.Bound  // per quantity: what |sum| can at most be
	schema  *arrow.Schema  // of the result
	noise   *noising       // to add; nil: none
	privacy *PrivacyReport // of the noise that the result has; nil: none
}

// batchRows is how many rows of the table are decrypted together.
func (o *opening) batchRows() int { return tableRows(len(o.table.Columns), o.pk.CiphertextSize()) }

// openTable opens the rows of the table.
func (o *opening) openTable(ctx context.Context) (*sections, error) {
	r, err := o.in.open(ctx, o.d.Options, o.batchRows())
	if err != nil {
		return nil, err
	}
	return &sections{Reader: r}, nil
}

// write decrypts rows of the table, and advances the progress. The caller commits.
func (o *opening) write(ctx context.Context, in column.Reader, out column.Writer, progress *engine.Progress) (*Report, error) {
	start := time.Now()
	var records, ciphertexts atomic.Int64
	stats, err := engine.Run(ctx, engine.Pipeline[column.Batch, column.Batch]{
		Source: engine.Source[column.Batch]{Name: "read", Next: in.Read},
		Stages: engine.Stage[column.Batch, column.Batch]{Name: "decrypt", Workers: o.d.Threads, Discard: column.Batch.Release, New: func(int) (engine.Work[column.Batch, column.Batch], error) {
			work := o.worker()
			return func(ctx context.Context, b column.Batch) (column.Batch, error) {
				rows := b.NumRows()
				result, err := work(ctx, b)
				if err == nil {
					ciphertexts.Add(rows * int64(len(o.plan.columns)))
					progress.Items.Add(rows * int64(len(o.plan.columns)))
					records.Add(result.NumRows())
					progress.Done.Add(result.NumRows())
				}
				return result, err
			}, nil
		}},
		Sink: engine.Sink[column.Batch]{Name: "write", Discard: column.Batch.Release, Put: func(ctx context.Context, b column.Batch) error {
			defer b.Release()
			return out.Write(ctx, b)
		}},
	})
	if err != nil {
		return nil, unwrapStage(err)
	}
	report := &Report{Kernel: o.pk.Kernel(), Key: keyReport(o.pk), Inputs: []InputReport{{o.d.In, o.table.Rows}},
		Records: records.Load(), Ciphertexts: ciphertexts.Load(), Privacy: o.privacy}
	report.Values = report.Records * int64(len(baseMeasures(o.table)))
	report.finish(start, stats)
	return report, nil
}

const foreignFooter = "The footer was changed, or written by other software."

// newOpening prepares to read a table whose id columns are given. It needs no secret.
func newOpening(d *Decryption, in *tableSet) (*opening, error) {
	t := in.table
	pk, err := tableKey(input{file: d.In, table: t})
	if err != nil {
		return nil, err
	}
	if d.Key.Public != nil {
		pk = d.Key.Public // the same one, with the kernel that was chosen
	}
	n := pk.NWords()
	p, err := newPlan(t, n)
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
	}
	if t.Layout == Blocks && !t.Total && len(t.IDs) == 0 {
		return nil, column.Refuse(d.In, "unusable layout: blocks without ids do not tell how many records they have").WithHint(foreignFooter)
	}
	noise, err := d.planNoise(t)
	if err != nil {
		return nil, err
	}
	stats, err := statistics(noise.roomFor(t))
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(foreignFooter)
	}
	more, err := ratios(d.In, t, d.Ratios, stats)
	if err != nil {
		return nil, err
	}
	stats = append(stats, more...)
	var ids []arrow.Field
	for _, f := range in.ids {
		ids = append(ids, arrow.Field{Name: f.Name, Type: elem(f.Type)})
	}
	o := &opening{d: d, in: in, pk: pk, table: t, plan: p, stats: stats, schema: resultSchema(ids, stats)}
	for _, m := range t.Measures {
		bound, err := codec.ParseBound(m.Bound)
		if err != nil {
			return nil, column.Refuse(d.In, "measure %s: bound %w", column.Quote(m.Name), err).WithHint(foreignFooter)
		}
		o.limits = append(o.limits, bound.Times(codec.BoundOf(uint64(t.AddsUsed))))
	}
	if err := o.planRelease(noise); err != nil {
		return nil, err
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

func (o *opening) worker() engine.Work[column.Batch, column.Batch] {
	decryptor := o.d.Key.Secret.NewDecryptor()
	limbs := o.pk.PlaintextLimbs()
	ids := len(o.table.IDs)
	var m []uint64
	adder := o.noise.adder()
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
		if adder != nil {
			if err := adder.addAll(sums); err != nil {
				return column.Batch{}, err
			}
		}
		return o.result(b, sums, records), nil
	}
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
func (o *opening) result(b column.Batch, sums [][]codec.Int, records int) column.Batch {
	ids := slices.Clone(b.Columns()[:len(o.table.IDs)])
	if o.table.Layout == Blocks {
		ids = flattened(ids)
		defer releaseArrays(ids)
	}
	stats := statisticColumns(o.stats, sums, records)
	defer releaseArrays(stats)
	return column.Batch{Record: array.NewRecord(o.schema, append(ids, stats...), int64(records))}
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
