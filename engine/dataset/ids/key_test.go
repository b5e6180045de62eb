package ids

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

// idKinds are id types with ways to draw values of them and to compare two.
var idKinds = map[string]struct {
	typ     arrow.DataType
	draw    func(t *rapid.T, b array.Builder)
	compare func(arr arrow.Array, i, j int) int
}{
	"text": {arrow.BinaryTypes.String,
		func(t *rapid.T, b array.Builder) {
			b.(*array.StringBuilder).Append(rapid.SampledFrom([]string{"", "\x00", "\x00\x00", "\x00\x01", "a", "a\x00", "a\x00b", "ab", "a\x01", "é", "\x7f", "chr1", "chr10", "chr2"}).Draw(t, "text"))
		},
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.String).Value(i), a.(*array.String).Value(j))
		}},
	"bytes": {arrow.BinaryTypes.Binary,
		func(t *rapid.T, b array.Builder) {
			b.(*array.BinaryBuilder).Append(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 254, 255}), 0, 4).Draw(t, "bytes"))
		},
		func(a arrow.Array, i, j int) int {
			return bytes.Compare(a.(*array.Binary).Value(i), a.(*array.Binary).Value(j))
		}},
	"fixed": {&arrow.FixedSizeBinaryType{ByteWidth: 2},
		func(t *rapid.T, b array.Builder) {
			b.(*array.FixedSizeBinaryBuilder).Append(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 255}), 2, 2).Draw(t, "fixed"))
		},
		func(a arrow.Array, i, j int) int {
			return bytes.Compare(a.(*array.FixedSizeBinary).Value(i), a.(*array.FixedSizeBinary).Value(j))
		}},
	"int64": {arrow.PrimitiveTypes.Int64,
		func(t *rapid.T, b array.Builder) {
			b.(*array.Int64Builder).Append(rapid.SampledFrom([]int64{-1 << 63, -257, -1, 0, 1, 255, 256, 1<<63 - 1}).Draw(t, "int64"))
		},
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.Int64).Value(i), a.(*array.Int64).Value(j))
		}},
	"int8": {arrow.PrimitiveTypes.Int8,
		func(t *rapid.T, b array.Builder) { b.(*array.Int8Builder).Append(rapid.Int8().Draw(t, "int8")) },
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.Int8).Value(i), a.(*array.Int8).Value(j))
		}},
	"uint64": {arrow.PrimitiveTypes.Uint64,
		func(t *rapid.T, b array.Builder) {
			b.(*array.Uint64Builder).Append(rapid.SampledFrom([]uint64{0, 1, 255, 256, 1 << 63, 1<<64 - 1}).Draw(t, "uint64"))
		},
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.Uint64).Value(i), a.(*array.Uint64).Value(j))
		}},
	"date": {arrow.FixedWidthTypes.Date32,
		func(t *rapid.T, b array.Builder) {
			b.(*array.Date32Builder).Append(arrow.Date32(rapid.Int32Range(-3, 3).Draw(t, "date")))
		},
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.Date32).Value(i), a.(*array.Date32).Value(j))
		}},
	"time": {arrow.FixedWidthTypes.Timestamp_us,
		func(t *rapid.T, b array.Builder) {
			b.(*array.TimestampBuilder).Append(arrow.Timestamp(rapid.Int64Range(-300, 300).Draw(t, "time")))
		},
		func(a arrow.Array, i, j int) int {
			return cmp.Compare(a.(*array.Timestamp).Value(i), a.(*array.Timestamp).Value(j))
		}},
	"bool": {arrow.FixedWidthTypes.Boolean,
		func(t *rapid.T, b array.Builder) { b.(*array.BooleanBuilder).Append(rapid.Bool().Draw(t, "bool")) },
		func(a arrow.Array, i, j int) int {
			x, y := a.(*array.Boolean).Value(i), a.(*array.Boolean).Value(j)
			switch {
			case x == y:
				return 0
			case y:
				return -1
			}
			return 1
		}},
}

// Keys are in the order of the ids, column by column, and turn back into the same ids.
func TestKeysAreInTheOrderOfIDs(t *testing.T) {
	names := []string{}
	for name := range idKinds {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		var fields []arrow.Field
		columns := rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(t, "columns")
		for _, name := range columns {
			fields = append(fields, arrow.Field{Name: name, Type: idKinds[name].typ})
		}
		n := rapid.IntRange(2, 8).Draw(t, "rows")
		var ids []arrow.Array
		for _, name := range columns {
			b := array.NewBuilder(memory.DefaultAllocator, idKinds[name].typ)
			for range n {
				idKinds[name].draw(t, b)
			}
			ids = append(ids, b.NewArray())
		}
		builder := NewKeyBuilder(fields)
		keys := make([][]byte, n)
		for i := range keys {
			keys[i] = AppendKey(nil, ids, i)
			if err := builder.Append(keys[i]); err != nil {
				t.Fatal(err)
			}
		}
		for k, arr := range builder.Arrays() {
			if !array.Equal(arr, ids[k]) {
				t.Fatalf("%v turned into %v", ids[k], arr)
			}
		}
		for i := range keys {
			for j := range keys {
				want := 0
				for k, name := range columns {
					if want == 0 {
						want = idKinds[name].compare(ids[k], i, j)
					}
				}
				if got := bytes.Compare(keys[i], keys[j]); got != want {
					t.Fatalf("%s before %s: keys compare as %d, ids as %d", Text(ids, i), Text(ids, j), got, want)
				}
			}
		}
	})
}

// Bytes that are no key of the columns are refused.
func TestKeyBuilderRefuses(t *testing.T) {
	for _, x := range []struct {
		typ arrow.DataType
		key string
	}{
		{arrow.BinaryTypes.String, ""}, {arrow.BinaryTypes.String, "a"}, {arrow.BinaryTypes.String, "a\x00"},
		{arrow.BinaryTypes.String, "a\x00\xff"}, {arrow.BinaryTypes.String, "a\x00\x00b"},
		{arrow.PrimitiveTypes.Int32, "1234567"}, {arrow.PrimitiveTypes.Int32, "123456789"},
		{&arrow.FixedSizeBinaryType{ByteWidth: 3}, "12"}, {&arrow.FixedSizeBinaryType{ByteWidth: 3}, "1234"},
	} {
		if NewKeyBuilder([]arrow.Field{{Name: "id", Type: x.typ}}).Append([]byte(x.key)) == nil {
			t.Errorf("%q is taken for a key of type %s", x.key, x.typ)
		}
	}
}
