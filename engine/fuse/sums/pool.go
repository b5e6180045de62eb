package sums

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Pool is a stated amount of memory in pieces of one size. Pieces are made when they are first needed and used again. It is
// safe for concurrent use.
type Pool struct {
	size  int
	total int

	mu      sync.Mutex
	rest    int // pieces not in use
	free    [][]byte
	waiting []chan struct{} // who waits for a piece, the first first; closed when it has one
}

// Sizes of pieces: large enough for a disk to deliver them one by one at full speed, small enough that many runs can be
// read at once.
const (
	pieceBytesMin = 32 << 10
	pieceBytesMax = 256 << 10
	pieces        = 1024 // how many there should be at least
)

// pieceBytes is the smallest size of pieces in which some rows of a shape fit, and one with the longest key. Rows of
// thousands of sums have pieces of their own.
func (s Shape) pieceBytes() int {
	one, some := s.rowBytes(KeyBytesMax), 8*s.rowBytes(64)
	if one > pieceBytesMax {
		return roundUp(one)
	}
	size := pieceBytesMin
	for size < max(one, min(some, pieceBytesMax)) {
		size *= 2
	}
	return size
}

// membersMin is how many rows a batch of a merge has at least, though they take more than batchBytes. All that a batch may
// hold while the next is made must leave pieces for the runs.
func (p *Pool) membersMin(s Shape) int {
	return max(1, min(8, p.total*(p.size/s.rowBytes(64))/16))
}

// KeyBytesMax is the longest that a key may be.
const KeyBytesMax = 8 << 10

// PoolBytesMin is the smallest pool for rows of a shape: room for a table of a few parts, or for two runs being merged.
func PoolBytesMin(s Shape) int64 { return int64(piecesMin * s.pieceBytes()) }

const piecesMin = 32

// NewPool makes a pool of `memory` bytes, at least PoolBytesMin, for rows of a shape.
func NewPool(memory int64, s Shape) *Pool {
	if least := PoolBytesMin(s); memory < least {
		panic(fmt.Sprintf("sums: a pool of %d bytes, less than %d", memory, least))
	}
	size := s.pieceBytes()
	for size < pieceBytesMax && int64(2*size) <= memory/pieces {
		size *= 2
	}
	total := int(min(memory/int64(size), 1<<24))
	return &Pool{size: size, total: total, rest: total}
}

// Shrink limits the pool to `memory` bytes, or to what is in use, and returns the rest to the system.
func (p *Pool) Shrink(memory int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used := p.total - p.rest
	p.total = min(p.total, max(int(memory/int64(p.size)), used, piecesMin))
	p.rest = p.total - used
	p.free = nil
}

// used is how many bytes are in use.
func (p *Pool) used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.total-p.rest) * int64(p.size)
}

// tryTake takes n pieces out of use without making them: their bytes are used elsewhere. It says whether there were as many.
func (p *Pool) tryTake(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rest < n {
		return false
	}
	p.rest -= n
	return true
}

// give returns what was taken.
func (p *Pool) give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest += n
	for p.rest > 0 && len(p.waiting) > 0 {
		p.rest--
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
	}
}

// tryGet returns a piece, or nil when all are in use.
func (p *Pool) tryGet() []byte {
	if !p.tryTake(1) {
		return nil
	}
	return p.piece()
}

// get waits for a piece.
func (p *Pool) get(ctx context.Context) ([]byte, error) {
	if b := p.tryGet(); b != nil {
		return b, nil
	}
	ready := make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, ready)
	p.mu.Unlock()
	p.give(0) // in case one came back meanwhile
	select {
	case <-ready:
		return p.piece(), nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiting, ready)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // it came all the same
		p.give(1)
	}
	return nil, context.Cause(ctx)
}

func (p *Pool) piece() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return make([]byte, p.size)
}

// put returns a piece.
func (p *Pool) put(b []byte) {
	p.mu.Lock()
	p.free = append(p.free, b[:p.size])
	p.mu.Unlock()
	p.give(1)
}

// A merge of k runs holds a piece of each and has the next one ready. It also holds, until their batches are done, the
// pieces whose rows are in batches in flight: one of each run that was begun before, and as many as the batches are
// long. So that it never waits for itself, the runs are at most a quarter of the pieces, which leaves a quarter for
// the batches.

// FanIn is how many runs can be merged at once.
func (p *Pool) FanIn() int { return p.total / 4 }

// batchBytes is how many bytes of sums are multiplied together in one batch. There can be twice as many batches in
// flight as workers and two more, and a batch can be twice as long. Pieces are not quite full.
func (p *Pool) batchBytes(workers int) int {
	const most = 1 << 20
	return min(most, p.total*p.size/(10*(2*workers+2)))
}
