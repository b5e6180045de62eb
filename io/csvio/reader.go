package csvio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/gzipped"
	"github.com/cipherfold/cipherfold/io/internal/stream"
)

// batchBytesMax keeps a column of a batch, with one more record, within the
// range of its offsets.
const batchBytesMax = 1 << 30

// Reader reads a delimited text file. Its columns are nullable strings.
type Reader struct {
	name    string
	file    blob.File
	scanner *scanner
	opts    column.ReadOptions
	header  []string
	schema  *arrow.Schema
	at      []int // the field that each column is read from
	unread  error // of reading all columns, when two have one name
	columns []stringColumn
	nulls   nulls
	rows    int64 // delivered
	err     error
}

// Open opens the named file and reads its header. The name's extension says the kind. An empty file is refused
// (column.ErrEmptyFile). One with a header and no row is a table without rows.
func Open(ctx context.Context, fs blob.FS, name string, opts column.ReadOptions) (column.Reader, error) {
	d, err := dialectOf(name)
	if err != nil {
		return nil, err
	}
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	r := &Reader{name: name, file: f, opts: opts.WithDefaults()}
	r.opts.BatchBytes = min(r.opts.BatchBytes, batchBytesMax)
	if err := r.open(d); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *Reader) open(d dialect) error {
	if r.file.Size() == 0 {
		return column.Refuse(r.name, "%w", column.ErrEmptyFile).WithHint("Check that the export that wrote it ran to its end.")
	}
	var src io.Reader = stream.NewSource(r.file)
	if d.gzip {
		z, err := gzipped.NewReader(src, bufferBytes)
		if err != nil {
			return r.place(err, 1)
		}
		src = z
	}
	r.scanner = newScanner(src, d, bufferBytes)
	if err := r.readHeader(); err != nil {
		return err
	}
	have := make([]column.Candidate, len(r.header))
	for i, name := range r.header {
		have[i] = column.Candidate{Field: arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}, Type: arrow.BinaryTypes.String.String()}
	}
	chosen, err := column.Choose(r.name, have, nil, r.opts.Columns)
	if err != nil {
		return placeHeader(err)
	}
	r.at, r.schema, r.unread = chosen.At, chosen.Schema, placeHeader(chosen.Err)
	r.columns = make([]stringColumn, len(r.at))
	r.nulls = newNulls(r.opts.Nulls)
	r.scanner.want = len(r.header)
	return nil
}

// foreign are the beginnings of files that are often mistaken for text.
var foreign = []struct{ magic, what, hint string }{
	{"\x1f\x8b", "is compressed with gzip", "Add .gz to its name."},
	{"PK\x03\x04", "is a zip archive or a spreadsheet", "Extract it, or export the sheet as CSV."},
	{"\xff\xfe", "is UTF-16 text", "Convert the file to UTF-8, for example with iconv."},
	{"\xfe\xff", "is UTF-16 text", "Convert the file to UTF-8, for example with iconv."},
	{"PAR1", "is a Parquet file", "Name it .parquet."},
	{"ARROW1\x00\x00", "is an Arrow file", "Name it .arrow."},
	{"\x28\xb5\x2f\xfd", "is compressed with zstd", "Decompress it, or compress it with gzip."},
}

func (r *Reader) readHeader() error {
	s := r.scanner
	for !s.eof && s.end < 8 {
		if err := s.fill(); err != nil {
			return r.place(err, 1)
		}
	}
	for _, f := range foreign {
		if bytes.HasPrefix(s.buf[:s.end], []byte(f.magic)) {
			return column.Refuse(r.name, "not delimited text: it %s", f.what).WithHint("%s", f.hint)
		}
	}
	if bytes.HasPrefix(s.buf[:s.end], []byte("\ufeff")) {
		s.start = len("\ufeff")
	}
	switch err := s.next(); {
	case err == io.EOF:
		return column.Refuse(r.name, "%w: no header row", column.ErrEmptyFile).WithHint("Check that the export that wrote it ran to its end.")
	case err != nil:
		return r.place(err, s.line)
	}
	r.header = make([]string, len(s.fields))
	for i := range r.header {
		r.header[i] = string(s.field(i))
	}
	if s.bed {
		if len(r.header) < len(bedNames) || !strings.HasPrefix(r.header[0], "#") {
			return column.Refuse(r.name, "not a BED file of expression values: the header is not #chr start end id sample...").AtLine(1).
				WithHint("The first line names the columns, begins with #, and is separated by tabs.")
		}
		copy(r.header, bedNames)
	}
	if bytes.IndexByte(s.rec, '\r') >= 0 && bytes.IndexByte(s.rec, '\n') < 0 {
		return column.Refuse(r.name, "a carriage return within the header").AtLine(1).
			WithHint("Lines must end in LF or CRLF; convert the line ends.")
	}
	return nil
}

// placeHeader adds the header's line to an error about a column name.
func placeHeader(err error) error {
	if e := (*column.InputError)(nil); errors.As(err, &e) {
		e.AtLine(1)
	}
	return err
}

// File returns the file's name.
func (r *Reader) File() string { return r.name }

// Schema returns the columns read: nullable strings.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Rows returns how many rows were delivered so far.
func (r *Reader) Rows() int64 { return r.rows }

// Read returns the next rows: at most ReadOptions.BatchRows and, except for the last row, at most
// ReadOptions.BatchBytes of text in all columns of the file.
func (r *Reader) Read(ctx context.Context) (column.Batch, error) {
	if r.err == nil {
		r.err = ctx.Err()
	}
	if r.err == nil {
		r.err = r.unread
	}
	if r.err != nil {
		return column.Batch{}, r.err
	}
	for k := range r.columns {
		r.columns[k].reset()
	}
	spans, n := []column.Span(nil), 0
	for held := 0; n < r.opts.BatchRows && held < r.opts.BatchBytes; n++ {
		if err := r.next(); err != nil {
			if err != io.EOF {
				r.err = r.placeRow(err, r.rows+int64(n)+1)
				return column.Batch{}, r.err
			}
			r.err = io.EOF
			break
		}
		s := r.scanner
		held += len(s.rec)
		for k, i := range r.at {
			if value := s.field(i); r.nulls.has(value) {
				r.columns[k].appendNull()
			} else {
				r.columns[k].append(value)
			}
		}
		if last := len(spans) - 1; last >= 0 && spans[last].Line+int64(spans[last].Len) == s.recLine {
			spans[last].Len++
		} else {
			spans = append(spans, column.Span{File: r.name, Row: r.rows + int64(n) + 1, Line: s.recLine, Len: 1})
		}
	}
	if n == 0 {
		return column.Batch{}, r.err
	}
	cols := make([]arrow.Array, len(r.columns))
	for k := range cols {
		cols[k] = r.columns[k].array(r.opts.Mem)
		defer cols[k].Release()
	}
	b := column.Batch{Record: array.NewRecord(r.schema, cols, int64(n)), File: r.name, Row: r.rows + 1, Spans: spans}
	r.rows += int64(n)
	return b, nil
}

// next moves the scanner to the next row and checks its number of fields.
func (r *Reader) next() error {
	s := r.scanner
	if err := s.next(); err != nil {
		return err
	}
	if len(s.fields) != s.want {
		return s.ragged(fmt.Sprint(len(s.fields)))
	}
	return nil
}

// placeRow adds the place of a row to an error of the scanner.
func (r *Reader) placeRow(err error, row int64) error {
	err = r.place(err, r.scanner.line)
	if e := (*column.InputError)(nil); errors.As(err, &e) {
		e.AtRow(row)
		if i, ok := fieldOf(err); ok && i < len(r.header) {
			e.InColumn(r.header[i])
		}
	}
	return err
}

// place adds the file, and the line when it has none, to an error of the
// scanner, and says what an error of the decompressor means.
func (r *Reader) place(err error, line int64) error {
	if e := (*column.InputError)(nil); errors.As(err, &e) {
		e.File = r.name
		return err
	}
	const again = "Copy the file again, and compare its size or checksum with the original."
	switch {
	case errors.Is(err, stream.ErrShrank):
		return column.Refuse(r.name, "%w: it became shorter while it was read", column.ErrTruncated).AtLine(line).
			WithHint("Read a file that nothing writes to.")
	case errors.Is(err, gzipped.ErrTruncated):
		return column.Refuse(r.name, "%w: %w", column.ErrTruncated, err).AtLine(line).WithHint(again)
	case errors.Is(err, gzipped.ErrNot):
		return column.Refuse(r.name, "%w, although its name ends in .gz", err).AtLine(line).
			WithHint("If the file is text, drop .gz from its name; if not, check how it was made.")
	case errors.Is(err, gzipped.ErrTrailing):
		return column.Refuse(r.name, "%w", err).AtLine(line).
			WithHint("What follows would be lost: decompress the file, see what it is, and compress the table alone.")
	case errors.Is(err, gzipped.ErrDamaged):
		return column.Refuse(r.name, "%w", err).AtLine(line).WithHint(again)
	}
	return fmt.Errorf("%s: reading near line %d: %w", r.name, line, err)
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	r.err = errors.New("csvio: read after Close")
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: closing: %w", r.name, err)
	}
	return nil
}
