package job

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"hash/maphash"
	"io"
	"os"
	"slices"
)

// unique finds a key that comes twice among any number of keys in bounded memory: it keeps a 128-bit hash (under two
// fresh seeds) and the row number of each, and writes sorted runs to a temporary file when they outgrow the limit. Two
// different keys have the same hash with probability below 2^-88 for a million million keys.
type unique struct {
	seeds [2]maphash.Seed
	keys  []uniqueKey
	limit int // keys held in memory
	spill *os.File
	runs  []int64 // where each run ends, in keys
}

type uniqueKey struct {
	hash [2]uint64
	row  int64
}

const uniqueKeySize = 24

func compareKeys(a, b uniqueKey) int {
	return cmp.Or(cmp.Compare(a.hash[0], b.hash[0]), cmp.Compare(a.hash[1], b.hash[1]), cmp.Compare(a.row, b.row))
}

func newUnique(memory int64) *unique {
	return &unique{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, limit: max(1024, int(memory/uniqueKeySize))}
}

// add notes the key of a row.
func (u *unique) add(key []byte, row int64) error {
	if len(u.keys) == u.limit {
		if err := u.flush(); err != nil {
			return err
		}
	}
	u.keys = append(u.keys, uniqueKey{[2]uint64{maphash.Bytes(u.seeds[0], key), maphash.Bytes(u.seeds[1], key)}, row})
	return nil
}

func (u *unique) flush() error {
	if u.spill == nil {
		f, err := os.CreateTemp("", "cipherfold-ids-*")
		if err != nil {
			return err
		}
		// Without a name it disappears with the process, however that ends. Where an open file cannot be removed, close
		// does it.
		_ = os.Remove(f.Name())
		u.spill = f
	}
	slices.SortFunc(u.keys, compareKeys)
	w := bufio.NewWriterSize(u.spill, 1<<16)
	for _, k := range u.keys {
		var b [uniqueKeySize]byte
		binary.LittleEndian.PutUint64(b[0:], k.hash[0])
		binary.LittleEndian.PutUint64(b[8:], k.hash[1])
		binary.LittleEndian.PutUint64(b[16:], uint64(k.row))
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	end := int64(len(u.keys))
	if n := len(u.runs); n > 0 {
		end += u.runs[n-1]
	}
	u.runs = append(u.runs, end)
	u.keys = u.keys[:0]
	return w.Flush()
}

// twice returns the earliest row whose key had come before, and the row where that was, or ok = false. Nothing can be
// added afterwards.
func (u *unique) twice() (first, second int64, ok bool, err error) {
	if u.spill == nil {
		slices.SortFunc(u.keys, compareKeys)
		for i := 1; i < len(u.keys); i++ {
			if a, b := u.keys[i-1], u.keys[i]; a.hash == b.hash && (!ok || b.row < second) {
				first, second, ok = a.row, b.row, true
			}
		}
		return first, second, ok, nil
	}
	if err := u.flush(); err != nil {
		return 0, 0, false, err
	}
	var merge runHeap
	start := int64(0)
	for _, end := range u.runs {
		r := &run{r: bufio.NewReaderSize(io.NewSectionReader(u.spill, start*uniqueKeySize, (end-start)*uniqueKeySize), 1<<16)}
		start = end
		if more, err := r.next(); err != nil {
			return 0, 0, false, err
		} else if more {
			merge = append(merge, r)
		}
	}
	heap.Init(&merge)
	var last *uniqueKey
	for len(merge) > 0 {
		k := merge[0].head
		if last != nil && last.hash == k.hash && (!ok || k.row < second) {
			first, second, ok = last.row, k.row, true
		}
		last = &k
		more, err := merge[0].next()
		if err != nil {
			return 0, 0, false, err
		}
		if more {
			heap.Fix(&merge, 0)
		} else {
			heap.Pop(&merge)
		}
	}
	return first, second, ok, nil
}

// close frees the temporary file.
func (u *unique) close() {
	if u.spill != nil {
		u.spill.Close()
		os.Remove(u.spill.Name())
		u.spill = nil
	}
}

// run is a sorted stretch of the temporary file, read from its start.
type run struct {
	r    *bufio.Reader
	head uniqueKey
}

func (r *run) next() (more bool, err error) {
	var b [uniqueKeySize]byte
	if _, err := io.ReadFull(r.r, b[:]); err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, err
	}
	r.head = uniqueKey{[2]uint64{binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])}, int64(binary.LittleEndian.Uint64(b[16:]))}
	return true, nil
}

type runHeap []*run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return compareKeys(h[i].head, h[j].head) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
