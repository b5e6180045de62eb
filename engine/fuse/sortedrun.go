package fuse

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// sortedRun is stretches of inputs whose rows, one stretch after the other, are in the order of their keys: such as the parts
// of a table that was sorted before it was cut.
type sortedRun struct {
	ranges []rowRange
	last   []byte // key
}

// sortedRange is a stretch that is in the order of its keys, and between which ones.
type sortedRange struct {
	rowRange
	first, last []byte
}

// findSortedRuns looks which stretches are in the order of their keys, and joins them to chains, as many as can be read at once.
// The others are the rest. Only the ids are read for that, up to the first one that is out of order.
func (g *groupFusion) findSortedRuns(ctx context.Context, all []rowRange) (chains []sortedRun, rest []rowRange, err error) {
	if len(g.fusion.request.By) == 0 {
		return nil, all, nil // all keys are the same: nothing is in order, or everything
	}
	var found []sortedRange
	var others []rowRange
	progress := &engine.Progress{}
	for _, s := range all {
		progress.Total.Add(s.to - s.from)
	}
	defer g.fusion.request.Watch("look for order", progress)()
	for _, s := range all {
		first, last, ok, err := g.inOrder(ctx, s, progress)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			found = append(found, sortedRange{s, first, last})
		} else {
			others = append(others, s)
		}
	}
	slices.SortStableFunc(found, func(a, b sortedRange) int { return bytes.Compare(a.first, b.first) })
	chains, rest = joinSortedRuns(found, g.memory.sortedRuns)
	if len(others)+len(rest) > 0 {
		chains, rest = joinSortedRuns(found, g.memory.sortedRuns/2)
	}
	rest = append(rest, others...)
	slices.SortFunc(rest, func(a, b rowRange) int { return cmp.Compare(a.input, b.input) })
	return chains, rest, nil
}

// joinSortedRuns joins stretches, in the order of their first keys, to at most so many chains, and returns those that do not fit.
func joinSortedRuns(found []sortedRange, most int) (chains []sortedRun, rest []rowRange) {
	for _, s := range found {
		// The chain that ends last before the stretch begins, so that the others remain for those that begin earlier.
		best := -1
		for i, c := range chains {
			if bytes.Compare(c.last, s.first) <= 0 && (best < 0 || bytes.Compare(c.last, chains[best].last) > 0) {
				best = i
			}
		}
		switch {
		case best >= 0:
			chains[best].ranges = append(chains[best].ranges, s.rowRange)
			chains[best].last = s.last
		case len(chains) < most:
			chains = append(chains, sortedRun{[]rowRange{s.rowRange}, s.last})
		default:
			rest = append(rest, s.rowRange)
		}
	}
	return chains, rest
}

// inOrder reads the ids of a stretch and says whether its keys ascend, and between which ones.
func (g *groupFusion) inOrder(ctx context.Context, s rowRange, progress *engine.Progress) (first, last []byte, ok bool, err error) {
	in := &rangeReader{f: g.fusion, rest: []rowRange{s}, threads: g.memory.readers, columns: g.fusion.request.By, rows: dataset.BatchRows}
	defer in.close()
	var key []byte
	any := false
	for {
		b, err := in.next(ctx)
		if err == io.EOF {
			return first, last, true, nil
		}
		if err != nil {
			return nil, nil, false, err
		}
		ok := true
		for i := 0; i < int(b.NumRows()) && ok; i++ {
			key = ids.AppendKey(key[:0], b.Columns(), i)
			if !any {
				first, any = bytes.Clone(key), true
			}
			ok = bytes.Compare(last, key) <= 0
			last, key = key, last
		}
		progress.Done.Add(b.NumRows())
		b.Release()
		if !ok {
			return nil, nil, false, nil
		}
	}
}

// sortedRunSource reads a chain, with some threads that decode.
func (g *groupFusion) sortedRunSource(c sortedRun, threads int) sums.Source {
	return &sortedRunSource{g: g, in: g.fusion.readRanges(c.ranges, threads), multiplier: g.fusion.pk.NewMultiplier(), input: -1}
}

// sortedRunSource delivers the rows of a chain, checked.
type sortedRunSource struct {
	g          *groupFusion
	in         *rangeReader
	multiplier *paillier.Multiplier
	input      int   // of the last batch
	columns    []int // its slotColumns
	last       []byte
}

func (s *sortedRunSource) Next(ctx context.Context) (*sums.Block, error) {
	b, err := s.in.next(ctx)
	if err != nil {
		return nil, err
	}
	block, err := s.block(b)
	if err != nil {
		b.Release()
		return nil, err
	}
	return block, nil
}

func (s *sortedRunSource) block(b inputBatch) (*sums.Block, error) {
	g := s.g
	table := g.fusion.inputs[b.input].Table
	if b.input != s.input {
		s.input, s.columns = b.input, g.slotColumns(b.input)
	}
	keys := &sums.Keys{}
	if err := g.appendKeys(keys, b.Batch, g.keyColumns(b.Batch, b.input)); err != nil {
		return nil, err
	}
	for i := range keys.Len() {
		if bytes.Compare(s.last, keys.At(i)) > 0 {
			return nil, replaced(b.File) // it was in order before
		}
		s.last = keys.At(i)
	}
	s.last = bytes.Clone(s.last)
	rows := g.rowsOf(keys, b.Batch, b.input, s.columns)
	for slot, at := range s.columns {
		if at < 0 {
			continue
		}
		if err := s.multiplier.CheckRange(rows.Sums[slot]); err != nil {
			return nil, enctable.RefuseCiphertext(b.Batch, table.Columns[at], err)
		}
	}
	g.count(b)
	block := sums.NewBlock(*rows, b.Release)
	block.Origin = b
	return block, nil
}

func (s *sortedRunSource) Close() error { return s.in.close() }
