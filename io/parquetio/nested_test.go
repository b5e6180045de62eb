package parquetio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

// parquetFile writes rows by parquet-go.
func parquetFile[T any](t testing.TB, rows []T, opts ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, opts...)
	for len(rows) > 0 {
		n := min(len(rows), 700)
		if _, err := w.Write(rows[:n]); err != nil {
			t.Fatal(err)
		}
		if rows = rows[n:]; n == 700 {
			if err := w.Flush(); err != nil { // a row group
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// texts reads columns of a file, each row as text.
func texts(t testing.TB, file []byte, opts column.ReadOptions) []string {
	t.Helper()
	r, err := Open(ctx, memFS(file), "f", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	var out []string
	for _, b := range batches {
		for i := range int(b.NumRows()) {
			row := make([]string, b.NumCols())
			for c := range row {
				row[c] = b.Column(c).ValueStr(i)
			}
			out = append(out, strings.Join(row, " "))
		}
	}
	return out
}

type innermost struct {
	Value *int64   `parquet:"value,optional"`
	Text  string   `parquet:"text"`
	Bits  []bool   `parquet:"bits,list"`
	Time  *float32 `parquet:"time,optional"`
}

type middle struct {
	Inner  *innermost `parquet:"inner,optional"`
	Always innermost  `parquet:"always"`
	Day    int32      `parquet:"day,date"`
}

type nestedRow struct {
	ID    int64   `parquet:"id"`
	Outer *middle `parquet:"outer,optional"`
	Plain middle  `parquet:"plain"`
}

// TestNestedFields are read by their path, with null for a field of a structure that is null, whatever is above them.
func TestNestedFields(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	inner := func() innermost {
		x := innermost{Text: fmt.Sprint("t", r.IntN(5))}
		if r.IntN(3) > 0 {
			v := r.Int64() - 1<<62
			x.Value = &v
		}
		if r.IntN(3) > 0 {
			f := float32(r.IntN(100)) / 4
			x.Time = &f
		}
		for range r.IntN(4) {
			x.Bits = append(x.Bits, r.IntN(2) == 0)
		}
		return x
	}
	mid := func() middle {
		m := middle{Always: inner(), Day: int32(r.IntN(20000))}
		if r.IntN(3) > 0 {
			x := inner()
			m.Inner = &x
		}
		return m
	}
	var rows []nestedRow
	for i := range 2500 {
		row := nestedRow{ID: int64(i), Plain: mid()}
		if r.IntN(4) > 0 {
			m := mid()
			row.Outer = &m
		}
		rows = append(rows, row)
	}
	show := func(x *innermost, field string) string {
		switch {
		case x == nil:
		case field == "value" && x.Value != nil:
			return fmt.Sprint(*x.Value)
		case field == "text":
			return x.Text
		case field == "time" && x.Time != nil:
			return fmt.Sprint(*x.Time)
		}
		return array.NullValueStr
	}
	for version := 1; version <= 2; version++ {
		file := parquetFile(t, rows, parquet.DataPageVersion(version), parquet.PageBufferSize(1000))
		for _, field := range []string{"value", "text", "time"} {
			columns := []string{"plain.always." + field, "id", "outer.inner." + field, "outer.always." + field, "plain.inner." + field}
			for _, opts := range []column.ReadOptions{{Columns: columns}, {Columns: columns, BatchRows: 37}, {Columns: columns, BatchRows: 1000, Threads: 3}} {
				got := texts(t, file, opts)
				if len(got) != len(rows) {
					t.Fatalf("%d rows", len(got))
				}
				for i, row := range rows {
					var outer, always *innermost
					if row.Outer != nil {
						outer, always = row.Outer.Inner, &row.Outer.Always
					}
					want := strings.Join([]string{show(&row.Plain.Always, field), fmt.Sprint(i), show(outer, field), show(always, field), show(row.Plain.Inner, field)}, " ")
					if got[i] != want {
						t.Fatalf("%s, row %d: %s, want %s", field, i, got[i], want)
					}
				}
			}
		}
	}
	// Lists within structures, and what is required within them.
	file := parquetFile(t, rows)
	rd, err := Open(ctx, memFS(file), "f", column.ReadOptions{Columns: []string{"outer.inner.bits", "plain.day", "outer.day"}, BatchRows: 4000})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	if f := rd.Schema().Fields(); !f[0].Nullable || f[1].Nullable || !f[2].Nullable {
		t.Errorf("%v", f)
	}
	b, err := rd.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	lists := b.Column(0).(*array.List)
	for i, row := range rows {
		if there := row.Outer != nil && row.Outer.Inner != nil; there == lists.IsNull(i) {
			t.Fatalf("row %d: null is %v", i, lists.IsNull(i))
		} else if there {
			from, to := lists.ValueOffsets(i)
			values := lists.ListValues().(*array.Boolean)
			for k, want := range row.Outer.Inner.Bits {
				if values.Value(int(from)+k) != want {
					t.Fatalf("row %d: element %d", i, k)
				}
			}
			if int(to-from) != len(row.Outer.Inner.Bits) {
				t.Fatalf("row %d: %d elements", i, to-from)
			}
		}
	}
}

// TestDottedNames: a column of that very name goes before a field whose path spells it.
func TestDottedNames(t *testing.T) {
	type row struct {
		A struct {
			B int64 `parquet:"b"`
			C int64 `parquet:"c"`
			D struct {
				E int64 `parquet:"e"`
			} `parquet:"d"`
		} `parquet:"a"`
		AB  int64 `parquet:"a.b"`
		ADE int64 `parquet:"a.d.e"`
		X   struct {
			Y int64 `parquet:"y"`
		} `parquet:"a.d"`
	}
	var rows []row
	for i := range int64(3) {
		x := row{AB: 100 + i, ADE: 200 + i}
		x.A.B, x.A.C, x.A.D.E, x.X.Y = i, 10+i, 20+i, 300+i
		rows = append(rows, x)
	}
	file := parquetFile(t, rows)
	for columns, want := range map[string]string{
		"a.b": "100", "a.c": "10", "a.d.e": "200", "a.d.y": "300", "a.d.y,a.b,a.c,a.d.e": "300 100 10 200",
	} {
		if got := texts(t, file, column.ReadOptions{Columns: strings.Split(columns, ",")}); got[0] != want {
			t.Errorf("%s: %s, want %s", columns, got[0], want)
		}
	}
	for name, want := range map[string]string{"a": "structure of", "a.d": "structure of", "b": "no such column", "A.b": "no such column"} {
		_, err := Open(ctx, memFS(file), "f", column.ReadOptions{Columns: []string{name}})
		wantInputError(t, err, want)
	}
	if got := texts(t, file, column.ReadOptions{}); got[1] != "11 101 201 301" && len(strings.Fields(got[1])) != 4 {
		t.Errorf("all columns: %s", got[1])
	}
	// A structure of that very name goes before the field, too.
	type other struct {
		A struct {
			B int64 `parquet:"b"`
		} `parquet:"a"`
		AB struct {
			C int64 `parquet:"c"`
		} `parquet:"a.b"`
	}
	file = parquetFile(t, []other{{}})
	_, err := Open(ctx, memFS(file), "f", column.ReadOptions{Columns: []string{"a.b"}})
	wantInputError(t, err, "structure of 1 fields")
	if got := texts(t, file, column.ReadOptions{Columns: []string{"a.b.c"}}); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

type wrapped struct {
	U [16]byte `parquet:"u,uuid"`
}

func uuidOf(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// TestOldAndRareTypes: time stamps of 96 bits, times of day, halves, nothing and UUIDs.
func TestOldAndRareTypes(t *testing.T) {
	type row struct {
		Old   deprecated.Int96  `parquet:"old"`
		OldN  *deprecated.Int96 `parquet:"oldn,optional"`
		Milli int32             `parquet:"milli,time(millisecond)"`
		Micro int64             `parquet:"micro,time(microsecond)"`
		Nano  int64             `parquet:"nano,time(nanosecond)"`
		ID    [16]byte          `parquet:"id,uuid"`
		IDN   *wrapped          `parquet:"idn,optional"`
		Same  [16]byte          `parquet:"same,uuid,dict"`
	}
	at := func(s string) (deprecated.Int96, string) {
		x, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		days := x.Unix() / 86400
		if x.Unix()%86400 < 0 {
			days--
		}
		nanos := uint64(x.Unix()-days*86400)*1_000_000_000 + uint64(x.Nanosecond())
		return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(days + 2_440_588)}, x.Truncate(time.Microsecond).Format("2006-01-02 15:04:05.999999")
	}
	r := rand.New(rand.NewPCG(7, 7))
	var rows []row
	var want []string
	for i, s := range []string{"1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2024-02-29T12:34:56.123456Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1582-10-04T00:00:00.5Z", "2262-04-12T00:00:00Z", "1677-09-21T00:12:43.145224Z", "2024-01-01T00:00:00.123456789Z"} {
		old, text := at(s)
		x := row{Old: old, Milli: int32(i) * 1001, Micro: int64(i) * 1_000_001, Nano: int64(i)*1_000_000_007 + 43_200_000_000_000, Same: [16]byte{0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0}}
		for k := range x.ID {
			x.ID[k] = byte(r.Uint32())
		}
		second := array.NullValueStr
		idn := array.NullValueStr
		if i%2 == 0 {
			x.OldN, x.IDN = &x.Old, &wrapped{x.ID}
			second, idn = text, uuidOf(x.ID)
		}
		rows = append(rows, x)
		want = append(want, strings.Join([]string{text, second, time.UnixMilli(int64(x.Milli)).UTC().Format("15:04:05.000"), time.UnixMicro(x.Micro).UTC().Format("15:04:05.000000"), time.Unix(0, x.Nano).UTC().Format("15:04:05.000000000"), uuidOf(x.ID), idn, "550e8400-e29b-41d4-a716-446655440000"}, " "))
	}
	for _, opts := range []column.ReadOptions{{}, {BatchRows: 2}, {Threads: 2}} {
		got := texts(t, parquetFile(t, rows), opts)
		for i := range want {
			if i >= len(got) || strings.ReplaceAll(got[i], "Z", "") != want[i] {
				t.Errorf("row %d: %v, want %s", i, got[i], want[i])
			}
		}
	}
	// Beyond what 64 bits of microseconds hold.
	_, err := func() (any, error) {
		rd, err := Open(ctx, memFS(parquetFile(t, []row{{Old: deprecated.Int96{0, 0, 1 << 31}}})), "f", column.ReadOptions{Columns: []string{"old"}})
		if err != nil {
			return nil, err
		}
		defer rd.Close()
		return rd.Read(ctx)
	}()
	wantInputError(t, err, "INT96 time stamp of day")
}

// TestBatchBytes: wide tables come in batches of few rows, down to one.
func TestBatchBytes(t *testing.T) {
	type row struct {
		A, B, C int64
		S       string
	}
	rows := make([]row, 5000)
	for i := range rows {
		rows[i] = row{int64(i), 1, 2, strings.Repeat("x", 76)}
	}
	file := parquetFile(t, rows)
	for _, c := range []struct {
		opts column.ReadOptions
		want int64
	}{
		{column.ReadOptions{}, 5000}, {column.ReadOptions{BatchBytes: 8000, Columns: []string{"A"}}, 1000}, {column.ReadOptions{BatchBytes: 24000, Columns: []string{"A", "B", "C"}}, 1000},
		{column.ReadOptions{BatchBytes: 5, Columns: []string{"A"}}, 1}, {column.ReadOptions{BatchRows: 7, BatchBytes: 1 << 20}, 7},
	} {
		r, err := Open(ctx, memFS(file), "f", c.opts)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Read(ctx)
		if err != nil || b.NumRows() != c.want {
			t.Errorf("%+v: %d rows, %v, want %d", c.opts, b.NumRows(), err, c.want)
		}
		b.Release()
		r.Close()
	}
	r, err := Open(ctx, memFS(file), "f", column.ReadOptions{BatchBytes: 10_000, Columns: []string{"S"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := r.Read(ctx); err != nil || b.NumRows() < 50 || b.NumRows() > 200 {
		t.Errorf("%d rows of 76 bytes in 10000, %v", b.NumRows(), err)
	}
}
