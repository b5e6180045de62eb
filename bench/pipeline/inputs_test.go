package pipeline

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// writeOutput writes a decrypted table in the way that decrypt does.
func writeOutput(t *testing.T, ids, sums, counts []int64) string {
	t.Helper()
	int64s := arrow.PrimitiveTypes.Int64
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: int64s}, {Name: "value_sum", Type: int64s}, {Name: "value_count", Type: int64s}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, list := range [][]int64{ids, sums, counts} {
		b.Field(i).(*array.Int64Builder).AppendValues(list, nil)
	}
	record := b.NewRecord()
	defer record.Release()
	name := filepath.Join(t.TempDir(), "out.parquet")
	w, err := parquetio.Create(context.Background(), blob.Local{}, name, schema, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(context.Background(), column.Batch{Record: record}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCheckOutput makes sure that a pipeline with a wrong result is no measurement.
func TestCheckOutput(t *testing.T) {
	a, b := ownerValues(0), ownerValues(1)
	sums := make([]int64, 4)
	for i := range sums {
		x, y := a(), b()
		if x == y || x < -valueMax || x > valueMax {
			t.Fatalf("values %d and %d", x, y)
		}
		sums[i] = x + y
	}
	for _, test := range []struct {
		name              string
		ids, sums, counts []int64
		want              string
	}{
		{"right", []int64{0, 1, 2, 3}, sums, []int64{2, 2, 2, 2}, ""},
		{"in another order", []int64{1, 0, 3, 2}, []int64{sums[1], sums[0], sums[3], sums[2]}, []int64{2, 2, 2, 2}, ""},
		{"a wrong sum", []int64{0, 1, 2, 3}, []int64{sums[0], sums[1] + 1, sums[2], sums[3]}, []int64{2, 2, 2, 2}, "id 1: sum"},
		{"a wrong count", []int64{0, 1, 2, 3}, sums, []int64{2, 2, 1, 2}, "id 2: sum"},
		{"a record twice", []int64{0, 1, 1, 3}, []int64{sums[0], sums[1], sums[1], sums[3]}, []int64{2, 2, 2, 2}, "id 1 is none"},
		{"an unknown record", []int64{0, 1, 2, 4}, sums, []int64{2, 2, 2, 2}, "id 4 is none"},
		{"a record lost", []int64{0, 1, 2}, sums[:3], []int64{2, 2, 2}, "3 records, not 4"},
	} {
		err := checkOutput(context.Background(), writeOutput(t, test.ids, test.sums, test.counts), 2, 4)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// An owner's table is the same in every run, and another owner's is not.
func TestWriteInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.parquet")
	const rows = 1<<13 + 10 // some batches
	if err := writeInput(context.Background(), name, 3, rows); err != nil {
		t.Fatal(err)
	}
	r, err := parquetio.Open(context.Background(), blob.Local{}, name, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	next, n := ownerValues(3), int64(0)
	for _, b := range batches {
		for i := range int(b.NumRows()) {
			if id, v := b.Column(0).(*array.Int64).Value(i), int64(b.Column(1).(*array.Int32).Value(i)); id != n || v != next() {
				t.Fatalf("row %d: id %d, value %d", n, id, v)
			}
			n++
		}
	}
	if n != rows {
		t.Errorf("%d rows", n)
	}
}
