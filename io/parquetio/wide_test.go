package parquetio

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// A column that is read to its end gives its buffers to the next one: a table of thousands of short columns does not take
// some pages of memory for each.
func TestWideTablesShareBuffers(t *testing.T) {
	const columns, rows = 3000, 100
	var fields []arrow.Field
	for i := range columns {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("v", i), Type: arrow.PrimitiveTypes.Int32})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range columns {
		for row := range rows {
			b.Field(i).(*array.Int32Builder).Append(int32(i * row))
		}
	}
	record := b.NewRecord()
	defer record.Release()
	ctx, fs := context.Background(), &blobtest.Mem{}
	w, err := Create(ctx, fs, "a.parquet", schema, column.WriteOptions{})
	if err == nil {
		err = w.Write(ctx, column.Batch{Record: record})
	}
	if err == nil {
		err = w.Commit(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(ctx, fs, "a.parquet", column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := r.Read(ctx)
	runtime.ReadMemStats(&after)
	if err != nil || !array.RecordEqual(got.Record, record) {
		t.Fatalf("it reads otherwise: %v", err)
	}
	got.Release()
	if _, err := r.Read(ctx); err != io.EOF {
		t.Error(err)
	}
	// Of each: 400 bytes of values, the array and what decodes it, 4,860 bytes when this was written. With buffers of its own it
	// was 12,943.
	if each := (after.TotalAlloc - before.TotalAlloc) / columns; each > 8<<10 {
		t.Errorf("%d bytes were allocated for each column of %d", each, 4*rows)
	}
}
