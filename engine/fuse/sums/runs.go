package sums

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Runs are runs in an anonymous file, made when the first one is written: each is a sequence of blocks in ascending order
// of keys. Several goroutines may write at once.
type Runs struct {
	shape Shape
	disk  blob.Disk
	dir   string
	piece int // bytes of a block, at most

	mu   sync.Mutex
	file blob.Scratch
	runs []*run
}

// run is where the blocks of a run are.
type run struct {
	spans []span
	bytes int64
}

type span struct {
	at    int64
	bytes int32
}

// NewRuns prepares for runs in an anonymous file in a directory of a disk, in blocks for the pieces of a pool.
func NewRuns(s Shape, disk blob.Disk, dir string, pool *Pool) *Runs {
	return &Runs{shape: s, disk: disk, dir: dir, piece: pool.size}
}

// Len is the number of runs.
func (r *Runs) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.runs)
}

// Bytes is how long the file is.
func (r *Runs) Bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return 0
	}
	return r.file.Size()
}

// Close removes the file.
func (r *Runs) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file, r.runs = nil, nil
	return f.Close()
}

// append writes a block.
func (r *Runs) append(ctx context.Context, block []byte) (span, error) {
	if err := ctx.Err(); err != nil {
		return span{}, context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		f, err := r.disk.Scratch(ctx, r.dir)
		if err != nil {
			return span{}, err
		}
		r.file = f
	}
	s := span{r.file.Size(), int32(len(block))}
	_, err := r.file.Write(block)
	return s, err
}

func (r *Runs) add(run *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, run)
}

// write sorts a part and writes it as a run.
func (r *Runs) write(ctx context.Context, p *part) error {
	p.sort()
	out := &run{}
	e := newEncoder(r.shape, r.piece)
	flush := func() error {
		s, err := r.append(ctx, e.finish())
		out.spans = append(out.spans, s)
		out.bytes += int64(s.bytes)
		e.reset()
		return err
	}
	all := &view{p, p.order}
	for i := range p.order {
		if appendRow(e, all, i) {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		appendRow(e, all, i)
	}
	if err := flush(); err != nil {
		return err
	}
	r.add(out)
	return nil
}

// appendRow adds a row to a block and returns true, unless the block would become too long.
func appendRow(e *encoder, from rows, i int) bool {
	key, sums := from.key(i), 0
	for slot := range e.slots {
		if _, factors := from.sum(i, slot); factors > 0 {
			sums++
		}
	}
	if e.rows() > 0 && e.bytesWith(key, sums) > e.most {
		return false
	}
	records, adds := from.counts(i)
	e.begin(key, records, adds)
	for slot := range e.slots {
		e.add(from.sum(i, slot))
	}
	return true
}

// sources returns the runs to be read into pieces of the pool.
func (r *Runs) sources(pool *Pool) []Source {
	var out []Source
	for _, run := range r.runs {
		out = append(out, r.source(run, pool))
	}
	return out
}

func (r *Runs) source(run *run, pool *Pool) *runSource {
	return &runSource{shape: r.shape, pool: pool, file: r.file, where: "a temporary file in " + r.dir, spans: run.spans, bytes: run.bytes}
}

// runSource reads a run.
type runSource struct {
	shape Shape
	pool  *Pool
	file  io.ReaderAt
	where string // for people; "" where the caller tells
	spans []span
	bytes int64
}

// Next reads the next block into a piece of the pool, for which it waits.
func (s *runSource) Next(ctx context.Context) (*Block, error) {
	if len(s.spans) == 0 {
		return nil, io.EOF
	}
	at := s.spans[0]
	s.spans = s.spans[1:]
	piece, err := s.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	free := func() { s.pool.put(piece) }
	b, err := readBlock(s.shape, s.file, at, piece, free)
	if err != nil {
		free()
		if s.where != "" {
			err = fmt.Errorf("%s: %w", s.where, err)
		}
		return nil, err
	}
	return b, nil
}

func (s *runSource) Close() error  { return nil }
func (s *runSource) length() int64 { return s.bytes }

// readBlock reads a block into a piece that has room for it.
func readBlock(s Shape, file io.ReaderAt, at span, piece []byte, free func()) (*Block, error) {
	if int(at.bytes) > len(piece) {
		return nil, fmt.Errorf("%w: a block of %d bytes", ErrDamaged, at.bytes)
	}
	buf := piece[:at.bytes]
	if _, err := file.ReadAt(buf, at.at); err == io.EOF {
		return nil, fmt.Errorf("%w: it ends too early", ErrDamaged)
	} else if err != nil {
		return nil, fmt.Errorf("reading back partial sums: %w", err)
	}
	rows, n, err := decode(s, buf)
	if err != nil {
		return nil, err
	}
	return newBlock(n, rows, free), nil
}

// partSource delivers the rows of a part where they are.
type partSource struct {
	part *part
	at   int
}

// viewRows is how many rows of a part make a block.
const viewRows = 256

func (s *partSource) Next(context.Context) (*Block, error) {
	order := s.part.order[s.at:]
	if len(order) == 0 {
		return nil, io.EOF
	}
	n := min(len(order), viewRows)
	s.at += n
	return newBlock(n, &view{s.part, order[:n]}, nil), nil
}

// Close gives the part's memory back: no block is in use any more.
func (s *partSource) Close() error {
	s.part.free()
	return nil
}
