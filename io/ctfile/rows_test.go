package ctfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// countingFS counts the bytes that are read.
type countingFS struct {
	blob.FS
	mu    sync.Mutex
	bytes int64
}

type countingFile struct {
	blob.File
	fs *countingFS
}

func (c *countingFS) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := c.FS.Open(ctx, name)
	return &countingFile{f, c}, err
}

func (f *countingFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.bytes += int64(n)
	return n, err
}

// Any range of rows is what it is of the whole table, with the rows' numbers, and takes no reading of row groups elsewhere.
func TestOpenRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	table := recordsTable()
	r := rand.New(rand.NewPCG(1, 1))
	const rows, group = 100, 16
	rec := table.rows(mem, r, []arrow.DataType{arrow.PrimitiveTypes.Int64}, rows)
	defer rec.Release()
	path := write(t, table, group*2*table.CiphertextBytes(), rec)
	fs := &countingFS{FS: blob.Local{}}
	for _, x := range [][2]int64{{0, math.MaxInt64}, {0, 100}, {0, 1}, {99, 100}, {15, 17}, {16, 32}, {17, 31}, {20, 90}, {0, 0}, {40, 40}, {100, 200}, {300, 400}, {96, 97}} {
		for _, threads := range []int{1, 3} {
			for _, batch := range []int{1, 7, 16, 1000} {
				where := fmt.Sprintf("rows %d to %d, %d threads, batches of %d", x[0], x[1], threads, batch)
				from, to := min(x[0], rows), min(x[1], rows)
				fs.bytes = 0
				in, err := OpenRows(ctx, fs, path, column.ReadOptions{Threads: threads, BatchRows: batch, Mem: mem}, x[0], x[1])
				if err != nil {
					t.Fatal(where, err)
				}
				at := from
				for {
					b, err := in.Read(ctx)
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(where, err)
					}
					want := rec.NewSlice(at, at+b.NumRows())
					if b.Row != at+1 || b.NumRows() > int64(batch) || !array.RecordEqual(b.Record, want) {
						t.Fatalf("%s: batch of %d rows at row %d is not what is there", where, b.NumRows(), b.Row)
					}
					at += b.NumRows()
					want.Release()
					b.Release()
				}
				if at != to {
					t.Errorf("%s: ended at %d", where, at)
				}
				if err := in.Close(); err != nil {
					t.Fatal(err)
				}
				groups := int64(0)
				if from < to {
					groups = (to-1)/group - from/group + 1
				}
				if most := (groups*group + 16) * int64(2*table.CiphertextBytes()); fs.bytes > most {
					t.Errorf("%s: %d bytes were read, more than %d", where, fs.bytes, most)
				}
			}
		}
	}
}

// The digest of a row group that is wanted in part is checked all the same.
func TestOpenRowsChecksDigests(t *testing.T) {
	table := recordsTable()
	rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 2)), []arrow.DataType{arrow.PrimitiveTypes.Int64}, 40)
	defer rec.Release()
	path := write(t, table, 16*2*table.CiphertextBytes(), rec)
	last := column.FixedBytes(rec.Column(1))[31*table.CiphertextBytes():][:table.CiphertextBytes()]
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, last)
	file[at] ^= 1
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	read := func(from, to int64) error {
		in, err := OpenRows(ctx, blob.Local{}, path, column.ReadOptions{}, from, to)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = column.Copy(ctx, discard{}, in)
		return err
	}
	if err := read(16, 18); err == nil {
		t.Error("a row group with a wrong digest was read in part")
	}
	if err := read(0, 16); err != nil {
		t.Error(err)
	}
	if err := read(32, 40); err != nil {
		t.Error(err)
	}
}

// discard is a writer that keeps nothing.
type discard struct{}

func (discard) Write(context.Context, column.Batch) error { return nil }
func (discard) Commit(context.Context) error              { return nil }
func (discard) Close() error                              { return nil }
