package job

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/job/sums"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// chain is stretches of inputs whose rows, one stretch after the other, are in the order of their keys: such as the parts
// of a table that was sorted before it was cut.
type chain struct {
	stretches []stretch
	last      []byte // key
}

// ordered is a stretch that is in the order of its keys, and between which ones.
type ordered struct {
	stretch
	first, last []byte
}

// findChains looks which stretches are in the order of their keys, and joins them to chains, as many as can be read at once.
// The others are the rest. Only the ids are read for that, up to the first one that is out of order.
func (g *grouping) findChains(ctx context.Context, all []stretch) (chains []chain, rest []stretch, err error) {
	if len(g.By) == 0 {
		return nil, all, nil // all keys are the same: nothing is in order, or everything
	}
	var found []ordered
	var others []stretch
	progress := &engine.Progress{}
	for _, s := range all {
		progress.Total.Add(s.to - s.from)
	}
	defer g.Watch("look for order", progress)()
	for _, s := range all {
		first, last, ok, err := g.inOrder(ctx, s, progress)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			found = append(found, ordered{s, first, last})
		} else {
			others = append(others, s)
		}
	}
	slices.SortStableFunc(found, func(a, b ordered) int { return bytes.Compare(a.first, b.first) })
	chains, rest = joinChains(found, g.memory.chains)
	if len(others)+len(rest) > 0 {
		chains, rest = joinChains(found, g.memory.chains/2)
	}
	rest = append(rest, others...)
	slices.SortFunc(rest, func(a, b stretch) int { return cmp.Compare(a.input, b.input) })
	return chains, rest, nil
}

// joinChains joins stretches, in the order of their first keys, to at most so many chains, and returns those that do not fit.
func joinChains(found []ordered, most int) (chains []chain, rest []stretch) {
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
			chains[best].stretches = append(chains[best].stretches, s.stretch)
			chains[best].last = s.last
		case len(chains) < most:
			chains = append(chains, chain{[]stretch{s.stretch}, s.last})
		default:
			rest = append(rest, s.stretch)
		}
	}
	return chains, rest
}

// inOrder reads the ids of a stretch and says whether its keys ascend, and between which ones.
func (g *grouping) inOrder(ctx context.Context, s stretch, progress *engine.Progress) (first, last []byte, ok bool, err error) {
	in := &stretchReader{f: g.fusing, rest: []stretch{s}, threads: g.memory.readers, columns: g.By, rows: readRows}
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
			key = rowKey(key[:0], b.Columns(), i)
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

// chainSource reads a chain, with some threads that decode.
func (g *grouping) chainSource(c chain, threads int) sums.Source {
	return &chainSource{g: g, in: g.readStretches(c.stretches, threads), multiplier: g.pk.NewMultiplier(), input: -1}
}

// chainSource delivers the rows of a chain, checked.
type chainSource struct {
	g          *grouping
	in         *stretchReader
	multiplier *paillier.Multiplier
	input      int   // of the last batch
	columns    []int // its slotColumns
	last       []byte
}

func (s *chainSource) Next(ctx context.Context) (*sums.Block, error) {
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

func (s *chainSource) block(b inputBatch) (*sums.Block, error) {
	g := s.g
	table := g.inputs[b.input].table
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
			return nil, refuseCiphertext(b.Batch, table.Columns[at], err)
		}
	}
	g.count(b)
	block := sums.NewBlock(*rows, b.Release)
	block.Origin = b
	return block, nil
}

func (s *chainSource) Close() error { return s.in.close() }
