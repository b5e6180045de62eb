package parquetio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pagestest"
	"github.com/parquet-go/parquet-go"
)

// memFS has one file, f.
func memFS(b []byte) blob.FS {
	fs := new(blobtest.Mem)
	fs.Put("f", b)
	return fs
}

// readDamaged reads what may be no file at all, each column by itself and all
// together, some hundred rows of each. Every error must be an InputError, memory
// must be given back and not be taken beyond what the package's limits allow.
func readDamaged(t testing.TB, b []byte) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	names := []string{""}
	for i := 0; i < len(names) && i < 50; i++ {
		opts := column.ReadOptions{BatchRows: 64, Threads: 1 + i%2, Mem: mem}
		if i > 0 {
			opts.Columns = names[i : i+1]
		}
		f, err := Open(ctx, memFS(b), "f", opts)
		if err == nil && i == 0 {
			names = append(names, column.Names(f.Schema())...)
		}
		for range 10 {
			if err != nil {
				break
			}
			var batch column.Batch
			if batch, err = f.Read(ctx); err == nil {
				batch.Release()
			}
		}
		if f != nil {
			f.Close()
		}
		var refused *column.InputError
		if err != nil && err != io.EOF && !errors.As(err, &refused) {
			t.Fatalf("%v is not an InputError", err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(names))*(600<<20) {
		t.Fatalf("%d bytes made it allocate %d", len(b), n)
	}
}

// seeds are small files of all types and encodings.
func seeds(t testing.TB) [][]byte {
	r := rand.New(rand.NewPCG(1, 1))
	var out [][]byte
	add := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	for _, f := range pagestest.AllTypes().Fields() {
		schema := arrow.NewSchema([]arrow.Field{f}, nil)
		add(write(t, schema, pagestest.RandomRecord(memory.DefaultAllocator, r, schema, 20)))
	}
	rows := make([]encoded, 60)
	for i := range rows {
		rows[i] = randomEncoded(r)
	}
	for i, codec := range codecs {
		add(writeEncoded(t, rows, 40, codec, parquet.PageBufferSize(200), parquet.DataPageVersion(1+i%2)))
	}
	return out
}

// TestDamaged flips, cuts and overwrites all over the seeds.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, seed := range seeds(t) {
		readDamaged(t, seed)
		for range thoroughtest.Pick(3, 20) {
			bad := bytes.Clone(seed)
			switch r.IntN(4) {
			case 0:
				bad = bad[:r.IntN(len(bad))]
			case 1:
				bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			case 2:
				for range 1 + r.IntN(10) {
					bad[r.IntN(len(bad))] = byte(r.Uint32())
				}
			case 3: // a number as large as its bytes allow
				for i := r.IntN(len(bad)); i < len(bad) && r.IntN(5) > 0; i++ {
					bad[i] = 0xff
				}
			}
			readDamaged(t, bad)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) { readDamaged(t, b) })
}

// TestClose ends a reader with goroutines at work: at once, in the middle, after
// an error; none may be left, nor memory.
func TestClose(t *testing.T) {
	rows := make([]encoded, 5000)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range rows {
		rows[i] = randomEncoded(r)
	}
	path := writeEncoded(t, rows, 250)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	clear(damaged[len(damaged)/3 : len(damaged)/3+5000])
	start := runtime.NumGoroutine()
	for reads := range 30 {
		for _, fs := range []blob.FS{memFS(whole), memFS(damaged)} {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			r, err := Open(ctx, fs, "f", column.ReadOptions{BatchRows: 100, Threads: 4, Mem: mem})
			if err != nil {
				t.Fatal(err)
			}
			for range reads {
				b, err := r.Read(ctx)
				if err != nil {
					break
				}
				b.Release()
			}
			if reads%5 == 4 {
				canceled, cancel := context.WithCancel(ctx)
				cancel()
				if b, err := r.Read(canceled); err == nil {
					b.Release()
					t.Error("a canceled read delivered")
				}
			}
			for range 2 {
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Read(ctx); err == nil {
				t.Error("read after Close")
			}
			mem.AssertSize(t, 0)
			for tries := 0; runtime.NumGoroutine() > start; tries++ {
				if tries == 1000 { // a goroutine that is done is counted for a moment more
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), start)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}
