package parquetio

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
	"github.com/parquet-go/parquet-go"
)

// encoded has a column for each encoding that parquet-go writes.
type encoded struct {
	DeltaInt32    int32   `parquet:"delta_int32,delta"`
	DeltaInt64    int64   `parquet:"delta_int64,optional,delta"`
	DeltaString   string  `parquet:"delta_string,delta"`
	DeltaOptional string  `parquet:"delta_optional,optional,delta"`
	SplitFloat    float32 `parquet:"split_float,split"`
	SplitDouble   float64 `parquet:"split_double,optional,split"`
	DictInt       int64   `parquet:"dict_int,dict"`
	DictString    *string `parquet:"dict_string,dict"`
	DictDouble    float64 `parquet:"dict_double,dict"`
	Fixed         [7]byte `parquet:"fixed,dict"`
	DeltaFixed    [9]byte `parquet:"delta_fixed,delta"`
	Flag          *bool   `parquet:"flag"`
	Bytes         []byte  `parquet:"bytes"`
	List          []int32 `parquet:"list,list"`
}

func randomEncoded(r *rand.Rand) (e encoded) {
	e.DeltaInt32 = int32(r.Uint64() >> r.UintN(64))
	if r.IntN(3) > 0 {
		e.DeltaInt64 = int64(r.Uint64() >> r.UintN(64))
	}
	e.DeltaString = fmt.Sprintf("ENSG%08d", r.IntN(1000))
	if r.IntN(3) > 0 {
		e.DeltaOptional = fmt.Sprintf("%d", r.IntN(100))
	}
	e.SplitFloat = r.Float32()
	if r.IntN(3) > 0 {
		e.SplitDouble = r.NormFloat64()
	}
	e.DictInt = int64(r.IntN(10))
	if r.IntN(3) > 0 {
		v := fmt.Sprintf("tissue %d", r.IntN(300))
		e.DictString = &v
	}
	e.DictDouble = float64(r.IntN(2))
	e.Fixed[r.IntN(7)] = byte(r.IntN(3))
	e.DeltaFixed[r.IntN(9)] = byte(r.IntN(3))
	if r.IntN(3) > 0 {
		v := r.IntN(2) == 0
		e.Flag = &v
	}
	e.Bytes = []byte(fmt.Sprint(r.IntN(1000)))
	for range r.IntN(4) {
		e.List = append(e.List, r.Int32())
	}
	return e
}

// encodedSchema is how encoded reads.
var encodedSchema = arrow.NewSchema([]arrow.Field{
	{Name: "delta_int32", Type: arrow.PrimitiveTypes.Int32},
	{Name: "delta_int64", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "delta_string", Type: arrow.BinaryTypes.String},
	{Name: "delta_optional", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "split_float", Type: arrow.PrimitiveTypes.Float32},
	{Name: "split_double", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "dict_int", Type: arrow.PrimitiveTypes.Int64},
	{Name: "dict_string", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "dict_double", Type: arrow.PrimitiveTypes.Float64},
	{Name: "fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 7}},
	{Name: "delta_fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 9}},
	{Name: "flag", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "bytes", Type: arrow.BinaryTypes.Binary},
	{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)},
}, nil)

func encodedTable(rows []encoded) arrow.Table {
	b := array.NewRecordBuilder(memory.DefaultAllocator, encodedSchema)
	for _, e := range rows {
		b.Field(0).(*array.Int32Builder).Append(e.DeltaInt32)
		appendOptional(b.Field(1).(*array.Int64Builder), orNull(e.DeltaInt64))
		b.Field(2).(*array.StringBuilder).Append(e.DeltaString)
		appendOptional(b.Field(3).(*array.StringBuilder), orNull(e.DeltaOptional))
		b.Field(4).(*array.Float32Builder).Append(e.SplitFloat)
		appendOptional(b.Field(5).(*array.Float64Builder), orNull(e.SplitDouble))
		b.Field(6).(*array.Int64Builder).Append(e.DictInt)
		appendOptional(b.Field(7).(*array.StringBuilder), e.DictString)
		b.Field(8).(*array.Float64Builder).Append(e.DictDouble)
		b.Field(9).(*array.FixedSizeBinaryBuilder).Append(e.Fixed[:])
		b.Field(10).(*array.FixedSizeBinaryBuilder).Append(e.DeltaFixed[:])
		appendOptional(b.Field(11).(*array.BooleanBuilder), e.Flag)
		b.Field(12).(*array.BinaryBuilder).Append(e.Bytes)
		l := b.Field(13).(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().(*array.Int32Builder).AppendValues(e.List, nil)
	}
	rec := b.NewRecord()
	return array.NewTableFromRecords(encodedSchema, []arrow.Record{rec})
}

// orNull is how parquet-go writes the zero of an optional column: as null.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func appendOptional[T any, B interface {
	array.Builder
	Append(T)
}](b B, v *T) {
	if v == nil {
		b.AppendNull()
		return
	}
	b.Append(*v)
}

// writeEncoded writes rows with parquet-go.
func writeEncoded(t testing.TB, rows []encoded, groupRows int, opts ...parquet.WriterOption) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "parquet-go.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[encoded](f, opts...)
	for len(rows) > 0 {
		n := min(groupRows, len(rows))
		if _, err := w.Write(rows[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

var codecs = []parquet.WriterOption{
	parquet.Compression(&parquet.Uncompressed), parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Gzip),
	parquet.Compression(&parquet.Zstd), parquet.Compression(&parquet.Brotli), parquet.Compression(&parquet.Lz4Raw),
}

func TestReadEncodings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	rows, groupRows := make([]encoded, thoroughtest.Pick(600, 2500)), thoroughtest.Pick(260, 1100)
	for i := range rows {
		rows[i] = randomEncoded(r)
	}
	want := encodedTable(rows)
	for i, codec := range codecs {
		for version := 1; version <= 2; version++ {
			for _, pageBytes := range []int{100, 1 << 20} {
				t.Run(fmt.Sprintf("codec=%d/v%d/page=%d", i, version, pageBytes), func(t *testing.T) {
					path := writeEncoded(t, rows, groupRows, codec, parquet.DataPageVersion(version), parquet.PageBufferSize(pageBytes), parquet.DictionaryMaxBytes(1000))
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					got := readAll(t, path, column.ReadOptions{Mem: mem, BatchRows: 512, Threads: 2})
					defer got.Release()
					if !got.Schema().Equal(encodedSchema) {
						t.Errorf("schema %s", got.Schema())
					}
					pagestest.SameTable(t, got, want)
				})
			}
		}
	}
}
