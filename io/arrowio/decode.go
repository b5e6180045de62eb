package arrowio

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// source is a column of a record batch, from which batches are cut.
type source struct {
	arr  arrow.Array    // as loaded; of a dictionary type the indices
	dict arrow.Array    // its dictionary, or nil
	out  arrow.DataType // what it is delivered as

	index func(i int) int                     // of a dictionary type: the index of value i, which is not null
	text  func(i int) (value string, ok bool) // when delivered as other strings than arr: value i, and whether it is not null
}

// newSource takes ownership of arr, and checks that the indices are within dict.
func newSource(arr, dict arrow.Array, out arrow.DataType) (*source, error) {
	s := &source{arr: arr, dict: dict, out: out}
	values := arr
	if dict != nil {
		values = dict
		s.index = indexOf(arr)
		for i := range arr.Len() {
			if arr.IsValid(i) {
				if k := s.index(i); k < 0 || k >= dict.Len() {
					return nil, errors.New("an index beyond its dictionary")
				}
			}
		}
	}
	if out.ID() == arrow.STRING || out.ID() == arrow.BINARY {
		if dict != nil || !arrow.TypeEqual(arr.DataType(), out) {
			s.text = s.textOf(values)
		}
	}
	return s, nil
}

// indexOf returns how to read the indices of a dictionary. Indices that do not fit an int become -1.
func indexOf(arr arrow.Array) func(i int) int {
	switch arr := arr.(type) {
	case *array.Int8:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Int16:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Int32:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Int64:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Uint8:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Uint16:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Uint32:
		return func(i int) int { return int(arr.Value(i)) }
	case *array.Uint64:
		return func(i int) int { return int(min(arr.Value(i), math.MaxInt64)) }
	}
	return func(int) int { return -1 }
}

// textOf returns how to read the strings of values, through the indices if there are any.
func (s *source) textOf(values arrow.Array) func(i int) (string, bool) {
	var at func(i int) string
	switch v := values.(type) {
	case *array.String:
		at = v.Value
	case *array.LargeString:
		at = v.Value
	case *array.StringView:
		at = v.Value
	case *array.Binary:
		at = v.ValueString
	case *array.LargeBinary:
		at = v.ValueString
	case *array.BinaryView:
		at = v.ValueString
	case *array.Null:
		return func(int) (string, bool) { return "", false }
	default:
		panic(fmt.Sprintf("arrowio: strings of %s", values.DataType()))
	}
	if s.dict == nil {
		return func(i int) (string, bool) {
			if values.IsNull(i) {
				return "", false
			}
			return at(i), true
		}
	}
	return func(i int) (string, bool) {
		if s.arr.IsNull(i) {
			return "", false
		}
		k := s.index(i)
		if values.IsNull(k) {
			return "", false
		}
		return at(k), true
	}
}

// fit returns how many of the n rows from i on make one batch: at least one row, otherwise no more than the given
// bytes of copied strings. A dictionary can hold few long strings that many rows name.
func (s *source) fit(i, n, bytes int) int {
	if s.text == nil {
		return n
	}
	size := 0
	for k := range n {
		value, _ := s.text(i + k)
		if size += len(value); size > bytes && k > 0 {
			return k
		}
	}
	return n
}

// cut returns rows i to i+n. The caller releases the array.
func (s *source) cut(i, n int, mem memory.Allocator) arrow.Array {
	switch {
	case s.text != nil:
		return s.cutText(i, n, mem)
	case s.dict != nil:
		return s.cutFixed(i, n, mem)
	}
	return array.NewSlice(s.arr, int64(i), int64(i+n))
}

func (s *source) cutText(i, n int, mem memory.Allocator) arrow.Array {
	size := 0
	for k := range n {
		value, _ := s.text(i + k)
		size += len(value)
	}
	bitmap, offsets, data := newBuffer(int(bitutil.BytesForBits(int64(n))), mem), newBuffer(4*(n+1), mem), newBuffer(size, mem)
	clear(bitmap.Bytes())
	to, at, nulls := arrow.Int32Traits.CastFromBytes(offsets.Bytes()), 0, 0
	to[0] = 0
	for k := range n {
		if value, ok := s.text(i + k); ok {
			bitutil.SetBit(bitmap.Bytes(), k)
			at += copy(data.Bytes()[at:], value)
		} else {
			nulls++
		}
		to[k+1] = int32(at)
	}
	return build(s.out, n, nulls, bitmap, offsets, data)
}

// cutFixed resolves a dictionary of values of a fixed width.
func (s *source) cutFixed(i, n int, mem memory.Allocator) arrow.Array {
	width := s.out.(arrow.FixedWidthDataType).BitWidth() / 8
	bitmap, data := newBuffer(int(bitutil.BytesForBits(int64(n))), mem), newBuffer(n*width, mem)
	clear(bitmap.Bytes())
	clear(data.Bytes())
	from, nulls := s.dict.Data().Buffers()[1].Bytes(), 0
	for k := range n {
		if s.arr.IsNull(i+k) || s.dict.IsNull(s.index(i+k)) {
			nulls++
			continue
		}
		bitutil.SetBit(bitmap.Bytes(), k)
		v := s.index(i + k)
		copy(data.Bytes()[k*width:], from[v*width:(v+1)*width])
	}
	return build(s.out, n, nulls, bitmap, data)
}

// build makes an array of buffers and takes ownership of them.
func build(dt arrow.DataType, n, nulls int, buffers ...*memory.Buffer) arrow.Array {
	if nulls == 0 {
		buffers[0].Release()
		buffers[0] = nil
	}
	data := array.NewData(dt, n, buffers, nil, nulls, 0)
	defer data.Release()
	memory.ReleaseBuffers(buffers)
	return array.MakeFromData(data)
}

func (s *source) release() { s.arr.Release() }
