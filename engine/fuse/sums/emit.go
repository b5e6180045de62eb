package sums

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Encoded are rows in encoded blocks.
type Encoded struct {
	blocks [][]byte
	rows   int
}

// emitBlocks makes a worker that encodes what was merged, in blocks of up to `most` bytes. The products are written as
// they are, or as ciphertexts if they are to be kept.
func emitBlocks(s Shape, most int, finish bool) (func(ctx context.Context, m *Merged) (Encoded, error), error) {
	f := NewFinisher(s)
	var ct [][]byte // per slot
	var all []byte  // of all slots
	return func(_ context.Context, m *Merged) (Encoded, error) {
		var from rows = (*mergedRows)(m)
		if finish {
			ct = resize(ct, s.Slots)
			bytes := m.Len() * s.size()
			all = resize(all, len(ct)*bytes)
			for first, some := 0, slotsTogether(m.Len()); first < len(ct); first += some {
				last := min(first+some, len(ct))
				if err := f.Finish(all[first*bytes:last*bytes], m, first); err != nil {
					return Encoded{}, err
				}
			}
			for slot := range ct {
				ct[slot] = all[slot*bytes : (slot+1)*bytes]
			}
			from = &finishedRows{mergedRows: (*mergedRows)(m), ct: ct, size: s.size()}
		}
		out := Encoded{rows: m.Len()}
		e := newEncoder(s, most)
		for i := range m.Len() {
			if !appendRow(e, from, i) {
				out.blocks = append(out.blocks, e.finish())
				e = newEncoder(s, most)
				appendRow(e, from, i)
			}
		}
		out.blocks = append(out.blocks, e.finish())
		return out, nil
	}, nil
}

// mergedRows are merged keys as rows.
type mergedRows Merged

func (r *mergedRows) key(i int) []byte                   { return (*Merged)(r).Key(i) }
func (r *mergedRows) counts(i int) (records, adds int64) { return (*Merged)(r).Counts(i) }
func (r *mergedRows) sum(i, slot int) ([]byte, uint32)   { return (*Merged)(r).Sum(i, slot) }

// Finisher turns products into ciphertexts. It serves one goroutine at a time.
type Finisher struct {
	mult     *paillier.Multiplier
	size     int
	products [][]byte
	factors  []uint32
}

// NewFinisher makes a worker.
func NewFinisher(s Shape) *Finisher { return &Finisher{mult: s.Key.NewMultiplier(), size: s.size()} }

// Finish writes the ciphertexts of some slots, from one on, as many as dst has room for: of each slot those of all rows, one
// after the other. Where a sum is missing it is 1, an encryption of 0. A product that shares a factor with N, as it does
// when a ciphertext in it did, is a *SumError.
func (f *Finisher) Finish(dst []byte, m *Merged, from int) error {
	f.products, f.factors = f.products[:0], f.factors[:0]
	rows := m.Len()
	for slot := from; len(f.products)*f.size < len(dst); slot++ {
		for i := range rows {
			product, factors := m.Sum(i, slot)
			f.products, f.factors = append(f.products, product), append(f.factors, factors)
		}
	}
	err := f.mult.Finish(dst, f.products, f.factors)
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return &SumError{Slot: from + bad.Index/rows, Row: bad.Index % rows, Err: bad}
	}
	return err
}

// finishedRows have ciphertexts in the place of products.
type finishedRows struct {
	*mergedRows
	ct   [][]byte // per slot
	size int
}

func (r *finishedRows) sum(i, slot int) ([]byte, uint32) {
	if _, factors := r.mergedRows.sum(i, slot); factors == 0 {
		return nil, 0
	}
	return r.ct[slot][i*r.size : (i+1)*r.size], 1
}

// Consolidate merges those of the sources that read runs, the shortest first, into longer runs. It stops when the pool
// allows the rest to be merged at once.
func (r *Runs) Consolidate(ctx context.Context, sources []Source, pool *Pool, threads int) ([]Source, error) {
	var runs []stored
	var rest []Source
	for _, s := range sources {
		if x, ok := s.(stored); ok {
			runs = append(runs, x)
		} else {
			rest = append(rest, s)
		}
	}
	for len(runs) > pool.FanIn() {
		slices.SortStableFunc(runs, func(a, b stored) int { return cmp.Compare(a.length(), b.length()) })
		n := min(pool.FanIn(), len(runs)-pool.FanIn()+1)
		var some []Source
		for _, s := range runs[:n] {
			some = append(some, s)
		}
		made, err := r.merge(ctx, some, pool, threads)
		if err != nil {
			for _, s := range runs[n:] {
				rest = append(rest, s)
			}
			_ = CloseAll(rest)
			return nil, err
		}
		runs = append(runs[n:], made)
	}
	for _, s := range runs {
		rest = append(rest, s)
	}
	return rest, nil
}

// stored is a source that reads a run.
type stored interface {
	Source
	length() int64 // in bytes
}

// merge writes the merge of sources as a run.
func (r *Runs) merge(ctx context.Context, sources []Source, pool *Pool, threads int) (*runSource, error) {
	out := &run{}
	_, err := Merge[Encoded]{
		Shape: r.shape, Sources: sources, Pool: pool, Threads: threads, Name: "consolidate", RowsMax: blockRowsMax,
		Emit: func() (func(context.Context, *Merged) (Encoded, error), error) {
			return emitBlocks(r.shape, r.piece, false)
		},
		Put: func(ctx context.Context, list Encoded) error {
			for _, b := range list.blocks {
				s, err := r.append(ctx, b)
				if err != nil {
					return err
				}
				out.spans, out.bytes = append(out.spans, s), out.bytes+int64(s.bytes)
			}
			return nil
		},
	}.Run(ctx)
	return r.source(out, pool), err
}

// blockRowsMax bounds the keys that are encoded at a time.
const blockRowsMax = 4096
