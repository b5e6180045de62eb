// Package arrowio reads and writes Arrow IPC files: .arrow, and .feather of
// version 2, which is the same.
//
// The Arrow library reads the schema, after its metadata has been checked, and writes files. Record batches are loaded
// here: only the columns wanted, from untrusted metadata, into arrays in which every value can be read. Strings and
// binaries come in one type each, whatever their encoding in the file (large, view, dictionary). One record batch of
// the file is in memory at a time, with only the columns wanted; batches are slices of it.
package arrowio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Extensions are the file name extensions of this format, as blob.Ext gives
// them.
var Extensions = []string{".arrow", ".feather"}

const (
	magic      = "ARROW1"
	headBytes  = 8              // the magic, padded
	tailBytes  = 4 + len(magic) // the footer's size and the magic
	contMarker = 0xffffffff     // begins a message since Arrow 0.15
)

// Reader reads an Arrow IPC file.
type Reader struct {
	name   string
	file   blob.File
	opts   column.ReadOptions
	fields []arrow.Field // of the file
	at     []int         // those delivered
	want   []int         // by field of the file: which of at it is, -1 for none
	schema *arrow.Schema
	foot   footer
	codec  codec
	dicts  map[int64]arrow.Array // by id
	infos  []fieldInfo

	next    int       // the next record batch
	sources []*source // the columns of the current one
	rows    int       // of it
	cut     int       // and how many of these are delivered
	row     int64     // rows delivered
	err     error
}

// Open opens the named file, and reads its schema and the dictionaries needed. The columns wanted (all, when none are
// named) must be of a flat type: booleans, integers, floats of 32 and 64 bits, decimals, dates, times, durations,
// strings, binaries, or dictionaries of these.
func Open(ctx context.Context, fs blob.FS, name string, opts column.ReadOptions) (column.Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	r := &Reader{name: name, file: f, opts: opts.WithDefaults(), dicts: make(map[int64]arrow.Array)}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func checkName(name string) error {
	for _, ext := range Extensions {
		if blob.Ext(name) == ext {
			return nil
		}
	}
	return column.Refuse(name, "not a name of an Arrow file").WithHint("The extension says what is inside: .arrow or .feather.")
}

const damagedHint = "Copy the file again, and compare its size or checksum with the original."

// guard turns a panic of a library on damaged data into an error.
func (r *Reader) guard(err *error) {
	if p := recover(); p != nil {
		*err = column.Refuse(r.name, "the file is damaged (%v)", p).WithHint(damagedHint)
	}
}

func (r *Reader) open() (err error) {
	defer r.guard(&err)
	if err := r.readFooter(); err != nil {
		return err
	}
	if r.at, err = column.Select(r.name, fieldNames(r.fields), r.opts.Columns); err != nil {
		return err
	}
	if len(r.at) == 0 {
		return column.Refuse(r.name, "the file has no columns").WithHint("Check the export that wrote it.")
	}
	r.want = make([]int, len(r.fields))
	for i := range r.want {
		r.want[i] = -1
	}
	out := make([]arrow.Field, len(r.at))
	for k, i := range r.at {
		f := r.fields[i]
		r.want[i] = k
		dt, ok := decoded(f.Type)
		if !ok {
			return column.Refuse(r.name, "columns of type %s are not supported", column.Quote(f.Type.String())).InColumn(f.Name).
				WithHint("Leave this column out, or convert it.")
		}
		nullable := f.Nullable || f.Type.ID() == arrow.DICTIONARY || f.Type.ID() == arrow.NULL
		out[k] = arrow.Field{Name: f.Name, Type: dt, Nullable: nullable}
	}
	r.schema = arrow.NewSchema(out, nil)
	return r.readDictionaries()
}

func fieldNames(fields []arrow.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// foreign are the beginnings of files that may be mistaken for Arrow files.
var foreign = []struct{ magic, what, hint string }{
	{"PAR1", "it is a Parquet file", "Name it .parquet."},
	{"FEA1", "it is a Feather file of version 1", "Write it again as version 2."},
	{"\xff\xff\xff\xff", "it looks like an Arrow stream", "Write it as an Arrow IPC file, not as a stream."},
	{"\x1f\x8b", "it is compressed with gzip", "Decompress it; Arrow files compress their columns themselves."},
}

// readFooter reads the schema and the list of messages.
func (r *Reader) readFooter() error {
	size := r.file.Size()
	if size == 0 {
		return column.Refuse(r.name, "%w", column.ErrEmptyFile).WithHint("Check that the export that wrote it ran to its end.")
	}
	head := make([]byte, min(size, headBytes))
	if err := r.readAt(head, 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		for _, f := range foreign {
			if bytes.HasPrefix(head, []byte(f.magic)) {
				return column.Refuse(r.name, "not an Arrow file: %s", f.what).WithHint("%s", f.hint)
			}
		}
		return column.Refuse(r.name, "not an Arrow file").WithHint("Check that the extension says what is inside.")
	}
	truncated := func() error {
		return column.Refuse(r.name, "%w: its footer is missing", column.ErrTruncated).WithHint(damagedHint)
	}
	if size < int64(headBytes+tailBytes) {
		return truncated()
	}
	tail := make([]byte, tailBytes)
	if err := r.readAt(tail, size-int64(tailBytes)); err != nil {
		return err
	}
	if string(tail[4:]) != magic {
		return truncated()
	}
	length := int64(int32(binary.LittleEndian.Uint32(tail)))
	end := size - int64(tailBytes) - length
	if length < 4 || end < headBytes {
		return r.refuse("its footer claims %d bytes", length)
	}
	foot := make([]byte, length)
	if err := r.readAt(foot, end); err != nil {
		return err
	}
	var err error
	if r.foot, r.infos, err = parseFooter(foot); err == errBigEndian {
		return column.Refuse(r.name, "%w", err).WithHint("Write the file on a little-endian machine.")
	} else if err != nil {
		return r.refuse("%w", err)
	}
	if err := r.readSchema(foot); err != nil {
		return err
	}
	left := end - headBytes
	for _, blocks := range [][]block{r.foot.dictionaries, r.foot.records} {
		for _, b := range blocks {
			if b.offset < headBytes || b.meta < 8 || b.body < 0 || b.offset > end || b.meta > end-b.offset || b.body > end-b.offset-b.meta || b.meta+b.body > left {
				return r.refuse("its footer names parts that the file does not have")
			}
			left -= b.meta + b.body
		}
	}
	return nil
}

// refuse returns an error about the file as a whole.
func (r *Reader) refuse(format string, args ...any) error {
	return column.Refuse(r.name, "the file is damaged: %w", fmt.Errorf(format, args...)).WithHint(damagedHint)
}

// readSchema lets the library read the schema in the footer, as that of an empty file. The schema is always there; not
// every writer also puts it at the beginning of the file.
func (r *Reader) readSchema(foot []byte) error {
	file := append([]byte(magic+"\x00\x00"), foot...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(foot)))
	file = append(file, magic...)
	lib, err := ipc.NewFileReader(bytes.NewReader(file))
	if err != nil {
		return r.refuse("its schema cannot be read: %w", err)
	}
	r.fields = lib.Schema().Fields()
	if err := lib.Close(); err != nil {
		return r.refuse("its schema cannot be read: %w", err)
	}
	if len(r.fields) != len(r.infos) {
		return r.refuse("%w", errFlatbuffer)
	}
	for i, f := range r.fields {
		if (f.Type.ID() == arrow.DICTIONARY) != r.infos[i].isDictionary {
			return r.refuse("%w", errFlatbuffer)
		}
	}
	return nil
}

// readDictionaries reads those of the columns wanted.
func (r *Reader) readDictionaries() error {
	types := make(map[int64]arrow.DataType)
	for _, i := range r.at {
		if dt, ok := r.fields[i].Type.(*arrow.DictionaryType); ok {
			id := r.infos[i].dictionary
			if other, ok := types[id]; ok && !arrow.TypeEqual(other, dt.ValueType) {
				return r.refuse("dictionary %d is of two types", id)
			}
			types[id] = dt.ValueType
		}
	}
	if len(types) == 0 {
		return nil
	}
	for k, b := range r.foot.dictionaries {
		l, err := r.openMessage(b, headerDictionary)
		if err != nil {
			return r.inPart(err, "dictionary batch", k)
		}
		id := l.batch.dictionary
		dt, ok := types[id]
		if !ok {
			continue
		}
		arr, err := l.load(dt, int(l.batch.rows))
		if err != nil {
			return r.inPart(err, "dictionary batch", k)
		}
		old, again := r.dicts[id]
		if !again {
			r.dicts[id] = arr
			continue
		}
		if !l.batch.delta {
			arr.Release()
			return r.inPart(fmt.Errorf("dictionary %d comes twice", id), "dictionary batch", k)
		}
		both, err := array.Concatenate([]arrow.Array{old, arr}, r.opts.Mem)
		arr.Release()
		if err != nil {
			return r.inPart(err, "dictionary batch", k)
		}
		old.Release()
		r.dicts[id] = both
	}
	for id, dt := range types {
		if r.dicts[id] == nil {
			// Columns with only nulls may come without one.
			r.dicts[id] = array.MakeArrayOfNull(r.opts.Mem, dt, 0)
		}
	}
	return nil
}

// openMessage reads the metadata of a message.
func (r *Reader) openMessage(b block, kind uint8) (*loader, error) {
	meta := make([]byte, b.meta)
	if err := r.readAt(meta, b.offset); err != nil {
		return nil, err
	}
	prefix := 4
	if binary.LittleEndian.Uint32(meta) == contMarker {
		prefix = 8
	}
	l := &loader{codec: &r.codec, mem: r.opts.Mem}
	l.read = func(p []byte, at int64) error { return r.readAt(p, b.offset+b.meta+at) }
	var err error
	l.batch, err = parseBatch(meta[prefix:], kind, b.body)
	return l, err
}

// inPart adds the message of the file in which an error was met. Errors of the disk, and those that already have a
// place, stay as they are.
func (r *Reader) inPart(err error, what string, k int) error {
	var read *readError
	var placed *column.InputError
	if errors.As(err, &read) || errors.As(err, &placed) {
		return err
	}
	return r.refuse("%s %d: %w", what, k+1, err)
}

// readError is a failure of the disk, not of what is on it.
type readError struct {
	name string
	err  error
}

func (e *readError) Error() string { return fmt.Sprintf("%s: reading: %v", e.name, e.err) }
func (e *readError) Unwrap() error { return e.err }

// readAt fills p.
func (r *Reader) readAt(p []byte, at int64) error {
	n, err := r.file.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == io.EOF:
		return column.Refuse(r.name, "%w: it became shorter while it was read", column.ErrTruncated).
			WithHint("Read a file that nothing writes to.")
	}
	return &readError{r.name, err}
}

// File returns the file's name.
func (r *Reader) File() string { return r.name }

// Schema returns the columns delivered.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Rows returns how many rows were delivered so far.
func (r *Reader) Rows() int64 { return r.row }

// Read returns the next rows, all of one record batch of the file. They are at most ReadOptions.BatchRows. In a column
// whose strings are copied they have, except for the last row, at most ReadOptions.BatchBytes.
func (r *Reader) Read(ctx context.Context) (column.Batch, error) {
	if r.err == nil {
		r.err = ctx.Err()
	}
	for r.err == nil && r.cut == r.rows {
		r.err = r.nextRecord()
	}
	if r.err != nil {
		return column.Batch{}, r.err
	}
	return r.cutBatch()
}

// nextRecord loads the columns of the next record batch.
func (r *Reader) nextRecord() (err error) {
	defer r.guard(&err)
	r.drop()
	if r.next == len(r.foot.records) {
		return io.EOF
	}
	k := r.next
	r.next++
	l, err := r.openMessage(r.foot.records[k], headerRecord)
	if err != nil {
		return r.inPart(err, "record batch", k)
	}
	if l.batch.rows == 0 {
		return nil
	}
	sources, err := r.load(l)
	if err != nil {
		return r.inPart(err, "record batch", k)
	}
	r.sources, r.rows, r.cut = sources, int(l.batch.rows), 0
	return nil
}

// load loads the columns wanted of a record batch.
func (r *Reader) load(l *loader) (sources []*source, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, s := range sources {
			if s != nil {
				s.release()
			}
		}
	}()
	sources = make([]*source, len(r.at))
	for i, f := range r.fields {
		k := r.want[i]
		if k < 0 {
			if err := l.skip(f.Type); err != nil {
				return sources, err
			}
			continue
		}
		arr, err := l.load(f.Type, int(l.batch.rows))
		if err != nil {
			return sources, inColumn(err, f.Name)
		}
		var dict arrow.Array
		if r.infos[i].isDictionary {
			dict = r.dicts[r.infos[i].dictionary]
		}
		if sources[k], err = newSource(arr, dict, r.schema.Field(k).Type); err != nil {
			arr.Release()
			return sources, inColumn(err, f.Name)
		}
	}
	return sources, nil
}

// inColumn says in which column an error was met.
func inColumn(err error, name string) error {
	return fmt.Errorf("column %s: %w", column.Quote(name), err)
}

// cutBatch returns the next rows of the current record batch.
func (r *Reader) cutBatch() (b column.Batch, err error) {
	n := min(r.rows-r.cut, r.opts.BatchRows)
	for _, s := range r.sources {
		n = s.fit(r.cut, n, min(r.opts.BatchBytes, math.MaxInt32))
	}
	cols := make([]arrow.Array, len(r.sources))
	for k, s := range r.sources {
		cols[k] = s.cut(r.cut, n, r.opts.Mem)
		defer cols[k].Release()
	}
	b = column.Batch{Record: array.NewRecord(r.schema, cols, int64(n)), File: r.name, Row: r.row + 1}
	r.cut += n
	r.row += int64(n)
	return b, nil
}

// drop releases the current record batch.
func (r *Reader) drop() {
	for _, s := range r.sources {
		s.release()
	}
	r.sources, r.rows, r.cut = nil, 0, 0
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	r.drop()
	for _, d := range r.dicts {
		d.Release()
	}
	clear(r.dicts)
	r.codec.close()
	f := r.file
	r.file = nil
	r.err = errors.New("arrowio: read after Close")
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: closing: %w", r.name, err)
	}
	return nil
}
