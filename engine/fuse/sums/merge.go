package sums

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Merge brings sources together: rows with the same key become one, in ascending order of the keys.
type Merge[Out any] struct {
	Shape   Shape
	Sources []Source // closed by Run; at most Pool.FanIn() of them read runs
	Pool    *Pool
	Threads int

	// Over reports whether a key's records and additions so far exceed its limit, and Refuse makes the error for that.
	// Keep reports whether a key with all its records and additions is wanted. Nil means never, *OverError, and
	// always. The products of a key that is not wanted are checked all the same.
	Over   func(records, adds int64) bool
	Refuse func(over *OverError) error
	Keep   func(records, adds int64) bool

	// Emit makes a worker that turns keys and their sums into results. It copies what it keeps.
	Emit func() (func(ctx context.Context, rows *Merged) (Out, error), error)
	// Put receives the results, in the order of the keys, from one goroutine. Discard receives those that are not put
	// because the merge failed.
	Put     func(ctx context.Context, out Out) error
	Discard func(out Out)

	Name     string           // of the stage that multiplies, for statistics and errors
	RowsMax  int              // keys in what is put out at a time, at most
	Progress *engine.Progress // rows of the sources; may be nil
}

// Merged are keys with their sums. The product of a slot is missing when it has no factors.
type Merged struct {
	keys     *Keys
	info     []mergedKey
	products [][][]byte // per slot
	factors  [][]uint32
	at       []int // of those that are kept
}

// Len is the number of keys.
func (m *Merged) Len() int { return len(m.at) }

// Key returns key i.
func (m *Merged) Key(i int) []byte { return m.keys.At(m.at[i]) }

// Counts returns the records and additions of key i.
func (m *Merged) Counts(i int) (records, adds int64) {
	return m.info[m.at[i]].records, m.info[m.at[i]].adds
}

// Sum returns the product in a slot of key i and its number of factors.
func (m *Merged) Sum(i, slot int) ([]byte, uint32) {
	return m.products[slot][m.at[i]], m.factors[slot][m.at[i]]
}

// mergedKey is what is known of a key.
type mergedKey struct {
	records, adds int64
	drop          bool
}

// batch is rows of the sources that are multiplied together.
type batch struct {
	keys    Keys
	info    []mergedKey // of each key
	members []member
	blocks  []*Block // held
	head    bool     // the batch before also has rows of the first key
	tail    bool     // the next batch also has rows of the last key
}

// member is a row of a block that belongs to a key of the batch.
type member struct {
	block *Block
	row   int32
	key   int32
}

func (b *batch) release() {
	for _, x := range b.blocks {
		x.Release()
	}
}

// Run merges. The sources are closed also when it fails.
func (m Merge[Out]) Run(ctx context.Context) (engine.Stats, error) {
	p := &planner[Out]{Merge: m}
	p.membersMax = max(m.Pool.membersMin(m.Shape), m.Pool.batchBytes(m.Threads)/(m.Shape.Slots*m.Shape.size()))
	defer func() { _ = CloseAll(m.Sources) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer p.stop()
	last, err := newStitcher(m)
	if err != nil {
		return engine.Stats{}, err
	}
	stats, err := engine.Run(ctx, engine.Pipeline[*batch, piece[Out]]{
		Source: engine.Source[*batch]{Name: "merge", Next: p.next},
		Stage: engine.Stage[*batch, piece[Out]]{Name: m.Name, Workers: m.Threads, Discard: (*batch).release, New: func(int) (engine.Work[*batch, piece[Out]], error) {
			w, err := newMergeWorker(m)
			if err != nil {
				return nil, err
			}
			return w.work, nil
		}},
		Sink: engine.Sink[piece[Out]]{Name: "write", Put: last.put, Discard: func(x piece[Out]) {
			if x.filled && m.Discard != nil {
				m.Discard(x.out)
			}
		}},
	})
	return stats, err
}

// planner finds out which rows belong together.
type planner[Out any] struct {
	Merge[Out]
	cursors    []*cursor
	heads      []uint64 // prefix of each cursor's key; the greatest number when it has ended
	order      *engine.LoserTree
	membersMax int
	holder     int64 // number of the batch

	key     []byte // the current or the last one
	any     bool   // there was one
	begun   bool   // it is the current one,
	current mergedKey
	split   bool // which was in an earlier batch, too
}

// cursor is a place in a source.
type cursor struct {
	ahead *ahead
	block *Block // nil when the source has ended
	row   int
	held  int64 // number of the batch that holds the block
}

func (c *cursor) key() []byte { return c.block.rows.key(c.row) }

// start reads the first block of every source.
func (p *planner[Out]) start(ctx context.Context) error {
	p.heads = make([]uint64, len(p.Sources))
	for _, s := range p.Sources {
		p.cursors = append(p.cursors, &cursor{ahead: readAhead(ctx, s)})
	}
	for i := range p.cursors {
		if err := p.load(ctx, i); err != nil {
			return err
		}
	}
	p.order = engine.NewLoserTree(len(p.cursors), func(a, b int) bool {
		if p.heads[a] != p.heads[b] {
			return p.heads[a] < p.heads[b]
		}
		x, y := p.cursors[a], p.cursors[b]
		if x.block == nil || y.block == nil {
			return x.block != nil
		}
		order := bytes.Compare(x.key(), y.key())
		return order < 0 || order == 0 && a < b // equal keys in the order of the sources
	})
	return nil
}

// load goes to the next block of a source.
func (p *planner[Out]) load(ctx context.Context, i int) error {
	c := p.cursors[i]
	if c.block != nil {
		c.block.Release()
		c.block = nil
	}
	b, err := c.ahead.next(ctx)
	if err == io.EOF {
		p.heads[i] = math.MaxUint64
		return nil
	}
	if err != nil {
		return err
	}
	c.block, c.row, c.held = b, 0, -1
	p.heads[i] = prefix(c.key())
	return nil
}

// stop ends the reading.
func (p *planner[Out]) stop() {
	for _, c := range p.cursors {
		if c.block != nil {
			c.block.Release()
		}
		c.ahead.stop()
	}
}

// next returns the rows of the next keys.
func (p *planner[Out]) next(ctx context.Context) (*batch, error) {
	if p.order == nil {
		if len(p.Sources) == 0 {
			return nil, io.EOF
		}
		if err := p.start(ctx); err != nil {
			return nil, err
		}
	}
	b := &batch{head: p.split}
	if err := p.fill(ctx, b); err != nil {
		b.release()
		return nil, err
	}
	p.holder++
	if p.Progress != nil {
		p.Progress.Done.Add(int64(len(b.members)))
	}
	if len(b.members) == 0 {
		return nil, io.EOF
	}
	return b, nil
}

func (p *planner[Out]) fill(ctx context.Context, b *batch) error {
	if p.split {
		b.begin(p.key)
	}
	for {
		w := p.order.Winner()
		c := p.cursors[w]
		if c.block == nil {
			p.end(b)
			return nil
		}
		key := c.key()
		order := -1 // of the key before and this one
		if p.any {
			order = bytes.Compare(p.key, key)
		}
		switch {
		case order > 0:
			return fmt.Errorf("%w: its keys are not in order", ErrDamaged)
		case order < 0:
			p.end(b)
			if b.keys.Len() == p.RowsMax || len(b.members) >= p.membersMax {
				return nil
			}
			p.key = append(p.key[:0], key...)
			p.any, p.begun, p.current = true, true, mergedKey{}
			b.begin(key)
		case len(b.members) >= 2*p.membersMax:
			p.split, b.tail = true, true
			b.info[len(b.info)-1] = p.current
			return nil
		}
		if err := p.take(b, c); err != nil {
			return err
		}
		if c.row++; c.row < c.block.n {
			p.heads[w] = prefix(c.key())
		} else if err := p.load(ctx, w); err != nil {
			return err
		}
		p.order.Replay()
	}
}

// begin begins a key.
func (b *batch) begin(key []byte) {
	b.keys.Data = append(b.keys.Data, key...)
	b.keys.End()
	b.info = append(b.info, mergedKey{})
}

// take adds the row at a cursor to the current key.
func (p *planner[Out]) take(b *batch, c *cursor) error {
	if c.held != p.holder {
		c.block.hold()
		b.blocks = append(b.blocks, c.block)
		c.held = p.holder
	}
	b.members = append(b.members, member{c.block, int32(c.row), int32(b.keys.Len() - 1)})
	records, adds := c.block.rows.counts(c.row)
	p.current.records, p.current.adds = codec.SaturatingAdd(p.current.records, records), codec.SaturatingAdd(p.current.adds, adds)
	if p.Over != nil && p.Over(p.current.records, p.current.adds) {
		over := &OverError{Adds: p.current.adds, Row: c.row, Origin: c.block.Origin}
		if p.Refuse == nil {
			return over
		}
		return p.Refuse(over)
	}
	return nil
}

// end ends the current key.
func (p *planner[Out]) end(b *batch) {
	if !p.begun {
		return
	}
	p.current.drop = p.Keep != nil && !p.Keep(p.current.records, p.current.adds)
	b.info[len(b.info)-1] = p.current
	p.begun, p.split = false, false
}

// piece is what a worker made of a batch.
type piece[Out any] struct {
	head, tail *loose // of the keys that other batches share
	whole      bool   // head goes on beyond this batch, and nothing else is in it
	out        Out
	filled     bool // there is an out
}

// loose is a key whose rows were not all in one batch.
type loose struct {
	info     mergedKey
	key      []byte
	products [][]byte // per slot
	factors  []uint32
}

// mergeWorker multiplies the rows of a batch.
type mergeWorker[Out any] struct {
	Merge[Out]
	folder *folder
	emit   func(ctx context.Context, rows *Merged) (Out, error)
	merged Merged
	all    [][]byte // what the products of merged
	counts []uint32 // and its factors are parts of

	dropped  Merged // those of merged that are not wanted
	finisher *Finisher
	finished []byte
}

func newMergeWorker[Out any](m Merge[Out]) (*mergeWorker[Out], error) {
	emit, err := m.Emit()
	if err != nil {
		return nil, err
	}
	w := &mergeWorker[Out]{Merge: m, folder: newFolder(m.Shape), emit: emit, finisher: NewFinisher(m.Shape)}
	w.merged.products, w.merged.factors = make([][][]byte, m.Shape.Slots), make([][]uint32, m.Shape.Slots)
	return w, nil
}

func (w *mergeWorker[Out]) work(ctx context.Context, b *batch) (piece[Out], error) {
	defer b.release()
	var out piece[Out]
	n := b.keys.Len()
	w.folder.free()
	w.all, w.counts = resize(w.all, w.Shape.Slots*n), resize(w.counts, w.Shape.Slots*n)
	for first, some := 0, slotsTogether(len(b.members)); first < w.Shape.Slots; first += some {
		last := min(first+some, w.Shape.Slots)
		w.folder.begin()
		for slot := first; slot < last; slot++ {
			for _, m := range b.members {
				if sum, factors := m.block.rows.sum(int(m.row), slot); factors > 0 {
					if err := w.folder.add((slot-first)*n+int(m.key), sum, factors); err != nil {
						return out, err
					}
				}
			}
			w.merged.products[slot], w.merged.factors[slot] = w.all[slot*n:(slot+1)*n], w.counts[slot*n:(slot+1)*n]
		}
		if err := w.folder.fold(w.all[first*n:last*n], w.counts[first*n:last*n]); err != nil {
			return out, err
		}
	}
	w.merged.keys, w.merged.info = &b.keys, b.info
	from, to := 0, n
	if b.head {
		out.head, out.whole = w.merged.loose(0), b.tail && n == 1
		from = 1
	}
	if b.tail && !out.whole {
		out.tail = w.merged.loose(n - 1)
		to--
	}
	if err := w.split(from, to); err != nil {
		return out, err
	}
	if len(w.merged.at) == 0 {
		return out, nil
	}
	var err error
	out.out, err = w.emit(ctx, &w.merged)
	out.filled = err == nil
	return out, err
}

// split finds which of the keys in a range are wanted, and checks those that are not: an invalid ciphertext is refused
// wherever it is.
func (w *mergeWorker[Out]) split(from, to int) error {
	w.dropped.at, w.merged.at = w.dropped.at[:0], w.merged.at[:0]
	for i := from; i < to; i++ {
		if w.merged.info[i].drop {
			w.dropped.at = append(w.dropped.at, i)
		} else {
			w.merged.at = append(w.merged.at, i)
		}
	}
	at := w.dropped.at
	w.dropped = w.merged
	w.dropped.at = at
	return w.check(&w.dropped)
}

// check refuses keys one of whose products is not valid.
func (w *mergeWorker[Out]) check(m *Merged) error {
	if m.Len() == 0 {
		return nil
	}
	w.finished = resize(w.finished, m.Len()*w.Shape.size())
	for slot := range w.Shape.Slots {
		if err := w.finisher.Finish(w.finished, m, slot); err != nil {
			return err
		}
	}
	return nil
}

// loose copies a key and its sums.
func (m *Merged) loose(i int) *loose {
	l := &loose{info: m.info[i], key: bytes.Clone(m.keys.At(i))}
	for slot := range m.products {
		l.products, l.factors = append(l.products, bytes.Clone(m.products[slot][i])), append(l.factors, m.factors[slot][i])
	}
	return l
}

// stitcher combines the keys whose rows were not all in one batch.
type stitcher[Out any] struct {
	*mergeWorker[Out]
	open *loose
}

func newStitcher[Out any](m Merge[Out]) (*stitcher[Out], error) {
	w, err := newMergeWorker(m)
	return &stitcher[Out]{mergeWorker: w}, err
}

func (s *stitcher[Out]) put(ctx context.Context, x piece[Out]) error {
	fail := func(err error) error {
		if x.filled && s.Discard != nil {
			s.Discard(x.out)
		}
		return err
	}
	if x.head != nil {
		if err := s.join(x.head); err != nil {
			return fail(err)
		}
		if !x.whole {
			if err := s.close(ctx, x.head.info); err != nil {
				return fail(err)
			}
		}
	}
	if x.filled {
		if err := s.Put(ctx, x.out); err != nil {
			return err
		}
	}
	if x.tail != nil {
		s.open = x.tail
	}
	return nil
}

// join multiplies more rows into the open key.
func (s *stitcher[Out]) join(more *loose) error {
	s.folder.free()
	for slot := range s.Shape.Slots {
		s.folder.begin()
		for _, l := range []*loose{s.open, more} {
			if l.factors[slot] == 0 {
				continue
			}
			if err := s.folder.add(0, l.products[slot], l.factors[slot]); err != nil {
				return err
			}
		}
		var product [1][]byte
		var factors [1]uint32
		if err := s.folder.fold(product[:], factors[:]); err != nil {
			return err
		}
		s.open.products[slot], s.open.factors[slot] = bytes.Clone(product[0]), factors[0]
	}
	return nil
}

// close puts out the open key.
func (s *stitcher[Out]) close(ctx context.Context, info mergedKey) error {
	l := s.open
	s.open = nil
	var keys Keys
	keys.Data = append(keys.Data, l.key...)
	keys.End()
	one := &Merged{keys: &keys, info: []mergedKey{info}, at: []int{0}}
	for slot := range l.products {
		one.products, one.factors = append(one.products, [][]byte{l.products[slot]}), append(one.factors, []uint32{l.factors[slot]})
	}
	if info.drop {
		return s.check(one)
	}
	out, err := s.emit(ctx, one)
	if err != nil {
		return err
	}
	return s.Put(ctx, out)
}
