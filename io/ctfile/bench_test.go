package ctfile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// benchTables are a table of a row per record, of 3072-bit keys, and one of
// blocks, of 2048-bit keys; benchRows of them are 48 and 32 MiB of ciphertext.
func benchTables() []Table {
	records, blocks := recordsTable(), blocksTable()
	records.Bits = 3072
	blocks.Bits, blocks.BlockRecords = 2048, 38
	for i := range blocks.Measures {
		m := &blocks.Measures[i]
		m.Slots, m.Stride, m.Width, m.InColumns = 38, 53, []int{42, 11}[i], []string{[]string{"c0", "c1"}[i]}
		m.Offset, m.Bound = 0, "1"
	}
	blocks.MaxAdds = 1024
	return []Table{records, blocks}
}

const benchRows = 32 << 10

func benchRecord(table Table) arrow.Record {
	n := benchRows
	if table.Layout == Blocks {
		n *= table.BlockRecords
	}
	return table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.PrimitiveTypes.Int64}, n)
}

// cipherBytes is the ciphertext in benchRows rows: what throughput is told of.
func cipherBytes(t Table) int64 {
	return benchRows * int64(len(t.Columns)) * int64(t.CiphertextBytes())
}

func BenchmarkWrite(b *testing.B) {
	for _, table := range benchTables() {
		b.Run(fmt.Sprintf("%s-%d", table.Layout, table.Bits), func(b *testing.B) {
			rec := benchRecord(table)
			path := filepath.Join(b.TempDir(), "t.cf.parquet")
			b.SetBytes(cipherBytes(table))
			for b.Loop() {
				w, err := Create(ctx, blob.Local{}, path, table, idFields(rec, 1), Options{Overwrite: true})
				if err != nil {
					b.Fatal(err)
				}
				for at := int64(0); at < rec.NumRows(); at += 4096 {
					part := rec.NewSlice(at, min(at+4096, rec.NumRows()))
					if err := w.Write(ctx, column.Batch{Record: part}); err != nil {
						b.Fatal(err)
					}
					part.Release()
				}
				if err := w.Commit(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, table := range benchTables() {
		path := write(b, table, 0, benchRecord(table))
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s-%d/threads=%d", table.Layout, table.Bits, threads), func(b *testing.B) {
				b.SetBytes(cipherBytes(table))
				for b.Loop() {
					r, err := Open(ctx, blob.Local{}, path, column.ReadOptions{BatchRows: 4096, Threads: threads})
					if err != nil {
						b.Fatal(err)
					}
					for {
						batch, err := r.Read(ctx)
						if err == io.EOF {
							break
						}
						if err != nil {
							b.Fatal(err)
						}
						batch.Release()
					}
					r.Close()
				}
			})
		}
	}
}
