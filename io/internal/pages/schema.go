package pages

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/parquet-go/parquet-go"
)

// orderedGroup is a parquet.Group whose fields keep their order.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g orderedGroup) String() string          { return fmt.Sprintf("group of %d columns", len(g.fields)) }
func (g orderedGroup) Fields() []parquet.Field { return g.fields }
func (g orderedGroup) GoType() reflect.Type    { return reflect.TypeFor[map[string]any]() }

type namedField struct {
	parquet.Node
	name string
}

func (f namedField) Name() string { return f.name }

// Value is for values held in Go maps, which are not written here.
func (f namedField) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}

// binder turns an array into a function that returns its values. Those of nulls are unspecified.
type binder func(arr arrow.Array) (func(i int) parquet.Value, error)

// leafOf returns how values of an Arrow type are written: the node of a required column, and how to get its values.
func leafOf(typ arrow.DataType) (parquet.Node, binder, error) {
	switch t := typ.(type) {
	case *arrow.BooleanType:
		return parquet.Leaf(parquet.BooleanType), func(arr arrow.Array) (func(int) parquet.Value, error) {
			a := arr.(*array.Boolean)
			return func(i int) parquet.Value { return parquet.BooleanValue(a.Value(i)) }, nil
		}, nil
	case *arrow.Int8Type:
		return parquet.Int(8), as32(func(arr arrow.Array) []int8 { return arr.(*array.Int8).Int8Values() }), nil
	case *arrow.Int16Type:
		return parquet.Int(16), as32(func(arr arrow.Array) []int16 { return arr.(*array.Int16).Int16Values() }), nil
	case *arrow.Int32Type:
		return parquet.Int(32), as32(func(arr arrow.Array) []int32 { return arr.(*array.Int32).Int32Values() }), nil
	case *arrow.Int64Type:
		return parquet.Int(64), as64(func(arr arrow.Array) []int64 { return arr.(*array.Int64).Int64Values() }), nil
	case *arrow.Uint8Type:
		return parquet.Uint(8), as32(func(arr arrow.Array) []uint8 { return arr.(*array.Uint8).Uint8Values() }), nil
	case *arrow.Uint16Type:
		return parquet.Uint(16), as32(func(arr arrow.Array) []uint16 { return arr.(*array.Uint16).Uint16Values() }), nil
	case *arrow.Uint32Type:
		return parquet.Uint(32), as32(func(arr arrow.Array) []uint32 { return arr.(*array.Uint32).Uint32Values() }), nil
	case *arrow.Uint64Type:
		return parquet.Uint(64), as64(func(arr arrow.Array) []uint64 { return arr.(*array.Uint64).Uint64Values() }), nil
	case *arrow.Float32Type:
		return parquet.Leaf(parquet.FloatType), func(arr arrow.Array) (func(int) parquet.Value, error) {
			v := arr.(*array.Float32).Float32Values()
			return func(i int) parquet.Value { return parquet.FloatValue(v[i]) }, nil
		}, nil
	case *arrow.Float64Type:
		return parquet.Leaf(parquet.DoubleType), func(arr arrow.Array) (func(int) parquet.Value, error) {
			v := arr.(*array.Float64).Float64Values()
			return func(i int) parquet.Value { return parquet.DoubleValue(v[i]) }, nil
		}, nil
	case *arrow.Date32Type:
		return parquet.Date(), as32(func(arr arrow.Array) []arrow.Date32 { return arr.(*array.Date32).Date32Values() }), nil
	case *arrow.TimestampType:
		return timestampLeaf(t)
	case *arrow.Time32Type:
		if t.Unit == arrow.Millisecond {
			return parquet.TimeAdjusted(parquet.Millisecond, false), as32(func(arr arrow.Array) []arrow.Time32 { return arr.(*array.Time32).Time32Values() }), nil
		}
	case *arrow.Time64Type:
		unit := parquet.Microsecond
		if t.Unit == arrow.Nanosecond {
			unit = parquet.Nanosecond
		}
		return parquet.TimeAdjusted(unit, false), as64(func(arr arrow.Array) []arrow.Time64 { return arr.(*array.Time64).Time64Values() }), nil
	case *arrow.Decimal128Type:
		return decimalLeaf(t)
	case *arrow.StringType:
		return parquet.String(), func(arr arrow.Array) (func(int) parquet.Value, error) {
			return binaryValues(arr.Data(), parquet.ByteArrayValue), nil
		}, nil
	case *arrow.BinaryType:
		return parquet.Leaf(parquet.ByteArrayType), func(arr arrow.Array) (func(int) parquet.Value, error) {
			return binaryValues(arr.Data(), parquet.ByteArrayValue), nil
		}, nil
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth < 1 || t.ByteWidth > fixedBytesMax {
			break
		}
		return parquet.Leaf(parquet.FixedLenByteArrayType(t.ByteWidth)), func(arr arrow.Array) (func(int) parquet.Value, error) {
			a := arr.(*array.FixedSizeBinary)
			return func(i int) parquet.Value { return parquet.FixedLenByteArrayValue(a.Value(i)) }, nil
		}, nil
	}
	return nil, nil, fmt.Errorf("a column of type %s cannot be written to Parquet", typ)
}

// as32 is the binder of types stored as INT32.
func as32[T ~int8 | ~int16 | ~int32 | ~uint8 | ~uint16 | ~uint32](values func(arrow.Array) []T) binder {
	return func(arr arrow.Array) (func(int) parquet.Value, error) {
		v := values(arr)
		return func(i int) parquet.Value { return parquet.Int32Value(int32(v[i])) }, nil
	}
}

// as64 is the binder of types stored as INT64.
func as64[T ~int64 | ~uint64](values func(arrow.Array) []T) binder {
	return func(arr arrow.Array) (func(int) parquet.Value, error) {
		v := values(arr)
		return func(i int) parquet.Value { return parquet.Int64Value(int64(v[i])) }, nil
	}
}

// binaryValues returns the values of a string or binary array without copying.
func binaryValues(data arrow.ArrayData, value func([]byte) parquet.Value) func(int) parquet.Value {
	if data.Len() == 0 {
		return nil
	}
	offsets := arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())[data.Offset():]
	var bytes []byte
	if b := data.Buffers()[2]; b != nil {
		bytes = b.Bytes()
	}
	return func(i int) parquet.Value { return value(bytes[offsets[i]:offsets[i+1]]) }
}

// timestampLeaf is leafOf of time stamps. Parquet has no seconds: they become
// milliseconds.
func timestampLeaf(t *arrow.TimestampType) (parquet.Node, binder, error) {
	unit, factor := parquet.Nanosecond, int64(1)
	switch t.Unit {
	case arrow.Second:
		unit, factor = parquet.Millisecond, 1000
	case arrow.Millisecond:
		unit = parquet.Millisecond
	case arrow.Microsecond:
		unit = parquet.Microsecond
	}
	return parquet.TimestampAdjusted(unit, t.TimeZone != ""), func(arr arrow.Array) (func(int) parquet.Value, error) {
		v := arr.(*array.Timestamp).TimestampValues()
		if factor != 1 {
			for i, s := range v {
				if arr.IsValid(i) && (int64(s) > math.MaxInt64/factor || int64(s) < math.MinInt64/factor) {
					return nil, fmt.Errorf("the time stamp %d s does not fit milliseconds", int64(s))
				}
			}
		}
		return func(i int) parquet.Value { return parquet.Int64Value(int64(v[i]) * factor) }, nil
	}, nil
}

// decimalLeaf is leafOf of decimals: as INT32 up to 9 digits, as INT64 up to
// 18, else as 16 big-endian bytes.
func decimalLeaf(t *arrow.Decimal128Type) (parquet.Node, binder, error) {
	precision, scale := int(t.Precision), int(t.Scale)
	if precision < 1 || precision > 38 || scale < 0 || scale > precision {
		return nil, nil, fmt.Errorf("a column of type %s cannot be written to Parquet", t)
	}
	if precision > 18 {
		return parquet.Decimal(scale, precision, parquet.FixedLenByteArrayType(decimalBytes)), func(arr arrow.Array) (func(int) parquet.Value, error) {
			a := arr.(*array.Decimal128)
			be := make([]byte, 0, a.Len()*decimalBytes)
			for i := range a.Len() {
				v := a.Value(i)
				be = binary.BigEndian.AppendUint64(be, uint64(v.HighBits()))
				be = binary.BigEndian.AppendUint64(be, v.LowBits())
			}
			return func(i int) parquet.Value {
				return parquet.FixedLenByteArrayValue(be[i*decimalBytes : (i+1)*decimalBytes])
			}, nil
		}, nil
	}
	bits, typ := 64, parquet.Int64Type
	if precision <= 9 {
		bits, typ = 32, parquet.Int32Type
	}
	return parquet.Decimal(scale, precision, typ), func(arr arrow.Array) (func(int) parquet.Value, error) {
		a := arr.(*array.Decimal128)
		for i := range a.Len() {
			v := int64(a.Value(i).LowBits())
			fits := a.Value(i).HighBits() == v>>63 && (bits == 64 || v == int64(int32(v)))
			if a.IsValid(i) && !fits {
				return nil, fmt.Errorf("a value does not fit %s", t)
			}
		}
		return func(i int) parquet.Value {
			v := int64(a.Value(i).LowBits())
			if bits == 32 {
				return parquet.Int32Value(int32(v))
			}
			return parquet.Int64Value(v)
		}, nil
	}, nil
}
