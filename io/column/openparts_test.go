package column

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func schemaOf(fields ...string) *arrow.Schema {
	types := map[string]arrow.DataType{"s": arrow.BinaryTypes.String, "i": arrow.PrimitiveTypes.Int64, "f": arrow.PrimitiveTypes.Float64}
	var out []arrow.Field
	for _, f := range fields {
		name, typ, _ := strings.Cut(f, ":")
		out = append(out, arrow.Field{Name: name, Type: types[typ[:1]], Nullable: strings.HasSuffix(typ, "?")})
	}
	return arrow.NewSchema(out, nil)
}

// records are files of one record each, by name, for OpenParts.
type records map[string]arrow.Record

func (files records) open(_ context.Context, name string) (Reader, error) {
	rec := files[name]
	return fromRecords(name, rec.Schema(), rec), nil
}

// empty is a record without rows.
func empty(fields ...string) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schemaOf(fields...))
	defer b.Release()
	return b.NewRecord()
}

func TestOpenPartsMismatch(t *testing.T) {
	for _, tt := range []struct {
		a, b   []string
		column string
		say    string
	}{
		{[]string{"id:s", "n:i"}, []string{"id:s", "n:f"}, "n", "type int64 in a.csv, float64 in b.csv"},
		{[]string{"id:s", "n:i"}, []string{"id:s"}, "n", "a.csv has this column, b.csv lacks it"},
		{[]string{"id:s"}, []string{"id:s", "n:i"}, "n", "a.csv lacks this column, b.csv has it"},
		{[]string{"id:s", "n:i"}, []string{"n:i", "id:s"}, "id", "column 1 in a.csv, 2 in b.csv"},
	} {
		_, err := OpenParts(ctx, []string{"a.csv", "b.csv"}, records{"a.csv": empty(tt.a...), "b.csv": empty(tt.b...)}.open)
		var e *InputError
		if !errors.As(err, &e) || !errors.Is(err, ErrSchemaMismatch) {
			t.Fatalf("%v and %v: %v", tt.a, tt.b, err)
		}
		if e.File != "b.csv" || e.Column != tt.column || !strings.Contains(e.Error(), tt.say) || e.Hint == "" {
			t.Errorf("%v and %v: %v (hint %q)", tt.a, tt.b, e, e.Hint)
		}
	}
	twice := records{"a.csv": empty("id:s"), "b.csv": empty("id:s", "id:s")}
	if _, err := OpenParts(ctx, []string{"a.csv", "b.csv"}, twice.open); !errors.Is(err, ErrDuplicateColumn) {
		t.Errorf("duplicate column: %v", err)
	}
}

func TestOpenPartsMergesNullable(t *testing.T) {
	mem := checked(t)
	files, names := records{}, []string{"0", "1", "2"}
	for k, schema := range []*arrow.Schema{schemaOf("n:i"), schemaOf("n:i?"), schemaOf("n:i")} {
		b := array.NewInt64Builder(mem)
		b.Append(int64(k))
		col := b.NewArray()
		b.Release()
		rec := array.NewRecord(schema, []arrow.Array{col}, 1)
		col.Release()
		defer rec.Release()
		files[names[k]] = rec
	}
	r, err := OpenParts(ctx, names, files.open)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.Schema().Field(0).Nullable {
		t.Error("the column is not nullable")
	}
	batches, err := Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer ReleaseAll(batches)
	for k, b := range batches {
		if !b.Schema().Equal(r.Schema()) || b.File != fmt.Sprint(k) || b.Column(0).(*array.Int64).Value(0) != int64(k) {
			t.Errorf("batch %d is %v of %v", k, b, b.Schema())
		}
	}
}

// tracked counts how many readers are open.
type tracked struct {
	Reader
	open *int
}

func (r *tracked) Close() error {
	*r.open--
	return r.Reader.Close()
}

func TestOpenPartsKeepsOneOpen(t *testing.T) {
	mem := checked(t)
	open, most := 0, 0
	var names []string
	for k := range 5 {
		names = append(names, fmt.Sprint("f", k))
	}
	r, err := OpenParts(ctx, names, func(_ context.Context, name string) (Reader, error) {
		open++
		most = max(most, open)
		rec := testRecord(mem, 0, 3)
		defer rec.Release()
		return &tracked{fromRecords(name, testSchema, rec), &open}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	batches, err := Collect(ctx, r)
	if err != nil || len(batches) != 5 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	for k, b := range batches {
		if b.File != names[k] || b.Row != 1 {
			t.Errorf("batch %d is of %s:%d", k, b.File, b.Row)
		}
	}
	ReleaseAll(batches)
	if err := r.Close(); err != nil || open != 0 || most != 1 {
		t.Errorf("%d left open, at most %d at once, %v", open, most, err)
	}
}

func TestOpenPartsErrors(t *testing.T) {
	boom := errors.New("boom")
	opened := 0
	schemas := []*arrow.Schema{schemaOf("n:i"), schemaOf("n:i"), schemaOf("n:i"), schemaOf("n:f")}
	open := func(_ context.Context, name string) (Reader, error) {
		if opened == len(schemas) {
			return nil, boom
		}
		opened++
		return fromSlice(schemas[opened-1]), nil
	}
	// The second part is of another type when it is opened again.
	r, err := OpenParts(ctx, []string{"a", "b"}, open)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Read(ctx); !errors.Is(err, ErrSchemaMismatch) || !strings.HasPrefix(err.Error(), "b: ") {
			t.Errorf("changed file: %v", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := OpenParts(ctx, []string{"a", "b"}, open); err != boom {
		t.Errorf("error %v, want %v", err, boom)
	}
	opened = 2
	schemas = schemas[:4]
	schemas[3] = schemaOf("n:i")
	if r, err = OpenParts(ctx, []string{"a", "b"}, open); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(ctx); err != boom {
		t.Errorf("error %v, want %v", err, boom)
	}
	opened = 3
	one, err := OpenParts(ctx, []string{"a"}, open)
	if err != nil || one.Schema() != schemas[3] {
		t.Errorf("one part: %v", err)
	}
}

func TestMisusePanics(t *testing.T) {
	for name, f := range map[string]func(){
		"OpenParts": func() { OpenParts(ctx, nil, nil) },
		"Rechunk":   func() { Rechunk(fromSlice(testSchema), 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			f()
		}()
	}
}
