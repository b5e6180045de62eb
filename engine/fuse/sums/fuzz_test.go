package sums

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	mrand "math/rand/v2"
	"runtime"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// seal puts right checksums into what may be a run file, as far as its lengths show where they go.
func seal(data []byte) {
	const head = len(fileMagic) + 8
	if len(data) < head+trailerSize {
		return
	}
	body := data[:len(data)-trailerSize]
	if n := int64(binary.LittleEndian.Uint32(data[len(fileMagic):])); n <= int64(len(body)-head) {
		binary.LittleEndian.PutUint32(data[len(fileMagic)+4:], checksum(body[head:head+int(n)]))
	}
	trailer := data[len(body):]
	if at := binary.LittleEndian.Uint64(trailer); at <= uint64(len(body)) {
		index := body[at:]
		for x := index; len(x) >= indexSize; x = x[indexSize:] {
			from, n := binary.LittleEndian.Uint64(x), uint64(binary.LittleEndian.Uint32(x[8:]))
			if n >= blockHeader && from <= at && n <= at-from {
				block := data[from : from+n]
				binary.LittleEndian.PutUint32(block, checksum(block[4:]))
			}
		}
		binary.LittleEndian.PutUint32(trailer[12:], checksum(index))
	}
	binary.LittleEndian.PutUint32(trailer[24:], checksum(trailer[:24]))
}

// runFile is a run file of rows, which are sorted.
func (w *world) runFile(rows []row) []byte {
	w.Helper()
	disk := &blobtest.Mem{}
	file, err := CreateFile(context.Background(), disk, "run", w.shape, Description{Fingerprint: "f", Plan: "p", Keys: []string{"id"}, Sums: make([]string, w.shape.Slots), Size: w.shape.size(), To: int64(len(rows))})
	if err != nil {
		w.Fatal(err)
	}
	closed := 0
	pool := NewPool(PoolBytesMin(w.shape), w.shape)
	if _, err := file.Merge(context.Background(), Merge[Encoded]{Sources: []Source{w.sorted(rows, 5, &closed)}, Pool: pool, Threads: 1}); err != nil {
		w.Fatal(err)
	}
	if err := file.Commit(context.Background()); err != nil {
		w.Fatal(err)
	}
	data, _ := disk.Get("run")
	return data
}

// FuzzFile reads run files, with the checksums that they have or with right ones. One that is accepted merges to rows in
// order of which as many are read again; one that is not is an *column.InputError, and no more memory is taken than the
// pool has.
func FuzzFile(f *testing.F) {
	w := newWorld(f, 2)
	random := mrand.New(mrand.NewPCG(1, 2))
	for _, n := range []int{1, 3, 9} {
		data := w.runFile(w.rows(random, n, distributions["some"]))
		f.Add(data, false)
		f.Add(data, true)
		f.Add(data[:len(data)-1], false)
		f.Add(data[:len(data)/2], true)
	}
	two := w.runFile([]row{{"a", 1, []int{0, 1}}, {"b", 1, []int{2, -1}}})
	f.Add(bytes.Replace(two, []byte(`"size":128`), []byte(`"size":129`), 1), true)
	f.Add(bytes.Replace(two, []byte("ab"), []byte("ba"), 1), true)
	for _, c := range []byte{0, 0xff} {
		bad := bytes.Clone(two)
		at := bytes.Index(bad, w.cts[0].FillBytes(make([]byte, w.shape.size())))
		copy(bad[at:], bytes.Repeat([]byte{c}, w.shape.size()))
		f.Add(bad, true)
	}
	f.Add(append(bytes.Clone(two[:len(two)-trailerSize]), make([]byte, trailerSize)...), true)
	pool := NewPool(PoolBytesMin(w.shape), w.shape)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if len(data) > 1<<20 {
			return
		}
		data = bytes.Clone(data)
		if sealed {
			seal(data)
		}
		disk := &blobtest.Mem{}
		disk.Put("run", data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rows, err := mergeFile(disk, w.shape, pool, "run", "again")
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20+100*uint64(len(data)) {
			t.Fatalf("%d bytes made it allocate %d", len(data), n)
		}
		if disk.Handles() != 0 || pool.rest != pool.total {
			t.Fatalf("%d files are open, %d pieces of memory are in use", disk.Handles(), pool.total-pool.rest)
		}
		if err != nil {
			var number *paillier.CiphertextError // checksums are right, and a number is none of the key's, which is another one every time
			if errors.As(err, &number) {
				return
			}
			var bad *column.InputError
			if !errors.As(err, &bad) || bad.File != "run" || bad.Hint == "" {
				t.Fatalf("%v is no refusal of the file with a hint", err)
			}
			return
		}
		if again, err := mergeFile(disk, w.shape, pool, "again", "third"); err != nil || again != rows {
			t.Fatalf("%d rows, then %d, %v", rows, again, err)
		}
		second, _ := disk.Get("again")
		if third, _ := disk.Get("third"); !bytes.Equal(second, third) {
			t.Fatal("a run of single rows changes when it is merged")
		}
	})
}

// mergeFile merges a run file alone into another one, and returns its rows.
func mergeFile(disk *blobtest.Mem, s Shape, pool *Pool, from, to string) (int64, error) {
	ctx := context.Background()
	file, err := OpenFile(ctx, disk, from)
	if err != nil {
		return 0, err
	}
	source, err := file.Source(s, pool)
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	out, err := CreateFile(ctx, disk, to, s, file.Description)
	if err != nil {
		return 0, errors.Join(err, source.Close())
	}
	defer out.Close()
	if _, err := out.Merge(ctx, Merge[Encoded]{Sources: []Source{source}, Pool: pool, Threads: 1}); err != nil && err != io.EOF {
		return 0, err
	}
	return out.Rows(), out.Commit(ctx)
}
