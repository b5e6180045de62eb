package sums

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Table adds up rows by key in the memory of a pool, and beyond that in runs. Its keys are spread over shards, which are
// locked one by one.
type Table struct {
	shape  Shape
	pool   *Pool
	runs   *Runs
	over   func(records, adds int64) bool
	seed   maphash.Seed
	shards []*shard
}

// shardsPerWorker keep workers from waiting for each other.
const shardsPerWorker = 4

// NewTable makes a table for some workers, with its runs in `runs`. over reports whether a key's records and additions
// so far exceed its limit.
func NewTable(s Shape, pool *Pool, runs *Runs, workers int, over func(records, adds int64) bool) *Table {
	t := &Table{shape: s, pool: pool, runs: runs, over: over, seed: maphash.MakeSeed()}
	n := 1
	for n < shardsPerWorker*workers && 2*n*piecesPerShardMin <= pool.total {
		n *= 2
	}
	for range n {
		t.shards = append(t.shards, &shard{shape: s, pool: pool})
	}
	return t
}

// piecesPerShardMin is how many pieces there are for each shard at least, so that runs are not short.
const piecesPerShardMin = 96

// Worker adds rows to a table. It serves one goroutine at a time; a table may have several.
type Worker struct {
	table  *Table
	folder *folder

	// Of the rows being added.
	hash     []uint64
	group    []int32 // of each row: the number of its key among the different ones
	head     []int32 // of each different key: its first row,
	tail     []int32 // its last one,
	count    []int32 // and how many it has
	index    []int32 // of the different keys, by hash: number + 1
	products [][][]byte
	factors  [][]uint32
	all      [][]byte // what products
	counts   []uint32 // and factors are parts of
	order    []int32  // the different keys, by shard
	first    []int    // of each shard: where its keys begin in order that are not added yet,
	last     []int    // and where it ends
	sums     [][]byte
	dst, src [][]byte

	near, refs [32]uint32 // hashes of keys that are looked up together, and their entries
	cached     byte
}

// NewWorker makes a worker.
func (t *Table) NewWorker() *Worker {
	return &Worker{
		table: t, folder: newFolder(t.shape), first: make([]int, len(t.shards)), last: make([]int, len(t.shards)), sums: make([][]byte, t.shape.Slots),
		products: make([][][]byte, t.shape.Slots), factors: make([][]uint32, t.shape.Slots),
	}
}

// Add adds rows. Rows with the same key are multiplied with each other first, so that a key takes one multiplication of the
// table however many rows it has here. It returns a *SumError for a ciphertext out of range and an *OverError for a key
// with too many additions, after which the table is not to be used.
func (w *Worker) Add(ctx context.Context, r *Rows) error {
	for slot, ct := range r.Sums {
		if err := w.folder.mult.CheckRange(ct); err != nil {
			return sumError(slot, err)
		}
	}
	w.distinguish(r.Keys)
	w.folder.free()
	w.all, w.counts = resize(w.all, len(r.Sums)*len(w.head)), resize(w.counts, len(r.Sums)*len(w.head))
	from := 0
	for n := slotsTogether(len(w.group)); from < len(r.Sums); from += n {
		if err := w.multiply(from, r.Sums[from:min(from+n, len(r.Sums))]); err != nil {
			return err
		}
	}
	w.assign()
	waiting := make([]int, 0, len(w.table.shards))
	for i := range w.table.shards {
		if w.first[i] < w.last[i] {
			waiting = append(waiting, i)
		}
	}
	for must := false; len(waiting) > 0; {
		busy, full := waiting[:0], false
		for _, i := range waiting {
			s := w.table.shards[i]
			if must {
				s.mu.Lock()
				must = false
			} else if !s.mu.TryLock() {
				busy = append(busy, i)
				continue
			}
			err := w.fill(s, i, r)
			s.mu.Unlock()
			if err != nil {
				return err
			}
			if w.first[i] < w.last[i] {
				busy, full = append(busy, i), true
			}
		}
		if full {
			if err := w.table.makeRoom(ctx); err != nil {
				return err
			}
		}
		waiting, must = busy, !full // whoever is locked now is waited for
	}
	return nil
}

// sumError adds the place to a kernel's error about a slot's ciphertexts.
func sumError(slot int, err error) error {
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return &SumError{Slot: slot, Row: bad.Index, Err: bad}
	}
	return err
}

// distinguish numbers the different keys.
func (w *Worker) distinguish(keys *Keys) {
	n := keys.Len()
	size := 64
	for size < 2*n {
		size *= 2
	}
	if len(w.index) < size {
		w.index = make([]int32, size)
	}
	index := w.index[:size]
	clear(index)
	w.hash, w.group, w.head, w.tail, w.count = w.hash[:0], w.group[:0], w.head[:0], w.tail[:0], w.count[:0]
	for i := range n {
		key := keys.At(i)
		h := maphash.Bytes(w.table.seed, key)
		w.hash = append(w.hash, h)
		place := h & uint64(size-1)
		for ; ; place = (place + 1) & uint64(size-1) {
			if index[place] == 0 {
				w.head, w.tail, w.count = append(w.head, int32(i)), append(w.tail, int32(i)), append(w.count, 0)
				index[place] = int32(len(w.head))
				break
			}
			if first := int(w.head[index[place]-1]); w.hash[first] == h && bytes.Equal(keys.At(first), key) {
				break
			}
		}
		g := index[place] - 1
		w.group = append(w.group, g)
		w.tail[g] = int32(i)
		w.count[g]++
	}
}

// multiply computes the products of slots, from one on, for the different keys.
func (w *Worker) multiply(from int, sums [][]byte) error {
	n, size := len(w.head), w.folder.size
	w.folder.begin()
	for k, ct := range sums {
		slot := from + k
		if ct == nil {
			w.products[slot] = nil
			continue
		}
		w.products[slot], w.factors[slot] = w.all[slot*n:(slot+1)*n], w.counts[slot*n:(slot+1)*n]
		for i, g := range w.group {
			row := ct[i*size : (i+1)*size : (i+1)*size]
			if n == len(w.group) {
				w.products[slot][g], w.factors[slot][g] = row, 1
			} else if err := w.folder.add(k*n+int(g), row, 1); err != nil {
				return sumError(slot, err)
			}
		}
	}
	if n == len(w.group) {
		return nil
	}
	to := from + len(sums)
	return w.folder.fold(w.all[from*n:to*n], w.counts[from*n:to*n])
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// shardOf: places within a shard are taken from the other half of the hash.
func (t *Table) shardOf(hash uint64) int { return int(hash >> 32 & uint64(len(t.shards)-1)) }

// assign sorts the different keys by shard.
func (w *Worker) assign() {
	clear(w.last)
	for _, row := range w.head {
		w.last[w.table.shardOf(w.hash[row])]++
	}
	end := 0
	for i, n := range w.last {
		w.first[i], w.last[i] = end, end
		end += n
	}
	w.order = resize(w.order, len(w.head))
	for g, row := range w.head {
		last := &w.last[w.table.shardOf(w.hash[row])]
		w.order[*last] = int32(g)
		*last++
	}
}

// fill adds keys of shard number i, which is locked, until they are all added or there is no memory. Those from
// first[i] on are left.
func (w *Worker) fill(s *shard, i int, r *Rows) error {
	w.dst, w.src = w.dst[:0], w.src[:0]
	for touched := w.first[i]; w.first[i] < w.last[i]; w.first[i]++ {
		if w.first[i] == touched {
			touched = min(touched+len(w.near), w.last[i])
			near := w.near[:0]
			for _, g := range w.order[w.first[i]:touched] {
				near = append(near, uint32(w.hash[w.head[g]]))
			}
			w.cached += s.touch(near, w.refs[:])
		}
		g := w.order[w.first[i]]
		fits, err := w.put(s, int(g), r)
		if err != nil {
			return err
		}
		if !fits {
			break
		}
	}
	return w.folder.mult.Mul(w.dst, w.dst, w.src)
}

// put adds a key. It says whether there was memory; if not, nothing was added.
func (w *Worker) put(s *shard, g int, r *Rows) (fits bool, err error) {
	hash, key := uint32(w.hash[w.head[g]]), r.Keys.At(int(w.head[g]))
	for slot := range w.sums {
		w.sums[slot] = nil
		if len(w.products[slot]) > 0 {
			w.sums[slot] = w.products[slot][g]
		}
	}
	e, found := s.find(hash, key)
	if !found {
		if e, fits = s.insert(hash, key, w.sums); !fits {
			return false, nil
		}
	}
	for slot, sum := range w.sums {
		if sum != nil && !e.hasPlace(slot) && !s.place(e, slot) {
			return false, nil
		}
	}
	records, adds := e.records()+int64(w.count[g]), codec.SaturatingAdd(e.adds(), codec.SaturatingMul(r.Adds, int64(w.count[g])))
	if w.table.over(records, adds) {
		return false, &OverError{Adds: adds, Row: int(w.tail[g])}
	}
	e.setRecords(records)
	e.setAdds(adds)
	for slot, sum := range w.sums {
		if sum == nil {
			continue
		}
		row, had, more := s.row(e, slot), e.factors(slot), w.factors[slot][g]
		if had == 0 {
			copy(row, sum)
			e.setFactors(slot, more)
			continue
		}
		if had >= refactorAt {
			if err := w.folder.mult.Finish(row, [][]byte{row}, []uint32{had}); err != nil {
				return false, err
			}
			had = 1
		}
		w.dst, w.src = append(w.dst, row), append(w.src, sum)
		e.setFactors(slot, had+more)
	}
	return true, nil
}

// makeRoom writes the largest shard as a run and frees its memory, or waits until another worker has done so.
func (t *Table) makeRoom(ctx context.Context) error {
	for {
		var victim *shard
		for _, s := range t.shards {
			if victim == nil || s.bytes.Load() > victim.bytes.Load() {
				victim = s
			}
		}
		if victim.bytes.Load() == 0 { // all are being written
			piece, err := t.pool.get(ctx)
			if err == nil {
				t.pool.put(piece)
			}
			return err
		}
		victim.mu.Lock()
		if victim.count == 0 { // somebody else was faster
			victim.mu.Unlock()
			continue
		}
		p := victim.detach()
		victim.mu.Unlock()
		defer p.free()
		return t.runs.write(ctx, p)
	}
}

// Sources ends the adding and returns what the table holds, as sources to be merged. If it was never full and takes no
// more than `most` bytes, these are its shards in place. Otherwise the rest is written as well, its memory is freed,
// and they are the runs.
func (t *Table) Sources(ctx context.Context, workers int, most int64) ([]Source, error) {
	var parts []*part
	for _, s := range t.shards {
		if s.count > 0 {
			parts = append(parts, s.detach())
		}
		t.pool.give(s.taken)
		s.entries, s.taken = nil, 0
	}
	written := t.runs.Len() > 0 || t.pool.used() > most
	next := 0
	_, err := engine.ForEach(ctx, engine.Loop[*part]{
		Source: engine.Source[*part]{Name: "parts", Next: func(context.Context) (*part, error) {
			if next == len(parts) {
				return nil, io.EOF
			}
			next++
			return parts[next-1], nil
		}},
		Stage: engine.Stage[*part, engine.None]{Name: "sort", Workers: workers, New: engine.Shared(func(ctx context.Context, p *part) (engine.None, error) {
			if !written {
				p.sort()
				return engine.None{}, nil
			}
			defer p.free()
			return engine.None{}, t.runs.write(ctx, p)
		})},
	})
	if err != nil {
		return nil, err
	}
	if written {
		return t.runs.sources(t.pool), nil
	}
	var sources []Source
	for _, p := range parts {
		sources = append(sources, &partSource{part: p})
	}
	return sources, nil
}
