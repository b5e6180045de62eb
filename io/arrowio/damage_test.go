package arrowio

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/endian"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// made makes an array of buffers that need not fit together.
func made(dt arrow.DataType, rows, nulls int, buffers ...[]byte) arrow.Array {
	bufs := make([]*memory.Buffer, len(buffers))
	for i, b := range buffers {
		if b != nil {
			bufs[i] = memory.NewBufferBytes(b)
		}
	}
	return array.MakeFromData(array.NewData(dt, rows, bufs, nil, nulls, 0))
}

func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// What the Arrow library writes and would read, and what it would then stumble
// over when values are used, is refused with its place.
func TestReadInconsistentArrays(t *testing.T) {
	str, view := arrow.BinaryTypes.String, arrow.BinaryTypes.StringView
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: str}
	values := made(str, 2, 0, nil, words(0, 1, 2), []byte("xy"))
	nullValue := made(str, 2, 1, []byte{1}, words(0, 1, 1), []byte("x"))
	for _, tt := range []struct {
		what string
		arr  arrow.Array
		want string // "": read, as the text that follows
		text string
	}{
		{"plain", made(str, 2, 0, nil, words(0, 1, 2), []byte("xy")), "", "x y"},
		{"not UTF-8", made(str, 2, 0, nil, words(0, 1, 2), []byte("x\xff")), "text that is not valid UTF-8", ""},
		{"a character cut in two", made(str, 2, 0, nil, words(0, 1, 2), []byte("é")), "text that is not valid UTF-8", ""},
		{"not UTF-8 under a null", made(str, 2, 1, []byte{1}, words(0, 1, 2), []byte("x\xff")), "", "x (null)"},
		{"binary", made(arrow.BinaryTypes.Binary, 1, 0, nil, words(0, 1), []byte("\xff")), "", "/w=="},
		{"offsets out of order", made(str, 3, 0, nil, words(0, 2, 1, 2), []byte("xy")), "its offsets are out of order or beyond its text", ""},
		{"fewer nulls than declared", made(str, 3, 2, []byte{5}, words(0, 1, 1, 2), []byte("xy")), "1 nulls where 2 are declared", ""},
		{"index beyond the dictionary", array.NewDictionaryArray(dict, made(arrow.PrimitiveTypes.Int8, 2, 0, nil, []byte{1, 2}), values), "an index beyond its dictionary", ""},
		{"negative index", array.NewDictionaryArray(dict, made(arrow.PrimitiveTypes.Int8, 2, 0, nil, []byte{1, 0xff}), values), "an index beyond its dictionary", ""},
		{"index under a null", array.NewDictionaryArray(dict, made(arrow.PrimitiveTypes.Int8, 2, 1, []byte{1}, []byte{1, 0xff}), values), "", "y (null)"},
		{"null in the dictionary", array.NewDictionaryArray(dict, made(arrow.PrimitiveTypes.Int8, 2, 0, nil, []byte{1, 0}), nullValue), "", "(null) x"},
		{"view", made(view, 2, 0, nil, words(1, 'x', 0, 0, 13, 0, 0, 1), []byte(" a long string")), "", "x a long string"},
		{"view of no buffer", made(view, 1, 0, nil, words(13, 0, 1, 1), []byte(" a long string")), "its offsets are out of order or beyond its text", ""},
		{"view beyond its buffer", made(view, 1, 0, nil, words(13, 0, 0, 2), []byte(" a long string")), "its offsets are out of order or beyond its text", ""},
		{"view not UTF-8", made(view, 1, 0, nil, words(1, 0xff, 0, 0)), "text that is not valid UTF-8", ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			dt := tt.arr.DataType()
			rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "c", Type: dt, Nullable: true}}, nil), []arrow.Array{tt.arr}, int64(tt.arr.Len()))
			var fs blobtest.Mem
			fs.Put("a.arrow", library(t, []arrow.Record{rec}))
			got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t)})
			if tt.want == "" {
				if _, got, _ = strings.Cut(strings.TrimSpace(got), ": "); err != nil || got != tt.text {
					t.Errorf("%q, %v; want %q", got, err, tt.text)
				}
				return
			}
			checkRefused(t, err, `a.arrow: the file is damaged: record batch 1: column "c": `+tt.want)
		})
	}
}

func TestLongValues(t *testing.T) {
	buffers := []*memory.Buffer{nil, nil, memory.NewBufferBytes([]byte("x"))}
	if err := checkOffsets([]int64{0, 1, valueBytesMax + 2}, 2, buffers, true); err == nil || err.Error() != "a value of 1073741825 bytes" {
		t.Errorf("error %v", err)
	}
}

func TestReadSchemas(t *testing.T) {
	i8 := arrow.PrimitiveTypes.Int8
	dictOf := func(dt arrow.DataType) arrow.DataType {
		return &arrow.DictionaryType{IndexType: i8, ValueType: dt}
	}
	for _, tt := range []struct {
		typ  arrow.DataType
		want string
	}{
		{&arrow.Decimal128Type{Precision: 39, Scale: 0}, `columns of type "decimal128(39, 0)" are not supported`},
		{&arrow.Decimal256Type{Precision: 10, Scale: 1 << 20}, `columns of type "decimal256(10, 1048576)" are not supported`},
		{&arrow.FixedSizeBinaryType{ByteWidth: 0}, `columns of type "binary of 0 bytes" are not supported`},
		{arrow.FixedWidthTypes.MonthInterval, `columns of type "interval" are not supported`},
		{arrow.FixedWidthTypes.MonthDayNanoInterval, `columns of type "interval" are not supported`},
		{dictOf(arrow.FixedWidthTypes.Boolean), `columns of type "dictionary of bool" are not supported`},
		{dictOf(arrow.ListOf(i8)), `columns of type "dictionary of list" are not supported`},
		{dictOf(arrow.StructOf(arrow.Field{Name: "x", Type: i8})), `columns of type "dictionary of structures" are not supported`},
	} {
		if f := fieldOf(t, tt.typ); f.loaded != nil {
			t.Errorf("%s is supported", tt.typ)
			continue
		}
		rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "c", Type: tt.typ}}, nil), []arrow.Array{array.MakeArrayOfNull(memory.DefaultAllocator, tt.typ, 0)}, 0)
		var fs blobtest.Mem
		fs.Put("a.arrow", library(t, []arrow.Record{rec}))
		for _, names := range [][]string{nil, {"c"}} {
			_, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), Columns: names})
			checkRefused(t, err, `a.arrow: column "c": `+tt.want)
		}
	}
}

func TestReadBigEndian(t *testing.T) {
	schema := arrow.NewSchemaWithEndian([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil, endian.BigEndian)
	rec := array.NewRecord(schema, []arrow.Array{made(arrow.PrimitiveTypes.Int64, 1, 0, nil, words(0, 1))}, 1)
	var fs blobtest.Mem
	fs.Put("a.arrow", library(t, []arrow.Record{rec}))
	_, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t)})
	checkRefused(t, err, "a.arrow: values are big-endian")
}

func TestXXH32(t *testing.T) {
	// The empty string and "abc" are in xxHash's own tests; the third is
	// the checksum of a frame in testdata, which has longer ones as well.
	for text, want := range map[string]uint32{"": 0x02cc5d05, "abc": 0x32d153ff, "\xfb": 0xfd39a620} {
		if got := xxh32([]byte(text)); got != want {
			t.Errorf("%q: %08x, want %08x", text, got, want)
		}
	}
}
