package arrowio

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

func TestRoundTrip(t *testing.T) {
	big := flatRecord(t, 200)
	defer big.Release()
	cut := big.NewSlice(3, 103) // whose bitmaps and offsets do not begin at 0
	defer cut.Release()
	none := big.NewSlice(0, 0)
	defer none.Release()
	mem := checked(t)
	var fs blobtest.Mem
	w, err := Create(ctx, &fs, "a.feather", big.Schema(), column.WriteOptions{Mem: mem})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range []arrow.Record{cut, none, big} {
		if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
			t.Fatal(err)
		}
	}
	if _, exists := fs.Get("a.feather"); exists {
		t.Error("the file exists before Commit")
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	got, err := text(&fs, "a.feather", column.ReadOptions{Mem: mem})
	if want := wantText(cut, big); err != nil || got != want {
		t.Errorf("%v\n%swant\n%s", err, got, want)
	}
}

// A batch may differ from the file's schema in metadata and in what is
// nullable.
func TestWriteFitsSchema(t *testing.T) {
	mem := checked(t)
	i64 := arrow.PrimitiveTypes.Int64
	b := array.NewInt64Builder(mem)
	b.Append(1)
	col := b.NewArray()
	b.Release()
	meta := arrow.NewMetadata([]string{"k"}, []string{"v"})
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "n", Type: i64, Nullable: true}}, &meta), []arrow.Array{col}, 1)
	col.Release()
	defer rec.Release()
	var fs blobtest.Mem
	w, err := Create(ctx, &fs, "a.arrow", arrow.NewSchema([]arrow.Field{{Name: "n", Type: i64}}, nil), column.WriteOptions{Mem: mem})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(ctx, column.Batch{Record: rec}), w.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	if got, err := text(&fs, "a.arrow", column.ReadOptions{Mem: mem}); err != nil || got != "n int64: 1\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWriteNoRows(t *testing.T) {
	rec := flatRecord(t, 0)
	defer rec.Release()
	var fs blobtest.Mem
	w, err := Create(ctx, &fs, "a.arrow", rec.Schema(), column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := Open(ctx, &fs, "a.arrow", column.ReadOptions{Mem: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Read(ctx); err != io.EOF || r.Schema().NumFields() != rec.Schema().NumFields() || column.FileOf(r) != "a.arrow" {
		t.Errorf("%v of %d columns", err, r.Schema().NumFields())
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
		{"a.arrow", nil, "a.arrow: a table without columns cannot be read back"},
		{"a.arrow", []arrow.Field{id, id}, `a.arrow: column "id": duplicate column name: columns 1 and 2 are both called "id"`},
		{"a.csv", []arrow.Field{id}, "a.csv: not a name of an Arrow file"},
	} {
		_, err := Create(ctx, &fs, tt.name, arrow.NewSchema(tt.fields, nil), column.WriteOptions{})
		checkRefused(t, err, tt.want)
	}
	schema := arrow.NewSchema([]arrow.Field{id}, nil)
	fs.Put("b.arrow", nil)
	if _, err := Create(ctx, &fs, "b.arrow", schema, column.WriteOptions{}); !errors.Is(err, blob.ErrExists) {
		t.Errorf("existing file: %v", err)
	}
	w, err := Create(ctx, &fs, "b.arrow", schema, column.WriteOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Errorf("overwriting: %v", err)
	}
}

func TestWriterMisuse(t *testing.T) {
	rec := flatRecord(t, 1)
	defer rec.Release()
	var fs blobtest.Mem
	other := arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.BinaryTypes.String}}, nil)
	w, err := Create(ctx, &fs, "a.arrow", other, column.WriteOptions{})
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
	if w, err = Create(ctx, &fs, "a.arrow", rec.Schema(), column.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Write(cancelled, column.Batch{Record: rec}); err != context.Canceled {
		t.Errorf("Write with a cancelled context: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err == nil {
		t.Error("a Write after Close succeeds")
	}
	if _, exists := fs.Get("a.arrow"); exists {
		t.Error("there is a file")
	}
	if _, err := (&position{}).Seek(1, io.SeekStart); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Seek: %v", err)
	}
}

// Whatever operation fails, there is no file, or the whole file.
func TestWriteSurvivesFailures(t *testing.T) {
	rec := flatRecord(t, 4000)
	defer rec.Release()
	for at := int64(1); ; at++ {
		var under blobtest.Mem
		fs := &blobtest.Faulty{FS: &under, FailAt: at}
		err := func() error {
			w, err := Create(ctx, fs, "a.arrow", rec.Schema(), column.WriteOptions{})
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
		data, exists := under.Get("a.arrow")
		if !fs.Failed() {
			if err != nil || at < 5 {
				t.Errorf("%v with %d operations", err, at-1)
			}
			if rows, err := consume(data, memory.NewGoAllocator()); err != nil || rows != 8000 {
				t.Errorf("%d rows, %v", rows, err)
			}
			return
		}
		if !errors.Is(err, blobtest.ErrInjected) || exists {
			t.Errorf("failure %d: %v; file exists: %v", at, err, exists)
		}
	}
}
