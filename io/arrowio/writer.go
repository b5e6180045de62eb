package arrowio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Writer writes an Arrow IPC file, uncompressed, with one record batch for each
// batch written.
type Writer struct {
	name   string
	schema *arrow.Schema
	upload blob.Upload
	buf    *bufio.Writer
	ipc    *ipc.FileWriter
	err    error // of the first failure
	done   bool
}

// Create begins the named file.
func Create(ctx context.Context, fs blob.FS, name string, schema *arrow.Schema, opts column.WriteOptions) (column.Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if schema.NumFields() == 0 {
		return nil, column.Refuse(name, "a table without columns cannot be read back").WithHint("Select at least one column.")
	}
	if err := column.CheckNames(name, column.Names(schema)); err != nil {
		return nil, err
	}
	upload, err := fs.Create(ctx, name, blob.CreateOptions{Overwrite: opts.Overwrite})
	if err != nil {
		return nil, err
	}
	w := &Writer{name: name, schema: schema, upload: upload, buf: bufio.NewWriterSize(upload, 256<<10)}
	w.ipc, err = ipc.NewFileWriter(&position{w: w.buf}, ipc.WithSchema(schema), ipc.WithAllocator(opts.WithDefaults().Mem))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), upload.Abort())
	}
	return w, nil
}

// position is a writer that knows its position, which is all the seeking that the Arrow library does.
type position struct {
	w io.Writer
	n int64
}

func (p *position) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *position) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.ErrUnsupported
	}
	return p.n, nil
}

// Write appends the rows of b.
func (w *Writer) Write(ctx context.Context, b column.Batch) error {
	if w.err == nil {
		w.err = w.write(ctx, b)
	}
	return w.err
}

func (w *Writer) write(ctx context.Context, b column.Batch) error {
	if w.done {
		return fmt.Errorf("%s: write after Commit or Close", w.name)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !column.SameColumns(b.Schema(), w.schema) {
		return fmt.Errorf("%s: a batch of %v cannot be written to a file of %v", w.name, b.Schema(), w.schema)
	}
	if b.NumRows() == 0 {
		return nil
	}
	rec := array.NewRecord(w.schema, b.Columns(), b.NumRows())
	defer rec.Release()
	if err := w.ipc.Write(rec); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}

// Commit writes the footer and gives the file its name.
func (w *Writer) Commit(ctx context.Context) error {
	if w.done {
		return fmt.Errorf("%s: commit after Commit or Close", w.name)
	}
	if w.err == nil {
		w.err = w.ipc.Close()
	}
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err != nil {
		return errors.Join(w.err, w.Close())
	}
	w.done = true
	w.err = w.upload.Commit(ctx)
	return w.err
}

// Close discards the file unless it was committed.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.upload.Abort()
}
