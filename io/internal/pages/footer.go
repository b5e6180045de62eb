package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// These limit what a file may make the reader hold.
const (
	// FooterBytesMax bounds the metadata at the end of a file. Decoded, it
	// takes up to about a hundred times as much memory.
	FooterBytesMax = 256 << 20

	// PageBytesMax bounds one page, decompressed.
	PageBytesMax = 256 << 20

	// PageValuesMax bounds the values of one page, nulls included.
	PageValuesMax = 1 << 24

	// ColumnBytesMax bounds the values of one column in one batch.
	ColumnBytesMax = 256 << 20

	// ListValuesMax bounds the list elements of one column in one batch.
	ListValuesMax = 1 << 24

	rowGroupsMax      = math.MaxInt16 // the format's own: ordinals are 16-bit
	schemaElementsMax = 1 << 20
	schemaDepthMax    = 64
)

const magic = "PAR1"

// File is an open Parquet file: its metadata, read and checked. It may be used
// by several goroutines at a time.
type File struct {
	name    string
	r       tagged
	size    int64
	end     int64 // where the footer begins: no page reaches beyond
	meta    *fileMeta
	columns []*Column
	structs map[string][]string // names of structures, with those of their fields
	leaves  int

	decoders decoders
}

// Open reads the footer of a file of the given size. name is the file's name in
// errors, all of which are *column.InputError unless reading itself failed.
func Open(name string, r io.ReaderAt, size int64) (f *File, err error) {
	f = &File{name: name, r: tagged{r}, size: size}
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, column.Refuse(name, "malformed Parquet metadata: %v", p).WithHint("%s", hintDamaged)
		}
	}()
	if err := f.readFooter(); err != nil {
		return nil, f.refuse(err)
	}
	if err := f.checkRowGroups(); err != nil {
		return nil, f.refuse(err)
	}
	return f, nil
}

const (
	hintDamaged   = "The file is damaged. Copy or export it again."
	hintTruncated = "Copy or export the file again: its end, where Parquet keeps its table of contents, is missing."
)

func (f *File) readFooter() error {
	if f.size == 0 {
		return column.Refuse(f.name, "%w", column.ErrEmptyFile).WithHint("Check that what wrote it ran to its end.")
	}
	var head [4]byte
	if f.size >= 4 {
		if err := readFull(f.r, head[:], 0); err != nil {
			return err
		}
	}
	if string(head[:]) == "PARE" {
		return column.Refuse(f.name, "the file uses Parquet's own encryption, footer and all").
			WithHint("Decrypt it with the program that encrypted it, or export it without Parquet modular encryption.")
	}
	if string(head[:]) != magic {
		return column.Refuse(f.name, "not a Parquet file").
			WithHint("Check the path, and that the file's extension says what it is.")
	}
	if f.size < 12 {
		return column.Refuse(f.name, "%w", column.ErrTruncated).WithHint("%s", hintTruncated)
	}
	var tail [8]byte
	if err := readFull(f.r, tail[:], f.size-8); err != nil {
		return err
	}
	if string(tail[4:]) != magic {
		return column.Refuse(f.name, "%w: there is no Parquet footer", column.ErrTruncated).WithHint("%s", hintTruncated)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > f.size-12 {
		return fmt.Errorf("the footer claims %d bytes in a file of %d", length, f.size)
	}
	if length > FooterBytesMax {
		return &unsupported{fmt.Sprintf("the footer has %d bytes, more than %d", length, FooterBytesMax), "Write the file with fewer columns or fewer row groups."}
	}
	f.end = f.size - 8 - length
	footer := make([]byte, length)
	if err := readFull(f.r, footer, f.end); err != nil {
		return err
	}
	n, elements, err := scanThrift(footer)
	if err != nil {
		return err
	}
	// The smallest structures that occur in lists take 3 to 7 bytes each, the
	// bulk of them 50 and more; decoded, they take up to some hundreds.
	if elements > len(footer)/6+16 {
		return fmt.Errorf("the footer claims %d structures in %d bytes", elements, len(footer))
	}
	if f.meta, err = decode[fileMeta](footer[:n], "Parquet metadata"); err != nil {
		return err
	}
	if rest := len(footer) - n; rest != 0 && !(f.meta.Encryption.Valid && rest == signatureBytes) {
		return fmt.Errorf("%d bytes follow the metadata in the footer", rest)
	}
	f.columns, f.structs, f.leaves, err = columnsOf(f.meta.Schema)
	return err
}

// signatureBytes is how long the signature is that follows the plain footer of a file with encrypted columns.
const signatureBytes = 28

func (f *File) checkRowGroups() error {
	if !f.meta.NumRows.Valid || f.meta.NumRows.V < 0 {
		return fmt.Errorf("the footer claims %d rows", f.meta.NumRows.V)
	}
	if n := len(f.meta.RowGroups); n > rowGroupsMax {
		return fmt.Errorf("the footer claims %d row groups, more than %d", n, rowGroupsMax)
	}
	left := f.meta.NumRows.V
	if left == 0 {
		// Some writers leave the sum out: the row groups say what there is.
		for i := range f.meta.RowGroups {
			if n := f.meta.RowGroups[i].NumRows.V; n > 0 && n <= math.MaxInt64-left {
				left += n
			}
		}
		f.meta.NumRows.V = left
	}
	for i := range f.meta.RowGroups {
		g := &f.meta.RowGroups[i]
		if len(g.Columns) != f.leaves {
			return column.Refuse(f.name, "%d column chunks for %d columns", len(g.Columns), f.leaves).
				InRowGroup(i+1).WithHint("%s", hintDamaged)
		}
		if !g.NumRows.Valid || g.NumRows.V < 0 || g.NumRows.V > left {
			return column.Refuse(f.name, "%d rows, more than the footer leaves for it (%d)", g.NumRows.V, left).
				InRowGroup(i+1).WithHint("%s", hintDamaged)
		}
		left -= g.NumRows.V
		for _, c := range f.columns {
			for leaf := c.leaf; leaf < c.leaf+c.leaves && c.Err == nil; leaf++ {
				c.Err = checkChunk(&g.Columns[leaf])
			}
		}
	}
	if left != 0 {
		return fmt.Errorf("the row groups have %d rows fewer than the footer claims", left)
	}
	return nil
}

// Name returns the file's name.
func (f *File) Name() string { return f.name }

// NumRows returns the number of rows in the file.
func (f *File) NumRows() int64 { return f.meta.NumRows.V }

// NumRowGroups returns the number of row groups, at most 32767.
func (f *File) NumRowGroups() int { return len(f.meta.RowGroups) }

// RowGroupRows returns the number of rows in row group i, from 0.
func (f *File) RowGroupRows(i int) int64 { return f.meta.RowGroups[i].NumRows.V }

// Columns returns the columns in file order, readable or not: those at the top, and in the place of a structure its fields.
func (f *File) Columns() []*Column { return f.columns }

// Structs returns the names of structures with those of the columns in them.
func (f *File) Structs() map[string][]string { return f.structs }

// DataBytes is about how many bytes of a column's values the file has, decompressed.
func (f *File) DataBytes(c *Column) int64 {
	sum := int64(0)
	for i := range f.meta.RowGroups {
		sum += max(0, f.meta.RowGroups[i].Columns[c.leaf].MetaData.V.TotalUncompressedSize)
	}
	return sum
}

// Values returns the values of a key in the footer's list of keys and values,
// of which the format does not say that a key occurs but once.
func (f *File) Values(key string) []string {
	var out []string
	for _, kv := range f.meta.KeyValues {
		if kv.Key == key {
			out = append(out, kv.Value)
		}
	}
	return out
}

// refuse turns an error met in the file into an InputError that names the file. It leaves an InputError as it is, and
// an error of reading rather than of what was read.
func (f *File) refuse(err error) error {
	var refused *column.InputError
	if errors.As(err, &refused) {
		if refused.File == "" {
			refused.File = f.name
		}
		return err
	}
	var failed *readError
	if errors.As(err, &failed) {
		return fmt.Errorf("reading %s: %w", f.name, failed.err)
	}
	if known := (*unsupported)(nil); errors.As(err, &known) {
		return &column.InputError{File: f.name, Cause: err, Hint: known.hint}
	}
	return &column.InputError{File: f.name, Cause: err, Hint: hintDamaged}
}

// refuseAt is refuse for a column of a row group, from 0.
func (f *File) refuseAt(group int, name string, err error) error {
	err = f.refuse(err)
	var refused *column.InputError
	if errors.As(err, &refused) {
		if refused.RowGroup == 0 {
			refused.RowGroup = group + 1
		}
		if refused.Column == "" {
			refused.Column = name
		}
	}
	return err
}

// tagged marks the errors of an io.ReaderAt other than io.EOF as failures of
// reading, so that a broken connection is not taken for a broken file.
type tagged struct{ r io.ReaderAt }

type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func (t tagged) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	return n, tag(err)
}

func tag(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return io.EOF
	}
	return &readError{err}
}

// section reads n bytes from offset off, in the way that suits the place where the file is.
func (t tagged) section(off, n int64) io.Reader { return taggedSection{blob.Section(t.r, off, n)} }

type taggedSection struct{ r io.Reader }

func (t taggedSection) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err == nil {
		return n, nil
	}
	return n, tag(err)
}

// readFull fills p from offset off.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return column.ErrTruncated // shorter than it said it was
	}
	return err
}
