package parquetio

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
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
	up, err := fs.Create(ctx, path, blob.CreateOptions{Overwrite: opts.Overwrite})
	if err != nil {
		return nil, err
	}
	out, err := pages.NewWriter(up, schema.Fields(), pages.WriterOptions{RowGroupRows: RowGroupRows, RowGroupBytes: RowGroupBytes})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), up.Abort())
	}
	for i, key := range schema.Metadata().Keys() {
		out.SetMetadata(key, schema.Metadata().Values()[i])
	}
	return &writer{path: path, up: up, out: out}, nil
}

type writer struct {
	path string
	up   blob.Upload
	out  *pages.Writer
	done bool
}

func (w *writer) Write(ctx context.Context, b column.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.out.Write(b.Columns(), int(b.NumRows())); err != nil {
		return w.wrap(err)
	}
	return nil
}

func (w *writer) Commit(ctx context.Context) error {
	if w.done {
		return fmt.Errorf("%s: committed or closed already", w.path)
	}
	if err := w.out.Close(); err != nil {
		return w.wrap(err)
	}
	if err := w.up.Commit(ctx); err != nil {
		return err
	}
	w.done = true
	return nil
}

func (w *writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.up.Abort()
}

// wrap names the file, unless the error does.
func (w *writer) wrap(err error) error {
	var known *blob.Error
	if errors.As(err, &known) {
		return known
	}
	return fmt.Errorf("writing %s: %w", w.path, err)
}
