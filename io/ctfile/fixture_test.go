package ctfile

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
)

var ctx = context.Background()

// recordsTable is a small valid table of one row per record.
func recordsTable() Table {
	return Table{
		Scheme: SchemePaillier, Variant: "djn", Bits: 2048,
		Fingerprint: strings.Repeat("0123456789abcdef", 4),
		PublicKey:   json.RawMessage(`{"n":"c0ffee"}`),
		Layout:      Records,
		IDs:         []string{"gene"},
		Columns:     []string{"c0", "c1"},
		Measures: []Measure{
			{Name: "tpm", Terms: []string{"tpm"}, Given: []string{"tpm"}, Decimals: 1, Bound: "1000000", Width: 41, Slots: 1, InColumns: []string{"c0"}, Count: "tpm_count"},
			{Name: "tpm_count", Terms: []string{}, Given: []string{"tpm"}, Bound: "1", Width: 22, Slots: 1, Offset: 41, InColumns: []string{"c0"}},
			{Name: "tpm*tpm", Terms: []string{"tpm", "tpm"}, Given: []string{"tpm"}, Decimals: 2, Bound: "1000000000000", Width: 63, Slots: 1, Offset: 1984, InColumns: []string{"c1"}, Count: "tpm_count"},
		},
		MaxAdds: 1 << 20, AddsUsed: 1, Source: "hospital a", JobID: "job-1",
		Preparation: []Step{{On: "gene", Step: "ensembl"}, {On: "tpm", Step: "range", Value: "0..100000"}, {Step: "duplicates", Value: "sum"}},
		Samples:     []string{"0123456789abcdef", "fedcba9876543210"},
	}
}

// blocksTable is a small valid table of blocks of five records.
func blocksTable() Table {
	t := recordsTable()
	t.Layout, t.BlockRecords = Blocks, 5
	t.Bits, t.TestKey = 512, true
	t.Measures = []Measure{
		{Name: "tpm", Terms: []string{"tpm"}, Given: []string{"tpm"}, Decimals: 1, Bound: "1000000", Width: 41, Slots: 3, Stride: 63, InColumns: []string{"c0", "c1"}, Count: "tpm_count"},
		{Name: "tpm_count", Terms: []string{}, Given: []string{"tpm"}, Bound: "1", Width: 22, Slots: 3, Stride: 63, Offset: 41, InColumns: []string{"c0", "c1"}},
	}
	return t
}

// rows makes rows of a table: ids of the given types and random ciphertexts.
// In Blocks, `records` records make the rows.
func (t Table) rows(mem memory.Allocator, r *rand.Rand, idTypes []arrow.DataType, records int) arrow.Record {
	var fields []arrow.Field
	for i, typ := range idTypes {
		fields = append(fields, arrow.Field{Name: t.IDs[i], Type: typ})
	}
	flat := pagestest.RandomRecord(mem, r, arrow.NewSchema(fields, nil), records)
	defer flat.Release()
	var cols []arrow.Array
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	n := records
	if t.Layout == Blocks {
		n = (records + t.BlockRecords - 1) / t.BlockRecords
	}
	for i, f := range fields {
		col := flat.Column(i)
		col.Retain()
		if t.Layout == Blocks {
			fields[i].Type = arrow.ListOf(f.Type)
			lists := blocksOf(mem, col, t.BlockRecords)
			col.Release()
			col = lists
		}
		cols = append(cols, col)
	}
	for _, name := range t.Columns {
		typ := &arrow.FixedSizeBinaryType{ByteWidth: t.CiphertextBytes()}
		b := array.NewFixedSizeBinaryBuilder(mem, typ)
		for range n {
			v := make([]byte, typ.ByteWidth)
			for i := range v {
				v[i] = byte(r.Uint32())
			}
			b.Append(v)
		}
		fields = append(fields, arrow.Field{Name: name, Type: typ})
		cols = append(cols, b.NewArray())
		b.Release()
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), cols, int64(n))
}

// blocksOf makes lists of `size` values each, the last one excepted.
func blocksOf(mem memory.Allocator, values arrow.Array, size int) arrow.Array {
	offsets := array.NewInt32Builder(mem)
	defer offsets.Release()
	n := 0
	for at := 0; at < values.Len(); at += size {
		offsets.Append(int32(at))
		n++
	}
	offsets.Append(int32(values.Len()))
	ends := offsets.NewArray()
	defer ends.Release()
	data := array.NewData(arrow.ListOf(values.DataType()), n, []*memory.Buffer{nil, ends.Data().Buffers()[1]}, []arrow.ArrayData{values.Data()}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func idFields(rec arrow.Record, n int) []arrow.Field { return rec.Schema().Fields()[:n] }

// write writes records to a new file and returns its path.
func write(t testing.TB, table Table, rowGroupBytes int, recs ...arrow.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.cf.parquet")
	if err := writeTo(path, table, rowGroupBytes, recs...); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeTo(path string, table Table, rowGroupBytes int, recs ...arrow.Record) error {
	w, err := Create(ctx, blob.Local{}, path, table, idFields(recs[0], len(table.IDs)), Options{RowGroupBytes: rowGroupBytes})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, rec := range recs {
		if err := w.Write(ctx, column.Batch{Record: rec, File: "memory", Row: 1}); err != nil {
			return err
		}
	}
	return w.Commit(ctx)
}

// read reads a file to its end. Its batches are released by the caller.
func read(path string, opts column.ReadOptions) (*Table, []column.Batch, error) {
	r, err := Open(ctx, blob.Local{}, path, opts)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	return r.Table(), batches, err
}

// tableOf joins batches.
func tableOf(t testing.TB, batches []column.Batch) arrow.Table {
	t.Helper()
	var recs []arrow.Record
	for _, b := range batches {
		recs = append(recs, b.Record)
	}
	if len(recs) == 0 {
		t.Fatal("no batches")
	}
	return array.NewTableFromRecords(recs[0].Schema(), recs)
}
