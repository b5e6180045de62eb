package parquetio

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/output"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// These are the size of the row groups written: so many rows, or as soon as so many bytes of one are in memory.
const (
	RowGroupRows  = 128 << 10
	RowGroupBytes = 64 << 20
)

// Create begins a Parquet file of the schema's columns, in their order.
// Nullable fields become OPTIONAL columns, others REQUIRED. The schema's metadata
// become keys and values of the footer.
func Create(ctx context.Context, fs blob.FS, path string, schema *arrow.Schema, opts column.WriteOptions) (column.Writer, error) {
	if err := column.CheckNames(path, column.Names(schema)); err != nil {
		return nil, err
	}
	if err := pages.CheckWidth(path, schema.NumFields()); err != nil {
		return nil, err
	}
	file, err := output.Create(ctx, fs, path, blob.CreateOptions{Overwrite: opts.Overwrite, Private: opts.Private})
	if err != nil {
		return nil, err
	}
	out, err := pages.NewWriter(file.Bytes(), schema.Fields(), pages.WriterOptions{
		RowGroupRows: RowGroupRows, RowGroupBytes: RowGroupBytes, PageBytes: pages.PageBytesFor(RowGroupBytes, max(1, schema.NumFields())),
	})
	if err != nil {
		return nil, file.Discard(err)
	}
	for i, key := range schema.Metadata().Keys() {
		out.SetMetadata(key, schema.Metadata().Values()[i])
	}
	return &writer{file: file, out: out}, nil
}

type writer struct {
	file *output.File
	out  *pages.Writer
}

func (w *writer) Write(ctx context.Context, b column.Batch) error {
	return w.file.Write(ctx, func() error {
		if err := w.out.Write(b.Columns(), int(b.NumRows())); err != nil {
			return w.file.Wrap(err)
		}
		return nil
	})
}

func (w *writer) Commit(ctx context.Context) error {
	return w.file.Commit(ctx, func() error {
		if err := w.out.Close(); err != nil {
			return w.file.Wrap(err)
		}
		return nil
	})
}

func (w *writer) Close() error { return w.file.Close() }
