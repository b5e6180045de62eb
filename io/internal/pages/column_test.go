package pages

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// TestConvertedTypes reads the annotations of old writers, which know no
// logical types.
func TestConvertedTypes(t *testing.T) {
	for _, c := range []struct {
		physical  format.Type
		converted deprecated.ConvertedType
		want      arrow.DataType // nil: cannot be read
	}{
		{format.ByteArray, deprecated.UTF8, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Enum, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Json, arrow.BinaryTypes.String},
		{format.ByteArray, deprecated.Bson, arrow.BinaryTypes.Binary},
		{format.Int32, deprecated.Date, arrow.FixedWidthTypes.Date32},
		{format.Int64, deprecated.TimestampMillis, arrow.FixedWidthTypes.Timestamp_ms},
		{format.Int64, deprecated.TimestampMicros, arrow.FixedWidthTypes.Timestamp_us},
		{format.Int32, deprecated.Int8, arrow.PrimitiveTypes.Int8},
		{format.Int32, deprecated.Int16, arrow.PrimitiveTypes.Int16},
		{format.Int32, deprecated.Int32, arrow.PrimitiveTypes.Int32},
		{format.Int64, deprecated.Int64, arrow.PrimitiveTypes.Int64},
		{format.Int32, deprecated.Uint8, arrow.PrimitiveTypes.Uint8},
		{format.Int32, deprecated.Uint16, arrow.PrimitiveTypes.Uint16},
		{format.Int32, deprecated.Uint32, arrow.PrimitiveTypes.Uint32},
		{format.Int64, deprecated.Uint64, arrow.PrimitiveTypes.Uint64},
		{format.Int32, deprecated.Decimal, &arrow.Decimal128Type{Precision: 7, Scale: 2}},
		{format.FixedLenByteArray, deprecated.Decimal, &arrow.Decimal128Type{Precision: 7, Scale: 2}},
		{format.Int64, deprecated.TimeMicros, arrow.FixedWidthTypes.Time64us},
		{format.Int32, deprecated.TimeMillis, arrow.FixedWidthTypes.Time32ms},
		{format.Int32, deprecated.TimeMicros, nil},
		{format.FixedLenByteArray, deprecated.Interval, nil},
		{format.Double, deprecated.UTF8, nil},
		{format.Int64, deprecated.Int8, nil},
		{format.Boolean, deprecated.Decimal, nil},
		{format.Int96, deprecated.Int64, &arrow.TimestampType{Unit: arrow.Microsecond}},
	} {
		schema := []element{
			{Name: "root", NumChildren: thrift.New[int32](1)},
			{Name: "x", Type: thrift.New(c.physical), TypeLength: thrift.New[int32](12), ConvertedType: thrift.New(c.converted),
				Precision: thrift.New[int32](7), Scale: thrift.New[int32](2), RepetitionType: thrift.New(format.Optional)},
		}
		cols, _, leaves, err := columnsOf(schema)
		if err != nil || leaves != 1 || len(cols) != 1 {
			t.Fatal(err)
		}
		col := cols[0]
		if c.want == nil {
			if col.Err == nil {
				t.Errorf("%s as %d is read as %s", c.physical, c.converted, col.Field.Type)
			}
			continue
		}
		if col.Err != nil || !arrow.TypeEqual(col.Field.Type, c.want) || !col.Field.Nullable {
			t.Errorf("%s as %d: %s, %v, want %s", c.physical, c.converted, col.Field.Type, col.Err, c.want)
		}
	}
}
