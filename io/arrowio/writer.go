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
	"github.com/cipherfold/cipherfold/io/internal/output"
)

// Writer writes an Arrow IPC file, uncompressed, with one record batch for each
// batch written.
type Writer struct {
	file   *output.File
	name   string
	schema *arrow.Schema
	buf    *bufio.Writer
	ipc    *ipc.FileWriter
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
	file, err := output.Create(ctx, fs, name, blob.CreateOptions{Overwrite: opts.Overwrite, Private: opts.Private})
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, name: name, schema: schema, buf: bufio.NewWriterSize(file.Bytes(), 256<<10)}
	w.ipc, err = ipc.NewFileWriter(&position{w: w.buf}, ipc.WithSchema(schema), ipc.WithAllocator(opts.WithDefaults().Mem))
	if err != nil {
		return nil, file.Discard(err)
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
	return w.file.Write(ctx, func() error { return w.write(b) })
}

func (w *Writer) write(b column.Batch) error {
	if err := w.file.SameColumns(b.Schema(), w.schema); err != nil {
		return err
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
	return w.file.Commit(ctx, func() error {
		if err := w.ipc.Close(); err != nil {
			return err
		}
		return w.buf.Flush()
	})
}

// Close discards the file unless it was committed.
func (w *Writer) Close() error { return w.file.Close() }
