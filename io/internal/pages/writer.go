package pages

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go"
)

// WriterOptions say how to write.
type WriterOptions struct {
	// RowGroupRows is the number of rows of each row group except the last; at least 1.
	RowGroupRows int

	// RowGroupBytes ends a row group earlier when about that many bytes of it
	// are in memory; 0 means never.
	RowGroupBytes int64

	// PageBytes is about how long a page becomes, uncompressed; 0 means PageBytes. Every column has a buffer of this size.
	PageBytes int

	// Raw are the names of columns to write as they are: uncompressed, and without statistics or bounds in any index,
	// which would reveal bytes of them. All others are compressed by Snappy and have statistics.
	Raw map[string]bool

	// Check sees the rows of each row group while they are written.
	Check Check
}

// PageBytes is about how long a page becomes, uncompressed, where it is not said.
const PageBytes = 1 << 20

const (
	pageBytesMin = 1 << 10
	// ColumnsMax is how many columns a file can have: parquet-go counts them in 16 bits.
	ColumnsMax = parquet.MaxColumnIndex
)

// PageBytesFor is the PageBytes of files whose row groups have about so many bytes in so many columns. All of a column is
// in one page as soon as it is shorter than PageBytes, so buffers need not be longer than that.
func PageBytesFor(rowGroupBytes, columns int) int {
	return max(pageBytesMin, min(PageBytes, rowGroupBytes/columns*5/4))
}

// Writer writes arrays as columns of a Parquet file. Rows that wait in memory
// are those of one row group. It is not for concurrent use, though it uses a
// second goroutine for the check.
type Writer struct {
	out    *parquet.GenericWriter[any]
	fields []arrow.Field
	cols   []*columnWriter
	group  *parquet.ConcurrentRowGroupWriter
	rows   int // in the current row group
	opts   WriterOptions
	err    error
}

// NewWriter begins a file of columns of the given fields in the given order.
// The types that can be written are those that can be read (see the package's
// documentation), and lists of them.
func NewWriter(w io.Writer, fields []arrow.Field, opts WriterOptions) (*Writer, error) {
	if err := CheckWidth("", len(fields)); err != nil {
		return nil, err
	}
	if opts.PageBytes == 0 {
		opts.PageBytes = PageBytes
	}
	out := &Writer{fields: fields, opts: opts}
	root := orderedGroup{}
	raw := []parquet.WriterOption{}
	for i, f := range fields {
		c, n, err := newColumnWriter(f, opts.Raw[f.Name])
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		c.index = i // every column has one leaf
		out.cols = append(out.cols, c)
		root.fields = append(root.fields, namedField{n, f.Name})
		if opts.Raw[f.Name] {
			raw = append(raw, parquet.SkipPageBounds(f.Name), parquet.SkipPageStatistics(f.Name))
		}
	}
	out.out = parquet.NewGenericWriter[any](w, append(raw,
		parquet.NewSchema("schema", root),
		parquet.CreatedBy("cipherfold", "1", ""),
		parquet.Compression(&parquet.Snappy),
		parquet.PageBufferSize(opts.PageBytes),
	)...)
	out.group = out.out.BeginRowGroup()
	for i, c := range out.group.ColumnWriters() {
		out.cols[i].out = c
	}
	return out, nil
}

// CheckWidth refuses to write a file of too many columns.
func CheckWidth(file string, columns int) error {
	if columns <= ColumnsMax {
		return nil
	}
	return column.Refuse(file, "%d columns, and a Parquet file that this program writes has %d at most", columns, ColumnsMax).
		WithHint("Write .arrow, .csv or .tsv, or fewer columns.")
}

// Write appends rows. cols are arrays of equal length, of the types of the fields. The elements of a list may be
// marked nullable even if the field's are not, as long as none is null.
func (w *Writer) Write(cols []arrow.Array, rows int) error {
	if w.err != nil {
		return w.err
	}
	w.err = w.write(cols, rows)
	return w.err
}

func (w *Writer) write(cols []arrow.Array, rows int) error {
	if len(cols) != len(w.cols) {
		return fmt.Errorf("%d columns where %d are expected", len(cols), len(w.cols))
	}
	for i, c := range w.cols {
		if err := c.accepts(cols[i]); err != nil {
			return fmt.Errorf("column %q: %w", c.field.Name, err)
		}
	}
	for from := 0; from < rows; {
		n := min(rows-from, w.opts.RowGroupRows-w.rows)
		part := make([]arrow.Array, len(cols))
		for i, c := range cols {
			part[i] = array.NewSlice(c, int64(from), int64(from+n))
		}
		err := w.append(part)
		for _, c := range part {
			c.Release()
		}
		if err != nil {
			return err
		}
		from += n
		w.rows += n
		if w.rows == w.opts.RowGroupRows || w.opts.RowGroupBytes > 0 && w.group.Size() >= w.opts.RowGroupBytes {
			if err := w.endGroup(); err != nil {
				return err
			}
		}
	}
	return nil
}

// append adds rows to the current row group.
func (w *Writer) append(cols []arrow.Array) error {
	checked := make(chan error, 1)
	if w.opts.Check != nil {
		go func() { checked <- w.opts.Check.Rows(cols) }()
	} else {
		checked <- nil
	}
	var err error
	for i, c := range w.cols {
		if err = c.write(cols[i]); err != nil {
			err = fmt.Errorf("column %q: %w", c.field.Name, err)
			break
		}
	}
	if cerr := <-checked; err == nil {
		err = cerr
	}
	return err
}

func (w *Writer) endGroup() error {
	if w.rows == 0 {
		return nil
	}
	w.rows = 0
	if w.opts.Check != nil {
		if err := w.opts.Check.End(); err != nil {
			return err
		}
	}
	_, err := w.group.Commit()
	return err
}

// EndGroup ends the row group begun, so that all rows are in the file.
func (w *Writer) EndGroup() error {
	if w.err == nil {
		w.err = w.endGroup()
	}
	return w.err
}

// SetMetadata adds a key and its value to the footer.
func (w *Writer) SetMetadata(key, value string) { w.out.SetKeyValueMetadata(key, value) }

// Close ends the last row group and writes the footer.
func (w *Writer) Close() error {
	if err := w.EndGroup(); err != nil {
		return err
	}
	w.err = w.out.Close()
	return w.err
}

// columnWriter writes one column: a plain one, or a list.
type columnWriter struct {
	field    arrow.Field
	list     bool
	optional bool
	items    bool // elements of a list may be null
	bind     binder
	out      *parquet.ColumnWriter
	index    int
	values   []parquet.Value
}

func newColumnWriter(f arrow.Field, raw bool) (*columnWriter, parquet.Node, error) {
	c := &columnWriter{field: f, optional: f.Nullable}
	typ := f.Type
	if l, ok := typ.(*arrow.ListType); ok {
		c.list, c.items, typ = true, l.ElemField().Nullable, l.Elem()
	}
	n, bind, err := leafOf(typ)
	if err != nil {
		return nil, nil, err
	}
	c.bind = bind
	n = parquet.Encoded(n, &parquet.Plain)
	if raw {
		n = parquet.Compressed(n, &parquet.Uncompressed)
	}
	if c.list {
		if c.items {
			n = parquet.Optional(n)
		}
		n = parquet.List(n)
	}
	if c.optional {
		n = parquet.Optional(n)
	}
	return c, n, nil
}

// accepts checks an array's type, and that it has no nulls where none are allowed.
func (c *columnWriter) accepts(arr arrow.Array) error {
	want, got := c.field.Type, arr.DataType()
	if l, ok := arr.(*array.List); ok && c.list {
		want, got = want.(*arrow.ListType).Elem(), l.DataType().(*arrow.ListType).Elem()
		if !c.items && listHasNulls(l) {
			return fmt.Errorf("a list holds a null, which it must not")
		}
	}
	if !arrow.TypeEqual(want, got) {
		return fmt.Errorf("an array of type %s where %s is expected", arr.DataType(), c.field.Type)
	}
	if !c.optional && arr.NullN() > 0 {
		return fmt.Errorf("a null, which the column must not hold")
	}
	return nil
}

// listHasNulls says whether an element of one of the array's lists is null.
func listHasNulls(l *array.List) bool {
	values := l.ListValues()
	if values.NullN() == 0 || l.Len() == 0 {
		return false
	}
	from, _ := l.ValueOffsets(0)
	_, to := l.ValueOffsets(l.Len() - 1)
	for i := from; i < to; i++ {
		if values.IsNull(int(i)) {
			return true
		}
	}
	return false
}

// This much is handed to parquet-go at a time, which ends pages in between.
const (
	writeValues = 1024
	writeBytes  = 64 << 10
)

func (c *columnWriter) write(arr arrow.Array) error {
	leaf := arr
	list, _ := arr.(*array.List)
	if list != nil {
		leaf = list.ListValues()
	}
	value, err := c.bind(leaf)
	if err != nil {
		return err
	}
	bytes := 0
	add := func(i, rep, def int, present bool) {
		var v parquet.Value
		if present {
			v = value(i)
			if k := v.Kind(); k == parquet.ByteArray || k == parquet.FixedLenByteArray {
				bytes += len(v.ByteArray())
			}
		}
		c.values = append(c.values, v.Level(rep, def, c.index))
	}
	base := 0
	if c.optional {
		base = 1
	}
	for i := range arr.Len() {
		switch {
		case arr.IsNull(i):
			add(0, 0, 0, false)
		case list == nil:
			add(i, 0, base, true)
		default:
			c.elements(list, i, base, add)
		}
		if len(c.values) >= writeValues || bytes >= writeBytes || i == arr.Len()-1 {
			if _, err := c.out.WriteRowValues(c.values); err != nil {
				return err
			}
			clear(c.values) // they refer to the array's memory
			c.values, bytes = c.values[:0], 0
		}
	}
	return nil
}

// elements adds the values of list i.
func (c *columnWriter) elements(l *array.List, i, base int, add func(i, rep, def int, present bool)) {
	from, to := l.ValueOffsets(i)
	if from == to {
		add(0, 0, base, false)
		return
	}
	rep := 0
	for k := int(from); k < int(to); k++ {
		switch {
		case !c.items:
			add(k, rep, base+1, true)
		case l.ListValues().IsNull(k):
			add(k, rep, base+1, false)
		default:
			add(k, rep, base+2, true)
		}
		rep = 1
	}
}
