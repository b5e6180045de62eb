package parquetio

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

// wantInputError checks that err is an InputError with the given text.
func wantInputError(t testing.TB, err error, text string) {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) || !strings.Contains(e.Error(), text) || e.Hint == "" {
		t.Errorf("%v is not an InputError with %q and a hint", err, text)
	}
}

// TestUnsupportedColumns are refused when they are asked for, and do not stand
// in the way of others.
func TestUnsupportedColumns(t *testing.T) {
	type inner struct {
		A int64
		B []string
	}
	type row struct {
		Before   string            `parquet:"before"`
		Struct   inner             `parquet:"struct"`
		Map      map[string]int64  `parquet:"map"`
		Repeated []int64           `parquet:"repeated"`
		Structs  []inner           `parquet:"structs,list"`
		Lists    [][]int64         `parquet:"lists,list"`
		Old      deprecated.Int96  `parquet:"int96"`
		Time     time.Duration     `parquet:"time,time(microsecond)"`
		After    map[string]string `parquet:"after_map"`
		Last     int32             `parquet:"last"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	rows := []row{
		{Before: "a", Struct: inner{1, []string{"x", "y"}}, Map: map[string]int64{"k": 1}, Repeated: []int64{1, 2}, Structs: []inner{{}, {}}, Lists: [][]int64{{1}, {}}, Last: 7},
		{Before: "b", Last: 8},
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fs := memFS(b.Bytes())
	r, err := Open(ctx, fs, "f", column.ReadOptions{Columns: []string{"last", "before"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	if last := got.Column(0).(*array.Int32).Int32Values(); last[0] != 7 || last[1] != 8 || got.Column(1).(*array.String).Value(1) != "b" {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{
		"struct": "a structure of 2 fields", "map": "type map", "repeated": "three-level", "structs": "lists of anything but plain values", "lists": "lists of anything but plain values",
		"struct.B": "three-level", "nothing": "no such column", "struct.": "no such column", "struct.a": "no such column", "map.key": "no such column",
	} {
		_, err := Open(ctx, fs, "f", column.ReadOptions{Columns: []string{"before", name}})
		wantInputError(t, err, want)
	}
	// All columns: they are told, and cannot be read.
	all, err := Open(ctx, fs, "f", column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	var names []string
	for _, f := range all.Schema().Fields() {
		names = append(names, f.Name+" "+column.TypeName(f))
	}
	if got := strings.Join(names, ", "); got != "before utf8, struct.A int64, struct.B list, map map, repeated list, structs list, lists list, int96 timestamp[us], time time64[us], after_map map, last int32" {
		t.Error(got)
	}
	_, err = all.Read(ctx)
	wantInputError(t, err, `f: column "struct.B": repeated columns`)
}

// TestDecimalBytes reads decimals of varying length, which we do not write.
func TestDecimalBytes(t *testing.T) {
	type row struct {
		D []byte `parquet:"d,optional"`
	}
	schema := parquet.NewSchema("row", parquet.Group{"d": parquet.Optional(parquet.Decimal(3, 38, parquet.ByteArrayType))})
	r := rand.New(rand.NewPCG(1, 1))
	var rows []row
	var want []*big.Int
	for i := range 300 {
		if i%7 == 0 {
			rows, want = append(rows, row{}), append(want, nil)
			continue
		}
		v := new(big.Int).Rsh(new(big.Int).SetUint64(r.Uint64()), r.UintN(64))
		v.Mul(v, new(big.Int).SetUint64(r.Uint64()>>8>>r.UintN(50)))
		if i%2 == 0 {
			v.Neg(v)
		}
		// Two's complement of as many bytes as it takes, or some more.
		n := v.BitLen()/8 + 1 + r.IntN(6)
		be := new(big.Int).And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*n)), big.NewInt(1))).FillBytes(make([]byte, n))
		rows, want = append(rows, row{be}), append(want, v)
	}
	read := func(rows []row) (*array.Decimal128, error) {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b, schema)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(ctx, memFS(b.Bytes()), "f", column.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := r.Read(ctx)
		if err != nil {
			return nil, err
		}
		return got.Column(0).(*array.Decimal128), nil
	}
	got, err := read(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if (v == nil) != got.IsNull(i) || v != nil && got.Value(i).BigInt().Cmp(v) != 0 {
			t.Errorf("value %d of % x is %v, want %v", i, rows[i].D, got.Value(i).BigInt(), v)
		}
	}
	_, err = read([]row{{append([]byte{1}, make([]byte, 16)...)}})
	wantInputError(t, err, "more than 38 digits")
	_, err = read([]row{{append([]byte{0, 0x80}, make([]byte, 15)...)}})
	wantInputError(t, err, "more than 38 digits")
}

func TestTextIsUTF8(t *testing.T) {
	type row struct {
		S string `parquet:"s"`
	}
	// The last two are UTF-8 together only.
	for _, texts := range [][]string{{"a", "\xff"}, {"\xc3"}, {"x", "\xc3", "\xa9"}} {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b)
		for _, s := range texts {
			if _, err := w.Write([]row{{s}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(ctx, memFS(b.Bytes()), "f", column.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Read(ctx)
		wantInputError(t, err, `f: row group 1, column "s": a text value is not UTF-8`)
		r.Close()
	}
}

// TestSeconds become milliseconds, or are refused.
func TestSeconds(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "t", Type: &arrow.TimestampType{Unit: arrow.Second, TimeZone: "UTC"}, Nullable: true}}, nil)
	rec := func(s arrow.Timestamp) arrow.Record {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		b.Field(0).(*array.TimestampBuilder).Append(s)
		b.Field(0).AppendNull()
		return b.NewRecord()
	}
	got := readAll(t, write(t, schema, rec(-5)), column.ReadOptions{})
	col := got.Column(0).Data().Chunk(0).(*array.Timestamp)
	if col.Value(0) != -5000 || !col.IsNull(1) || !arrow.TypeEqual(col.DataType(), &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}) {
		t.Errorf("%s %v", col.DataType(), col)
	}
	w, err := Create(ctx, new(blobtest.Mem), "f", schema, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, asBatch(rec(1<<62))); err == nil {
		t.Error("a time stamp beyond milliseconds was written")
	}
}

// TestWriterRefuses what the schema does not allow.
func TestWriterRefuses(t *testing.T) {
	create := func(f ...arrow.Field) (column.Writer, error) {
		return Create(ctx, new(blobtest.Mem), "f", arrow.NewSchema(f, nil), column.WriteOptions{})
	}
	for _, f := range []arrow.Field{
		{Name: "x", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int8})},
		{Name: "x", Type: arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int8))},
		{Name: "x", Type: arrow.Null},
	} {
		if _, err := create(f); err == nil || !strings.Contains(err.Error(), `f: column "x"`) {
			t.Errorf("%s: %v", f.Type, err)
		}
	}
	_, err := create(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8}, arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8})
	wantInputError(t, err, "duplicate column name")

	decimal := arrow.Field{Name: "d", Type: &arrow.Decimal128Type{Precision: 18}}
	w, err := create(decimal)
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewDecimal128Builder(memory.DefaultAllocator, decimal.Type.(*arrow.Decimal128Type))
	b.Append(decimal128.New(1, 0)) // 2^64
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{decimal}, nil), []arrow.Array{b.NewArray()}, 1)
	if err := w.Write(ctx, asBatch(rec)); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Error(err)
	}

	required := arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64}
	if w, err = create(required); err != nil {
		t.Fatal(err)
	}
	nulls := array.NewInt64Builder(memory.DefaultAllocator)
	nulls.AppendNull()
	rec = array.NewRecord(arrow.NewSchema([]arrow.Field{required}, nil), []arrow.Array{nulls.NewArray()}, 1)
	if err := w.Write(ctx, asBatch(rec)); err == nil || !strings.Contains(err.Error(), "a null") {
		t.Error(err)
	}
}

// TestFailures fails every operation of the disk in turn: the error is told, no
// file appears, and none that fails to be read passes.
func TestFailures(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	rec := pagestest.RandomRecord(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), schema, 30_000)
	for at := int64(1); ; at++ {
		mem := new(blobtest.Mem)
		fs := &blobtest.Faulty{FS: mem, FailAt: at}
		err := func() error {
			w, err := Create(ctx, fs, "f", schema, column.WriteOptions{})
			if err != nil {
				return err
			}
			defer w.Close()
			if err := w.Write(ctx, asBatch(rec)); err != nil {
				return err
			}
			return w.Commit(ctx)
		}()
		if !fs.Failed() {
			if err != nil || at < 4 {
				t.Fatalf("after %d operations: %v", at, err)
			}
			file, _ := mem.Get("f")
			readFailures(t, file, 30_000)
			return
		}
		if _, there := mem.Get("f"); !errors.Is(err, blobtest.ErrInjected) || there {
			t.Fatalf("failure %d: %v; a file is there: %v", at, err, there)
		}
	}
}

func readFailures(t *testing.T, file []byte, rows int64) {
	for at := int64(1); ; at++ {
		for threads := 1; threads <= 2; threads++ {
			fs := &blobtest.Faulty{FS: memFS(file), FailAt: at}
			var got int64
			err := func() error {
				r, err := Open(ctx, fs, "f", column.ReadOptions{Threads: threads})
				if err != nil {
					return err
				}
				defer r.Close()
				batches, err := column.Collect(ctx, r)
				for _, b := range batches {
					got += b.NumRows()
				}
				return err
			}()
			if !fs.Failed() {
				if err != nil || got != rows {
					t.Fatalf("%d rows, %v", got, err)
				}
				return
			}
			var refused *column.InputError
			if !errors.Is(err, blobtest.ErrInjected) || errors.As(err, &refused) {
				t.Fatalf("failure %d: %v", at, err)
			}
		}
	}
}
