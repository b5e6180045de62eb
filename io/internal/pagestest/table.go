// Package pagestest makes and compares tables of every type that Parquet files
// are read and written with, for tests.
package pagestest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// PlainTypes are the types of plain columns that are read back as they were written.
func PlainTypes() []arrow.DataType {
	return []arrow.DataType{
		arrow.FixedWidthTypes.Boolean,
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5}, &arrow.FixedSizeBinaryType{ByteWidth: 256},
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time64ns,
		&arrow.TimestampType{Unit: arrow.Millisecond}, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}, &arrow.TimestampType{Unit: arrow.Microsecond},
		&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 0}, &arrow.Decimal128Type{Precision: 38, Scale: 10},
	}
}

// AllTypes has every plain type required and nullable, and lists of all.
func AllTypes() *arrow.Schema {
	var fields []arrow.Field
	for i, t := range PlainTypes() {
		fields = append(fields,
			arrow.Field{Name: fmt.Sprintf("z%02d required, %s", i, t), Type: t}, // z: columns must not be sorted by name
			arrow.Field{Name: fmt.Sprintf("a%02d nullable %s", i, t), Type: t, Nullable: true},
			arrow.Field{Name: fmt.Sprintf("m%02d.list of %s", i, t), Type: arrow.ListOf(t)},
			arrow.Field{Name: fmt.Sprintf("b%02d nullable list of %s", i, t), Type: arrow.ListOf(t), Nullable: true},
		)
	}
	return arrow.NewSchema(fields, nil)
}

// RandomRecord makes rows of the schema. About half of the values are from the edges of their types. Runs of equal
// values occur, and so do columns with only nulls.
func RandomRecord(mem memory.Allocator, r *rand.Rand, schema *arrow.Schema, rows int) arrow.Record {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i, f := range schema.Fields() {
		fillColumn(r, b.Field(i), f.Nullable, rows)
	}
	return b.NewRecord()
}

func fillColumn(r *rand.Rand, b array.Builder, nullable bool, n int) {
	nulls := 0.0
	if nullable {
		nulls = []float64{0, 0.01, 0.5, 1}[r.IntN(4)]
	}
	list, _ := b.(*array.ListBuilder)
	same := r.IntN(2) == 0 // runs of equal values
	seed := r.Uint64()
	for range n {
		if r.Float64() < nulls {
			b.AppendNull()
			continue
		}
		if list != nil {
			list.Append(true)
			for range r.IntN(5) {
				if r.IntN(4) == 0 {
					list.ValueBuilder().AppendNull()
				} else {
					appendValue(r, list.ValueBuilder())
				}
			}
			continue
		}
		if !same || r.IntN(20) == 0 {
			seed = r.Uint64()
		}
		appendValue(rand.New(rand.NewPCG(seed, 1)), b)
	}
}

func appendValue(r *rand.Rand, b array.Builder) {
	v := r.Uint64() >> (r.UintN(64))
	if r.IntN(2) == 0 {
		v = -v
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v&1 == 1)
	case *array.Int8Builder:
		b.Append(int8(v))
	case *array.Int16Builder:
		b.Append(int16(v))
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Int64Builder:
		b.Append(int64(v))
	case *array.Uint8Builder:
		b.Append(uint8(v))
	case *array.Uint16Builder:
		b.Append(uint16(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Uint64Builder:
		b.Append(v)
	case *array.Float32Builder:
		b.Append(float32(int32(v)) / 8)
	case *array.Float64Builder:
		b.Append([]float64{float64(int64(v)) / 8, math.Inf(1), math.Copysign(0, -1), math.MaxFloat64}[r.IntN(4)])
	case *array.StringBuilder:
		b.Append([]string{"", "Größe", "x\x00y", fmt.Sprintf("gene-%d", v), "日本"}[r.IntN(5)])
	case *array.BinaryBuilder:
		p := make([]byte, r.IntN(40))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		b.Append(p)
	case *array.FixedSizeBinaryBuilder:
		p := make([]byte, b.Type().(*arrow.FixedSizeBinaryType).ByteWidth)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		b.Append(p)
	case *array.Date32Builder:
		b.Append(arrow.Date32(v))
	case *array.Time32Builder:
		b.Append(arrow.Time32(v))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v))
	case *array.Decimal128Builder:
		switch p := b.Type().(*arrow.Decimal128Type).Precision; {
		case p <= 9:
			b.Append(decimal128.FromI64(int64(v) % 1_000_000_000))
		case p <= 18:
			b.Append(decimal128.FromI64(int64(v) % 1_000_000_000_000_000_000))
		default:
			b.Append(decimal128.FromI64(int64(v)).Mul(decimal128.FromI64(r.Int64N(1 << 60))))
		}
	default:
		panic(fmt.Sprintf("no random values for %T", b))
	}
}

// SameTable compares the names, values and nulls of two tables.
func SameTable(t testing.TB, got, want arrow.Table) {
	t.Helper()
	if got.NumRows() != want.NumRows() || got.NumCols() != want.NumCols() {
		t.Fatalf("%d rows of %d columns, want %d of %d", got.NumRows(), got.NumCols(), want.NumRows(), want.NumCols())
	}
	for i := range int(want.NumCols()) {
		g, w := got.Column(i), want.Column(i)
		if g.Name() != w.Name() {
			t.Fatalf("column %d is %q, want %q", i, g.Name(), w.Name())
		}
		if want.NumRows() == 0 {
			continue
		}
		ga, wa := flat(t, g), flat(t, w)
		if !array.Equal(ga, wa) {
			t.Errorf("column %q differs:\n got %.300s\nwant %.300s", g.Name(), ga, wa)
		}
		ga.Release()
		wa.Release()
	}
}

// flat joins a column's chunks.
func flat(t testing.TB, c *arrow.Column) arrow.Array {
	t.Helper()
	arr, err := array.Concatenate(c.Data().Chunks(), memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return arr
}
