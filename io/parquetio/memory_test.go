package parquetio

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
)

// peaking tells how much was allocated at a time at most.
type peaking struct {
	memory.Allocator
	now, peak atomic.Int64
}

func (p *peaking) add(n int) {
	now := p.now.Add(int64(n))
	for peak := p.peak.Load(); now > peak && !p.peak.CompareAndSwap(peak, now); peak = p.peak.Load() {
	}
}

func (p *peaking) Allocate(n int) []byte { p.add(n); return p.Allocator.Allocate(n) }
func (p *peaking) Free(b []byte)         { p.add(-len(b)); p.Allocator.Free(b) }
func (p *peaking) Reallocate(n int, b []byte) []byte {
	p.add(n - len(b))
	return p.Allocator.Reallocate(n, b)
}

// TestMemoryIsBounded: a reader that is not read from decodes no further than
// stated, whatever the file's length.
func TestMemoryIsBounded(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.PrimitiveTypes.Int64}}, nil)
	const batchRows, threads, batchBytes = 1000, 3, 8 * 1000
	rec := pagestest.RandomRecord(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), schema, 5*RowGroupRows)
	path := write(t, schema, rec)
	mem := &peaking{Allocator: memory.NewGoAllocator()}
	r, err := Open(ctx, blob.Local{}, path, column.ReadOptions{BatchRows: batchRows, Threads: threads, Mem: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 100 {
		b, err := r.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		b.Release()
		if i%30 == 0 {
			time.Sleep(20 * time.Millisecond) // the goroutines run ahead as far as they may
		}
	}
	if peak := mem.peak.Load(); peak > (threads*4+2)*batchBytes {
		t.Errorf("%d bytes at a time, %d batches", peak, peak/batchBytes)
	}
}
