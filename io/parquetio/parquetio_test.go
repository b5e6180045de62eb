package parquetio

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
)

func TestRoundTrip(t *testing.T) {
	schema := pagestest.AllTypes()
	for _, rows := range append([]int{0, 1, 7, 8, 9, 1000}, thoroughtest.Pick(nil, []int{3000})...) {
		for _, opts := range []column.ReadOptions{{}, {BatchRows: 1000}, {BatchRows: 333, Threads: 3}} {
			t.Run(fmt.Sprintf("rows=%d/batch=%d/threads=%d", rows, opts.BatchRows, opts.Threads), func(t *testing.T) {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				defer mem.AssertSize(t, 0)
				opts.Mem = mem
				rec := pagestest.RandomRecord(mem, rand.New(rand.NewPCG(uint64(rows), 7)), schema, rows)
				defer rec.Release()
				want := array.NewTableFromRecords(schema, []arrow.Record{rec})
				defer want.Release()
				got := readAll(t, write(t, schema, rec), opts)
				defer got.Release()
				if !got.Schema().Equal(schema) {
					t.Errorf("schema %s, want %s", got.Schema(), schema)
				}
				pagestest.SameTable(t, got, want)
			})
		}
	}
}
