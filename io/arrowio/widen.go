package arrowio

import (
	"encoding/hex"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// widening makes of values that were loaded what is delivered.
type widening interface {
	out(loaded arrow.DataType) arrow.DataType
	widen(arr arrow.Array, mem memory.Allocator) arrow.Array // the caller keeps arr
}

// halves makes FLOAT of half floats, of the same values.
type halves struct{}

func (halves) out(arrow.DataType) arrow.DataType { return arrow.PrimitiveTypes.Float32 }

func (halves) widen(arr arrow.Array, mem memory.Allocator) arrow.Array {
	a := arr.(*array.Float16)
	b := array.NewFloat32Builder(mem)
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			b.UnsafeAppendBoolToBitmap(false)
		} else {
			b.UnsafeAppend(a.Value(i).Float32())
		}
	}
	return b.NewArray()
}

// decimals makes decimals of 128 bits of integers.
type decimals struct{ typ *arrow.Decimal128Type }

func (d decimals) out(arrow.DataType) arrow.DataType { return d.typ }

func (d decimals) widen(arr arrow.Array, mem memory.Allocator) arrow.Array {
	b := array.NewDecimal128Builder(mem, d.typ)
	defer b.Release()
	b.Reserve(arr.Len())
	for i := range arr.Len() {
		if arr.IsNull(i) {
			b.UnsafeAppendBoolToBitmap(false)
			continue
		}
		switch a := arr.(type) {
		case *array.Int32:
			b.UnsafeAppend(decimal128.FromI64(int64(a.Value(i))))
		case *array.Int64:
			b.UnsafeAppend(decimal128.FromI64(a.Value(i)))
		}
	}
	return b.NewArray()
}

// uuids makes text of 16 bytes each, as RFC 9562 has it.
type uuids struct{}

func (uuids) out(arrow.DataType) arrow.DataType { return arrow.BinaryTypes.String }

func (uuids) widen(arr arrow.Array, mem memory.Allocator) arrow.Array {
	a := arr.(*array.FixedSizeBinary)
	b := array.NewStringBuilder(mem)
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		text := hex.EncodeToString(a.Value(i))
		b.Append(text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:])
	}
	return b.NewArray()
}
