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
// order, else all in file order.
//
// Every batch except the last has exactly opts.BatchRows rows. With opts.Threads > 1, that many row groups are decoded
// at a time by goroutines, which begin with the first Read and end with Close.
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

func open(f blob.File, path string, opts column.ReadOptions) (*reader, error) {
	opts = opts.WithDefaults()
	pf, err := pages.Open(path, f, f.Size())
	if err != nil {
		return nil, err
	}
	cols, err := choose(pf, opts.Columns)
	if err != nil {
		return nil, err
	}
	scan := pages.NewScan(pf, cols, pages.ScanOptions{BatchRows: opts.BatchRows, Threads: opts.Threads, Mem: opts.Mem})
	return &reader{scan: scan, file: f}, nil
}

// choose returns the columns asked for.
func choose(f *pages.File, wanted []string) ([]*pages.Column, error) {
	var names []string
	for _, c := range f.Columns() {
		names = append(names, c.Name)
	}
	at, err := column.Select(f.Name(), names, wanted)
	if err != nil {
		return nil, err
	}
	cols := make([]*pages.Column, len(at))
	for k, i := range at {
		cols[k] = f.Columns()[i]
		if cols[k].Err != nil {
			return nil, column.Refuse(f.Name(), "%w", cols[k].Err).InColumn(cols[k].Name).
				WithHint("Choose other columns, or convert this one.")
		}
	}
	return cols, nil
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
