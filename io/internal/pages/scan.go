package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/column"
)

// ScanOptions say how to scan. BatchRows, Threads and Mem are those of
// column.ReadOptions with its defaults applied.
type ScanOptions struct {
	BatchRows int
	Threads   int
	Mem       memory.Allocator

	FirstGroup, EndGroup int // row groups to scan, from 0; EndGroup 0 means all from FirstGroup on

	PlainOnly []bool                // per column: refuse compression and encodings other than PLAIN; nil: none
	Check     func(group int) Check // makes the check of a row group, from 0; nil: none
}

// Scan reads columns of a file, or of some consecutive row groups of it, from the first row to the last. Every batch
// except the last has exactly BatchRows rows, wherever row groups end.
//
// With Threads > 1 that many row groups are decoded at a time, each by its own goroutine, which is at most two batches
// ahead of what is asked for. The batches still come in order. Memory is bounded by Threads x 4 batches, and per
// column and thread two pages and a read buffer.
type Scan struct {
	file   *File
	cols   []*Column
	schema *arrow.Schema
	opts   ScanOptions

	row    int64 // 0-based number of the next row to deliver
	group  int   // next row group to take pieces from
	rest   []piece
	held   int // rows in rest
	err    error
	reader *groupReader // of row group `group`, when reading without goroutines

	// Of the goroutines.
	stop    chan struct{}
	running sync.WaitGroup
	queues  []chan result // of the row groups begun, from `group` on
	begun   int           // row groups begun
	before  int64         // rows in them
}

type result struct {
	piece
	err error
}

// queuedPieces is how many decoded batches wait for each row group, beside the
// one being decoded.
const queuedPieces = 1

// NewScan prepares a scan of the columns, all of which must be readable.
func NewScan(f *File, cols []*Column, opts ScanOptions) *Scan {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = c.Field
	}
	if opts.EndGroup == 0 {
		opts.EndGroup = f.NumRowGroups()
	}
	s := &Scan{file: f, cols: cols, schema: arrow.NewSchema(fields, nil), opts: opts, group: opts.FirstGroup, begun: opts.FirstGroup, stop: make(chan struct{})}
	for i := range opts.FirstGroup {
		s.row += f.RowGroupRows(i)
	}
	return s
}

// Schema returns the schema of the batches.
func (s *Scan) Schema() *arrow.Schema { return s.schema }

// File returns the name of the file.
func (s *Scan) File() string { return s.file.name }

var errClosed = errors.New("pages: read after Close")

// Read returns the next batch, which the caller releases, or io.EOF.
func (s *Scan) Read(ctx context.Context) (column.Batch, error) {
	if s.err == nil {
		s.err = s.gather(ctx)
	}
	if s.held == 0 || s.err != nil && s.err != io.EOF {
		s.drop()
		return column.Batch{}, s.err
	}
	p, err := s.join(s.rest)
	s.rest, s.held = nil, 0
	if err != nil {
		s.err = err
		return column.Batch{}, err
	}
	defer p.release()
	b := column.Batch{
		Record: array.NewRecord(s.schema, p.cols, int64(p.rows)),
		File:   s.file.name,
		Row:    s.row + 1,
	}
	s.row += int64(p.rows)
	return b, nil
}

// gather takes pieces until they make a batch, or until the last one. After the last one it returns io.EOF.
func (s *Scan) gather(ctx context.Context) error {
	for s.held < s.opts.BatchRows {
		p, err := s.take(ctx)
		if err != nil {
			return err
		}
		s.rest = append(s.rest, p)
		s.held += p.rows
	}
	return nil
}

// take returns the next piece in order: the rows that a whole batch still needs, or the rest of the row group if that
// is less.
func (s *Scan) take(ctx context.Context) (piece, error) {
	if err := ctx.Err(); err != nil {
		return piece{}, err
	}
	if s.opts.Threads <= 1 {
		return s.takeHere()
	}
	for {
		s.begin()
		if len(s.queues) == 0 {
			return piece{}, io.EOF
		}
		select {
		case r, ok := <-s.queues[0]:
			if ok {
				return r.piece, r.err
			}
			s.queues = s.queues[1:]
			s.group++
		case <-ctx.Done():
			return piece{}, ctx.Err()
		}
	}
}

// takeHere is take without goroutines.
func (s *Scan) takeHere() (piece, error) {
	for s.reader == nil || s.reader.left == 0 {
		if s.reader != nil {
			s.reader = nil
			s.group++
		}
		if s.group == s.opts.EndGroup {
			return piece{}, io.EOF
		}
		g, err := s.open(s.group)
		if err != nil {
			return piece{}, err
		}
		s.reader = g
	}
	return s.reader.read(s.opts.BatchRows - s.held)
}

// begin starts goroutines until Threads row groups are being decoded.
func (s *Scan) begin() {
	for ; len(s.queues) < s.opts.Threads && s.begun < s.opts.EndGroup; s.begun++ {
		queue := make(chan result, queuedPieces)
		s.queues = append(s.queues, queue)
		s.running.Add(1)
		go s.decode(s.begun, int(s.before%int64(s.opts.BatchRows)), queue)
		s.before += s.file.RowGroupRows(s.begun)
	}
}

// decode reads a row group whose first row is row `into` of a batch and queues
// the pieces that the batches take.
func (s *Scan) decode(group, into int, queue chan<- result) {
	defer s.running.Done()
	defer close(queue)
	send := func(r result) bool {
		select {
		case queue <- r:
			return r.err == nil
		case <-s.stop:
			r.release()
			return false
		}
	}
	g, err := s.open(group)
	if err != nil {
		send(result{err: err})
		return
	}
	for g.left > 0 {
		select {
		case <-s.stop:
			return
		default:
		}
		p, err := g.read(s.opts.BatchRows - into)
		if !send(result{p, err}) {
			return
		}
		into = 0
	}
}

func (s *Scan) drop() {
	for _, p := range s.rest {
		p.release()
	}
	s.rest, s.held = nil, 0
}

// Close ends the goroutines and frees what they hold. Calling it again does
// nothing.
func (s *Scan) Close() error {
	select {
	case <-s.stop:
		return nil
	default:
	}
	close(s.stop)
	for _, q := range s.queues {
		for r := range q { // ends, as decode closes it
			r.release()
		}
	}
	s.running.Wait()
	s.queues, s.reader = nil, nil
	s.drop()
	if s.err == nil || s.err == io.EOF {
		s.err = errClosed
	}
	return nil
}

// Check learns what a row group holds while it is read, by one goroutine. Its errors are reported with the file and
// the row group.
type Check interface {
	Rows(cols []arrow.Array) error // the next rows; the arrays are valid during the call
	End() error                    // after the last row
}

// piece is some consecutive rows of one row group.
type piece struct {
	cols []arrow.Array
	rows int
}

func (p piece) release() {
	for _, c := range p.cols {
		c.Release()
	}
}

// groupReader reads the columns of one row group in lockstep.
type groupReader struct {
	s     *Scan
	group int // from 0
	cols  []*cursor
	check Check
	left  int64
}

// open opens a row group. Nothing of it is read yet. When it is not read to its end, nothing must be closed: the
// garbage collector then frees what parquet-go pools.
func (s *Scan) open(group int) (*groupReader, error) {
	g := &groupReader{s: s, group: group, left: s.file.RowGroupRows(group)}
	for i, c := range s.cols {
		if g.left == 0 {
			break // whatever the footer says of the chunks: nothing of them is read
		}
		k, err := s.file.chunk(group, c, s.opts.PlainOnly != nil && s.opts.PlainOnly[i])
		if err != nil {
			return nil, s.file.refuseAt(group, c.Name, err)
		}
		cur, err := newCursor(k, s.opts.Mem)
		if err != nil {
			return nil, s.file.refuseAt(group, c.Name, err)
		}
		g.cols = append(g.cols, cur)
	}
	if s.opts.Check != nil {
		g.check = s.opts.Check(group)
	}
	return g, nil
}

// read returns the next rows, at most max, of which at least one must be left.
func (g *groupReader) read(max int) (p piece, err error) {
	p.rows = int(min(int64(max), g.left))
	name := ""
	defer func() {
		// parquet-go can still panic at what the guard does not check, such as offsets that overflow. A damaged file
		// must not end the process.
		if r := recover(); r != nil {
			err = g.s.file.refuseAt(g.group, name, fmt.Errorf("malformed data (%v)", r))
		}
		if err != nil {
			p.release()
			p = piece{}
		}
	}()
	for i, c := range g.cols {
		name = g.s.cols[i].Name
		col, err := c.read(p.rows)
		if err != nil {
			return p, g.s.file.refuseAt(g.group, name, err)
		}
		p.cols = append(p.cols, col)
		if int64(p.rows) == g.left { // now, so that the next column can have its buffers
			if err := c.finish(); err != nil {
				return p, g.s.file.refuseAt(g.group, name, err)
			}
		}
	}
	g.left -= int64(p.rows)
	name = ""
	if g.check != nil {
		if err := g.check.Rows(p.cols); err != nil {
			return p, g.s.file.refuseAt(g.group, "", err)
		}
		if g.left == 0 {
			if err := g.check.End(); err != nil {
				return p, g.s.file.refuseAt(g.group, "", err)
			}
		}
	}
	return p, nil
}

// join makes one piece of several, which it releases.
func (s *Scan) join(pieces []piece) (piece, error) {
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	defer func() {
		for _, p := range pieces {
			p.release()
		}
	}()
	var out piece
	for _, p := range pieces {
		out.rows += p.rows
	}
	for i, c := range s.cols {
		parts := make([]arrow.Array, len(pieces))
		for k, p := range pieces {
			parts[k] = p.cols[i]
		}
		col, err := array.Concatenate(parts, s.opts.Mem)
		if err != nil {
			out.release()
			return piece{}, fmt.Errorf("%s: joining %d rows of column %q: %w", s.file.name, out.rows, c.Name, err)
		}
		out.cols = append(out.cols, col)
	}
	return out, nil
}
