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
	done               int // columns that were wanted and are loaded
}

// skip passes over the array of a field without reading its buffers.
func (l *loader) skip(f *field) error {
	buffers, views, children, ok := f.parts(l.batch.version)
	if !ok {
		return errFlatbuffer
	}
	for range views {
		if l.view >= len(l.batch.views) {
			return errFlatbuffer
		}
		buffers += int(l.batch.views[l.view])
		l.view++
	}
	l.node++
	l.buffer += buffers
	if l.node > len(l.batch.nodes) || l.buffer > len(l.batch.buffers) {
		return errFlatbuffer
	}
	for _, child := range f.children {
		if !children {
			break
		}
		if err := l.skip(child); err != nil {
			return err
		}
	}
	return nil
}

// indices reads the indices of a field that has a dictionary, values those of any other, or of the dictionary itself.
func (l *loader) indices(f *field, rows int, above *bitmap) (arrow.Array, error) {
	return l.load(f, f.index, rows, above)
}

func (l *loader) values(f *field, rows int, above *bitmap) (arrow.Array, error) {
	plain := *f
	plain.dictionary = false
	arr, err := l.load(&plain, f.loaded, rows, above)
	if err != nil || f.widen == nil {
		return arr, err
	}
	defer arr.Release()
	return f.widen.widen(arr, l.mem), nil
}

// bitmap says of rows which are there; nil: all.
type bitmap struct{ bits []byte }

// and returns the rows that are in both; the bits of b may be used for it.
func (b *bitmap) and(other *bitmap) *bitmap {
	switch {
	case b == nil:
		return other
	case other == nil:
		return b
	}
	out := &bitmap{bits: make([]byte, len(b.bits))}
	for i := range out.bits {
		out.bits[i] = b.bits[i] & other.bits[i]
	}
	return out
}

// structure reads which rows of a structure are there, without those above it.
func (l *loader) structure(rows int) (*bitmap, error) {
	node, buffer := l.node, l.buffer
	l.node++
	l.buffer++
	if l.node > len(l.batch.nodes) || l.buffer > len(l.batch.buffers) {
		return nil, errFlatbuffer
	}
	n := l.batch.nodes[node]
	if n.length != int64(rows) {
		return nil, fmt.Errorf("%d values in a batch of %d rows", n.length, rows)
	}
	if n.nulls == 0 {
		return nil, nil
	}
	buf, err := l.get(l.batch.buffers[buffer])
	if err != nil {
		return nil, err
	}
	defer buf.Release()
	if err := checkBitmap(buf.Bytes(), rows, n.nulls); err != nil {
		return nil, err
	}
	return &bitmap{bits: append([]byte{}, buf.Bytes()[:bitutil.BytesForBits(int64(rows))]...)}, nil
}

// checkBitmap checks that a bitmap has as many nulls as its node says.
func checkBitmap(bits []byte, rows int, nulls int64) error {
	if len(bits) < int(bitutil.BytesForBits(int64(rows))) {
		return errors.New("its null bitmap is too short")
	}
	if got := rows - bitutil.CountSetBits(bits, 0, rows); got != int(nulls) {
		return fmt.Errorf("%d nulls where %d are declared", got, nulls)
	}
	return nil
}

// load reads the array of a field whose parts are those of a flat type, of exactly rows values, and checks that every value of it
// can be got at. Values of rows that are not there above become nulls. The caller releases the array.
func (l *loader) load(f *field, dt arrow.DataType, rows int, above *bitmap) (arrow.Array, error) {
	node, buffer := l.node, l.buffer
	if err := l.skip(f); err != nil {
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
	nulls := int(n.nulls)
	if nulls > 0 {
		if err := checkBitmap(buffers[0].Bytes(), rows, n.nulls); err != nil {
			return nil, err
		}
	}
	if above != nil {
		if buffers[0] == nil {
			buffers[0] = newBuffer(len(above.bits), l.mem)
			copy(buffers[0].Bytes(), above.bits)
		} else {
			for i, b := range above.bits {
				buffers[0].Bytes()[i] &= b
			}
		}
		nulls = rows - bitutil.CountSetBits(buffers[0].Bytes(), 0, rows)
	}
	if err := checkValues(dt, rows, buffers); err != nil {
		return nil, err
	}
	data := array.NewData(dt, rows, buffers, nil, nulls, 0)
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
