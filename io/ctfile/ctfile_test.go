package ctfile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

func TestRoundTrip(t *testing.T) {
	for _, base := range []Table{recordsTable(), blocksTable()} {
		for _, records := range append([]int{1, 4, 5, 6, 200}, thoroughtest.Pick(nil, []int{1001})...) {
			for _, threads := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/records=%d/threads=%d", base.Layout, records, threads), func(t *testing.T) {
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					table := base
					var types []arrow.DataType
					table.IDs = nil
					for i, typ := range pagestest.PlainTypes() {
						types = append(types, typ)
						table.IDs = append(table.IDs, fmt.Sprintf("id %02d", 99-i))
					}
					rec := table.rows(mem, rand.New(rand.NewPCG(uint64(records), 1)), types, records)
					defer rec.Release()
					path := write(t, table, 9000, rec)
					got, batches, err := read(path, column.ReadOptions{BatchRows: 77, Threads: threads, Mem: mem})
					if err != nil {
						t.Fatal(err)
					}
					defer column.ReleaseAll(batches)
					for i, b := range batches {
						if i < len(batches)-1 && b.NumRows() != 77 {
							t.Errorf("batch %d has %d rows", i, b.NumRows())
						}
					}
					tbl := tableOf(t, batches)
					defer tbl.Release()
					want := array.NewTableFromRecords(rec.Schema(), []arrow.Record{rec})
					defer want.Release()
					pagestest.SameTable(t, tbl, want)
					if !tbl.Schema().Equal(rec.Schema()) {
						t.Errorf("schema %s, want %s", tbl.Schema(), rec.Schema())
					}
					if got.Rows != int64(records) || got.FileRows() != rec.NumRows() {
						t.Errorf("the footer says %d records in %d rows, want %d in %d", got.Rows, got.FileRows(), records, rec.NumRows())
					}
					if perGroup := 9000 / (2 * got.CiphertextBytes()); len(got.RowGroups) != (int(rec.NumRows())+perGroup-1)/perGroup {
						t.Errorf("%d row groups of %d rows", len(got.RowGroups), perGroup)
					}
				})
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	rec := recordsTable().rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 0)
	table, batches, err := read(write(t, recordsTable(), 0, rec), column.ReadOptions{})
	if err != nil || len(batches) != 0 || table.Rows != 0 || len(table.RowGroups) != 0 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
}

func TestTotal(t *testing.T) {
	for _, base := range []Table{recordsTable(), blocksTable()} {
		base.IDs, base.Total, base.Rows, base.AddsUsed = nil, true, 12345, 77
		rec := base.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), nil, 1)
		table, batches, err := read(write(t, base, 0, rec), column.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if table.Rows != 12345 || !table.Total || len(batches) != 1 || batches[0].NumRows() != 1 {
			t.Errorf("%+v in %d batches", table, len(batches))
		}
	}
}

func TestProjection(t *testing.T) {
	rec := blocksTable().rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 503)
	path := write(t, blocksTable(), 1000, rec)
	for _, names := range [][]string{{"gene"}, {"c1"}, {"c0", "gene"}, {"c1", "c0"}} {
		_, batches, err := read(path, column.ReadOptions{Columns: names, BatchRows: 10, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		got := tableOf(t, batches)
		var cols []arrow.Array
		var fields []arrow.Field
		for _, name := range names {
			i := rec.Schema().FieldIndices(name)[0]
			cols, fields = append(cols, rec.Column(i)), append(fields, rec.Schema().Field(i))
		}
		want := array.NewRecord(arrow.NewSchema(fields, nil), cols, rec.NumRows())
		pagestest.SameTable(t, got, array.NewTableFromRecords(want.Schema(), []arrow.Record{want}))
	}
	if _, _, err := read(path, column.ReadOptions{Columns: []string{"Gene"}}); err == nil {
		t.Error("a column that does not exist was read")
	}
}

// TestLockstep reads tables of the same rows, cut into row groups differently,
// side by side.
func TestLockstep(t *testing.T) {
	table := recordsTable()
	rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.PrimitiveTypes.Int64}, 700)
	var readers []*Reader
	for i, bytes := range []int{1, 10_000, 1 << 20} {
		r, err := Open(ctx, blob.Local{}, write(t, table, bytes, rec), column.ReadOptions{BatchRows: 64, Threads: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers = append(readers, r)
	}
	for at := int64(0); at < 700; {
		n := min(64, 700-at)
		want := rec.NewSlice(at, at+n)
		for i, r := range readers {
			b, err := r.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !array.RecordEqual(b.Record, want) || b.Row != at+1 {
				t.Fatalf("reader %d differs at row %d", i, at+1)
			}
			b.Release()
		}
		at += n
	}
}

// TestOnDisk looks at a file as parquet-go sees it: what the format demands of
// ciphertext columns, and that nothing says anything about their bytes.
func TestOnDisk(t *testing.T) {
	for _, table := range []Table{recordsTable(), blocksTable()} {
		rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 2000)
		path := write(t, table, 100_000, rec)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		pf, err := parquet.OpenFile(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := pf.Lookup(KeyVersion); v != "1" {
			t.Errorf("version %q", v)
		}
		groups := pf.Metadata().RowGroups
		if len(groups) < 2 {
			t.Fatalf("%d row groups", len(groups))
		}
		indexes := pf.ColumnIndexes()
		for i, g := range groups {
			for j, c := range g.Columns {
				name := c.MetaData.PathInSchema[0]
				m := &c.MetaData
				if name == "gene" {
					if m.Codec != format.Snappy || m.Statistics.MinValue == nil {
						t.Errorf("ids: codec %s, statistics %v", m.Codec, m.Statistics)
					}
					continue
				}
				if m.Codec != format.Uncompressed || m.Type != format.FixedLenByteArray || m.DictionaryPageOffset != 0 {
					t.Errorf("%s: %s, %s", name, m.Codec, m.Type)
				}
				for _, e := range m.EncodingStats {
					if e.Encoding != format.Plain {
						t.Errorf("%s: a page encoded as %s", name, e.Encoding)
					}
				}
				s := m.Statistics
				if s.MinValue != nil || s.MaxValue != nil || s.Min != nil || s.Max != nil {
					t.Errorf("%s has statistics: %v", name, s)
				}
				index := indexes[i*len(g.Columns)+j]
				for k := range index.MinValues {
					if len(index.MinValues[k]) > 0 || len(index.MaxValues[k]) > 0 {
						t.Errorf("%s has bounds in the column index", name)
					}
				}
				if m.BloomFilterOffset != 0 {
					t.Errorf("%s has a Bloom filter", name)
				}
			}
		}
	}
}

func TestMissingID(t *testing.T) {
	table := recordsTable()
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues([]string{"a", "b", ""}, []bool{true, true, false})
	good := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 3)
	rec := array.NewRecord(good.Schema(), append([]arrow.Array{b.NewArray()}, good.Columns()[1:]...), 3)
	err := writeTo(t.TempDir()+"/x.cf.parquet", table, 0, rec)
	wantInputError(t, err, `memory: row 3, column "gene": the id is missing`)
}

func TestBlocksMustBeFull(t *testing.T) {
	table := blocksTable()
	short := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 13)
	full := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 10)
	if err := writeTo(t.TempDir()+"/x.cf.parquet", table, 0, full, short); err != nil {
		t.Error(err)
	}
	if err := writeTo(t.TempDir()+"/x.cf.parquet", table, 0, short, full); err == nil {
		t.Error("a short block before others was written")
	}
	table.Rows = 14
	if err := writeTo(t.TempDir()+"/x.cf.parquet", table, 0, short); err == nil {
		t.Error("a table of 13 records that claims 14 was written")
	}
}

func TestNothingWithoutCommit(t *testing.T) {
	dir := t.TempDir()
	rec := recordsTable().rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 10)
	w, err := Create(ctx, blob.Local{}, dir+"/x.cf.parquet", recordsTable(), idFields(rec, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}
