package parquetio

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// Open opens a Parquet file. Its columns are those of opts.Columns in that
// order, else all in file order. The fields of a structure are columns called
// by their path, such as address.city, unless a column has that very name.
//
// Only the columns asked for have to be readable. When none are named, Schema
// tells all, and reading is refused if one of them cannot be (column.Choose).
//
// Every batch has exactly as many rows but the last: opts.BatchRows, or fewer,
// as few as one, if these would take more than opts.BatchBytes. With
// opts.Threads > 1, that many row groups are decoded at a time by goroutines,
// which begin with the first Read and end with Close.
func Open(ctx context.Context, fs blob.FS, path string, opts column.ReadOptions) (column.Reader, error) {
	f, err := fs.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	r, err := open(f, path, opts)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func open(f blob.File, path string, opts column.ReadOptions) (column.Reader, error) {
	opts = opts.WithDefaults()
	pf, err := pages.Open(path, f, f.Size())
	if err != nil {
		return nil, err
	}
	var have []column.Candidate
	for _, c := range pf.Columns() {
		have = append(have, column.Candidate{Field: c.Textual().Field, Nested: c.Nested, Type: c.Type, Err: c.Err, Hint: c.Hint()})
	}
	chosen, err := column.Choose(path, have, pf.Structs(), opts.Columns)
	if err != nil {
		return nil, err
	}
	if chosen.Err == nil && len(chosen.At) == 0 {
		chosen.Err = column.Refuse(path, "the file has no columns").WithHint("Check the export that wrote it.")
	}
	if chosen.Err != nil {
		if err := f.Close(); err != nil {
			return nil, err
		}
		return column.Refusing(path, chosen.Schema, chosen.Err), nil
	}
	cols := make([]*pages.Column, len(chosen.At))
	for k, i := range chosen.At {
		cols[k] = pf.Columns()[i].Textual()
	}
	scan := pages.NewScan(pf, cols, pages.ScanOptions{BatchRows: batchRows(pf, cols, opts), Threads: opts.Threads, Mem: opts.Mem})
	return &reader{scan: scan, file: f}, nil
}

// batchRows is how many rows make a batch: BatchRows, or as many as take about BatchBytes.
func batchRows(f *pages.File, cols []*pages.Column, opts column.ReadOptions) int {
	bytes := 0.0 // of a row
	rows := float64(max(1, f.NumRows()))
	for _, c := range cols {
		if t, ok := c.Field.Type.(arrow.FixedWidthDataType); ok {
			bytes += float64(t.BitWidth()) / 8
		} else {
			bytes += max(4, float64(f.DataBytes(c))/rows)
		}
	}
	return int(max(1, min(float64(opts.BatchRows), float64(opts.BatchBytes)/max(bytes, 1))))
}

type reader struct {
	scan *pages.Scan
	file blob.File // nil when closed
}

func (r *reader) File() string          { return r.scan.File() }
func (r *reader) Schema() *arrow.Schema { return r.scan.Schema() }

func (r *reader) Read(ctx context.Context) (column.Batch, error) { return r.scan.Read(ctx) }

func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return errors.Join(r.scan.Close(), f.Close())
}
