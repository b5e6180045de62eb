package column

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// errClosed is returned by reads after Close, which are a mistake of the caller.
var errClosed = errors.New("column: read after Close")

// Rechunk returns the rows of r in batches of exactly `rows` rows, except the last one. Each row keeps its place. A
// batch that lies within one of r's is a slice of it; others are copied together. rows >= 1.
func Rechunk(r Reader, rows int) Reader {
	if rows < 1 {
		panic(fmt.Sprintf("column: Rechunk to %d rows", rows))
	}
	return &rechunked{r: r, rows: rows, mem: memory.DefaultAllocator}
}

type rechunked struct {
	r       Reader
	rows    int
	mem     memory.Allocator
	pending []Batch // fewer than rows rows, except for the last batch
	taken   int     // rows of the first that are delivered
	held    int     // rows in pending that are not
	err     error   // of r, delivered when the pending rows are
}

func (c *rechunked) File() string          { return FileOf(c.r) }
func (c *rechunked) Schema() *arrow.Schema { return c.r.Schema() }

func (c *rechunked) Read(ctx context.Context) (Batch, error) {
	for c.held < c.rows && c.err == nil {
		b, err := c.r.Read(ctx)
		if err != nil {
			c.err = err
			break
		}
		if b.NumRows() == 0 {
			b.Release()
			continue
		}
		c.pending = append(c.pending, b)
		c.held += int(b.NumRows())
	}
	if c.err != nil && c.err != io.EOF || c.held == 0 {
		c.drop()
		return Batch{}, c.err
	}
	return c.take(min(c.rows, c.held))
}

// take removes the first n pending rows and returns them as one batch.
func (c *rechunked) take(n int) (Batch, error) {
	var pieces []Batch
	for got := 0; got < n; {
		b, from := c.pending[0], c.taken
		to := min(from+n-got, int(b.NumRows()))
		got += to - from
		c.taken = to
		if from > 0 || to < int(b.NumRows()) {
			pieces = append(pieces, b.Slice(from, to))
		} else {
			pieces = append(pieces, b)
		}
		if to == int(b.NumRows()) {
			c.pending, c.taken = c.pending[1:], 0
			if from > 0 {
				b.Release()
			}
		}
	}
	c.held -= n
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	out, err := join(pieces, c.mem)
	for _, p := range pieces {
		p.Release()
	}
	if err != nil {
		c.err = err
		c.drop()
	}
	return out, err
}

func (c *rechunked) drop() {
	for _, b := range c.pending {
		b.Release()
	}
	c.pending, c.taken, c.held = nil, 0, 0
}

func (c *rechunked) Close() error {
	c.drop()
	if c.err == nil {
		c.err = errClosed
	}
	return c.r.Close()
}

// join copies batches of one schema into one. The caller keeps the batches.
func join(batches []Batch, mem memory.Allocator) (Batch, error) {
	first := batches[0]
	out := Batch{File: first.File, Row: first.Row}
	rows := int64(0)
	for _, b := range batches {
		rows += b.NumRows()
		for _, s := range b.spans() {
			out.Spans = AppendSpan(out.Spans, s)
		}
	}
	cols := make([]arrow.Array, 0, first.NumCols())
	defer func() {
		for _, col := range cols {
			col.Release()
		}
	}()
	for i := range int(first.NumCols()) {
		parts := make([]arrow.Array, len(batches))
		for k, b := range batches {
			parts[k] = b.Column(i)
		}
		col, err := array.Concatenate(parts, mem)
		if err != nil {
			return Batch{}, fmt.Errorf("joining %d rows of column %s into one batch: %w", rows, Quote(first.ColumnName(i)), err)
		}
		cols = append(cols, col)
	}
	out.Record = array.NewRecord(first.Schema(), cols, rows)
	return out, nil
}
