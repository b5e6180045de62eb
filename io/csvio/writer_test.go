package csvio

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"pgregory.net/rapid"
)

// write writes one batch to a file of that name and returns the text.
func write(fs *blobtest.Mem, name string, rec arrow.Record) (string, error) {
	w, err := Create(ctx, fs, name, rec.Schema(), column.WriteOptions{})
	if err != nil {
		return "", err
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
		return "", errors.Join(err, w.Close())
	}
	if err := w.Commit(ctx); err != nil {
		return "", err
	}
	text, _ := fs.Get(name)
	return string(text), w.Close()
}

// record parses a JSON table.
func record(t *testing.T, mem memory.Allocator, schema *arrow.Schema, json string) arrow.Record {
	t.Helper()
	rec, _, err := array.RecordFromJSON(mem, schema, strings.NewReader(json), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestWriteTypes(t *testing.T) {
	type f = arrow.Field
	for _, tt := range []struct {
		typ  arrow.DataType
		json string // values of one column
		want string // joined by spaces
	}{
		{arrow.FixedWidthTypes.Boolean, `true, false, null`, "true false -"},
		{arrow.PrimitiveTypes.Int8, `-128, 127, null`, "-128 127 -"},
		{arrow.PrimitiveTypes.Int16, `-32768, 32767`, "-32768 32767"},
		{arrow.PrimitiveTypes.Int32, `-2147483648, 2147483647`, "-2147483648 2147483647"},
		{arrow.PrimitiveTypes.Int64, `-9223372036854775808, 9223372036854775807, 0`, "-9223372036854775808 9223372036854775807 0"},
		{arrow.PrimitiveTypes.Uint8, `255`, "255"},
		{arrow.PrimitiveTypes.Uint16, `65535`, "65535"},
		{arrow.PrimitiveTypes.Uint32, `4294967295`, "4294967295"},
		{arrow.PrimitiveTypes.Uint64, `18446744073709551615`, "18446744073709551615"},
		{arrow.PrimitiveTypes.Float64, `0.1, 1e21, 1e20, 1e-6, 1e-7, 5e-324, -2.5, 1000000, null`, "0.1 1e+21 100000000000000000000 0.000001 1e-07 5e-324 -2.5 1000000 -"},
		{arrow.PrimitiveTypes.Float32, `0.1, 16777216`, "0.1 16777216"},
		{&arrow.Decimal128Type{Precision: 38, Scale: 2}, `"0", "0.01", "-0.01", "1.5", "-123456789012345678901234567890123456.78", null`, "0.00 0.01 -0.01 1.50 -123456789012345678901234567890123456.78 -"},
		{&arrow.Decimal128Type{Precision: 38, Scale: 0}, `"-7", "0"`, "-7 0"},
		{arrow.BinaryTypes.String, `"x", "", "a,b", "q\"", "\r", "l\nm", " s ", "\t", null`, `x "" "a,b" "q""" "` + "\r" + `" "l` + "\n" + `m"  s  ` + "\t -"},
		{arrow.BinaryTypes.LargeString, `"x", "\""`, `x """"`},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, `"x", "y", "x", null`, "x y x -"},
		{arrow.FixedWidthTypes.Date32, `"1970-01-01", "1969-12-31", "2024-02-29"`, "1970-01-01 1969-12-31 2024-02-29"},
		{arrow.FixedWidthTypes.Date64, `"1969-12-31", "2024-02-29"`, "1969-12-31 2024-02-29"},
		{arrow.Null, `null, null`, "- -"},
	} {
		t.Run(tt.typ.String(), func(t *testing.T) {
			mem := checked(t)
			values := strings.Split(tt.json, ", ")
			var rows []string
			for i, v := range values {
				rows = append(rows, fmt.Sprintf(`{"v": %s, "row": %d}`, v, i))
			}
			rec := record(t, mem, arrow.NewSchema([]f{{Name: "v", Type: tt.typ, Nullable: true}, {Name: "row", Type: arrow.PrimitiveTypes.Int8}}, nil), "["+strings.Join(rows, ",")+"]")
			defer rec.Release()
			var fs blobtest.Mem
			got, err := write(&fs, "a.csv", rec)
			if err != nil {
				t.Fatal(err)
			}
			want := "v,row\n"
			for i, v := range splitWant(tt.want, len(values)) {
				if v == "-" {
					v = ""
				}
				want += v + "," + strconv.Itoa(i) + "\n"
			}
			if got != want {
				t.Errorf("%q\nwant %q", got, want)
			}
		})
	}
}

// splitWant splits the expected values at spaces, except those within quotes
// or beside another.
func splitWant(s string, n int) []string {
	if out := strings.Split(s, " "); len(out) == n {
		return out
	}
	return []string{"x", `""`, `"a,b"`, `"q"""`, "\"\r\"", "\"l\nm\"", " s ", "\t", "-"}
}

func TestWriteTimestamps(t *testing.T) {
	mem := checked(t)
	instant := time.Date(1969, 12, 31, 23, 59, 58, 123456789, time.UTC)
	for _, tt := range []struct {
		unit arrow.TimeUnit
		zone string
		want string
	}{
		{arrow.Second, "", "1969-12-31T23:59:58"},
		{arrow.Millisecond, "UTC", "1969-12-31T23:59:58.123Z"},
		{arrow.Microsecond, "Europe/Berlin", "1969-12-31T23:59:58.123456Z"},
		{arrow.Nanosecond, "", "1969-12-31T23:59:58.123456789"},
	} {
		dt := &arrow.TimestampType{Unit: tt.unit, TimeZone: tt.zone}
		b := array.NewTimestampBuilder(mem, dt)
		v, err := arrow.TimestampFromTime(instant, tt.unit)
		if err != nil {
			t.Fatal(err)
		}
		b.AppendValues([]arrow.Timestamp{v, 0}, nil)
		col := b.NewArray()
		b.Release()
		rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "t", Type: dt}}, nil), []arrow.Array{col}, 2)
		col.Release()
		var fs blobtest.Mem
		got, err := write(&fs, "a.csv", rec)
		rec.Release()
		zero := "1970-01-01T00:00:00"
		if strings.HasSuffix(tt.want, "Z") {
			zero += "Z"
		}
		if want := "t\n" + tt.want + "\n" + zero + "\n"; err != nil || got != want {
			t.Errorf("%v: %q, %v; want %q", dt, got, err, want)
		}
	}
}

func TestAppendFloatReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		got, err := strconv.ParseFloat(string(appendFloat(nil, v, 64)), 64)
		if err != nil || math.Float64bits(got) != math.Float64bits(v) && !math.IsNaN(v) {
			t.Fatalf("%v reads back as %v, %v", v, got, err)
		}
		v32 := math.Float32frombits(rapid.Uint32().Draw(t, "bits32"))
		got, err = strconv.ParseFloat(string(appendFloat(nil, float64(v32), 32)), 32)
		if err != nil || math.Float32bits(float32(got)) != math.Float32bits(v32) && v32 == v32 {
			t.Fatalf("%v reads back as %v, %v", v32, got, err)
		}
	})
}

func TestAppendDecimal(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, v decimal128.Num, scale int) {
		got := string(appendDecimal(nil, v, scale))
		r, ok := new(big.Rat).SetString(got)
		want := new(big.Rat).SetInt(v.BigInt())
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil))
		if scale >= 0 {
			want.Quo(want, power)
		} else {
			want.Mul(want, power)
		}
		if !ok || r.Cmp(want) != 0 {
			t.Fatalf("%v with scale %d is %s", v.BigInt(), scale, got)
		}
		_, decimals, _ := strings.Cut(got, ".")
		if len(decimals) != max(scale, 0) || strings.HasPrefix(strings.TrimPrefix(got, "-"), ".") || len(got) > 1 && got[0] == '0' && got[1] != '.' {
			t.Fatalf("%v with scale %d is %s", v.BigInt(), scale, got)
		}
	}
	edges := []decimal128.Num{{}, decimal128.FromI64(1), decimal128.FromI64(-1), decimal128.New(math.MinInt64, 0), decimal128.New(math.MaxInt64, math.MaxUint64),
		decimal128.FromU64(math.MaxUint64), decimal128.FromU64(1e19), decimal128.FromU64(1e19 - 1), decimal128.New(0, 0).Sub(decimal128.FromU64(1e19)), decimal128.GetMaxValue(38), decimal128.GetMaxValue(38).Negate()}
	for _, v := range edges {
		for _, scale := range []int{0, 1, 2, 18, 19, 20, 37, 38, 39, 60, -1, -5} {
			check(t, v, scale)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, decimal128.New(rapid.Int64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")), rapid.IntRange(-10, 45).Draw(t, "scale"))
	})
}

func stringsRecord(mem memory.Allocator, names []string, rows [][]string) arrow.Record {
	var fields []arrow.Field
	for _, name := range names {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, row := range rows {
		for k, v := range row {
			if v == null {
				b.Field(k).AppendNull()
			} else {
				b.Field(k).(*array.StringBuilder).Append(v)
			}
		}
	}
	return b.NewRecord()
}

// What is written is read back, whatever the strings are.
func TestRoundTrip(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a,"\n\r\t\x{feff} ]{0,5}`), rapid.Just(null))
	mem := checked(t)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz"}).Draw(rt, "name")
		columns := rapid.SliceOfNDistinct(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a,"\n\t\x{feff}]{0,4}`)).Filter(func(s string) bool {
			return !strings.Contains(s, "\r") // refused in a header unless it ends a line
		}), 1, 4, rapid.ID[string]).Draw(rt, "columns")
		rows := rapid.SliceOfN(rapid.SliceOfN(text, len(columns), len(columns)), 0, 6).Draw(rt, "rows")
		for _, row := range rows {
			for k := range row {
				if row[k] == "" {
					row[k] = null // Open reads both alike
				}
			}
		}
		rec := stringsRecord(mem, columns, rows)
		defer rec.Release()
		var fs blobtest.Mem
		got, err := write(&fs, name, rec)
		if err != nil {
			rt.Fatal(err)
		}
		header, back, _, err := read(t, name, got, column.ReadOptions{Mem: mem, Nulls: []string{""}, BatchRows: 3})
		if err != nil || fmt.Sprintf("%q", header) != fmt.Sprintf("%q", columns) || fmt.Sprintf("%q", back) != fmt.Sprintf("%q", rows) {
			rt.Fatalf("%q: %v\n%q %q\n%q %q", got, err, header, back, columns, rows)
		}
	})
}

func TestWriteOneColumn(t *testing.T) {
	rec := stringsRecord(checked(t), []string{"id"}, [][]string{{null}, {""}, {"x"}, {null}})
	defer rec.Release()
	var fs blobtest.Mem
	got, err := write(&fs, "a.csv", rec)
	if want := "id\n\"\"\n\"\"\nx\n\"\"\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestWriteDictionaryOfNulls(t *testing.T) {
	mem := checked(t)
	dict := stringsRecord(mem, []string{"d"}, [][]string{{"x"}, {null}})
	defer dict.Release()
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	b := array.NewInt8Builder(mem)
	b.AppendValues([]int8{1, 0}, nil)
	indices := b.NewArray()
	b.Release()
	defer indices.Release()
	col := array.NewDictionaryArray(dt, indices, dict.Column(0))
	defer col.Release()
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "d", Type: dt, Nullable: true}}, nil), []arrow.Array{col}, 2)
	defer rec.Release()
	var fs blobtest.Mem
	if got, err := write(&fs, "a.csv", rec); err != nil || got != "d\n\"\"\nx\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCreateRefusals(t *testing.T) {
	var fs blobtest.Mem
	id := arrow.Field{Name: "id", Type: arrow.BinaryTypes.String}
	for _, tt := range []struct {
		name   string
		fields []arrow.Field
		want   string
	}{
		{"a.csv", nil, "a.csv: a table without columns cannot be written as text"},
		{"a.csv", []arrow.Field{id, id}, `a.csv: column "id": duplicate column name: columns 1 and 2 are both called "id"`},
		{"a.csv", []arrow.Field{id, {Name: "l", Type: arrow.ListOf(id.Type)}}, `a.csv: column "l": text cannot hold values of type list<item: utf8, nullable>`},
		{"a.csv", []arrow.Field{{Name: "b", Type: arrow.FixedWidthTypes.Duration_s}}, `a.csv: column "b": text cannot hold values of type duration[s]`},
		{"a.dat", []arrow.Field{id}, "a.dat: not a name of a delimited text file"},
	} {
		_, err := Create(ctx, &fs, tt.name, arrow.NewSchema(tt.fields, nil), column.WriteOptions{})
		if e := (*column.InputError)(nil); !errors.As(err, &e) || e.Error() != tt.want {
			t.Errorf("%v: %v, want %s", tt.fields, err, tt.want)
		}
	}
	fs.Put("b.csv", nil)
	if _, err := Create(ctx, &fs, "b.csv", arrow.NewSchema([]arrow.Field{id}, nil), column.WriteOptions{}); !errors.Is(err, blob.ErrExists) {
		t.Errorf("existing file: %v", err)
	}
	if w, err := Create(ctx, &fs, "b.csv", arrow.NewSchema([]arrow.Field{id}, nil), column.WriteOptions{Overwrite: true}); err != nil || w.Commit(ctx) != nil {
		t.Errorf("overwriting: %v", err)
	}
	if text, _ := fs.Get("b.csv"); string(text) != "id\n" {
		t.Errorf("a table without rows is %q", text)
	}
}

func TestWriterMisuse(t *testing.T) {
	rec := stringsRecord(checked(t), []string{"id"}, [][]string{{"x"}})
	defer rec.Release()
	var fs blobtest.Mem
	other := arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.BinaryTypes.String}}, nil)
	w, err := Create(ctx, &fs, "a.csv", other, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err == nil {
		t.Error("a batch of another schema is written")
	}
	if err := w.Commit(ctx); err == nil {
		t.Error("Commit after a failed Write succeeds")
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := w.Commit(ctx); err == nil {
		t.Error("Commit after Close succeeds")
	}
	if w, err = Create(ctx, &fs, "a.csv", rec.Schema(), column.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err == nil {
		t.Error("a Write after Commit succeeds")
	}
}

// Whatever operation fails, there is no file, or the whole file.
func TestWriteSurvivesFailures(t *testing.T) {
	rows := make([][]string, 20000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		rows[i] = []string{fmt.Sprint(rng.Uint64()), "v"} // hard to compress
	}
	rec := stringsRecord(checked(t), []string{"id", "v"}, rows)
	defer rec.Release()
	for _, name := range []string{"a.csv", "a.csv.gz"} {
		for at := int64(1); ; at++ {
			var mem blobtest.Mem
			fs := &blobtest.Faulty{FS: &mem, FailAt: at}
			err := func() error {
				w, err := Create(ctx, fs, name, rec.Schema(), column.WriteOptions{})
				if err != nil {
					return err
				}
				defer w.Close()
				for range 2 {
					if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
						return err
					}
				}
				return w.Commit(ctx)
			}()
			text, exists := mem.Get(name)
			if !fs.Failed() {
				if err != nil || !exists || at < 4 {
					t.Errorf("%s: %v with %d operations", name, err, at-1)
				}
				_, back, _, err := read(t, name, string(text), column.ReadOptions{})
				if err != nil || len(back) != 40000 {
					t.Errorf("%s: %d rows, %v", name, len(back), err)
				}
				break
			}
			if !errors.Is(err, blobtest.ErrInjected) || exists {
				t.Errorf("%s: failure %d: %v; file exists: %v", name, at, err, exists)
			}
		}
	}
}

// TestWriteBytesAndTimes: bytes as hexadecimal digits, times of day with as many decimals as they need.
func TestWriteBytesAndTimes(t *testing.T) {
	mem := checked(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true}, {Name: "f", Type: &arrow.FixedSizeBinaryType{ByteWidth: 3}},
		{Name: "ms", Type: arrow.FixedWidthTypes.Time32ms}, {Name: "us", Type: arrow.FixedWidthTypes.Time64us}, {Name: "ns", Type: arrow.FixedWidthTypes.Time64ns}}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	b.Field(0).(*array.BinaryBuilder).AppendValues([][]byte{{0, 0xff, 'a'}, {}, nil}, []bool{true, true, false})
	b.Field(1).(*array.FixedSizeBinaryBuilder).AppendValues([][]byte{{1, 2, 3}, {0xde, 0xad, 0}, {0, 0, 0}}, nil)
	b.Field(2).(*array.Time32Builder).AppendValues([]arrow.Time32{0, 86_399_999, 86_400_000}, nil)
	b.Field(3).(*array.Time64Builder).AppendValues([]arrow.Time64{1, 43_200_000_000, -1}, nil)
	b.Field(4).(*array.Time64Builder).AppendValues([]arrow.Time64{1, 86_399_999_999_999, 3_600_000_000_000}, nil)
	rec := b.NewRecord()
	defer rec.Release()
	var fs blobtest.Mem
	w, err := Create(ctx, &fs, "a.csv", schema, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	got, _ := fs.Get("a.csv")
	want := "b,f,ms,us,ns\n00ff61,010203,00:00:00,00:00:00.000001,00:00:00.000000001\n\"\",dead00,23:59:59.999,12:00:00,23:59:59.999999999\n,000000,86400.000,-0.000001,01:00:00\n"
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Texts that a spreadsheet takes for formulas get a ' before them on request, names of columns and entries of dictionaries, too,
// and different texts stay different. Without it the first one is told. Numbers, dates and booleans are no texts.
func TestWriteFormulas(t *testing.T) {
	ids := []string{"=1+2", "+1", "-1", "@a", "\ta", "\ra", "\na", "＝a", "＋a", "－a", "＠a", "a=b", "'=a", "''-a", "'a", " =a", "", "ü", "=\"x\",y", "-"}
	quoted := func(s string) string {
		if s == "" || strings.ContainsAny(s, ",\"\r\n") {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return s
	}
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{{Name: "@id", Type: arrow.BinaryTypes.String}, {Name: "large", Type: arrow.BinaryTypes.LargeString}, {Name: "entry", Type: dictionary},
		{Name: "x", Type: arrow.PrimitiveTypes.Int64}, {Name: "y", Type: arrow.PrimitiveTypes.Float64}, {Name: "z", Type: &arrow.Decimal128Type{Precision: 5, Scale: 1}},
		{Name: "d", Type: arrow.FixedWidthTypes.Date32}}, nil)
	b := array.NewRecordBuilder(checked(t), schema)
	defer b.Release()
	for _, id := range ids {
		b.Field(0).(*array.StringBuilder).Append(id)
		b.Field(1).(*array.LargeStringBuilder).Append(id)
		if err := b.Field(2).(*array.BinaryDictionaryBuilder).AppendString(id); err != nil {
			t.Fatal(err)
		}
		b.Field(3).(*array.Int64Builder).Append(-1)
		b.Field(4).(*array.Float64Builder).Append(-2.5)
		b.Field(5).(*array.Decimal128Builder).Append(decimal128.FromI64(-35))
		b.Field(6).(*array.Date32Builder).Append(-1_000_000)
	}
	rec := b.NewRecord()
	defer rec.Release()
	text := func(opts column.WriteOptions) string {
		fs := &blobtest.Mem{}
		w, err := Create(ctx, fs, "a.csv", schema, opts)
		if err == nil {
			err = w.Write(ctx, column.Batch{Record: rec})
		}
		if err == nil {
			err = w.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := fs.Get("a.csv")
		return string(data)
	}
	want := func(header string, written func(string) string) string {
		all := header + ",large,entry,x,y,z,d\n"
		for _, id := range ids {
			id = quoted(written(id))
			all += strings.Join([]string{id, id, id}, ",") + ",-1,-2.5,-3.5,-0768-02-04\n"
		}
		return all
	}
	plain := want("@id", func(s string) string { return s })
	var told []string
	if got := text(column.WriteOptions{Formula: func(text string) { told = append(told, text) }}); got != plain {
		t.Errorf("%q, want %q", got, plain)
	}
	if len(told) != 1 || told[0] != "@id" {
		t.Errorf("told of %q", told)
	}
	if got := text(column.WriteOptions{}); got != plain {
		t.Errorf("without options %q, want %q", got, plain)
	}
	distinct := map[string]bool{}
	safe := want("'@id", func(s string) string {
		if strings.ContainsAny(strings.TrimLeft(s, "'")+" ", "=+-@\t\r\n＝＋－＠") && !strings.ContainsRune("aü ", []rune(strings.TrimLeft(s, "'") + " ")[0]) {
			s = "'" + s
		}
		if distinct[s] {
			t.Errorf("two texts became %q", s)
		}
		distinct[s] = true
		return s
	})
	if got := text(column.WriteOptions{SafeText: true, Formula: func(text string) { t.Errorf("told of %q", text) }}); got != safe {
		t.Errorf("%q, want %q", got, safe)
	}
}
