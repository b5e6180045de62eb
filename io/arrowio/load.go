package arrowio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// rowsMax is the largest number of rows of a record batch (and of values of a
// dictionary), as the Arrow format advises.
const rowsMax = math.MaxInt32

// valueBytesMax is the largest string, so that every string fits a batch.
const valueBytesMax = 1 << 30

// loader reads the arrays of one message, in the order of the schema.
type loader struct {
	batch batch
	read  func(p []byte, at int64) error // fills p from that place in the message's body
	codec *codec
	mem   memory.Allocator

	packed []byte // the compressed bytes of a buffer

	node, buffer, view int // the next ones
}

// layout says how many parts of a message an array of a type has, without its children's, and which children it has.
func layout(dt arrow.DataType, version int16) (nodes, buffers, views int, children []arrow.DataType) {
	const version5 = 4 // since which unions have no validity bitmap
	switch dt := dt.(type) {
	case arrow.ExtensionType:
		return layout(dt.StorageType(), version)
	case *arrow.DictionaryType:
		return 1, 2, 0, nil
	case *arrow.NullType:
		return 1, 0, 0, nil
	case *arrow.BinaryType, *arrow.StringType, *arrow.LargeBinaryType, *arrow.LargeStringType:
		return 1, 3, 0, nil
	case arrow.BinaryViewDataType:
		return 1, 2, 1, nil
	case *arrow.ListType, *arrow.LargeListType, *arrow.MapType:
		return 1, 2, 0, []arrow.DataType{dt.(arrow.ListLikeType).Elem()}
	case *arrow.ListViewType, *arrow.LargeListViewType:
		return 1, 3, 0, []arrow.DataType{dt.(arrow.ListLikeType).Elem()}
	case *arrow.FixedSizeListType:
		return 1, 1, 0, []arrow.DataType{dt.Elem()}
	case *arrow.StructType:
		return 1, 1, 0, fieldTypes(dt.Fields())
	case *arrow.RunEndEncodedType:
		return 1, 0, 0, []arrow.DataType{dt.RunEnds(), dt.Encoded()}
	case arrow.UnionType:
		buffers = 1
		if dt.Mode() == arrow.DenseMode {
			buffers = 2
		}
		if version < version5 {
			buffers++
		}
		return 1, buffers, 0, fieldTypes(dt.Fields())
	}
	return 1, 2, 0, nil
}

func fieldTypes(fields []arrow.Field) []arrow.DataType {
	types := make([]arrow.DataType, len(fields))
	for i, f := range fields {
		types[i] = f.Type
	}
	return types
}

// skip passes over the array of a type without reading its buffers.
func (l *loader) skip(dt arrow.DataType) error {
	nodes, buffers, views, children := layout(dt, l.batch.version)
	for range views {
		if l.view >= len(l.batch.views) {
			return errFlatbuffer
		}
		buffers += int(l.batch.views[l.view])
		l.view++
	}
	l.node += nodes
	l.buffer += buffers
	if l.node > len(l.batch.nodes) || l.buffer > len(l.batch.buffers) {
		return errFlatbuffer
	}
	for _, child := range children {
		if err := l.skip(child); err != nil {
			return err
		}
	}
	return nil
}

// load reads the array of a flat type, of exactly rows values, and checks that every value of it can be read. For a
// dictionary type it returns the indices. The caller releases it.
func (l *loader) load(dt arrow.DataType, rows int) (arrow.Array, error) {
	if d, ok := dt.(*arrow.DictionaryType); ok {
		dt = d.IndexType
	}
	node, buffer := l.node, l.buffer
	if err := l.skip(dt); err != nil {
		return nil, err
	}
	n := l.batch.nodes[node]
	if n.length != int64(rows) {
		return nil, fmt.Errorf("%d values in a batch of %d rows", n.length, rows)
	}
	if _, ok := dt.(*arrow.NullType); ok {
		return array.NewNull(rows), nil
	}
	count := l.buffer - buffer
	buffers := make([]*memory.Buffer, count)
	defer func() { memory.ReleaseBuffers(buffers) }()
	for i := range buffers {
		if i == 0 && n.nulls == 0 {
			continue // writers may leave a bitmap of ones, or nothing
		}
		var err error
		if buffers[i], err = l.get(l.batch.buffers[buffer+i]); err != nil {
			return nil, err
		}
	}
	if n.nulls > 0 {
		bitmap := buffers[0].Bytes()
		if len(bitmap) < int(bitutil.BytesForBits(int64(rows))) {
			return nil, errors.New("its null bitmap is too short")
		}
		if got := rows - bitutil.CountSetBits(bitmap, 0, rows); got != int(n.nulls) {
			return nil, fmt.Errorf("%d nulls where %d are declared", got, n.nulls)
		}
	}
	if err := checkValues(dt, rows, buffers); err != nil {
		return nil, err
	}
	data := array.NewData(dt, rows, buffers, nil, int(n.nulls), 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// get returns the content of a buffer, which the caller releases.
func (l *loader) get(s span) (*memory.Buffer, error) {
	if s.length == 0 {
		return newBuffer(0, l.mem), nil
	}
	if l.batch.codec == codecNone {
		buf := newBuffer(int(s.length), l.mem)
		if err := l.read(buf.Bytes(), s.offset); err != nil {
			buf.Release()
			return nil, err
		}
		return buf, nil
	}
	l.packed = slices.Grow(l.packed[:0], int(s.length))[:s.length]
	if err := l.read(l.packed, s.offset); err != nil {
		return nil, err
	}
	return l.codec.decompress(l.batch.codec, l.packed, l.mem)
}

// checkValues checks that the buffers after the bitmap are long enough for the
// rows, that strings stay within their text, and that they are UTF-8.
func checkValues(dt arrow.DataType, rows int, buffers []*memory.Buffer) error {
	switch dt := dt.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return checkOffsets(arrow.Int32Traits.CastFromBytes(whole(buffers[1].Bytes(), 4)), rows, buffers, isText(dt))
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return checkOffsets(arrow.Int64Traits.CastFromBytes(whole(buffers[1].Bytes(), 8)), rows, buffers, isText(dt))
	case arrow.BinaryViewDataType:
		return checkViews(rows, buffers, isText(dt))
	case arrow.FixedWidthDataType:
		return checkLength(buffers[1], rows, dt.BitWidth())
	}
	return fmt.Errorf("its type %s is not flat", dt)
}

func checkLength(buf *memory.Buffer, rows, bits int) error {
	if int64(buf.Len()) < bitutil.BytesForBits(int64(rows)*int64(bits)) {
		return fmt.Errorf("%d bytes for %d values of %d bits", buf.Len(), rows, bits)
	}
	return nil
}

// whole cuts b to a multiple of size, as casts need.
func whole(b []byte, size int) []byte { return b[:len(b)/size*size] }

func isText(dt arrow.DataType) bool {
	switch dt.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return true
	}
	return false
}

var (
	errOffsets = errors.New("its offsets are out of order or beyond its text")
	errUTF8    = errors.New("text that is not valid UTF-8")
)

func checkOffsets[T int32 | int64](offsets []T, rows int, buffers []*memory.Buffer, mustBeText bool) error {
	if rows == 0 {
		return nil // writers may leave out the single offset of an empty array
	}
	if len(offsets) < rows+1 {
		return fmt.Errorf("%d offsets for %d values", len(offsets), rows)
	}
	offsets = offsets[:rows+1]
	last := T(0)
	for _, at := range offsets {
		if at < last {
			return errOffsets
		}
		if int64(at)-int64(last) > valueBytesMax {
			return fmt.Errorf("a value of %d bytes", int64(at)-int64(last))
		}
		last = at
	}
	text := buffers[2].Bytes()
	if int64(last) > int64(len(text)) {
		return errOffsets
	}
	if !mustBeText {
		return nil
	}
	// Check all at once: valid text, and no boundary within a character. Otherwise the error may be under a null,
	// where any bytes are allowed.
	ok := utf8.Valid(text[offsets[0]:last])
	for _, at := range offsets {
		ok = ok && (at == last || utf8.RuneStart(text[at]))
	}
	for i := 0; i < rows && !ok; i++ {
		if !isNull(buffers[0], i) && !utf8.Valid(text[offsets[i]:offsets[i+1]]) {
			return errUTF8
		}
	}
	return nil
}

func isNull(bitmap *memory.Buffer, i int) bool {
	return bitmap != nil && !bitutil.BitIsSet(bitmap.Bytes(), i)
}

// checkViews checks that every view that is not null lies within its buffer.
func checkViews(rows int, buffers []*memory.Buffer, mustBeText bool) error {
	if err := checkLength(buffers[1], rows, 8*arrow.ViewHeaderSizeBytes); err != nil {
		return err
	}
	views := arrow.ViewHeaderTraits.CastFromBytes(whole(buffers[1].Bytes(), arrow.ViewHeaderSizeBytes))
	for i := range rows {
		if isNull(buffers[0], i) {
			continue
		}
		v := &views[i]
		if v.Len() < 0 {
			return errOffsets
		}
		var value []byte
		if v.IsInline() {
			value = v.InlineBytes()
		} else {
			from, k := int(v.BufferOffset()), int(v.BufferIndex())
			if from < 0 || k < 0 || k >= len(buffers)-2 || from > buffers[k+2].Len() || v.Len() > buffers[k+2].Len()-from {
				return errOffsets
			}
			value = buffers[k+2].Bytes()[from : from+v.Len()]
		}
		if mustBeText && !utf8.Valid(value) {
			return errUTF8
		}
	}
	return nil
}
