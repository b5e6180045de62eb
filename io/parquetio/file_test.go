package parquetio

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

var ctx = context.Background()

func asBatch(rec arrow.Record) column.Batch { return column.Batch{Record: rec, File: "memory", Row: 1} }

// write writes records to a new file and returns its path.
func write(t testing.TB, schema *arrow.Schema, recs ...arrow.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.parquet")
	w, err := Create(ctx, blob.Local{}, path, schema, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, rec := range recs {
		if err := w.Write(ctx, asBatch(rec)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll reads a file to its end as one table, which the caller releases.
func readAll(t testing.TB, path string, opts column.ReadOptions) arrow.Table {
	t.Helper()
	r, err := Open(ctx, blob.Local{}, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	want, row := opts.WithDefaults().BatchRows, int64(1)
	var recs []arrow.Record
	for i, b := range batches {
		if n := int(b.NumRows()); n != want && (i < len(batches)-1 || n > want) {
			t.Fatalf("batch %d of %d has %d rows, not %d", i, len(batches), n, want)
		}
		if b.Row != row || b.File != path {
			t.Fatalf("batch %d is from row %d of %s, not row %d of %s", i, b.Row, b.File, row, path)
		}
		row += b.NumRows()
		recs = append(recs, b.Record)
	}
	return array.NewTableFromRecords(r.Schema(), recs)
}
