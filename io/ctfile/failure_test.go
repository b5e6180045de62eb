package ctfile

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// TestFailures fails every operation of the disk in turn: the error is told,
// and no file appears.
func TestFailures(t *testing.T) {
	table := blocksTable()
	rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 3000)
	for at := int64(1); ; at++ {
		mem := new(blobtest.Mem)
		fs := &blobtest.Faulty{FS: mem, FailAt: at}
		err := func() error {
			w, err := Create(ctx, fs, "f", table, idFields(rec, 1), Options{RowGroupBytes: 40_000})
			if err != nil {
				return err
			}
			defer w.Close()
			if err := w.Write(ctx, column.Batch{Record: rec}); err != nil {
				return err
			}
			return w.Commit(ctx)
		}()
		file, there := mem.Get("f")
		if !fs.Failed() {
			if err != nil || at < 4 {
				t.Fatalf("after %d operations: %v", at, err)
			}
			if _, err := readBytes(file, column.ReadOptions{}); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, blobtest.ErrInjected) || there {
			t.Fatalf("failure %d: %v; a file is there: %v", at, err, there)
		}
	}
}
