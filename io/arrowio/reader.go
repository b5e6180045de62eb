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
	fields []*field // of the file
	wanted []*field // those delivered
	schema *arrow.Schema
	unread error // of reading all columns, when one of them cannot be delivered
	foot   footer
	codec  codec
	dicts  map[int64]arrow.Array // by id

	next    int       // the next record batch
	sources []*source // the columns of the current one
	rows    int       // of it
	cut     int       // and how many of these are delivered
	row     int64     // rows delivered
	err     error
}

// Open opens the named file, and reads its schema and the dictionaries needed.
// Columns wanted must be of a flat type: booleans, integers, floats, decimals,
// dates, times, durations, strings, binaries, nothing but nulls, or dictionaries
// of these. The fields of a structure are columns called by their path, such as
// address.city, unless a column has that very name. When none are named, Schema
// tells all columns, and reading is refused if one of them cannot be delivered
// (column.Choose).
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
	w := &fieldWalk{structs: map[string][]string{}}
	for _, f := range r.fields {
		w.add(f, "", false)
		if !f.known() && w.after == nil {
			w.after = fmt.Errorf("it comes after %s, whose type is not known: where it is in the file cannot be told", column.Quote(f.name))
		}
	}
	chosen, err := column.Choose(r.name, w.have, w.structs, r.opts.Columns)
	if err != nil {
		return err
	}
	if len(chosen.At) == 0 {
		return column.Refuse(r.name, "the file has no columns").WithHint("Check the export that wrote it.")
	}
	r.schema = chosen.Schema
	if r.unread = chosen.Err; r.unread != nil {
		return nil
	}
	for k, i := range chosen.At {
		f := w.fields[i]
		f.wanted = k
		r.wanted = append(r.wanted, f)
	}
	for _, f := range r.fields {
		f.mark()
	}
	return r.readDictionaries()
}

// mark notes which fields hold something that is wanted.
func (f *field) mark() bool {
	f.inside = f.wanted >= 0
	for _, c := range f.children {
		if f.structure() && c.mark() {
			f.inside = true
		}
	}
	return f.inside
}

// fieldWalk gathers the columns of a schema, fields of structures among them.
type fieldWalk struct {
	have    []column.Candidate
	fields  []*field // of these
	structs map[string][]string
	after   error // why nothing that comes now can be found
	bytes   int   // of the names of nested fields
}

// nestedBytesMax bounds the names of nested fields, which repeat those of the structures that they are in.
const nestedBytesMax = 64 << 20

func (w *fieldWalk) add(f *field, path string, nullable bool) {
	name := f.name
	if path != "" {
		name = path + "." + name
		w.bytes += len(name)
	}
	nullable = nullable || f.nullable
	if f.structure() && w.bytes <= nestedBytesMax {
		first := len(w.have)
		for _, child := range f.children {
			w.add(child, name, nullable)
		}
		inner := []string{}
		for _, c := range w.have[first:min(first+12, len(w.have))] { // for messages
			inner = append(inner, c.Field.Name)
		}
		w.structs[name] = inner
		return
	}
	c := column.Candidate{Field: arrow.Field{Name: name}, Nested: path != ""}
	switch {
	case w.after != nil:
		c.Err, c.Type = w.after, f.describe()
	case f.loaded == nil:
		c.Type = f.describe()
		c.Err = fmt.Errorf("columns of type %s are not supported", column.Quote(c.Type))
		c.Hint = "Leave this column out, or convert it."
	default:
		c.Field.Type, c.Field.Nullable = f.out(), nullable || f.dictionary || f.kind == typeNull
	}
	w.have, w.fields = append(w.have, c), append(w.fields, f)
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
	if r.foot, r.fields, err = parseFooter(foot); err == errBigEndian {
		return column.Refuse(r.name, "%w", err).WithHint("Write the file on a little-endian machine.")
	} else if err != nil {
		return r.refuse("%w", err)
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

// readDictionaries reads those of the columns wanted.
func (r *Reader) readDictionaries() error {
	types := make(map[int64]*field)
	for _, f := range r.wanted {
		if !f.dictionary {
			continue
		}
		if other := types[f.id]; other != nil && (!arrow.TypeEqual(other.loaded, f.loaded) || !arrow.TypeEqual(other.out(), f.out())) {
			return r.refuse("dictionary %d is of two types", f.id)
		}
		types[f.id] = f
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
		f := types[id]
		if f == nil {
			continue
		}
		arr, err := l.values(f, int(l.batch.rows), nil)
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
	for id, f := range types {
		if r.dicts[id] == nil {
			// Columns of nothing but nulls may come without one.
			dt := f.loaded
			if f.widen != nil {
				dt = f.widen.out(dt)
			}
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
	if r.err == nil {
		r.err = r.unread
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
	sources = make([]*source, len(r.wanted))
	for _, f := range r.fields {
		if err := r.loadField(l, f, nil, sources); err != nil {
			return sources, err
		}
	}
	return sources, nil
}

// loadField loads what is wanted of a field, the rows of which are there as the structures above it say.
func (r *Reader) loadField(l *loader, f *field, above *bitmap, sources []*source) error {
	rows := int(l.batch.rows)
	switch {
	case l.done == len(r.wanted):
		return nil // what follows is not needed, and may be of a type that is not known
	case !f.inside:
		return l.skip(f)
	case f.wanted < 0:
		own, err := l.structure(rows)
		if err != nil {
			return inColumn(err, f.name)
		}
		above = above.and(own)
		for _, child := range f.children {
			if err := r.loadField(l, child, above, sources); err != nil {
				return err
			}
		}
		return nil
	}
	l.done++
	name := r.schema.Field(f.wanted).Name
	load, dict := l.values, arrow.Array(nil)
	if f.dictionary {
		load, dict = l.indices, r.dicts[f.id]
	}
	arr, err := load(f, rows, above)
	if err != nil {
		return inColumn(err, name)
	}
	if sources[f.wanted], err = newSource(arr, dict, r.schema.Field(f.wanted).Type); err != nil {
		arr.Release()
		return inColumn(err, name)
	}
	return nil
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
