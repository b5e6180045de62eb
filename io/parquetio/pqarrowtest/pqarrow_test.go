// Package pqarrowtest holds parquetio against Arrow's own Parquet
// implementation, both ways. It is a module of its own, as that implementation
// brings a dozen modules along that nothing else here needs.
package pqarrowtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

var ctx = context.Background()

// write writes a record with parquetio.
func write(t testing.TB, rec arrow.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ours.parquet")
	w, err := parquetio.Create(ctx, blob.Local{}, path, rec.Schema(), column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(ctx, column.Batch{Record: rec, File: "memory", Row: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll reads a file with parquetio.
func readAll(t testing.TB, path string, opts column.ReadOptions) arrow.Table {
	t.Helper()
	r, err := parquetio.Open(ctx, blob.Local{}, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	var recs []arrow.Record
	for _, b := range batches {
		recs = append(recs, b.Record)
	}
	return array.NewTableFromRecords(r.Schema(), recs)
}

// readPqarrow reads a file with Arrow's own Parquet implementation.
func readPqarrow(t testing.TB, path string) arrow.Table {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := r.ReadTable(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// writePqarrow writes a file with Arrow's own Parquet implementation.
func writePqarrow(t testing.TB, rec arrow.Record, groupRows int64, props ...parquet.WriterProperty) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pqarrow.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	props = append([]parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithRootRepetition(parquet.Repetitions.Required), // other readers fail on its default
	}, props...)
	tbl := array.NewTableFromRecords(rec.Schema(), []arrow.Record{rec})
	defer tbl.Release()
	if err := pqarrow.WriteTable(tbl, f, groupRows, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPqarrowReadsOurs(t *testing.T) {
	schema := pagestest.AllTypes()
	for _, rows := range []int{1, 100, 3000} {
		rec := pagestest.RandomRecord(memory.DefaultAllocator, rand.New(rand.NewPCG(uint64(rows), 3)), schema, rows)
		want := array.NewTableFromRecords(schema, []arrow.Record{rec})
		pagestest.SameTable(t, readPqarrow(t, write(t, rec)), want)
	}
}

func TestWeReadPqarrow(t *testing.T) {
	schema := pagestest.AllTypes()
	const rows = 1000
	rec := pagestest.RandomRecord(memory.DefaultAllocator, rand.New(rand.NewPCG(5, 5)), schema, rows)
	want := array.NewTableFromRecords(schema, []arrow.Record{rec})
	for _, codec := range []compress.Compression{
		compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd,
	} {
		for _, version := range []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2} {
			for _, dict := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/v%d/dict=%v", codec, version+1, dict), func(t *testing.T) {
					path := writePqarrow(t, rec, 411,
						parquet.WithCompression(codec), parquet.WithDataPageVersion(version),
						parquet.WithDictionaryDefault(dict), parquet.WithDictionaryPageSizeLimit(4096),
						parquet.WithDataPageSize(2048), parquet.WithBatchSize(97))
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					got := readAll(t, path, column.ReadOptions{Mem: mem, Threads: 2, BatchRows: 300})
					defer got.Release()
					pagestest.SameTable(t, got, want)
				})
			}
		}
	}
}

func TestWeReadPqarrowEncodings(t *testing.T) {
	for _, e := range []struct {
		encoding parquet.Encoding
		pageSize int64
		types    func(arrow.DataType) bool
	}{
		{parquet.Encodings.DeltaBinaryPacked, 3000, func(t arrow.DataType) bool {
			switch t.ID() {
			case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64, arrow.DATE32, arrow.TIMESTAMP:
				return true
			}
			return false
		}},
		{parquet.Encodings.DeltaLengthByteArray, 3000, func(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.BINARY }},
		// Pages so long that each chunk has but one: this writer lets the first
		// value of a page continue the last one of the page before, which the
		// format does not.
		{parquet.Encodings.DeltaByteArray, 1 << 20, func(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.BINARY }},
		{parquet.Encodings.RLE, 3000, func(t arrow.DataType) bool { return t.ID() == arrow.BOOL }},
	} {
		t.Run(e.encoding.String(), func(t *testing.T) {
			var fields []arrow.Field
			for _, f := range pagestest.AllTypes().Fields() {
				typ := f.Type
				if l, ok := typ.(*arrow.ListType); ok {
					typ = l.Elem()
				}
				if e.types(typ) {
					f.Name = strings.NewReplacer(".", " ", ",", " ").Replace(f.Name)
					fields = append(fields, f)
				}
			}
			schema := arrow.NewSchema(fields, nil)
			for seed := range uint64(4) {
				rec := pagestest.RandomRecord(memory.DefaultAllocator, rand.New(rand.NewPCG(seed, 9)), schema, 2000)
				path := writePqarrow(t, rec, 1500, parquet.WithEncoding(e.encoding), parquet.WithDictionaryDefault(false), parquet.WithDataPageSize(e.pageSize), parquet.WithBatchSize(113))
				pagestest.SameTable(t, readAll(t, path, column.ReadOptions{BatchRows: 431}), array.NewTableFromRecords(schema, []arrow.Record{rec}))
			}
		})
	}
}
