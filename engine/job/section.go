package job

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/column"
)

// sections reads a table once, section by section.
type sections struct {
	column.Reader
	row  int64        // 0-based number of the next row
	rest column.Batch // begins with that row, when it has a record
}

// rows returns the rows from the next one up to row `to` (exclusive) as a reader, or up to the table's end. It must be
// read to its end before anything else is asked of s. Closing it closes nothing.
func (s *sections) rows(to int64) *section { return &section{sections: s, row: s.row, to: to} }

// skip leaves out the rows before row `to`.
func (s *sections) skip(ctx context.Context, to int64) error {
	for {
		b, err := s.take(ctx, to)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b.Release()
	}
}

// take returns some of the rows before row `to`, or io.EOF.
func (s *sections) take(ctx context.Context, to int64) (column.Batch, error) {
	if s.row >= to {
		return column.Batch{}, io.EOF
	}
	b := s.rest
	s.rest = column.Batch{}
	if b.Record == nil {
		var err error
		if b, err = s.Reader.Read(ctx); err != nil {
			return column.Batch{}, err
		}
	}
	if n := to - s.row; b.NumRows() > n {
		s.rest = b.Slice(int(n), int(b.NumRows()))
		whole := b
		b = b.Slice(0, int(n))
		whole.Release()
	}
	s.row += b.NumRows()
	return b, nil
}

// Close frees what is held and closes the table.
func (s *sections) Close() error {
	if s.rest.Record != nil {
		s.rest.Release()
		s.rest = column.Batch{}
	}
	return s.Reader.Close()
}

// section is a column.Reader of some consecutive rows.
type section struct {
	*sections
	row, to int64 // where it began, and ends at the latest
}

func (s *section) File() string                                   { return column.FileOf(s.Reader) }
func (s *section) Schema() *arrow.Schema                          { return s.Reader.Schema() }
func (s *section) Read(ctx context.Context) (column.Batch, error) { return s.take(ctx, s.to) }
func (s *section) Close() error                                   { return nil }
