package job

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// aligned fuses blocks: row i of every input holds the same records.
func (f *fusing) aligned(ctx context.Context) (engine.Stats, error) {
	m, err := f.alignedTable()
	if err != nil {
		return engine.Stats{}, err
	}
	out, err := createTable(ctx, f.Options, f.Out, f.RowsPerFile, m.table, f.inputs[0].ids)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	stats, err := f.foldBlocks(ctx, m, Range{0, f.partRows()}, func(ctx context.Context, s sealed) error {
		return writeSealed(ctx, out, s, 0, false)
	})
	if err != nil {
		return stats, err
	}
	f.report.Records = m.table.Rows
	return stats, out.Commit(ctx)
}

// alignedTable lays out the result, as far as the footers decide it.
func (f *fusing) alignedTable() (*merger, error) {
	m, err := merge(f.inputs)
	if err != nil {
		return nil, err
	}
	adds := int64(0)
	for _, in := range f.inputs {
		adds = codec.SaturatingAdd(adds, in.adds())
		if in.table.Rows != f.inputs[0].table.Rows {
			return nil, column.Refuse(in.file, "%d records, but %s has %d", in.table.Rows, f.inputs[0].file, f.inputs[0].table.Rows).
				WithHint("Blocks fuse record by record. Give every owner the same --universe, or encrypt with --layout records.")
		}
	}
	m.table.JobID = f.jobID()
	return m, headroom(&m.table, f.inputs, adds, "the fusion")
}

// foldBlocks folds a range of blocks of all inputs and puts them in order.
func (f *fusing) foldBlocks(ctx context.Context, m *merger, r Range, put func(context.Context, sealed) error) (stats engine.Stats, err error) {
	rows := tableRows(len(m.table.Columns), f.pk.CiphertextSize())
	readers := make([]column.Reader, len(f.inputs))
	for i := range f.inputs {
		if readers[i], err = f.open(ctx, stretch{i, r.From, r.To}, column.ReadOptions{Threads: f.Threads, BatchRows: rows}); err != nil {
			return stats, err
		}
		defer readers[i].Close()
	}
	defer f.Watch("fuse", &f.progress)()
	f.progress.Total.Store(min(m.table.Rows, (r.To-r.From)*int64(m.table.BlockRecords)))
	return engine.Run(ctx, engine.Pipeline[lockstep, sealed]{
		Source: engine.Source[lockstep]{Name: "read", Next: func(ctx context.Context) (lockstep, error) { return f.readLockstep(ctx, readers) }},
		Stages: engine.Stage[lockstep, sealed]{Name: "fold", Workers: f.Threads, Discard: lockstep.release, New: func(int) (engine.Work[lockstep, sealed], error) {
			evaluator := f.pk.NewEvaluator()
			return func(ctx context.Context, l lockstep) (sealed, error) { return f.foldAligned(ctx, evaluator, m, l) }, nil
		}},
		Sink: engine.Sink[sealed]{Name: "write", Discard: sealed.release, Put: func(ctx context.Context, s sealed) error {
			defer s.release()
			return put(ctx, s)
		}},
	})
}

// lockstep is the same rows of all inputs.
type lockstep []column.Batch

func (l lockstep) release() { column.ReleaseAll(l) }

func (f *fusing) readLockstep(ctx context.Context, readers []column.Reader) (lockstep, error) {
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

// compareIDs refuses a batch of blocks of input i whose records are not those of the first input.
func (f *fusing) compareIDs(a, b column.Batch, i int) error {
	ids := len(f.inputs[0].table.IDs)
	same := a.NumRows() == b.NumRows()
	for c := 0; same && c < ids; c++ {
		same = array.Equal(a.Column(c), b.Column(c))
	}
	if same {
		return nil
	}
	const hint = "Blocks fuse record by record. Give every owner the same --universe, or encrypt with --layout records."
	x, y := flattened(a.Columns()[:ids]), flattened(b.Columns()[:ids])
	defer releaseArrays(x)
	defer releaseArrays(y)
	block := f.inputs[0].table.BlockRecords
	for r := range min(x[0].Len(), y[0].Len()) {
		if s, t := keyText(x, r), keyText(y, r); s != t {
			file, row := b.Place(r / block)
			n := (row-1)*int64(block) + int64(r%block) + 1
			return column.Refuse(file, "the ids differ from those of %s: record %d is %s, there it is %s", f.inputs[0].file, n, t, s).
				AtRow(n).InColumn(f.inputs[i].table.IDs[0]).WithHint(hint)
		}
	}
	return column.Refuse(f.inputs[i].file, "the ids differ from those of %s in number or type", f.inputs[0].file).WithHint(hint)
}

func (f *fusing) foldAligned(ctx context.Context, evaluator *paillier.Evaluator, m *merger, l lockstep) (sealed, error) {
	ids := len(f.inputs[0].table.IDs)
	rows := int(l[0].NumRows())
	out := sealed{ids: l[0].Columns()[:ids], rows: rows, free: l.release}
	for c := range m.table.Columns {
		if err := ctx.Err(); err != nil {
			l.release()
			return sealed{}, err
		}
		var cts [][]byte
		var from []int
		var weights []int64
		weighted := false
		for i, in := range f.inputs {
			if at := m.columns[i][c]; at >= 0 {
				cts, from, weights = append(cts, columnBytes(l[i], ids, at)), append(from, i), append(weights, in.weight)
				weighted = weighted || in.weight != 1
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
			err = evaluator.Rerandomize(dst, dst)
		}
		if err != nil {
			err = f.refuseFold(err, l, from, m.columns, c)
			l.release()
			return sealed{}, err
		}
		out.ct = append(out.ct, dst)
		f.ciphertexts.Add(int64(rows * len(cts)))
		f.progress.Items.Add(int64(rows * len(cts)))
	}
	f.progress.Done.Add(int64(rows * f.inputs[0].table.BlockRecords))
	return out, nil
}

// refuseFold names the file and row of the ciphertext that a fold refused.
func (f *fusing) refuseFold(err error, l lockstep, from []int, columns [][]int, c int) error {
	var bad *paillier.CiphertextError
	if !errors.As(err, &bad) {
		return err
	}
	i := from[bad.Batch]
	return refuseCiphertext(l[i], f.inputs[i].table.Columns[columns[i][c]], bad)
}
