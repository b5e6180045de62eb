package ids

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"hash/maphash"
	"io"
	"os"
	"slices"
)

// DuplicateFinder finds a key that comes twice among any number of keys in bounded memory. It keeps a 128-bit hash
// (under two fresh seeds) and the row number of each key in sorted runs, which go to a temporary file when they
// outgrow the limit. Two different keys have the same hash with a probability below 2^-88 for 10^12 keys.
//
// If every key is above the one before, none can come twice, and the runs stay as they are.
type DuplicateFinder struct {
	last      []byte // key
	unordered bool   // whether a key was not above the last
	seeds     [2]maphash.Seed
	keys      []uniqueKey   // of the run that is being filled
	runKeys   int           // keys of a run: sorting as they come leaves little to do at the end
	sorted    [][]uniqueKey // runs in memory,
	held      int           // the keys in them,
	limit     int           // and how many there may be
	spill     *os.File
	runs      []int64 // where each run in the file ends, in keys
}

type uniqueKey struct {
	hash [2]uint64
	row  int64
}

const uniqueKeySize = 24

func compareKeys(a, b uniqueKey) int {
	if c := cmp.Compare(a.hash[0], b.hash[0]); c != 0 {
		return c
	}
	if c := cmp.Compare(a.hash[1], b.hash[1]); c != 0 {
		return c
	}
	return cmp.Compare(a.row, b.row)
}

func NewDuplicateFinder(memory int64) *DuplicateFinder {
	limit := max(1024, int(memory/uniqueKeySize))
	return &DuplicateFinder{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, limit: limit, runKeys: min(1<<17, limit/2)}
}

// Add notes the key of a row.
func (u *DuplicateFinder) Add(key []byte, row int64) error {
	if !u.unordered {
		if row > 0 && bytes.Compare(key, u.last) <= 0 {
			if err := u.disorder(); err != nil {
				return err
			}
		}
		u.last = append(u.last[:0], key...)
	}
	u.keys = append(u.keys, uniqueKey{[2]uint64{maphash.Bytes(u.seeds[0], key), maphash.Bytes(u.seeds[1], key)}, row})
	if len(u.keys) < u.runKeys {
		return nil
	}
	u.endRun()
	if u.held+u.runKeys <= u.limit {
		return nil
	}
	return u.flush()
}

// disorder sorts the runs that stayed as they came.
func (u *DuplicateFinder) disorder() error {
	u.unordered = true
	for _, keys := range u.sorted {
		slices.SortFunc(keys, compareKeys)
	}
	if len(u.runs) == 0 {
		return nil
	}
	if len(u.sorted) > 0 {
		if err := u.flush(); err != nil { // so that there is room for a run of the file
			return err
		}
	}
	start := int64(0)
	for _, end := range u.runs {
		keys := make([]uniqueKey, 0, end-start)
		r := u.inFile(start, end)
		for {
			more, err := r.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			keys = append(keys, r.head)
		}
		slices.SortFunc(keys, compareKeys)
		if err := writeKeys(io.NewOffsetWriter(u.spill, start*uniqueKeySize), []*run{{keys: keys}}); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// endRun sorts the run that is being filled and begins another.
func (u *DuplicateFinder) endRun() {
	if u.unordered {
		slices.SortFunc(u.keys, compareKeys)
	}
	u.sorted, u.held = append(u.sorted, u.keys), u.held+len(u.keys)
	u.keys = make([]uniqueKey, 0, u.runKeys)
}

// flush moves the runs in memory to the temporary file, as one.
func (u *DuplicateFinder) flush() error {
	if u.spill == nil {
		f, err := os.CreateTemp("", "cipherfold-ids-*")
		if err != nil {
			return err
		}
		// Without a name it disappears with the process, however that ends. Where an open file cannot be removed,
		// close removes it.
		_ = os.Remove(f.Name())
		u.spill = f
	}
	start := int64(0)
	if n := len(u.runs); n > 0 {
		start = u.runs[n-1]
	}
	if err := writeKeys(io.NewOffsetWriter(u.spill, start*uniqueKeySize), u.inMemory()); err != nil {
		return err
	}
	u.runs = append(u.runs, start+int64(u.held))
	u.sorted, u.held = nil, 0
	return nil
}

// writeKeys merges runs into one.
func writeKeys(to io.Writer, runs []*run) error {
	w := bufio.NewWriterSize(to, 1<<16)
	err := mergeRuns(runs, func(k uniqueKey) error {
		var b [uniqueKeySize]byte
		binary.LittleEndian.PutUint64(b[0:], k.hash[0])
		binary.LittleEndian.PutUint64(b[8:], k.hash[1])
		binary.LittleEndian.PutUint64(b[16:], uint64(k.row))
		_, err := w.Write(b[:])
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// inFile reads a run of the temporary file.
func (u *DuplicateFinder) inFile(start, end int64) *run {
	return &run{file: bufio.NewReaderSize(io.NewSectionReader(u.spill, start*uniqueKeySize, (end-start)*uniqueKeySize), 1<<16)}
}

func (u *DuplicateFinder) inMemory() []*run {
	var out []*run
	for _, keys := range u.sorted {
		out = append(out, &run{keys: keys})
	}
	return out
}

// Find returns the earliest row whose key had come before, and the row of that key, or ok = false. Nothing can be
// added afterwards.
func (u *DuplicateFinder) Find() (first, second int64, ok bool, err error) {
	if !u.unordered {
		return 0, 0, false, nil
	}
	u.endRun()
	runs := u.inMemory()
	start := int64(0)
	for _, end := range u.runs {
		runs = append(runs, u.inFile(start, end))
		start = end
	}
	last := uniqueKey{row: -1}
	err = mergeRuns(runs, func(k uniqueKey) error {
		if last.row >= 0 && last.hash == k.hash && (!ok || k.row < second) {
			first, second, ok = last.row, k.row, true
		}
		last = k
		return nil
	})
	return first, second, ok, err
}

// mergeRuns calls f with the keys of all runs in ascending order.
func mergeRuns(runs []*run, f func(uniqueKey) error) error {
	var merge runHeap
	for _, r := range runs {
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			merge = append(merge, r)
		}
	}
	heap.Init(&merge)
	for len(merge) > 0 {
		if err := f(merge[0].head); err != nil {
			return err
		}
		more, err := merge[0].next()
		if err != nil {
			return err
		}
		if more {
			heap.Fix(&merge, 0)
		} else {
			heap.Pop(&merge)
		}
	}
	return nil
}

// Close frees the temporary file.
func (u *DuplicateFinder) Close() {
	if u.spill != nil {
		u.spill.Close()
		os.Remove(u.spill.Name())
		u.spill = nil
	}
}

// run is a sorted run, read from its start.
type run struct {
	keys []uniqueKey   // in memory,
	file *bufio.Reader // or in the temporary file
	head uniqueKey
}

func (r *run) next() (more bool, err error) {
	if r.file == nil {
		if len(r.keys) == 0 {
			return false, nil
		}
		r.head, r.keys = r.keys[0], r.keys[1:]
		return true, nil
	}
	var b [uniqueKeySize]byte
	if _, err := io.ReadFull(r.file, b[:]); err == io.EOF {
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
