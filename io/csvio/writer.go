package csvio

import (
	"bufio"
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/output"
	"github.com/klauspost/compress/gzip"
)

// flushBytes is how much text a Writer gathers before it passes it on.
const flushBytes = 256 << 10

// Writer writes a delimited text file: a header row, then the rows; lines end in LF. A value is in quotes where it
// must be. A null is an empty field and an empty string is "", for readers that tell them apart. (Open reads both as
// null unless ReadOptions.Nulls say otherwise.) In a table of one column a null is "" as well, as a blank line would
// not be a row.
//
// A spreadsheet takes a text that begins with = + - @, a tab, an end of line, or a wide form of these, for a formula, and
// does what it says. With column.WriteOptions.SafeText such a text, or one that differs from it by ' before it, gets one
// more ' before it. So different texts stay different. Numbers stay as they are.
type Writer struct {
	file   *output.File
	zip    *gzip.Writer  // nil unless compressed
	zipped *bufio.Writer // what zip writes to
	out    io.Writer     // zip or the file
	schema *arrow.Schema
	delim  byte
	null   string            // what stands for a null
	safe   bool              // texts that are formulas get a ' before them,
	warn   func(text string) // or the first one is told; nil: nobody is
	buf    []byte
	cells  []cell
}

// Create begins the named file. The name's extension says the kind. The
// columns may be booleans, integers, floats, decimals, strings, dates,
// timestamps, dictionaries of strings, and nulls; others are refused.
func Create(ctx context.Context, fs blob.FS, name string, schema *arrow.Schema, opts column.WriteOptions) (column.Writer, error) {
	d, err := dialectOf(name)
	if err != nil {
		return nil, err
	}
	if d.bed {
		return nil, column.Refuse(name, "BED files are only read").WithHint("Write a .tsv file instead.")
	}
	if schema.NumFields() == 0 {
		return nil, column.Refuse(name, "a table without columns cannot be written as text").WithHint("Select at least one column.")
	}
	if err := column.CheckNames(name, column.Names(schema)); err != nil {
		return nil, err
	}
	for _, f := range schema.Fields() {
		if !writable(f.Type) {
			return nil, column.Refuse(name, "text cannot hold values of type %s", f.Type).InColumn(f.Name).
				WithHint("Write a .parquet or .arrow file instead.")
		}
	}
	file, err := output.Create(ctx, fs, name, blob.CreateOptions{Overwrite: opts.Overwrite, Private: opts.Private})
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, out: file.Bytes(), schema: schema, delim: d.delim, safe: opts.SafeText, warn: opts.Formula}
	if schema.NumFields() == 1 {
		w.null = `""`
	}
	if d.gzip {
		w.zipped = bufio.NewWriterSize(w.out, flushBytes)
		w.zip = gzip.NewWriter(w.zipped)
		w.out = w.zip
	}
	for i, f := range schema.Fields() {
		if i > 0 {
			w.buf = append(w.buf, w.delim)
		}
		w.buf = w.appendString(w.buf, f.Name)
	}
	w.buf = append(w.buf, '\n')
	return w, nil
}

// Write appends the rows of b.
func (w *Writer) Write(ctx context.Context, b column.Batch) error {
	return w.file.Write(ctx, func() error { return w.write(b) })
}

func (w *Writer) write(b column.Batch) error {
	if err := w.file.SameColumns(b.Schema(), w.schema); err != nil {
		return err
	}
	w.cells = w.cells[:0]
	for i := range int(b.NumCols()) {
		w.cells = append(w.cells, w.cellOf(b.Column(i)))
	}
	for row := range int(b.NumRows()) {
		for i, cell := range w.cells {
			if i > 0 {
				w.buf = append(w.buf, w.delim)
			}
			if b.Column(i).IsNull(row) {
				w.buf = append(w.buf, w.null...)
			} else {
				w.buf = cell(w.buf, row)
			}
		}
		w.buf = append(w.buf, '\n')
		if len(w.buf) >= flushBytes {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) flush() error {
	_, err := w.out.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// isFormula reports whether a spreadsheet may take a text for a formula.
func isFormula(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && strings.ContainsRune("=+-@\t\r\n＝＋－＠", r)
}

// appendString appends a string value, in quotes where it must be.
func (w *Writer) appendString(dst []byte, s string) []byte {
	switch {
	case w.safe:
		if isFormula(strings.TrimLeft(s, "'")) {
			s = "'" + s
		}
	case w.warn != nil && isFormula(s):
		w.warn(s)
		w.warn = nil
	}
	bare := s != "" && !strings.HasPrefix(s, "\ufeff") // which would be taken for the file's own
	for i := 0; i < len(s) && bare; i++ {
		c := s[i]
		bare = c != w.delim && c != '"' && c != '\n' && c != '\r'
	}
	if bare {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(dst, s[:i+1]...)
		dst = append(dst, '"')
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

// Commit writes what is left and gives the file its name.
func (w *Writer) Commit(ctx context.Context) error {
	return w.file.Commit(ctx, func() error {
		if err := w.flush(); err != nil || w.zip == nil {
			return err
		}
		if err := w.zip.Close(); err != nil {
			return err
		}
		return w.zipped.Flush()
	})
}

// Close discards the file unless it was committed.
func (w *Writer) Close() error { return w.file.Close() }
