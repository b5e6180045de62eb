package pages

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

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
	}
	g.left -= int64(p.rows)
	if g.left == 0 {
		for i, c := range g.cols {
			if err := c.finish(); err != nil {
				return p, g.s.file.refuseAt(g.group, g.s.cols[i].Name, err)
			}
		}
	}
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
