package pages

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

var (
	errLevel    = errors.New("a definition level is out of range")
	errNotUTF8  = errors.New("a text value is not UTF-8")
	errFirstRow = errors.New("the first value continues a row that never began")
	errTooMany  = tooLarge("the lists of one batch have more than %d elements", ListValuesMax)
	errChecksum = errors.New("a page does not match its checksum")
)

// cursor reads a column chunk as arrays of as many rows as are asked for.
type cursor struct {
	col   *Column
	guard *chunk
	pages *parquet.FilePages
	mem   memory.Allocator

	// What is left of the current page.
	current  parquet.Page
	left     int // values (of a list: elements, and lists without any)
	rep, def []uint8
	values   pageValues

	// Reused between arrays.
	dense   []byte
	present []byte // of the values of a batch, a byte each: 1 when the value is present
	varlen  byteValues
}

func newCursor(k *chunk, mem memory.Allocator) (*cursor, error) {
	decoder, err := k.file.decoders.of(k.col)
	if err != nil {
		return nil, err
	}
	return &cursor{col: k.col, guard: k, pages: decoder.PagesFrom(k), mem: mem}, nil
}

// read returns the next n rows, n >= 1, which the chunk must have.
func (c *cursor) read(n int) (arrow.Array, error) {
	c.dense, c.present = c.dense[:0], c.present[:0]
	c.varlen.reset()
	if c.col.list {
		return c.readLists(n)
	}
	data, err := c.readFlat(n)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

// finish checks that nothing is left after the last row.
func (c *cursor) finish() error {
	if c.left > 0 || c.guard.values > 0 {
		return errors.New("the column has more values than the row group has rows")
	}
	parquet.Release(c.current)
	c.current = nil
	return c.pages.Close()
}

// page begins the next page that has values when the current one is used up.
func (c *cursor) page() error {
	for c.left == 0 {
		if c.guard.values == 0 {
			return errors.New("the column has fewer values than the row group has rows")
		}
		parquet.Release(c.current)
		c.current = nil
		page, err := c.pages.ReadPage()
		if c.guard.err != nil {
			return c.guard.err
		}
		if errors.Is(err, parquet.ErrCorrupted) {
			return errChecksum // its own words name a column that the file does not have
		}
		if err != nil {
			return err
		}
		c.current, c.left = page, c.guard.left
		c.rep, c.def = page.RepetitionLevels(), page.DefinitionLevels()
		c.values = valuesOf(c.col, page)
		there := c.left
		if max := c.col.maxDef(); max > 0 {
			there = bytes.Count(c.def, []byte{uint8(max)})
		}
		if there > c.guard.have {
			return errShortPage
		}
	}
	return nil
}

func (c *cursor) readFlat(n int) (arrow.ArrayData, error) {
	if c.col.outer == 0 && c.fixedSame() {
		return c.readStraight(n)
	}
	for got := 0; got < n; {
		if err := c.page(); err != nil {
			return nil, err
		}
		k := min(n-got, c.left)
		if err := c.take(k); err != nil {
			return nil, err
		}
		got += k
	}
	return c.leafData(n, c.col.outer > 0, c.leafType())
}

// fixedSame says that the values' bytes are the same in the file and in Arrow.
func (c *cursor) fixedSame() bool { return c.col.convert != nil && c.col.convert.same() }

func (c *cursor) leafType() arrow.DataType {
	if list, ok := c.col.Field.Type.(*arrow.ListType); ok {
		return list.Elem()
	}
	return c.col.Field.Type
}

// readStraight decodes required values into the Arrow buffer itself.
func (c *cursor) readStraight(n int) (arrow.ArrayData, error) {
	width := c.col.convert.width()
	if n > ColumnBytesMax/width {
		return nil, errTooLarge
	}
	buf := memory.NewResizableBuffer(c.mem)
	defer buf.Release()
	for got := 0; got < n; {
		if err := c.page(); err != nil {
			return nil, err
		}
		k := min(n-got, c.left)
		if (got+k)*width > buf.Len() {
			// At first make room only for what this page delivers: the sizes of other pages may be false.
			rows := got + k
			if got > 0 {
				rows = n
			}
			buf.Resize(rows * width)
		}
		if err := c.values.fixed(buf.Bytes()[got*width:], k); err != nil {
			return nil, err
		}
		c.left -= k
		got += k
	}
	return array.NewData(c.leafType(), n, []*memory.Buffer{nil, buf}, nil, 0, 0), nil
}

// take reads k values of a plain column, all of the current page.
func (c *cursor) take(k int) error {
	there := k
	switch most := uint8(c.col.outer); most {
	case 0:
	case 1:
		there = 0
		for _, d := range c.def[:k] {
			if d > 1 {
				return errLevel
			}
			there += int(d)
		}
		c.present = append(c.present, c.def[:k]...)
		c.def = c.def[k:]
	default: // null, or in a structure that is
		there = 0
		for _, d := range c.def[:k] {
			if d > most {
				return errLevel
			}
			is := b2u(d == most)
			there += int(is)
			c.present = append(c.present, is)
		}
		c.def = c.def[k:]
	}
	c.left -= k
	return c.takeValues(there)
}

// takeValues reads n values that are there.
func (c *cursor) takeValues(n int) error {
	if c.col.kind == format.ByteArray {
		return c.values.bytes(&c.varlen, n)
	}
	width := c.col.physicalWidth()
	if n > (ColumnBytesMax-len(c.dense))/width {
		return errTooLarge
	}
	at := len(c.dense)
	c.dense = grow(c.dense, n*width)
	return c.values.fixed(c.dense[at:], n)
}

// grow extends b by n bytes of unspecified contents.
func grow(b []byte, n int) []byte {
	if n <= cap(b)-len(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

// readLists reads n rows of a list column.
func (c *cursor) readLists(n int) (arrow.Array, error) {
	offsets := make([]int32, 0, n+1) // bounded by the batch's rows
	validity := make([]uint8, 0, n)
	elements := int32(0)
	maxDef, items := uint8(c.col.maxDef()), c.col.items
	base := uint8(c.col.outer) // the definition level of an empty list
	for {
		if c.left == 0 && c.guard.values == 0 {
			break
		}
		if err := c.page(); err != nil {
			return nil, err
		}
		used, there := 0, 0
		for i, rep := range c.rep {
			def := c.def[i]
			if def > maxDef {
				return nil, errLevel
			}
			if rep == 0 {
				if len(validity) == n {
					break
				}
				offsets = append(offsets, elements)
				validity = append(validity, b2u(def >= base))
			} else if len(validity) == 0 {
				return nil, errFirstRow
			} else if def <= base || elements == offsets[len(offsets)-1] {
				return nil, errors.New("a list continues that is null or empty")
			}
			if def > base {
				if elements == ListValuesMax {
					return nil, errTooMany
				}
				elements++
				is := b2u(def == maxDef)
				if items {
					c.present = append(c.present, is)
				}
				there += int(is)
			}
			used++
		}
		if err := c.takeValues(there); err != nil {
			return nil, err
		}
		c.rep, c.def = c.rep[used:], c.def[used:]
		if c.left -= used; c.left > 0 {
			break
		}
	}
	if len(validity) < n {
		return nil, errors.New("the column has fewer values than the row group has rows")
	}
	offsets = append(offsets, elements)
	leaf, err := c.leafData(int(elements), c.col.items, c.leafType())
	if err != nil {
		return nil, err
	}
	defer leaf.Release()
	valid, nulls := c.bitmap(validity, c.col.outer > 0)
	ends := c.buffer(arrow.Int32Traits.CastToBytes(offsets))
	data := array.NewData(c.col.Field.Type, n, []*memory.Buffer{valid, ends}, []arrow.ArrayData{leaf}, nulls, 0)
	defer data.Release()
	release(valid, ends)
	return array.MakeFromData(data), nil
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// leafData builds the array data of n values from what was read of them.
func (c *cursor) leafData(n int, nullable bool, typ arrow.DataType) (arrow.ArrayData, error) {
	valid, nulls := c.bitmap(c.present, nullable)
	defer release(valid)
	var buffers []*memory.Buffer
	var err error
	switch {
	case c.col.void:
		if len(c.dense) > 0 || len(c.varlen.ends) > 0 {
			err = errors.New("a value in a column whose type says that there is none")
			break
		}
		buffers, err = c.varlens(n, nullable, true)
	case c.col.uuid && typ.ID() == arrow.STRING:
		buffers, err = c.uuids(n, nullable)
	case typ.ID() == arrow.DECIMAL128 && c.col.convert == nil:
		buffers, err = c.decimals(n, nullable)
	case typ.ID() == arrow.STRING, typ.ID() == arrow.BINARY:
		buffers, err = c.varlens(n, nullable, typ.ID() == arrow.STRING)
	case typ.ID() == arrow.BOOL:
		buffers = c.bools(n, nullable)
	default:
		buffers, err = c.fixeds(n, nullable)
	}
	if err != nil {
		return nil, err
	}
	defer release(buffers...)
	return array.NewData(typ, n, append([]*memory.Buffer{valid}, buffers...), nil, nulls, 0), nil
}

func release(buffers ...*memory.Buffer) {
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
}

// buffer returns an Arrow buffer with a copy of b.
func (c *cursor) buffer(b []byte) *memory.Buffer {
	buf := c.zeros(len(b))
	copy(buf.Bytes(), b)
	return buf
}

// zeros returns an Arrow buffer of n zero bytes.
func (c *cursor) zeros(n int) *memory.Buffer {
	buf := memory.NewResizableBuffer(c.mem)
	buf.Resize(n)
	clear(buf.Bytes())
	return buf
}

// bitmap returns the validity bitmap of values marked by a byte each, and how many nulls there are. It is nil when
// there are or can be no nulls.
func (c *cursor) bitmap(present []uint8, nullable bool) (*memory.Buffer, int) {
	if !nullable {
		return nil, 0
	}
	nulls := 0
	for _, p := range present {
		nulls += int(1 - p)
	}
	if nulls == 0 {
		return nil, 0
	}
	buf := c.zeros(int(bitutil.BytesForBits(int64(len(present)))))
	for i, p := range present {
		if p != 0 {
			bitutil.SetBit(buf.Bytes(), i)
		}
	}
	return buf, nulls
}

// each calls f with the index of each value that is present, in order, and its number among these: i among n, k among
// the present.
func (c *cursor) each(n int, nullable bool, f func(i, k int)) {
	if !nullable {
		for i := range n {
			f(i, i)
		}
		return
	}
	k := 0
	for i, p := range c.present {
		if p != 0 {
			f(i, k)
			k++
		}
	}
}

func (c *cursor) fixeds(n int, nullable bool) ([]*memory.Buffer, error) {
	conv := c.col.convert
	width := conv.width()
	if n > ColumnBytesMax/width {
		return nil, errTooLarge
	}
	values := c.dense
	if !conv.same() {
		values = make([]byte, len(c.dense)/c.col.physicalWidth()*width)
		if err := conv.convert(values, c.dense); err != nil {
			return nil, err
		}
	}
	if !nullable || len(values) == n*width {
		return []*memory.Buffer{c.buffer(values)}, nil
	}
	buf := c.zeros(n * width)
	out := buf.Bytes()
	c.each(n, nullable, func(i, k int) {
		copy(out[i*width:(i+1)*width], values[k*width:])
	})
	return []*memory.Buffer{buf}, nil
}

func (c *cursor) bools(n int, nullable bool) []*memory.Buffer {
	buf := c.zeros(int(bitutil.BytesForBits(int64(n))))
	c.each(n, nullable, func(i, k int) {
		if c.dense[k] != 0 {
			bitutil.SetBit(buf.Bytes(), i)
		}
	})
	return []*memory.Buffer{buf}
}

func (c *cursor) varlens(n int, nullable, text bool) ([]*memory.Buffer, error) {
	if text {
		if err := checkText(&c.varlen); err != nil {
			return nil, err
		}
	}
	offsets := c.zeros((n + 1) * 4)
	out := arrow.Int32Traits.CastFromBytes(offsets.Bytes())
	at := 0 // offsets written, except for the first, which is 0
	end := int32(0)
	c.each(n, nullable, func(i, k int) {
		for ; at < i; at++ {
			out[at+1] = end
		}
		end = c.varlen.ends[k]
		out[i+1] = end
		at = i + 1
	})
	for ; at < n; at++ {
		out[at+1] = end
	}
	return []*memory.Buffer{offsets, c.buffer(c.varlen.data)}, nil
}

// uuids are 16 bytes each, written as text.
func (c *cursor) uuids(n int, nullable bool) ([]*memory.Buffer, error) {
	if n > ColumnBytesMax/uuidTextBytes {
		return nil, errTooLarge
	}
	for at := 0; at < len(c.dense); at += 16 {
		var text [uuidTextBytes]byte
		uuidText(text[:], c.dense[at:])
		if err := c.varlen.add(text[:]); err != nil {
			return nil, err
		}
	}
	return c.varlens(n, nullable, false)
}

// checkText checks that every value is UTF-8: together they are, and none
// begins in the middle of a character.
func checkText(v *byteValues) error {
	if !utf8.Valid(v.data) {
		return errNotUTF8
	}
	for _, end := range v.ends {
		if int(end) < len(v.data) && !utf8.RuneStart(v.data[end]) {
			return errNotUTF8
		}
	}
	return nil
}

// decimals are decimals of varying length.
func (c *cursor) decimals(n int, nullable bool) ([]*memory.Buffer, error) {
	if n > ColumnBytesMax/decimalBytes {
		return nil, errTooLarge
	}
	buf := c.zeros(n * decimalBytes)
	var err error
	c.each(n, nullable, func(i, k int) {
		if err == nil {
			err = putDecimal(buf.Bytes()[i*decimalBytes:], c.varlen.value(k))
		}
	})
	if err != nil {
		buf.Release()
		return nil, err
	}
	return []*memory.Buffer{buf}, nil
}
