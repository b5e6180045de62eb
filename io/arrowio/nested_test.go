package arrowio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// deepType is a structure in a structure, with columns of all kinds of layouts.
func deepType() *arrow.StructType {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String}
	inner := arrow.StructOf(
		arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8), Nullable: true},
		arrow.Field{Name: "kind", Type: dict, Nullable: true},
		arrow.Field{Name: "view", Type: arrow.BinaryTypes.StringView, Nullable: true},
		arrow.Field{Name: "half", Type: arrow.FixedWidthTypes.Float16, Nullable: true},
		arrow.Field{Name: "never", Type: arrow.Null, Nullable: true},
	)
	return arrow.StructOf(
		arrow.Field{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "inner", Type: inner, Nullable: true},
		arrow.Field{Name: "map", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32), Nullable: true},
		arrow.Field{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	)
}

// deepRecord has such a structure between two columns, and what its fields should be read as.
func deepRecord(t *testing.T, r *rand.Rand, rows int) (arrow.Record, map[string][]string) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int32}, {Name: "s", Type: deepType(), Nullable: true}, {Name: "last", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	want := map[string][]string{}
	var json strings.Builder
	json.WriteString("[")
	for i := range rows {
		if i > 0 {
			json.WriteString(",")
		}
		add := func(name, value string) { want[name] = append(want[name], value) }
		some := func(value string) string {
			if r.IntN(3) == 0 {
				return "null"
			}
			return value
		}
		text, n, kind, view, half, ok := some(fmt.Sprintf(`"t%d"`, i)), some(fmt.Sprint(i*1_000_003)), some(fmt.Sprintf(`"k%d"`, i%3)), some(fmt.Sprintf(`"a view of more than twelve bytes %d"`, i)), some("1.5"), some(fmt.Sprint(i%2 == 0))
		inner := fmt.Sprintf(`{"n":%s,"list":[1,2],"kind":%s,"view":%s,"half":%s,"never":null}`, n, kind, view, half)
		hasInner, has := r.IntN(3) > 0, r.IntN(4) > 0
		if !hasInner {
			inner = "null"
		}
		s := fmt.Sprintf(`{"text":%s,"inner":%s,"map":[{"key":"a","value":1}],"ok":%s}`, text, inner, ok)
		if !has {
			s = "null"
		}
		fmt.Fprintf(&json, `{"id":%d,"s":%s,"last":"l%d"}`, i, s, i)
		show := func(v string, there bool) string {
			if !there || v == "null" {
				return array.NullValueStr
			}
			return strings.Trim(v, `"`)
		}
		add("s.text", show(text, has))
		add("s.ok", show(ok, has))
		add("s.inner.n", show(n, has && hasInner))
		add("s.inner.kind", show(kind, has && hasInner))
		add("s.inner.view", show(view, has && hasInner))
		add("s.inner.half", show(half, has && hasInner))
		add("s.inner.never", array.NullValueStr)
		add("id", fmt.Sprint(i))
		add("last", fmt.Sprintf("l%d", i))
	}
	json.WriteString("]")
	rec, _, err := array.RecordFromJSON(memory.NewGoAllocator(), schema, strings.NewReader(json.String()), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	return rec, want
}

// TestFieldsOfStructures are read by their path: null where the field, or a structure that it is in, is.
func TestFieldsOfStructures(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	rec, want := deepRecord(t, r, 500)
	for _, opts := range [][]ipc.Option{nil, {ipc.WithLZ4()}, {ipc.WithZstd()}} {
		var fs blobtest.Mem
		fs.Put("a.arrow", library(t, []arrow.Record{rec}, opts...))
		for _, columns := range []string{"s.text", "s.inner.n", "last,s.inner.kind,id", "s.inner.view,s.ok", "s.inner.half,s.inner.never,s.text,last", "id,last", "s.ok,s.inner.n,s.inner.kind,s.inner.view,s.inner.half,s.text"} {
			names := strings.Split(columns, ",")
			for _, rows := range []int{0, 7} {
				got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), Columns: names, BatchRows: rows})
				if err != nil {
					t.Fatalf("%s: %v", columns, err)
				}
				for k, line := range strings.Split(strings.TrimSpace(got), "\n") {
					_, values, _ := strings.Cut(line, ": ")
					if values != strings.Join(want[names[k]], " ") {
						t.Errorf("%s: %s: %.200s\nwant %.200s", columns, line[:20], values, strings.Join(want[names[k]], " "))
					}
				}
			}
		}
		for name, text := range map[string]string{"s": `"s" is a structure of`, "s.inner": "is a structure of", "s.map": `type "map"`, "s.inner.list": `type "list"`, "inner.n": "no such column"} {
			_, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Columns: []string{"id", name}})
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if names := strings.Join(column.Names(r.Schema()), ","); names != "id,s.text,s.inner.n,s.inner.list,s.inner.kind,s.inner.view,s.inner.half,s.inner.never,s.map,s.ok,last" {
			t.Error(names)
		}
		if _, err := r.Read(ctx); err == nil || !strings.Contains(err.Error(), `column "s.inner.list": columns of type "list" are not supported`) {
			t.Error(err)
		}
		r.Close()
	}
}

// TestOddTypesBesideAGoodOne: whatever type another column is of.
func TestOddTypesBesideAGoodOne(t *testing.T) {
	mem := memory.NewGoAllocator()
	i32, str := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	codes := []arrow.UnionTypeCode{0, 1}
	two := []arrow.Field{{Name: "a", Type: i32, Nullable: true}, {Name: "b", Type: str, Nullable: true}}
	for _, typ := range []arrow.DataType{
		arrow.ListOf(i32), arrow.LargeListOf(str), arrow.FixedSizeListOf(3, i32), arrow.MapOf(str, i32), arrow.StructOf(two...), arrow.SparseUnionOf(two, codes), arrow.DenseUnionOf(two, codes),
		arrow.ListOf(arrow.StructOf(two...)), arrow.FixedWidthTypes.MonthInterval, arrow.FixedWidthTypes.DayTimeInterval, arrow.FixedWidthTypes.MonthDayNanoInterval, arrow.FixedWidthTypes.Float16,
		arrow.ListViewOf(i32), arrow.Null, &arrow.FixedSizeBinaryType{ByteWidth: 16}, arrow.StructOf(), arrow.FixedWidthTypes.Duration_ns, &arrow.Decimal256Type{Precision: 76},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: str},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "before", Type: str}, {Name: "odd", Type: typ, Nullable: true}, {Name: "after", Type: i32}}, nil)
		before := array.NewStringBuilder(mem)
		before.AppendValues([]string{"x", "y"}, nil)
		after := array.NewInt32Builder(mem)
		after.AppendValues([]int32{1, 2}, nil)
		builder := array.NewBuilder(mem, typ)
		for range 2 {
			if typ.ID() == arrow.DENSE_UNION || typ.ID() == arrow.SPARSE_UNION {
				builder.AppendEmptyValue()
			} else {
				builder.AppendNull()
			}
		}
		rec := array.NewRecord(schema, []arrow.Array{before.NewArray(), builder.NewArray(), after.NewArray()}, 2)
		var fs blobtest.Mem
		fs.Put("a.arrow", library(t, []arrow.Record{rec}))
		got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), Columns: []string{"after", "before"}})
		if want := "after int32: 1 2\nbefore utf8: x y\n"; err != nil || got != want {
			t.Errorf("beside %s: %q, %v", typ, got, err)
		}
		if _, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{}); err != nil {
			t.Errorf("beside %s: %v", typ, err)
		}
	}
}

// patched is a file of columns good (int32), odd (a decimal of 128 bits, but of the bytes given) and after, in which the type of odd
// is changed.
func patched(t *testing.T, change func(f *flatbuf, field, typ table), values ...[]byte) []byte {
	t.Helper()
	mem := memory.NewGoAllocator()
	schema := arrow.NewSchema([]arrow.Field{{Name: "good", Type: arrow.PrimitiveTypes.Int32}, {Name: "odd", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true}, {Name: "after", Type: arrow.PrimitiveTypes.Int32}}, nil)
	good := array.NewInt32Builder(mem)
	after := array.NewInt32Builder(mem)
	n := len(values)
	raw := make([]byte, 0, 16*n) // as many values of the width, though the library takes them for others
	for i, v := range values {
		good.Append(int32(i))
		after.Append(int32(10 * i))
		raw = append(raw, v...)
	}
	raw = append(raw, make([]byte, 16*n-len(raw))...)
	data := array.NewData(schema.Field(1).Type, n, []*memory.Buffer{nil, memory.NewBufferBytes(raw)}, nil, 0, 0)
	rec := array.NewRecord(schema, []arrow.Array{good.NewArray(), array.MakeFromData(data), after.NewArray()}, int64(n))
	file := library(t, []arrow.Record{rec})
	length := int(binary.LittleEndian.Uint32(file[len(file)-tailBytes:]))
	f := &flatbuf{b: bytes.Clone(file[len(file)-tailBytes-length : len(file)-tailBytes])}
	field := f.root().table(1).vector(1, 4).table(1)
	change(f, field, field.table(3))
	file = append(bytes.Clone(file[:len(file)-tailBytes-length]), f.b...)
	return append(binary.LittleEndian.AppendUint32(file, uint32(len(f.b))), magic...)
}

func little(v int64, width int) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(v))[:width]
}

// TestSmallDecimals: decimals of 32 and 64 bits, which the Arrow library here does not know.
func TestSmallDecimals(t *testing.T) {
	for _, bits := range []int32{32, 64} {
		width := int(bits / 8)
		file := patched(t, func(f *flatbuf, field, _ table) {
			// A table of three numbers behind all others: precision, scale and width.
			vtable := len(f.b)
			for _, v := range []uint16{10, 16, 4, 8, 12} {
				f.b = binary.LittleEndian.AppendUint16(f.b, v)
			}
			f.b = append(f.b, 0, 0)
			at := len(f.b)
			for _, v := range []int32{int32(at - vtable), 9, 2, bits} {
				f.b = binary.LittleEndian.AppendUint32(f.b, uint32(v))
			}
			binary.LittleEndian.PutUint32(f.b[field.slot(3):], uint32(at-field.slot(3)))
		}, little(12345, width), little(-1, width), little(0, width), little(-999999999, width))
		var fs blobtest.Mem
		fs.Put("a.arrow", file)
		got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), Columns: []string{"odd", "after", "good"}})
		if want := "odd decimal(9, 2): 123.45 -0.01 0 -9999999.99\nafter int32: 0 10 20 30\ngood int32: 0 1 2 3\n"; err != nil || got != want {
			t.Errorf("%d bits: %v\n%s", bits, err, got)
		}
	}
}

// TestTypesOfTomorrow: a type that is not known does not stand in the way of the columns before it; where those after it are
// nobody can tell.
func TestTypesOfTomorrow(t *testing.T) {
	file := patched(t, func(f *flatbuf, field, _ table) { f.b[field.slot(2)] = 99 }, little(1, 8), little(2, 8))
	var fs blobtest.Mem
	fs.Put("a.arrow", file)
	got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), Columns: []string{"good"}})
	if err != nil || got != "good int32: 0 1\n" {
		t.Errorf("%q, %v", got, err)
	}
	for name, want := range map[string]string{"odd": `columns of type "of the unknown type 99" are not supported`, "after": `it comes after "odd", whose type is not known`} {
		_, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Columns: []string{"good", name}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUUIDs are text; an extension type that is not known is what it is stored as.
func TestUUIDs(t *testing.T) {
	mem := memory.NewGoAllocator()
	typ := &arrow.FixedSizeBinaryType{ByteWidth: 16}
	field := func(name, extension string) arrow.Field {
		return arrow.Field{Name: name, Type: typ, Nullable: true, Metadata: arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{extension, ""})}
	}
	schema := arrow.NewSchema([]arrow.Field{field("id", "arrow.uuid"), field("raw", "acme.blob")}, nil)
	var cols []arrow.Array
	for range 2 {
		b := array.NewFixedSizeBinaryBuilder(mem, typ)
		b.Append([]byte{0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0})
		b.AppendNull()
		b.Append(bytes.Repeat([]byte{0xff}, 16))
		cols = append(cols, b.NewArray())
	}
	var fs blobtest.Mem
	fs.Put("a.arrow", library(t, []arrow.Record{array.NewRecord(schema, cols, 3)}))
	got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t)})
	if want := "id utf8: 550e8400-e29b-41d4-a716-446655440000 (null) ffffffff-ffff-ffff-ffff-ffffffffffff\nraw fixed_size_binary[16]: VQ6EAOKbQdSnFkRmVUQAAA== (null) /////////////////////w==\n"; err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}
