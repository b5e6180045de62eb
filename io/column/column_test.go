package column

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

var ctx = context.Background()

// checked returns an allocator that the test fails with if anything leaks.
func checked(t *testing.T) *memory.CheckedAllocator {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

var testSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.BinaryTypes.String},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "ct", Type: &arrow.FixedSizeBinaryType{ByteWidth: 4}},
}, nil)

// testRecord returns rows whose values tell their numbers, from..from+rows-1;
// every fifth n is null.
func testRecord(mem memory.Allocator, from, rows int) arrow.Record {
	b := array.NewRecordBuilder(mem, testSchema)
	defer b.Release()
	for i := from; i < from+rows; i++ {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprint("r", i))
		if i%5 == 0 {
			b.Field(1).(*array.Int64Builder).AppendNull()
		} else {
			b.Field(1).(*array.Int64Builder).Append(int64(i))
		}
		b.Field(2).(*array.FixedSizeBinaryBuilder).Append(fmt.Appendf(nil, "%04d", i))
	}
	return b.NewRecord()
}

// checkRow checks that row i of b is the one with number n.
func checkRow(t *testing.T, b Batch, i, n int) {
	t.Helper()
	if got := b.Column(0).(*array.String).Value(i); got != fmt.Sprint("r", n) {
		t.Fatalf("id %q, want r%d", got, n)
	}
	col := b.Column(1).(*array.Int64)
	if col.IsNull(i) != (n%5 == 0) || col.IsValid(i) && col.Value(i) != int64(n) {
		t.Fatalf("n is %v in row %d", col.ValueStr(i), n)
	}
	if got := string(FixedBytes(b.Column(2))[4*i : 4*i+4]); got != fmt.Sprintf("%04d", n) {
		t.Fatalf("ct %q in row %d", got, n)
	}
}

type rechunkTest struct {
	batches []int // rows of each file, which is one batch
	rows    int
	want    []int // rows of the batches that come out; nil: not listed
}

func TestRechunk(t *testing.T) {
	tests := []rechunkTest{
		{nil, 3, nil},
		{[]int{3}, 3, []int{3}},
		{[]int{7}, 3, []int{3, 3, 1}},
		{[]int{1, 1, 1, 1}, 3, []int{3, 1}},
		{[]int{2, 5, 1, 9}, 4, []int{4, 4, 4, 4, 1}},
		{[]int{2, 5}, 100, []int{7}},
		{[]int{20, 3}, 1, nil},
		{[]int{16, 16}, 16, []int{16, 16}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.batches, tt.rows), func(t *testing.T) {
			mem := checked(t)
			var files []Batch
			n := 0
			for k, rows := range tt.batches {
				// Every batch is a file of its own, whose rows begin at 1.
				rec := testRecord(mem, n, rows)
				files = append(files, Batch{Record: rec, File: fmt.Sprint("f", k), Row: 1})
				n += rows
			}
			r := Rechunk(fromSlice(testSchema, files...), tt.rows).(*rechunked)
			ReleaseAll(files)
			r.mem = mem
			defer r.Close()
			batches, err := Collect(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			defer ReleaseAll(batches)
			row := 0
			for k, b := range batches {
				if tt.want != nil && int(b.NumRows()) != tt.want[k] || k < len(batches)-1 && int(b.NumRows()) != tt.rows {
					t.Errorf("batch %d has %d rows", k, b.NumRows())
				}
				for i := range int(b.NumRows()) {
					checkRow(t, b, i, row)
					file, inFile := tt.place(row)
					if f, r := b.Place(i); f != file || r != inFile {
						t.Errorf("row %d is at %s:%d, want %s:%d", row, f, r, file, inFile)
					}
					row++
				}
				if f, r := b.Place(0); f != b.File || r != b.Row {
					t.Errorf("batch %d begins at %s:%d, File and Row say %s:%d", k, f, r, b.File, b.Row)
				}
			}
			if row != n {
				t.Errorf("%d rows, want %d", row, n)
			}
			if _, err := r.Read(ctx); err != io.EOF {
				t.Errorf("read at the end: %v", err)
			}
		})
	}
}

// place returns where row n of a Rechunk test comes from.
func (tt *rechunkTest) place(n int) (string, int64) {
	for k, rows := range tt.batches {
		if n < rows {
			return fmt.Sprint("f", k), int64(n + 1)
		}
		n -= rows
	}
	return "", 0
}

func TestRechunkClosedEarly(t *testing.T) {
	mem := checked(t)
	rec := testRecord(mem, 0, 10)
	defer rec.Release()
	r := Rechunk(fromRecords("f", testSchema, rec, rec), 4)
	b, err := r.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	if FileOf(r) != "f" || r.Schema() != testSchema {
		t.Errorf("file %q", FileOf(r))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(ctx); err == nil || err == io.EOF {
		t.Errorf("read after Close: %v", err)
	}
}

// failing delivers batches and then an error.
type failing struct {
	Reader
	err error
}

func (f *failing) Read(ctx context.Context) (Batch, error) {
	b, err := f.Reader.Read(ctx)
	if err == io.EOF {
		err = f.err
	}
	return b, err
}

func TestErrorsPassThrough(t *testing.T) {
	boom := errors.New("boom")
	wraps := map[string]func(r Reader) Reader{
		"Rechunk": func(r Reader) Reader { return Rechunk(r, 7) },
		"OpenParts": func(r Reader) Reader {
			opened := 0
			p, err := OpenParts(ctx, []string{"f", "g"}, func(context.Context, string) (Reader, error) {
				if opened++; opened == 3 { // both were opened for their schemas
					return r, nil
				}
				return fromSlice(testSchema), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		"RequireRows": func(r Reader) Reader { return RequireRows(r, "f") },
	}
	for name, wrap := range wraps {
		t.Run(name, func(t *testing.T) {
			mem := checked(t)
			rec := testRecord(mem, 0, 10)
			defer rec.Release()
			r := wrap(&failing{fromRecords("f", testSchema, rec), boom})
			batches, err := Collect(ctx, r)
			if !errors.Is(err, boom) || batches != nil {
				t.Errorf("error %v, want %v", err, boom)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSlice(t *testing.T) {
	mem := checked(t)
	rec := testRecord(mem, 0, 10)
	defer rec.Release()
	b := Batch{Record: rec, File: "a", Row: 5, Spans: []Span{
		{File: "a", Row: 5, Line: 7, Len: 3},
		{File: "a", Row: 8, Line: 12, Len: 1},
		{File: "b", Row: 1, Line: 2, Len: 6},
	}}
	plain := Batch{Record: rec, File: "a", Row: 5}
	for i := 0; i <= 10; i++ {
		for j := i; j <= 10; j++ {
			s, p := b.Slice(i, j), plain.Slice(i, j)
			for k := range j - i {
				checkRow(t, s, k, i+k)
				wantFile, wantRow := b.Place(i + k)
				if file, row := s.Place(k); file != wantFile || row != wantRow || s.Line(k) != b.Line(i+k) {
					t.Errorf("[%d:%d] row %d: %s:%d line %d, want %s:%d line %d", i, j, k, file, row, s.Line(k), wantFile, wantRow, b.Line(i+k))
				}
				if file, row := p.Place(k); file != "a" || row != int64(5+i+k) || p.Line(k) != 0 {
					t.Errorf("[%d:%d] row %d: %s:%d", i, j, k, file, row)
				}
			}
			s.Release()
			p.Release()
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a row outside the batch")
		}
	}()
	b.Place(10)
}

func TestAppendSpan(t *testing.T) {
	var spans []Span
	for _, s := range []Span{
		{"a", 1, 2, 1}, {"a", 2, 3, 4}, {"a", 6, 7, 0}, {"a", 6, 9, 1}, // joined; dropped; a gap in the lines
		{"b", 7, 10, 1}, {"b", 8, 0, 1}, {"b", 9, 0, 2}, {"b", 12, 0, 1}, // another file; no lines; joined; a gap in the rows
	} {
		spans = AppendSpan(spans, s)
	}
	want := "[{a 1 2 5} {a 6 9 1} {b 7 10 1} {b 8 0 3} {b 12 0 1}]"
	if got := fmt.Sprint(spans); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBatchRefuse(t *testing.T) {
	mem := checked(t)
	rec := testRecord(mem, 0, 3)
	defer rec.Release()
	b := Batch{Record: rec, File: "a.csv", Row: 16, Spans: []Span{{"a.csv", 16, 17, 3}}}
	err := b.Refuse(1, "tpm", "%s is not a number", Quote("abc"))
	if want := `a.csv: row 17 (line 18), column "tpm": "abc" is not a number`; err.Error() != want {
		t.Errorf("%s, want %s", err, want)
	}
	if b.ColumnIndex("ct") != 2 || b.ColumnIndex("x") != -1 {
		t.Error("ColumnIndex is wrong")
	}
}

func TestInputError(t *testing.T) {
	cause := errors.New("c")
	for _, tt := range []struct {
		err  *InputError
		want string
	}{
		{&InputError{}, "input refused"},
		{Refuse("f", "bad %d", 3), "f: bad 3"},
		{Refuse("", "%w", cause).AtLine(3), "line 3: c"},
		{Refuse("f", "%w", cause).AtRow(2).InColumn("x"), `f: row 2, column "x": c`},
		{Refuse("f", "%w", cause).InRowGroup(4), "f: row group 4: c"},
		{Refuse("f", "%w", cause).InRowGroup(4).AtRow(9).AtLine(10), "f: row group 4, row 9 (line 10): c"},
		{Refuse("a\nb\x1b[0m", "two\r\nlines é"), `a\nb\x1b[0m: two\r\nlines é`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	err := fmt.Errorf("encrypting: %w", Refuse("f", "%w", cause).WithHint("Do %s.", "this"))
	var e *InputError
	if !errors.As(err, &e) || e.Hint != "Do this." || !errors.Is(err, cause) {
		t.Errorf("As and Is do not see through %v", err)
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"":                            `""`,
		"a\"\n":                       `"a\"\n"`,
		strings.Repeat("é", 60):       `"` + strings.Repeat("é", 60) + `"`,
		strings.Repeat("é", 61):       `"` + strings.Repeat("é", 60) + `"...`,
		strings.Repeat("\xff", 1<<16): `"` + strings.Repeat(`\xff`, 60) + `"...`,
	} {
		if got := Quote(s); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	have := []string{"gene", "tpm", "ptpm", "Cell line", "expression_value"}
	for name, want := range map[string]string{
		"TPM": "tpm", "tmp": "tpm", "genes": "gene", "cell line ": "Cell line", "expresion_vale": "expression_value",
		"pptm": "ptpm", "qqqq": "", "": "", "x": "", strings.Repeat("x", 300): "",
	} {
		got, ok := Nearest(name, have)
		if got != want || ok != (want != "") {
			t.Errorf("%q: nearest %q, want %q", name, got, want)
		}
	}
	if got, ok := Nearest("a", []string{strings.Repeat("a", 1<<20), "A"}); got != "A" || !ok {
		t.Errorf("nearest %q", got)
	}
}

func TestSelect(t *testing.T) {
	have := []string{"a", "b", "c"}
	for _, tt := range []struct {
		have, want []string
		at         string
		is         error
		hint       string
	}{
		{have, nil, "[0 1 2]", nil, ""},
		{have, []string{"c", "a"}, "[2 0]", nil, ""},
		{have, []string{"B"}, "", ErrMissingColumn, `Did you mean "b"?`},
		{have, []string{"value"}, "", ErrMissingColumn, `The file has "a", "b", "c".`},
		{nil, []string{"value"}, "", ErrMissingColumn, `The file has no columns.`},
		{have, []string{"a", "a"}, "", ErrDuplicateColumn, "Name each column once."},
		{[]string{"a", "x", "a"}, []string{"a"}, "", ErrDuplicateColumn, "Rename or drop one of them."},
		{[]string{"a", "x", "a"}, nil, "", ErrDuplicateColumn, "Rename or drop one of them."},
		{[]string{"a", "x", "a"}, []string{"x"}, "[1]", nil, ""},
		{strings.Split("a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4", ","), []string{"value"}, "", ErrMissingColumn,
			`The file has "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b1", "b2", "b3", ....`},
	} {
		at, err := Select("f.csv", tt.have, tt.want)
		if tt.is == nil {
			if got := fmt.Sprint(at); err != nil || got != tt.at {
				t.Errorf("%v of %v: %s, %v", tt.want, tt.have, got, err)
			}
			continue
		}
		var e *InputError
		if !errors.As(err, &e) || !errors.Is(err, tt.is) || e.File != "f.csv" || e.Hint != tt.hint {
			t.Errorf("%v of %v: %v, hint %q", tt.want, tt.have, err, e.Hint)
		}
	}
}

func TestRequireRows(t *testing.T) {
	r := RequireRows(fromRecords("a.csv", testSchema), "a.csv")
	_, err := r.Read(ctx)
	var e *InputError
	if !errors.As(err, &e) || !errors.Is(err, ErrNoRows) || e.File != "a.csv" || FileOf(r) != "a.csv" {
		t.Errorf("no rows: %v", err)
	}
	mem := checked(t)
	rec := testRecord(mem, 0, 1)
	defer rec.Release()
	batches, err := Collect(ctx, RequireRows(fromRecords("a.csv", testSchema, rec), "a.csv"))
	if err != nil || len(batches) != 1 {
		t.Errorf("one row: %v", err)
	}
	ReleaseAll(batches)
}

func TestFixedBytes(t *testing.T) {
	mem := checked(t)
	rec := testRecord(mem, 0, 10)
	defer rec.Release()
	cut := rec.NewSlice(3, 6)
	defer cut.Release()
	again := cut.NewSlice(1, 2)
	defer again.Release()
	empty := cut.NewSlice(3, 3)
	defer empty.Release()
	for want, r := range map[string]arrow.Record{"000300040005": cut, "0004": again, "": empty} {
		if got := string(FixedBytes(r.Column(2))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a column of strings")
		}
	}()
	FixedBytes(rec.Column(0))
}

// sink is a Writer that counts rows.
type sink struct {
	rows int64
	err  error
}

func (s *sink) Write(ctx context.Context, b Batch) error { s.rows += b.NumRows(); return s.err }
func (s *sink) Commit(ctx context.Context) error         { return nil }
func (s *sink) Close() error                             { return nil }

func TestCopy(t *testing.T) {
	mem := checked(t)
	rec := testRecord(mem, 0, 4)
	defer rec.Release()
	var s sink
	if n, err := Copy(ctx, &s, fromRecords("f", testSchema, rec, rec)); n != 8 || s.rows != 8 || err != nil {
		t.Errorf("copied %d rows, %v", n, err)
	}
	boom := errors.New("boom")
	r := fromRecords("f", testSchema, rec, rec)
	defer r.Close()
	if n, err := Copy(ctx, &sink{err: boom}, r); n != 0 || err != boom {
		t.Errorf("copied %d rows, %v", n, err)
	}
	if _, err := Copy(ctx, &s, &failing{fromSlice(testSchema), boom}); err != boom {
		t.Errorf("error %v", err)
	}
}

func TestOptionsDefaults(t *testing.T) {
	o := ReadOptions{}.WithDefaults()
	if o.BatchRows != BatchRowsDefault || o.BatchBytes != BatchBytesDefault || o.Threads != 1 || fmt.Sprintf("%q", o.Nulls) != `["" "NA"]` || o.Mem == nil {
		t.Errorf("defaults %+v", o)
	}
	if o := (ReadOptions{Nulls: []string{}}).WithDefaults(); o.Nulls == nil || len(o.Nulls) != 0 {
		t.Errorf("an empty list of nulls became %q", o.Nulls)
	}
	if (WriteOptions{}).WithDefaults().Mem == nil {
		t.Error("no allocator to write with")
	}
}
