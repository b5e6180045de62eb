// Samples writes files for interop/check.mjs: an encrypted table in each layout, with random bytes for ciphertexts,
// and a plain Parquet file of all types. It also writes manifest.json, which says what a reader must find in them.
//
//	go run ./interop/cmd/samples DIR
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: samples DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		os.Exit(1)
	}
}

// manifest is what check.mjs compares with.
type manifest struct {
	Files []sample `json:"files"`
}

type sample struct {
	Path     string            `json:"path"`     // relative to the manifest
	Metadata map[string]string `json:"metadata"` // footer keys and values
	Columns  []sampleColumn    `json:"columns"`
}

type sampleColumn struct {
	Name   string `json:"name"`
	Type   string `json:"type"`   // bool, int, float, text, bytes, date (days), timestamp (microseconds), decimal (unscaled); list of them: [type]
	Scale  int32  `json:"scale"`  // of decimals
	Values []any  `json:"values"` // null, bool, number (floats), string (integers in decimal, text, bytes in hex), or an array of them
}

func run(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var m manifest
	for _, write := range []func(string) (sample, error){records, blocks, plain} {
		s, err := write(dir)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, s)
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o644)
}

// table is what both encrypted tables have in common.
func table() ctfile.Table {
	return ctfile.Table{
		Scheme: ctfile.SchemePaillier, Variant: "djn", Bits: 2048,
		Fingerprint: strings.Repeat("0123456789abcdef", 4), PublicKey: json.RawMessage(`{"note":"no key: the ciphertexts are random bytes"}`),
		Columns: []string{"c0", "c1"}, MaxAdds: 1024, AddsUsed: 1, Source: "interop", JobID: "samples",
	}
}

func records(dir string) (sample, error) {
	t := table()
	t.Layout, t.IDs = ctfile.Records, []string{"gene", "position"}
	t.Measures = []ctfile.Measure{
		{Name: "tpm", Terms: []string{"tpm"}, Given: []string{"tpm"}, Decimals: 1, Bound: "1000000", Width: 32, Slots: 1, InColumns: []string{"c0"}, Count: "n"},
		{Name: "n", Given: []string{"tpm"}, Bound: "1", Width: 12, Slots: 1, InColumns: []string{"c1"}},
	}
	const rows = 500
	genes, positions := ids(rows)
	return encrypted(filepath.Join(dir, "records.cf.parquet"), t, genes, positions)
}

func blocks(dir string) (sample, error) {
	t := table()
	t.Layout, t.BlockRecords, t.IDs = ctfile.Blocks, 38, []string{"gene", "position"}
	t.Measures = []ctfile.Measure{
		{Name: "tpm", Terms: []string{"tpm"}, Given: []string{"tpm"}, Decimals: 1, Bound: "1000000", Width: 32, Slots: 38, Stride: 53, InColumns: []string{"c0"}, Count: "n"},
		{Name: "n", Given: []string{"tpm"}, Bound: "1", Width: 12, Slots: 38, Stride: 12, InColumns: []string{"c1"}},
	}
	const rows = 5000 // the last block is shorter
	genes, positions := ids(rows)
	return encrypted(filepath.Join(dir, "blocks.cf.parquet"), t, inBlocks(genes, 38), inBlocks(positions, 38))
}

// ids makes a text and an integer id for each record.
func ids(n int) (genes, positions arrow.Array) {
	g, p := array.NewStringBuilder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
	for i := range n {
		g.Append(fmt.Sprintf("ENSG%011d", i*i))
		p.Append(int64(i)*1_000_000_007 - 1<<40)
	}
	return g.NewArray(), p.NewArray()
}

// inBlocks makes lists of size values each, the last one shorter.
func inBlocks(values arrow.Array, size int) arrow.Array {
	offsets := array.NewInt32Builder(memory.DefaultAllocator)
	n := 0
	for at := 0; at < values.Len(); at += size {
		offsets.Append(int32(at))
		n++
	}
	offsets.Append(int32(values.Len()))
	data := array.NewData(arrow.ListOf(values.DataType()), n,
		[]*memory.Buffer{nil, offsets.NewArray().Data().Buffers()[1]}, []arrow.ArrayData{values.Data()}, 0, 0)
	return array.MakeFromData(data)
}

// encrypted writes an encrypted table of the given ids.
func encrypted(path string, t ctfile.Table, idColumns ...arrow.Array) (sample, error) {
	ctx := context.Background()
	var fields []arrow.Field
	for i, c := range idColumns {
		fields = append(fields, arrow.Field{Name: t.IDs[i], Type: c.DataType()})
	}
	rows := idColumns[0].Len()
	cols := idColumns
	r := rand.New(rand.NewPCG(1, 1))
	typ := &arrow.FixedSizeBinaryType{ByteWidth: t.CiphertextBytes()}
	for range t.Columns {
		b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, typ)
		for range rows {
			v := make([]byte, typ.ByteWidth)
			for i := range v {
				v[i] = byte(r.Uint32())
			}
			b.Append(v)
		}
		cols = append(cols, b.NewArray())
	}
	const groupRows = 64 // so that there are several row groups
	w, err := ctfile.Create(ctx, blob.Local{}, path, t, fields, ctfile.Options{Overwrite: true, RowGroupBytes: groupRows * len(t.Columns) * t.CiphertextBytes()})
	if err != nil {
		return sample{}, err
	}
	defer w.Close()
	rec := array.NewRecord(w.Schema(), cols, int64(rows))
	if err := w.Write(ctx, column.Batch{Record: rec, File: path, Row: 1}); err != nil {
		return sample{}, err
	}
	if err := w.Commit(ctx); err != nil {
		return sample{}, err
	}
	text, err := json.Marshal(w.Table())
	if err != nil {
		return sample{}, err
	}
	s := describe(path, rec)
	digest := sha256.Sum256(text)
	s.Metadata = map[string]string{
		ctfile.KeyVersion: ctfile.Version,
		ctfile.KeyTable:   string(text),
		ctfile.KeyDigest:  hex.EncodeToString(digest[:]),
	}
	return s, nil
}

// plain writes a file of all types, as the results of decryption are.
func plain(dir string) (sample, error) {
	ctx := context.Background()
	path := filepath.Join(dir, "plain.parquet")
	utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "z_first", Type: arrow.BinaryTypes.String}, // not in alphabetical order
		{Name: "flag", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
		{Name: "i16", Type: arrow.PrimitiveTypes.Int16},
		{Name: "i32", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "i64", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "u8", Type: arrow.PrimitiveTypes.Uint8},
		{Name: "u16", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
		{Name: "u32", Type: arrow.PrimitiveTypes.Uint32},
		{Name: "u64", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
		{Name: "f32", Type: arrow.PrimitiveTypes.Float32},
		{Name: "f64, with a comma", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 5}, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "ms", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "us", Type: utc, Nullable: true},
		{Name: "tpm_sum", Type: &arrow.Decimal128Type{Precision: 38, Scale: 1}, Nullable: true},
		{Name: "dec9", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}},
		{Name: "dec18", Type: &arrow.Decimal128Type{Precision: 18, Scale: 3}, Nullable: true},
		{Name: "list.of.text", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "list of i64", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int64)},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 3000 {
		for k, f := range schema.Fields() {
			if f.Nullable && r.IntN(4) == 0 {
				b.Field(k).AppendNull()
			} else {
				appendValue(r, b.Field(k), i)
			}
		}
	}
	rec := b.NewRecord()
	w, err := parquetio.Create(ctx, blob.Local{}, path, schema, column.WriteOptions{Overwrite: true})
	if err != nil {
		return sample{}, err
	}
	defer w.Close()
	if err := w.Write(ctx, column.Batch{Record: rec, File: path, Row: 1}); err != nil {
		return sample{}, err
	}
	return describe(path, rec), w.Commit(ctx)
}

// appendValue appends a random value from the type's range. Where a reader delivers JavaScript numbers (decimals), the
// value is one that these hold exactly.
func appendValue(r *rand.Rand, b array.Builder, i int) {
	v := int64(r.Uint64() >> r.UintN(64))
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
		b.Append(v)
	case *array.Uint8Builder:
		b.Append(uint8(v))
	case *array.Uint16Builder:
		b.Append(uint16(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Uint64Builder:
		b.Append(uint64(v))
	case *array.Float32Builder:
		b.Append(float32(r.NormFloat64()))
	case *array.Float64Builder:
		b.Append(r.NormFloat64())
	case *array.StringBuilder:
		b.Append([]string{"", "Größe " + strconv.Itoa(i), "日本", "a\tb"}[r.IntN(4)])
	case *array.BinaryBuilder:
		b.Append([]byte{0xff, byte(v), 0, byte(i)}[:r.IntN(5)])
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{0xff, 0, byte(v), byte(i >> 8), byte(i)})
	case *array.Date32Builder:
		b.Append(arrow.Date32(r.IntN(60_000) - 20_000))
	case *array.TimestampBuilder:
		ms := r.Int64N(4_000_000_000_000) - 1_000_000_000_000
		if b.Type().(*arrow.TimestampType).Unit == arrow.Microsecond {
			ms *= 1000
		}
		b.Append(arrow.Timestamp(ms))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(v % 1_000_000_000))
	case *array.ListBuilder:
		b.Append(true)
		for range r.IntN(4) {
			if b.Type().(*arrow.ListType).ElemField().Nullable && r.IntN(4) == 0 {
				b.ValueBuilder().AppendNull()
			} else {
				appendValue(r, b.ValueBuilder(), i)
			}
		}
	default:
		panic(fmt.Sprintf("no values for %T", b))
	}
}

// describe says what is in a record.
func describe(path string, rec arrow.Record) sample {
	s := sample{Path: filepath.Base(path), Metadata: map[string]string{}}
	for k, f := range rec.Schema().Fields() {
		c := sampleColumn{Name: f.Name}
		c.Type, c.Scale = kind(f.Type)
		for i := range int(rec.NumRows()) {
			c.Values = append(c.Values, value(rec.Column(k), i))
		}
		s.Columns = append(s.Columns, c)
	}
	return s
}

// kind names a type as the manifest does.
func kind(t arrow.DataType) (name string, scale int32) {
	switch t := t.(type) {
	case *arrow.ListType:
		name, scale = kind(t.Elem())
		return "[" + name + "]", scale
	case *arrow.Decimal128Type:
		return "decimal", t.Scale
	case *arrow.BooleanType:
		return "bool", 0
	case *arrow.Float32Type, *arrow.Float64Type:
		return "float", 0
	case *arrow.StringType:
		return "text", 0
	case *arrow.BinaryType, *arrow.FixedSizeBinaryType:
		return "bytes", 0
	case *arrow.Date32Type:
		return "date", 0
	case *arrow.TimestampType:
		return "timestamp", 0
	}
	return "int", 0
}

// value is value i of an array as the manifest has it.
func value(arr arrow.Array, i int) any {
	if arr.IsNull(i) {
		return nil
	}
	switch a := arr.(type) {
	case *array.List:
		from, to := a.ValueOffsets(i)
		items := []any{}
		for k := from; k < to; k++ {
			items = append(items, value(a.ListValues(), int(k)))
		}
		return items
	case *array.Boolean:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return hex.EncodeToString(a.Value(i))
	case *array.FixedSizeBinary:
		return hex.EncodeToString(a.Value(i))
	case *array.Date32:
		return strconv.Itoa(int(a.Value(i)))
	case *array.Timestamp:
		us := int64(a.Value(i))
		if a.DataType().(*arrow.TimestampType).Unit == arrow.Millisecond {
			us *= 1000
		}
		return strconv.FormatInt(us, 10)
	case *array.Decimal128:
		return a.Value(i).BigInt().String()
	}
	return arr.ValueStr(i)
}
