// Package decrypt opens an encrypted table with the secret key and writes exact sums and counts, and statistics made of them.
//
// Run does it in one step. Survey reads the footer, Parts decrypts ranges of rows, and Join puts them together without a key.
package decrypt

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Request describes the opening of an encrypted table.
type Request struct {
	job.Options
	Key     keys.Key // with its secret part
	In      string
	Further stats.Further // columns besides those that the table has by itself
	Out     string        // .parquet, .arrow, .csv or .tsv

	RowsPerFile int64 // > 0: Out is a directory of part files of so many records each

	Privacy privacy.Request // noise to add: NoiseRelease

	Trust     string // a trust file: a table that is not of exactly these owners is refused; "" takes any
	MinOwners int64  // refuse a sum of fewer owners' tables; 0 refuses none
	Unfused   bool   // open also what is no sum of several owners' tables: an owner's rows
	MinCount  int64  // suppress what rests on fewer values: see stats.Suppression; 0 suppresses nothing

	// LocateRefused tells of a sum that is out of range which one it is. Else nobody learns more from the refusal than that there
	// is one: docs/threat-model.md.
	LocateRefused bool

	unsigned bool // after table: no signature tells what the measures are
}

// Run writes the exact sums and counts of an encrypted table and the statistics made of them.
func Run(ctx context.Context, d Request) (*job.Report, error) {
	start := time.Now()
	d.Options = d.Options.WithDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.noise.Affordable(ctx); err != nil {
		return nil, err
	}
	progress := &engine.Progress{}
	progress.Total.Store(o.table.Rows)
	defer d.Watch("decrypt", progress)()
	report, out, err := o.writeAll(ctx, d.Out, d.RowsPerFile, progress)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	o.warnOfSingle(report.Single)
	if report.Privacy, err = o.charge(ctx); err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report.Out, report.Seconds = d.Out, time.Since(start).Seconds()
	return report, nil
}

// writeAll decrypts all rows of the table into a file or directory, which the caller commits and closes.
func (o *decryption) writeAll(ctx context.Context, name string, rowsPerFile int64, progress *engine.Progress) (*job.Report, column.Writer, error) {
	for {
		in, err := o.openTable(ctx)
		if err != nil {
			return nil, nil, err
		}
		out, err := dataset.CreateClear(ctx, o.d.Options, name, rowsPerFile, o.schema)
		if err != nil {
			in.Close()
			return nil, nil, err
		}
		report, err := o.write(ctx, in, out, progress)
		if err == nil && report.Records != o.table.Rows {
			err = column.Refuse(o.d.In, "the footer promises %d records and the table has %d", o.table.Rows, report.Records).WithHint(job.ForeignFooter)
		}
		in.Close()
		if err != nil {
			out.Close()
			return nil, nil, err
		}
		if !o.again {
			return report, out, nil
		}
		out.Close() // nothing of it was committed
		progress.Total.Add(o.table.Rows)
	}
}

// open checks the key and the request, and reads the table's footer.
func (d *Request) open(ctx context.Context) (*decryption, error) {
	if d.Key.Secret == nil {
		return nil, column.Refuse(d.Key.File, "this is a public key, and decrypting needs the secret one").WithHint("Give the secret.age or secret.json that keygen wrote beside it.")
	}
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	if err := d.Key.UseKernel(d.Kernel); err != nil {
		return nil, err
	}
	d.AnnounceKey(d.Key.Public)
	in, err := d.table(ctx)
	if err != nil {
		return nil, err
	}
	t := in.Table
	if t.Fingerprint != d.Key.Public.Fingerprint() {
		return nil, column.Refuse(d.In, "wrong key: the table is encrypted under key %s, this is key %s", job.ShortFingerprint(t.Fingerprint), job.ShortFingerprint(d.Key.Public.Fingerprint())).
			WithHint("Find the secret key whose fingerprint is %s.", t.Fingerprint)
	}
	o, err := newDecryption(d, in)
	if err == nil {
		enctable.WarnOfUnidentified(d.Options, t, d.In)
		if d.unsigned {
			enctable.WarnOfUnsignedMeasures(d.Options, d.In)
		}
		enctable.WarnOfTwo(d.Options, t, d.In, o.noise != nil || t.Noise != nil)
	}
	return o, err
}

// table finds the table to open.
func (d *Request) table(ctx context.Context) (*enctable.Set, error) {
	in, err := enctable.FindOne(ctx, d.Options, d.In)
	if err != nil {
		return nil, err
	}
	if err := job.CheckOutput(ctx, d.FS, d.Out, in.Files); err != nil {
		return nil, err
	}
	if d.Trust == "" {
		_, err := trust.Collect([]trust.Input{in.Trusted()}) // what is signed is signed rightly
		return in, err
	}
	policy, err := trust.ReadPolicy(ctx, d.FS, d.Trust)
	if err != nil {
		return nil, err
	}
	d.unsigned, err = policy.CheckSum(in.Trusted())
	return in, err
}

// check refuses a request that makes no sense for any table.
func (d *Request) check(ctx context.Context) error {
	if err := job.CheckRowsPerFile(d.RowsPerFile); err != nil {
		return err
	}
	if d.MinOwners < 0 {
		return job.Misuse("It is a number of owners' tables.", "‹min_owners› %d is negative", d.MinOwners)
	}
	if d.MinCount < 0 {
		return job.Misuse("It is a number of values.", "‹min_count› %d is negative", d.MinCount)
	}
	if d.MinCount > 0 && d.Privacy.Wanted() {
		return job.Misuse("Noise protects people in sums of few values, too. Leave out one of the two.", "‹min_count› with ‹noise›: what is suppressed would tell exact counts")
	}
	if _, _, err := dataset.ClearFormat(d.Out, d.RowsPerFile); err != nil {
		return err
	}
	return job.CheckOutput(ctx, d.FS, d.Out, []string{d.In})
}

// decryption is the decrypting stage.
type decryption struct {
	d       *Request
	in      *enctable.Set
	pk      *paillier.PublicKey
	table   *ctfile.Table
	plan    *slots.Plan
	totals  []*codec.Total // per column, when the table is a total of blocks
	stats   []stats.Statistic
	limits  []codec.Bound      // per quantity: what |sum| can at most be
	schema  *arrow.Schema      // of the result
	hiding  *stats.Suppression // nil: counts do not tell how many values there are
	again   bool               // after write: all is to be decrypted once more, as more must be hidden
	noise   *privacy.Noise     // to add; nil: none
	privacy *job.PrivacyReport // of the noise that the result has; nil: none
	beyond  outOfRange
}

// batchRows is how many rows of the table are decrypted together.
func (o *decryption) batchRows() int {
	return enctable.BatchRows(len(o.table.Columns), o.pk.CiphertextSize())
}

// openTable opens the rows of the table.
func (o *decryption) openTable(ctx context.Context) (*dataset.RangeReader, error) {
	r, err := o.in.Open(ctx, o.d.Options, o.batchRows())
	if err != nil {
		return nil, err
	}
	return &dataset.RangeReader{Reader: r}, nil
}

// write decrypts rows of the table, and advances the progress. The caller commits.
func (o *decryption) write(ctx context.Context, in column.Reader, out column.Writer, progress *engine.Progress) (*job.Report, error) {
	start := time.Now()
	var records, ciphertexts atomic.Int64
	tallies := make([]*stats.Tally, o.d.Threads)
	ran, err := engine.Run(ctx, engine.Pipeline[column.Batch, column.Batch]{
		Source: engine.Source[column.Batch]{Name: "read", Next: in.Read},
		Stage: engine.Stage[column.Batch, column.Batch]{Name: "decrypt", Workers: o.d.Threads, Discard: column.Batch.Release, New: func(worker int) (engine.Work[column.Batch, column.Batch], error) {
			tallies[worker] = o.hiding.NewTally()
			work := o.worker(tallies[worker])
			return func(ctx context.Context, b column.Batch) (column.Batch, error) {
				rows := b.NumRows()
				result, err := work(ctx, b)
				if err == nil {
					ciphertexts.Add(rows * int64(len(o.plan.Columns)))
					progress.Items.Add(rows * int64(len(o.plan.Columns)))
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
	if err == nil {
		err = o.beyond.refusal(o.d)
	}
	if err != nil {
		return nil, job.UnwrapStage(err)
	}
	report := &job.Report{Kernel: o.pk.Kernel(), Key: job.DescribeKey(o.pk), Inputs: []job.InputReport{{File: o.d.In, Rows: o.table.Rows}},
		Records: records.Load(), Ciphertexts: ciphertexts.Load(), Privacy: o.privacy, Originals: enctable.DescribeOriginals(o.table)}
	report.Values = report.Records * int64(len(slots.BaseMeasures(o.table)))
	report.Finish(start, ran)
	if o.hiding != nil {
		all := o.hiding.NewTally()
		for _, t := range tallies {
			if t != nil { // a worker that had work
				all.Add(t)
			}
		}
		o.again = o.hiding.Again(all)
		o.tell(report, all)
	}
	return report, nil
}

// newDecryption prepares to read a table whose id columns are given. It needs no secret.
func newDecryption(d *Request, in *enctable.Set) (*decryption, error) {
	t := in.Table
	pk, err := enctable.PublicKey(enctable.Input{File: d.In, Table: t})
	if err != nil {
		return nil, err
	}
	if d.Key.Public != nil {
		pk = d.Key.Public // the same one, with the kernel that was chosen
	}
	n := pk.NWords()
	p, err := slots.NewPlan(t, n)
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(job.ForeignFooter)
	}
	if t.Layout == slots.Blocks && !t.Total && len(t.IDs) == 0 {
		return nil, column.Refuse(d.In, "unusable layout: blocks without ids do not tell how many records they have").WithHint(job.ForeignFooter)
	}
	noise, err := d.planNoise(t)
	if err != nil {
		return nil, err
	}
	statistics, err := stats.ForTable(noise.RoomFor(t))
	if err != nil {
		return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(job.ForeignFooter)
	}
	more, err := d.Further.Columns(d.In, t, statistics)
	if err != nil {
		return nil, err
	}
	statistics = append(statistics, more...)
	var ids []arrow.Field
	for _, f := range in.IDs {
		ids = append(ids, arrow.Field{Name: f.Name, Type: enctable.RecordType(f.Type)})
	}
	if err := enctable.CheckOwners(d.In, t, d.MinOwners); err != nil {
		return nil, err
	}
	if err := enctable.CheckFused(d.In, t, d.Unfused); err != nil {
		return nil, err
	}
	hiding, err := d.suppression(t)
	if err != nil {
		return nil, err
	}
	o := &decryption{d: d, in: in, pk: pk, table: t, plan: p, stats: statistics, hiding: hiding, schema: stats.Schema(ids, statistics, d.MinCount > 0)}
	for _, m := range t.Measures {
		bound, err := codec.ParseBound(m.Bound)
		if err != nil {
			return nil, column.Refuse(d.In, "measure %s: bound %w", column.Quote(m.Name), err).WithHint(job.ForeignFooter)
		}
		o.limits = append(o.limits, bound.Times(codec.BoundOf(uint64(t.AddsUsed))))
	}
	if err := o.planRelease(noise); err != nil {
		return nil, err
	}
	if t.Total {
		if err := enctable.CheckTuples(t); err != nil {
			return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(job.ForeignFooter)
		}
		if o.totals, err = totals(t, n); err != nil {
			return nil, column.Refuse(d.In, "unusable layout: %w", err).WithHint(job.ForeignFooter)
		}
	}
	return o, nil
}

func (o *decryption) worker(tally *stats.Tally) engine.Work[column.Batch, column.Batch] {
	decryptor := o.d.Key.Secret.NewDecryptor()
	limbs := o.pk.PlaintextLimbs()
	ids := len(o.table.IDs)
	var m []uint64
	adder := o.noise.Adder()
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
		within := true
		for c := range o.plan.Columns {
			if err := ctx.Err(); err != nil {
				return column.Batch{}, err
			}
			if err := decryptor.Decrypt(m, column.FixedBytes(b.Column(ids+c))); err != nil {
				return column.Batch{}, enctable.RefuseCiphertext(b, o.table.Columns[c], err)
			}
			col := &o.plan.Columns[c]
			values = slices.Grow(values[:0], len(col.Cells))[:len(col.Cells)]
			for row := range rows {
				residue := m[row*limbs : (row+1)*limbs]
				if o.totals != nil {
					o.totals[c].Unpack(values, residue)
				} else if err := col.Packer.Unpack(values, residue); err != nil {
					within = false
					o.beyond.note(b.Refuse(row, o.table.Columns[c], "a sum of this ciphertext is beyond its slot"))
				}
				for i, cell := range col.Cells {
					if record := int(first[row]) + cell.Record; record < int(first[row+1]) {
						sums[cell.Quantity][record] = values[i]
					}
					if slots.Exceeds(values[i], o.limits[cell.Quantity]) {
						within = false
						o.beyond.note(b.Refuse(row, o.table.Columns[c], "the sum of %s is beyond what the footer's bound and additions allow", column.Quote(o.table.Measures[cell.Quantity].Name)))
					}
				}
			}
		}
		clear(m)
		if !within { // it is refused in the end, and these do not suit the columns of the result
			for q := range sums {
				clear(sums[q])
			}
		}
		if adder != nil {
			if err := adder.AddAll(sums); err != nil {
				return column.Batch{}, err
			}
		}
		return o.result(b, sums, o.hide(tally, b, sums, first), records), nil
	}
}

// rowRecords returns for every row of the batch the number of its first record within the batch, and their total.
func (o *decryption) rowRecords(b column.Batch) (first []int32, records int, err error) {
	rows := int(b.NumRows())
	first = make([]int32, rows+1)
	for row := range rows {
		n := 1
		if o.table.Layout == slots.Blocks && !o.table.Total {
			from, to := b.Column(0).(*array.List).ValueOffsets(row)
			n = int(to - from)
			if n < 1 || n > o.plan.Records {
				return nil, 0, b.Refuse(row, b.ColumnName(0), "a block of %d records where %d is the most", n, o.plan.Records)
			}
		}
		first[row+1] = first[row] + int32(n)
	}
	return first, int(first[rows]), nil
}

// result makes a batch of the decrypted table.
func (o *decryption) result(b column.Batch, sums [][]codec.Int, hidden [][]bool, records int) column.Batch {
	idColumns := slices.Clone(b.Columns()[:len(o.table.IDs)])
	if o.table.Layout == slots.Blocks {
		idColumns = ids.Flatten(idColumns)
		defer ids.Release(idColumns)
	}
	results := stats.Columns(o.stats, sums, hidden, records)
	defer ids.Release(results)
	return column.Batch{Record: array.NewRecord(o.schema, append(idColumns, results...), int64(records))}
}

// totals prepares to read the columns of a total of blocks: one column for each tuple.
func totals(t *ctfile.Table, n []uint64) ([]*codec.Total, error) {
	out := make([]*codec.Total, len(t.Columns))
	for c, tuple := range enctable.TupleWidths(t) {
		var err error
		if out[c], err = codec.NewTotal(n, tuple); err != nil {
			return nil, err
		}
	}
	return out, nil
}
