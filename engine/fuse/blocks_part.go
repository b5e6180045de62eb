package fuse

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// blockKey is the key of a block in a run: its number.
func blockKey(key []byte, number int64) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(number))
}

// describeBlocks says what a run of a range is a part of, and what rows it has.
func (f *fusion) describeBlocks(part job.Range, m *merger) (sums.Description, sums.Shape, error) {
	d, err := f.describe(part, []string{"block"}, m.table.Columns)
	return d, sums.Shape{Key: f.pk, Slots: len(m.table.Columns)}, err
}

// alignedPart folds blocks into a run of them.
func (f *fusion) alignedPart(ctx context.Context, part job.Range, out string) (engine.Stats, error) {
	m, err := f.alignedTable()
	if err != nil {
		return engine.Stats{}, err
	}
	d, shape, err := f.describeBlocks(part, m)
	if err != nil {
		return engine.Stats{}, err
	}
	file, err := sums.CreateFile(ctx, f.request.Disk, out, shape, d)
	if err != nil {
		return engine.Stats{}, err
	}
	defer file.Close()
	at := part.From
	keys := &sums.Keys{}
	stats, err := f.foldBlocks(ctx, m, part, func(_ context.Context, s enctable.Rows) error {
		keys.Reset()
		for range s.Rows {
			keys.Data = blockKey(keys.Data, at)
			keys.End()
			at++
		}
		return file.Append(&sums.Rows{Keys: keys, Sums: s.Ciphertexts, Size: f.pk.CiphertextSize()})
	})
	if err != nil {
		return stats, err
	}
	f.report.Records = file.Rows()
	return stats, file.Commit(ctx)
}

// alignedRuns joins runs of blocks to the result, with the ids of the first input.
func (f *fusion) alignedRuns(ctx context.Context, runs []string) (engine.Stats, error) {
	m, err := f.alignedTable()
	if err != nil {
		return engine.Stats{}, err
	}
	d, shape, err := f.describeBlocks(job.Range{}, m)
	if err != nil {
		return engine.Stats{}, err
	}
	files, err := f.openRuns(ctx, runs, d)
	if err != nil {
		return engine.Stats{}, err
	}
	defer closeRuns(files)
	out, err := enctable.Create(ctx, f.request.Options, f.request.Out, f.request.RowsPerFile, m.table, f.inputs[0].IDs, f.seal)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	defer f.request.Watch("merge", &f.progress)()
	f.progress.Total.Store(m.table.Rows)
	first := f.inputs[0]
	ids, err := f.reader(ctx, first, enctable.BatchRows(len(m.table.Columns), f.pk.CiphertextSize()), first.Table.IDs...)
	if err != nil {
		return engine.Stats{}, err
	}
	defer ids.Close()
	in := newRunReader(files, shape)
	at := int64(0)
	err = column.Each(ctx, ids, func(b column.Batch) error {
		s := enctable.Rows{IDs: b.Columns(), Rows: int(b.NumRows()), Ciphertexts: make([][]byte, shape.Slots)}
		for range s.Rows {
			key, row, err := in.next(ctx)
			if err != nil {
				return err
			}
			if !bytes.Equal(key, blockKey(nil, at)) {
				return in.damaged("block %d is not where it should be", at+1)
			}
			for c, sum := range row {
				s.Ciphertexts[c] = append(s.Ciphertexts[c], sum...)
			}
			f.ciphertexts.Add(int64(len(row)))
			at++
		}
		f.progress.Done.Add(int64(s.Rows * first.Table.BlockRecords))
		return enctable.WriteRows(ctx, out, s, 0, false)
	})
	if err == nil {
		err = in.end(ctx)
	}
	if err != nil {
		return engine.Stats{}, err
	}
	f.report.Records = m.table.Rows
	return engine.Stats{}, out.Commit(ctx)
}

// runReader reads the rows of run files one by one, file by file.
type runReader struct {
	files  []*sums.File // still to be opened
	file   *sums.File   // that is being read, or was the last
	shape  sums.Shape
	pool   *sums.Pool
	source sums.Source
	block  *sums.Block
	row    int
	sums   [][]byte
}

func newRunReader(files []*sums.File, shape sums.Shape) *runReader {
	return &runReader{files: files, shape: shape, pool: sums.NewPool(sums.PoolBytesMin(shape), shape), sums: make([][]byte, shape.Slots)}
}

// next returns the next row's key and sums, nil for a missing sum. They are valid until the next call.
func (r *runReader) next(ctx context.Context) (key []byte, row [][]byte, err error) {
	if err = r.load(ctx); err == io.EOF {
		err = r.damaged("rows are missing")
	}
	if err != nil {
		return nil, nil, err
	}
	for slot := range r.sums {
		r.sums[slot], _ = r.block.Sum(r.row, slot)
	}
	key = r.block.Key(r.row)
	r.row++
	return key, r.sums, nil
}

// load makes the next row be in the block, or returns io.EOF.
func (r *runReader) load(ctx context.Context) (err error) {
	for r.block == nil || r.row == r.block.Len() {
		if r.block != nil {
			r.block.Release()
			r.block = nil
		}
		if r.source == nil {
			if len(r.files) == 0 {
				return io.EOF
			}
			r.file, r.files = r.files[0], r.files[1:]
			if r.source, err = r.file.Source(r.shape, r.pool); err != nil {
				return err
			}
		}
		b, err := r.source.Next(ctx)
		if err == io.EOF {
			r.source = nil // its file is closed by whoever opened it
			continue
		}
		if err != nil {
			return err
		}
		r.block, r.row = b, 0
	}
	return nil
}

// damaged refuses the file that is being read.
func (r *runReader) damaged(format string, args ...any) error {
	return r.file.Refuse(fmt.Errorf("%w: %s", sums.ErrDamaged, fmt.Sprintf(format, args...)))
}

// end demands that there are no more rows.
func (r *runReader) end(ctx context.Context) error {
	switch err := r.load(ctx); err {
	case io.EOF:
		return nil
	case nil:
		return r.damaged("rows are left over")
	default:
		return err
	}
}
