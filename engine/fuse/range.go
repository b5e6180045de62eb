package fuse

import (
	"context"
	"io"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// rowRange is some consecutive rows of an input of a fusion: from `from`, counted from 0, to before `to`.
type rowRange struct {
	input    int
	from, to int64
}

// rows is the number of rows of all inputs.
func (f *fusion) rows() int64 {
	n := int64(0)
	for _, in := range f.inputs {
		n += in.Table.FileRows()
	}
	return n
}

// ranges are the rows of a range of all inputs, input by input.
func (f *fusion) ranges(r job.Range) []rowRange {
	var out []rowRange
	before := int64(0) // rows of the inputs before
	for i, in := range f.inputs {
		n := in.Table.FileRows()
		s := rowRange{i, max(0, r.From-before), min(n, r.To-before)}
		if s.from < s.to {
			out = append(out, s)
		}
		before += n
	}
	return out
}

// inputBatch is a batch of an input.
type inputBatch struct {
	column.Batch
	input int
}

// rangeReader reads stretches, one after the other.
type rangeReader struct {
	f       *fusion
	rest    []rowRange
	threads int
	columns []string
	rows    int // of a batch; 0 means as many ciphertexts as travel together
	reader  column.Reader
	input   int
}

// readRanges reads all columns of stretches, with some threads that decode.
func (f *fusion) readRanges(list []rowRange, threads int) *rangeReader {
	return &rangeReader{f: f, rest: list, threads: threads}
}

func (r *rangeReader) next(ctx context.Context) (inputBatch, error) {
	for {
		if r.reader == nil {
			if len(r.rest) == 0 {
				return inputBatch{}, io.EOF
			}
			s := r.rest[0]
			r.rest = r.rest[1:]
			rows := r.rows
			if rows == 0 {
				rows = enctable.BatchRows(len(r.f.inputs[s.input].Table.Columns), r.f.pk.CiphertextSize())
			}
			in, err := r.f.open(ctx, s, column.ReadOptions{Columns: r.columns, Threads: r.threads, BatchRows: rows})
			if err != nil {
				return inputBatch{}, err
			}
			r.reader, r.input = in, s.input
		}
		b, err := r.reader.Read(ctx)
		if err == nil {
			return inputBatch{b, r.input}, nil
		}
		if err != io.EOF {
			return inputBatch{}, err
		}
		if err := r.close(); err != nil {
			return inputBatch{}, err
		}
	}
}

func (r *rangeReader) close() error {
	if r.reader == nil {
		return nil
	}
	in := r.reader
	r.reader = nil
	return in.Close()
}

// open opens a stretch, of the table whose footer was read before.
func (f *fusion) open(ctx context.Context, s rowRange, o column.ReadOptions) (column.Reader, error) {
	return f.inputs[s.input].Set.OpenRows(ctx, f.request.Options, o, s.from, s.to)
}

// replaced refuses an input that has changed.
func replaced(file string) error {
	return column.Refuse(file, "the file was replaced while it was being read").WithHint("Run the same command again.")
}
