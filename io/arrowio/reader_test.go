package arrowio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// library writes records by the Arrow library.
func library(t testing.TB, records []arrow.Record, opts ...ipc.Option) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := ipc.NewFileWriter(&position{w: &b}, append(opts, ipc.WithSchema(records[0].Schema()))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flatTypes has a value of each supported type, as JSON.
var flatTypes = []struct {
	typ   arrow.DataType
	value func(i int) string
}{
	{arrow.FixedWidthTypes.Boolean, func(i int) string { return fmt.Sprint(i%3 == 0) }},
	{arrow.PrimitiveTypes.Int8, func(i int) string { return fmt.Sprint(i%256 - 128) }},
	{arrow.PrimitiveTypes.Int16, func(i int) string { return fmt.Sprint(-i) }},
	{arrow.PrimitiveTypes.Int32, func(i int) string { return fmt.Sprint(i << 16) }},
	{arrow.PrimitiveTypes.Int64, func(i int) string { return fmt.Sprint(-int64(i) << 40) }},
	{arrow.PrimitiveTypes.Uint8, func(i int) string { return fmt.Sprint(i % 256) }},
	{arrow.PrimitiveTypes.Uint16, func(i int) string { return fmt.Sprint(i) }},
	{arrow.PrimitiveTypes.Uint32, func(i int) string { return fmt.Sprint(i << 16) }},
	{arrow.PrimitiveTypes.Uint64, func(i int) string { return fmt.Sprint(int64(i) << 40) }},
	{arrow.PrimitiveTypes.Float32, func(i int) string { return fmt.Sprintf("%d.5", i) }},
	{arrow.PrimitiveTypes.Float64, func(i int) string { return fmt.Sprintf("%de100", i) }},
	{&arrow.Decimal128Type{Precision: 38, Scale: 2}, func(i int) string { return fmt.Sprintf(`"%d.25"`, i) }},
	{&arrow.Decimal256Type{Precision: 76, Scale: 3}, func(i int) string { return fmt.Sprintf(`"-%d.125"`, i) }},
	{arrow.BinaryTypes.String, func(i int) string { return fmt.Sprintf(`"%sé"`, strings.Repeat("s", i%17)) }},
	{arrow.BinaryTypes.LargeString, func(i int) string { return fmt.Sprintf(`"large %d"`, i) }},
	{arrow.BinaryTypes.StringView, func(i int) string { return fmt.Sprintf(`"%s%d"`, strings.Repeat("view ", i%5), i) }},
	{arrow.BinaryTypes.Binary, func(i int) string { return `"/wA="` }},
	{arrow.BinaryTypes.LargeBinary, func(i int) string { return `"/wAB"` }},
	{arrow.BinaryTypes.BinaryView, func(i int) string { return `"/wABAgMEBQYHCAkKCwwNDg8="` }},
	{&arrow.FixedSizeBinaryType{ByteWidth: 3}, func(i int) string { return `"AAEC"` }},
	{arrow.FixedWidthTypes.Date32, func(i int) string { return fmt.Sprintf(`"2024-01-%02d"`, i%28+1) }},
	{arrow.FixedWidthTypes.Date64, func(i int) string { return fmt.Sprintf(`"2024-02-%02d"`, i%28+1) }},
	{arrow.FixedWidthTypes.Time32ms, func(i int) string { return fmt.Sprintf(`"12:00:%02d"`, i%60) }},
	{arrow.FixedWidthTypes.Time64us, func(i int) string { return fmt.Sprintf(`"12:30:%02d"`, i%60) }},
	{&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, func(i int) string { return fmt.Sprintf(`"2024-02-03T12:30:%02dZ"`, i%60) }},
	{arrow.FixedWidthTypes.Duration_s, func(i int) string { return fmt.Sprintf(`"%ds"`, i) }},
	{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String}, func(i int) string { return fmt.Sprintf(`"d%d"`, i%3) }},
	{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int64, ValueType: arrow.BinaryTypes.Binary}, func(i int) string { return fmt.Sprintf(`"AA%dA"`, i%4) }},
	{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.PrimitiveTypes.Int32}, func(i int) string { return fmt.Sprint(i % 5) }},
	{arrow.Null, func(i int) string { return "null" }},
}

// flatRecord has a column of every flat type, with a null in every seventh row.
// It is not in a checked allocator: the library's dictionary builders leak.
func flatRecord(t testing.TB, rows int) arrow.Record {
	t.Helper()
	mem := memory.NewGoAllocator()
	var fields []arrow.Field
	for k, f := range flatTypes {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("c%d", k), Type: f.typ, Nullable: true})
	}
	var json strings.Builder
	json.WriteString("[")
	for i := range rows {
		if i > 0 {
			json.WriteString(",")
		}
		json.WriteString("{")
		for k, f := range flatTypes {
			v := f.value(i)
			if (i+k)%7 == 6 {
				v = "null"
			}
			if k > 0 {
				json.WriteString(",")
			}
			fmt.Fprintf(&json, `"c%d":%s`, k, v)
		}
		json.WriteString("}")
	}
	json.WriteString("]")
	rec, _, err := array.RecordFromJSON(mem, arrow.NewSchema(fields, nil), strings.NewReader(json.String()), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// wantText is what text should say of a record.
func wantText(records ...arrow.Record) string {
	var out strings.Builder
	for k, f := range records[0].Schema().Fields() {
		dt := f.Type
		if x := fieldOf(nil, f.Type); x.loaded != nil {
			dt = x.out()
		}
		fmt.Fprintf(&out, "%s %s:", f.Name, dt)
		for _, rec := range records {
			for i := range int(rec.NumRows()) {
				out.WriteString(" " + rec.Column(k).ValueStr(i))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestReadTypes(t *testing.T) {
	big := flatRecord(t, 300)
	defer big.Release()
	cut := big.NewSlice(13, 150) // bitmaps that do not begin at a byte
	defer cut.Release()
	for _, tt := range []struct {
		name    string
		records []arrow.Record
		opts    []ipc.Option
	}{
		{"plain", []arrow.Record{big}, nil},
		{"several", []arrow.Record{cut, cut, big}, nil},
		{"lz4", []arrow.Record{big, cut}, []ipc.Option{ipc.WithLZ4()}},
		{"zstd", []arrow.Record{big, cut}, []ipc.Option{ipc.WithZstd()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := wantText(tt.records...)
			var fs blobtest.Mem
			fs.Put("a.arrow", library(t, tt.records, tt.opts...))
			for _, rows := range []int{0, 1, 100, 137} {
				got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: checked(t), BatchRows: rows})
				if err != nil || got != want {
					t.Errorf("batches of %d: %v\n%swant\n%s", rows, err, got, want)
				}
			}
			lines := strings.SplitAfter(want, "\n")
			for _, pick := range [][]int{{15}, {26, 0}, {29}, {28, 18, 13}} {
				opts, want := column.ReadOptions{Mem: checked(t)}, ""
				for _, k := range pick {
					opts.Columns = append(opts.Columns, fmt.Sprintf("c%d", k))
					want += lines[k]
				}
				if got, err := text(&fs, "a.arrow", opts); err != nil || got != want {
					t.Errorf("columns %v: %v\n%swant\n%s", pick, err, got, want)
				}
			}
		})
	}
}

// nestedRecord has columns of nested types, which are passed over, around one
// that is read.
func nestedRecord(t testing.TB, mem memory.Allocator) arrow.Record {
	i32, str := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "list", Type: arrow.ListOf(str), Nullable: true},
		{Name: "large", Type: arrow.LargeListOf(i32), Nullable: true},
		{Name: "fixed", Type: arrow.FixedSizeListOf(2, i32), Nullable: true},
		{Name: "struct", Type: arrow.StructOf(arrow.Field{Name: "a", Type: i32, Nullable: true}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.StringView, Nullable: true}), Nullable: true},
		{Name: "map", Type: arrow.MapOf(str, i32), Nullable: true},
		{Name: "view", Type: arrow.BinaryTypes.StringView, Nullable: true},
		{Name: "last", Type: i32, Nullable: true},
	}, nil)
	rec, _, err := array.RecordFromJSON(mem, schema, strings.NewReader(`[
		{"list": ["x", "y"], "large": [1], "fixed": [1, 2], "struct": {"a": 1, "b": "a long string in a struct"}, "map": [{"key": "k", "value": 1}], "view": "a long string outside", "last": 7},
		{"list": null, "large": [], "fixed": null, "struct": null, "map": null, "view": "short", "last": 8}]`))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// fieldOf is what is read of a column's type, as the library writes it.
func fieldOf(t testing.TB, typ arrow.DataType) *field {
	var b bytes.Buffer
	w, err := ipc.NewFileWriter(&position{w: &b}, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: "c", Type: typ}}, nil)))
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	n := int(binary.LittleEndian.Uint32(file[len(file)-tailBytes:]))
	_, fields, err := parseFooter(file[len(file)-tailBytes-n : len(file)-tailBytes])
	if err != nil || len(fields) != 1 {
		t.Fatal(err)
	}
	return fields[0]
}

func TestReadBesideNestedColumns(t *testing.T) {
	mem := checked(t)
	rec := nestedRecord(t, mem)
	defer rec.Release()
	var fs blobtest.Mem
	fs.Put("a.arrow", library(t, []arrow.Record{rec}))
	got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: mem, Columns: []string{"last", "view"}})
	if want := "last int32: 7 8\nview utf8: a long string outside short\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, names := range [][]string{nil, {"last", "list"}} {
		_, err = text(&fs, "a.arrow", column.ReadOptions{Mem: mem, Columns: names})
		checkRefused(t, err, `a.arrow: column "list": columns of type "list" are not supported`)
	}
}

func TestLayouts(t *testing.T) {
	i32 := arrow.PrimitiveTypes.Int32
	fields := []arrow.Field{{Name: "a", Type: i32}, {Name: "b", Type: arrow.BinaryTypes.String}}
	codes := []arrow.UnionTypeCode{0, 1}
	for _, tt := range []struct {
		typ            arrow.DataType
		version        int16
		nodes, buffers int
	}{
		{arrow.SparseUnionOf(fields, codes), 4, 3, 1 + 2 + 3},
		{arrow.SparseUnionOf(fields, codes), 3, 3, 2 + 2 + 3},
		{arrow.DenseUnionOf(fields, codes), 4, 3, 2 + 2 + 3},
		{arrow.RunEndEncodedOf(i32, arrow.BinaryTypes.String), 4, 3, 0 + 2 + 3},
		{arrow.ListViewOf(i32), 4, 2, 3 + 2},
		{arrow.MapOf(i32, i32), 4, 4, 2 + 1 + 2 + 2},
		{arrow.Null, 4, 1, 0},
	} {
		l := &loader{batch: batch{version: tt.version, nodes: make([]node, tt.nodes), buffers: make([]span, tt.buffers)}}
		f := fieldOf(t, tt.typ)
		if err := l.skip(f); err != nil || l.node != tt.nodes || l.buffer != tt.buffers {
			t.Errorf("%s: %d nodes, %d buffers, %v; want %d and %d", tt.typ, l.node, l.buffer, err, tt.nodes, tt.buffers)
		}
		l = &loader{batch: batch{version: tt.version, nodes: make([]node, tt.nodes-1), buffers: make([]span, tt.buffers)}}
		if err := l.skip(f); err == nil {
			t.Errorf("%s: a node too few is not noticed", tt.typ)
		}
	}
}

func checkRefused(t *testing.T, err error, want string) {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want an InputError", err)
	}
	if e.Error() != want {
		t.Errorf("error %q, want %q", e, want)
	}
}

func TestReadRefusals(t *testing.T) {
	mem := checked(t)
	rec := flatRecord(t, 10)
	defer rec.Release()
	good := library(t, []arrow.Record{rec})
	var twice bytes.Buffer
	double := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}, {Name: "a", Type: arrow.PrimitiveTypes.Int8}}, nil)
	w, err := ipc.NewFileWriter(&position{w: &twice}, ipc.WithSchema(double))
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what, name string
		data       []byte
		columns    []string
		want       string
		is         error
	}{
		{"empty", "a.arrow", nil, nil, "a.arrow: the file is empty", column.ErrEmptyFile},
		{"text", "a.arrow", []byte("id,n\n1,2\n"), nil, "a.arrow: not an Arrow file", nil},
		{"short", "a.arrow", []byte("A"), nil, "a.arrow: not an Arrow file", nil},
		{"Parquet", "a.feather", []byte("PAR1...."), nil, "a.feather: not an Arrow file: it is a Parquet file", nil},
		{"Feather 1", "a.feather", []byte("FEA1...."), nil, "a.feather: not an Arrow file: it is a Feather file of version 1", nil},
		{"stream", "a.arrow", []byte("\xff\xff\xff\xff...."), nil, "a.arrow: not an Arrow file: it looks like an Arrow stream", nil},
		{"only magic", "a.arrow", []byte("ARROW1\x00\x00"), nil, "a.arrow: the file ends too early: its footer is missing", column.ErrTruncated},
		{"cut", "a.arrow", good[:len(good)/2], nil, "a.arrow: the file ends too early: its footer is missing", column.ErrTruncated},
		{"footer too long", "a.arrow", []byte("ARROW1\x00\x00....\xff\xff\xff\x00ARROW1"), nil, "a.arrow: the file is damaged: its footer claims 16777215 bytes", nil},
		{"negative footer", "a.arrow", []byte("ARROW1\x00\x00....\xff\xff\xff\xffARROW1"), nil, "a.arrow: the file is damaged: its footer claims -1 bytes", nil},
		{"footer of nothing", "a.arrow", []byte("ARROW1\x00\x00....\x04\x00\x00\x00ARROW1"), nil, "a.arrow: the file is damaged: its metadata is damaged", nil},
		{"missing column", "a.arrow", good, []string{"C3"}, `a.arrow: no such column: "C3"`, column.ErrMissingColumn},
		{"duplicate column", "a.arrow", twice.Bytes(), nil, `a.arrow: column "a": duplicate column name: columns 1 and 2 are both called "a"`, column.ErrDuplicateColumn},
		{"another name", "a.ipc", good, nil, "a.ipc: not a name of an Arrow file", nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var fs blobtest.Mem
			fs.Put(tt.name, tt.data)
			_, err := text(&fs, tt.name, column.ReadOptions{Mem: mem, Columns: tt.columns})
			checkRefused(t, err, tt.want)
			var e *column.InputError
			if errors.As(err, &e); e.Hint == "" {
				t.Errorf("%q has no hint", e)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%q is not %q", err, tt.is)
			}
		})
	}
	if _, err := Open(ctx, &blobtest.Mem{}, "none.arrow", column.ReadOptions{}); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("missing file: %v", err)
	}
}

func TestReadNoRows(t *testing.T) {
	mem := checked(t)
	rec := flatRecord(t, 0)
	defer rec.Release()
	var fs blobtest.Mem
	for name, records := range map[string][]arrow.Record{"one batch": {rec}, "two batches": {rec, rec}} {
		fs.Put("a.arrow", library(t, records))
		r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Mem: mem})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(ctx); err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(ctx); err == nil || err == io.EOF {
			t.Errorf("read after Close: %v", err)
		}
	}
}

func TestReadCancelled(t *testing.T) {
	mem := checked(t)
	rec := flatRecord(t, 10)
	defer rec.Release()
	var fs blobtest.Mem
	fs.Put("a.arrow", library(t, []arrow.Record{rec}))
	r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Mem: mem, BatchRows: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.Read(cancelled); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

// Few long values in a dictionary, named by many rows, do not make a batch
// large.
func TestReadBoundsBatches(t *testing.T) {
	mem := checked(t)
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	b := array.NewDictionaryBuilder(memory.NewGoAllocator(), dt).(*array.BinaryDictionaryBuilder) // leaks
	long := strings.Repeat("x", 2000)
	for range 10 {
		if err := b.AppendString(long); err != nil {
			t.Fatal(err)
		}
	}
	col := b.NewArray()
	b.Release()
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "d", Type: dt}}, nil), []arrow.Array{col}, 10)
	col.Release()
	var fs blobtest.Mem
	fs.Put("a.arrow", library(t, []arrow.Record{rec}))
	rec.Release()
	r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Mem: mem, BatchBytes: 6500})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var sizes []int64
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, b.NumRows())
		b.Release()
	}
	if got := fmt.Sprint(sizes); got != "[3 3 3 1]" {
		t.Errorf("batches of %s rows", got)
	}
}

// consume reads a file to its end, touching every value.
func consume(data []byte, mem memory.Allocator) (rows int64, err error) {
	var fs blobtest.Mem
	fs.Put("a.arrow", data)
	r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Mem: mem, BatchRows: 64})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows += b.NumRows()
		for _, col := range b.Columns() {
			for i := range col.Len() {
				if col.IsNull(i) {
					continue
				}
				switch col := col.(type) {
				case *array.String:
					_ = strings.ToUpper(col.Value(i))
				case *array.Binary:
					_ = bytes.ToUpper(col.Value(i))
				case *array.FixedSizeBinary:
					_ = bytes.ToUpper(col.Value(i))
				case *array.Timestamp:
					_ = col.Value(i) // its text needs the time zone to exist
				default:
					_ = col.ValueStr(i)
				}
			}
		}
		b.Release()
	}
}

// checkCorrupted checks that a damaged file is read or refused, within bounds.
func checkCorrupted(t *testing.T, data []byte) {
	t.Helper()
	mem := &meter{Allocator: memory.NewGoAllocator()}
	_, err := consume(data, mem)
	var e *column.InputError
	if err != nil && !errors.As(err, &e) {
		t.Errorf("error %v, want an InputError", err)
	}
	if mem.most > 1<<20+1024*int64(len(data)) {
		t.Errorf("%d bytes allocated at once for a file of %d", mem.most, len(data))
	}
}

// meter knows the largest allocation.
type meter struct {
	memory.Allocator
	most int64
}

func (m *meter) Allocate(size int) []byte {
	m.most = max(m.most, int64(size))
	return m.Allocator.Allocate(size)
}

func (m *meter) Reallocate(size int, b []byte) []byte {
	m.most = max(m.most, int64(size))
	return m.Allocator.Reallocate(size, b)
}

// corruptible are small files to damage.
func corruptible(t testing.TB) map[string][]byte {
	mem := memory.NewGoAllocator()
	rec, nested := flatRecord(t, 9), nestedRecord(t, mem)
	out := map[string][]byte{
		"plain":  library(t, []arrow.Record{rec, rec}),
		"lz4":    library(t, []arrow.Record{rec}, ipc.WithLZ4()),
		"zstd":   library(t, []arrow.Record{rec}, ipc.WithZstd()),
		"nested": library(t, []arrow.Record{nested}),
	}
	for _, name := range []string{"polars_lz4", "polars_zstd", "polars_uncompressed", "js_dictionary", "js_delta", "js_batches"} {
		data, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	return out
}

func TestReadCorrupted(t *testing.T) {
	for name, good := range corruptible(t) {
		t.Run(name, func(t *testing.T) {
			data := make([]byte, len(good))
			rng := rand.New(rand.NewPCG(1, 2))
			for range thoroughtest.Pick(100, 600) {
				copy(data, good)
				data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
				checkCorrupted(t, data)
				for range 1 + rng.IntN(3) {
					// Words that are sizes and offsets matter most.
					at := rng.IntN(len(data)/4) * 4
					binary.LittleEndian.PutUint32(data[at:], []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, rng.Uint32()}[rng.IntN(6)])
				}
				checkCorrupted(t, data)
			}
		})
	}
}

func TestReadTruncated(t *testing.T) {
	for name, good := range corruptible(t) {
		stride := 1 + len(good)/1000
		for cut := 0; cut < len(good); cut += stride {
			if _, err := consume(good[:cut], memory.NewGoAllocator()); err == nil {
				t.Errorf("%s cut at %d is accepted", name, cut)
			} else if e := (*column.InputError)(nil); !errors.As(err, &e) {
				t.Errorf("%s cut at %d: %v", name, cut, err)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, data := range corruptible(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkCorrupted(t, data) })
}

func TestReadSurvivesFailures(t *testing.T) {
	mem := checked(t)
	rec := flatRecord(t, 40)
	defer rec.Release()
	data := library(t, []arrow.Record{rec, rec}, ipc.WithLZ4())
	for at := int64(1); ; at++ {
		var under blobtest.Mem
		under.Put("a.arrow", data)
		fs := &blobtest.Faulty{FS: &under, FailAt: at}
		_, err := text(fs, "a.arrow", column.ReadOptions{Mem: mem})
		if !fs.Failed() {
			if err != nil || at < 50 {
				t.Errorf("%v with %d operations", err, at-1)
			}
			return
		}
		if e := (*column.InputError)(nil); !errors.Is(err, blobtest.ErrInjected) || errors.As(err, &e) {
			t.Errorf("failure %d: %v", at, err)
		}
	}
}

// A buffer that claims to decompress to much costs no more than it holds.
func TestDecompressClaims(t *testing.T) {
	rec := flatRecord(t, 2000)
	for _, opt := range []ipc.Option{ipc.WithLZ4(), ipc.WithZstd()} {
		data := library(t, []arrow.Record{rec}, opt)
		kind, magic := codecLZ4, "\x04\x22\x4d\x18"
		if i := bytes.Index(data, []byte(magic)); i < 0 {
			kind, magic = codecZSTD, "\x28\xb5\x2f\xfd"
		}
		at := bytes.Index(data, []byte(magic)) - 8
		end := at + 8 + bytes.Index(data[at+12:], []byte(magic)) - 4
		size := int64(binary.LittleEndian.Uint64(data[at:]))
		var c codec
		defer c.close()
		for _, claim := range []int64{0, 1, size - 1, size + 1, 2 * size, bufferBytesMax, bufferBytesMax + 1, -2, 1 << 62} {
			buf := bytes.Clone(data[at:end])
			binary.LittleEndian.PutUint64(buf, uint64(claim))
			mem := &meter{Allocator: checked(t)}
			if b, err := c.decompress(kind, buf, mem); err == nil {
				b.Release()
				t.Errorf("a claim of %d instead of %d bytes is believed", claim, size)
			}
			if mem.most > 1<<20 {
				t.Errorf("a claim of %d bytes allocates %d", claim, mem.most)
			}
		}
		b, err := c.decompress(kind, bytes.Clone(data[at:end]), checked(t))
		if err != nil || int64(b.Len()) != size {
			t.Fatalf("%v", err)
		}
		b.Release()
		raw := binary.LittleEndian.AppendUint64(nil, ^uint64(0))
		b, err = c.decompress(kind, append(raw, "raw"...), checked(t))
		if err != nil || string(b.Bytes()) != "raw" {
			t.Errorf("a buffer that is not compressed: %v", err)
		}
		b.Release()
		if _, err := c.decompress(kind, raw[:7], checked(t)); err == nil {
			t.Error("a buffer without a size is accepted")
		}
	}
}
