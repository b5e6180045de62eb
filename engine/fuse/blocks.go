package fuse

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// aligned fuses blocks: row i of every input holds the same records.
func (f *fusion) aligned(ctx context.Context) (engine.Stats, error) {
	m, err := f.alignedTable()
	if err != nil {
		return engine.Stats{}, err
	}
	out, err := enctable.Create(ctx, f.request.Options, f.request.Out, f.request.RowsPerFile, m.table, f.inputs[0].IDs, f.seal)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	stats, err := f.foldBlocks(ctx, m, job.Range{From: 0, To: f.partRows()}, func(ctx context.Context, s enctable.Rows) error {
		return enctable.WriteRows(ctx, out, s, 0, false)
	})
	if err != nil {
		return stats, err
	}
	f.report.Records = m.table.Rows
	return stats, out.Commit(ctx)
}

// alignedTable lays out the result, as far as the footers decide it.
func (f *fusion) alignedTable() (*merger, error) {
	m, err := merge(f.inputs)
	if err != nil {
		return nil, err
	}
	adds := int64(0)
	for _, in := range f.inputs {
		adds = codec.SaturatingAdd(adds, in.Adds())
		if in.Table.Rows != f.inputs[0].Table.Rows {
			return nil, column.Refuse(in.File, "%d records, but %s has %d", in.Table.Rows, f.inputs[0].File, f.inputs[0].Table.Rows).
				WithHint("Blocks fuse record by record. Give every owner the same ‹universe›, or encrypt with ‹layout› records.")
		}
	}
	m.table.JobID = f.jobID()
	f.identify(&m.table)
	return m, headroom(&m.table, f.inputs, adds, "the fusion")
}

// foldBlocks folds a range of blocks of all inputs and puts them in order.
func (f *fusion) foldBlocks(ctx context.Context, m *merger, r job.Range, put func(context.Context, enctable.Rows) error) (stats engine.Stats, err error) {
	rows := enctable.BatchRows(len(m.table.Columns), f.pk.CiphertextSize())
	readers := make([]column.Reader, len(f.inputs))
	for i := range f.inputs {
		if readers[i], err = f.open(ctx, rowRange{i, r.From, r.To}, column.ReadOptions{Threads: f.request.Threads, BatchRows: rows}); err != nil {
			return stats, err
		}
		defer readers[i].Close()
	}
	defer f.request.Watch("fuse", &f.progress)()
	f.progress.Total.Store(min(m.table.Rows, (r.To-r.From)*int64(m.table.BlockRecords)))
	return engine.Run(ctx, engine.Pipeline[lockstep, enctable.Rows]{
		Source: engine.Source[lockstep]{Name: "read", Next: func(ctx context.Context) (lockstep, error) { return f.readLockstep(ctx, readers) }},
		Stage: engine.Stage[lockstep, enctable.Rows]{Name: "fold", Workers: f.request.Threads, Discard: lockstep.release, New: func(int) (engine.Work[lockstep, enctable.Rows], error) {
			evaluator := f.pk.NewEvaluator()
			return func(ctx context.Context, l lockstep) (enctable.Rows, error) {
				return f.foldAligned(ctx, evaluator, m, l)
			}, nil
		}},
		Sink: engine.Sink[enctable.Rows]{Name: "write", Discard: enctable.Rows.Release, Put: func(ctx context.Context, s enctable.Rows) error {
			defer s.Release()
			return put(ctx, s)
		}},
	})
}

// lockstep is the same rows of all inputs.
type lockstep []column.Batch

func (l lockstep) release() { column.ReleaseAll(l) }

func (f *fusion) readLockstep(ctx context.Context, readers []column.Reader) (lockstep, error) {
	var l lockstep
	for i, r := range readers {
		b, err := r.Read(ctx)
		if err != nil { // all have the same number of records in blocks of one size, so all end together
			l.release()
			return nil, err
		}
		l = append(l, b)
		if err := f.compareIDs(l[0], b, i); err != nil {
			l.release()
			return nil, err
		}
	}
	return l, nil
}

// compareIDs refuses a batch of blocks of input i whose records differ from those of the first input.
func (f *fusion) compareIDs(a, b column.Batch, i int) error {
	idColumns := len(f.inputs[0].Table.IDs)
	same := a.NumRows() == b.NumRows()
	for c := 0; same && c < idColumns; c++ {
		same = array.Equal(a.Column(c), b.Column(c))
	}
	if same {
		return nil
	}
	const hint = "Blocks fuse record by record. Give every owner the same ‹universe›, or encrypt with ‹layout› records."
	x, y := ids.Flatten(a.Columns()[:idColumns]), ids.Flatten(b.Columns()[:idColumns])
	defer ids.Release(x)
	defer ids.Release(y)
	block := f.inputs[0].Table.BlockRecords
	for r := range min(x[0].Len(), y[0].Len()) {
		if s, t := ids.Text(x, r), ids.Text(y, r); s != t {
			file, row := b.Place(r / block)
			n := (row-1)*int64(block) + int64(r%block) + 1
			return column.Refuse(file, "the ids differ from those of %s: record %d is %s, there it is %s", f.inputs[0].File, n, t, s).
				AtRow(n).InColumn(f.inputs[i].Table.IDs[0]).WithHint(hint)
		}
	}
	return column.Refuse(f.inputs[i].File, "the ids differ from those of %s in number or type", f.inputs[0].File).WithHint(hint)
}

func (f *fusion) foldAligned(ctx context.Context, evaluator *paillier.Evaluator, m *merger, l lockstep) (enctable.Rows, error) {
	ids := len(f.inputs[0].Table.IDs)
	rows := int(l[0].NumRows())
	out := enctable.Rows{IDs: l[0].Columns()[:ids], Rows: rows, Free: l.release}
	for c := range m.table.Columns {
		if err := ctx.Err(); err != nil {
			l.release()
			return enctable.Rows{}, err
		}
		var cts [][]byte
		var from []int
		var weights []int64
		weighted := false
		for i, in := range f.inputs {
			if at := m.columns[i][c]; at >= 0 {
				cts, from, weights = append(cts, columnBytes(l[i], ids, at)), append(from, i), append(weights, in.Weight)
				weighted = weighted || in.Weight != 1
			}
		}
		dst := make([]byte, rows*f.pk.CiphertextSize())
		var err error
		if weighted {
			err = evaluator.WeightedFold(dst, weights, cts...)
		} else {
			err = evaluator.Fold(dst, cts...)
		}
		if err == nil && f.refresh {
			err = evaluator.RerandomizeOf(dst, dst, f.randomizers)
		}
		if err != nil {
			err = f.refuseFold(err, l, from, m.columns, c)
			l.release()
			return enctable.Rows{}, err
		}
		out.Ciphertexts = append(out.Ciphertexts, dst)
		f.ciphertexts.Add(int64(rows * len(cts)))
		f.progress.Items.Add(int64(rows * len(cts)))
	}
	f.progress.Done.Add(int64(rows * f.inputs[0].Table.BlockRecords))
	return out, nil
}

// refuseFold names the file and row of the ciphertext that a fold refused.
func (f *fusion) refuseFold(err error, l lockstep, from []int, columns [][]int, c int) error {
	var bad *paillier.CiphertextError
	if !errors.As(err, &bad) {
		return err
	}
	i := from[bad.Batch]
	return enctable.RefuseCiphertext(l[i], f.inputs[i].Table.Columns[columns[i][c]], bad)
}
