package dataset

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/column"
)

// RangeReader reads a table once, section by section.
type RangeReader struct {
	column.Reader
	Row  int64        // 0-based number of the next row
	rest column.Batch // begins with that row, when it has a record
}

// Range returns the rows from the next one up to row `to` (exclusive) as a reader, or up to the table's end. It must
// be read to its end before s is used again. Closing it closes nothing.
func (s *RangeReader) Range(to int64) *RowRange { return &RowRange{RangeReader: s, Row: s.Row, to: to} }

// Skip leaves out the rows before row `to`.
func (s *RangeReader) Skip(ctx context.Context, to int64) error {
	for {
		b, err := s.Take(ctx, to)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b.Release()
	}
}

// Take returns some of the rows before row `to`, or io.EOF.
func (s *RangeReader) Take(ctx context.Context, to int64) (column.Batch, error) {
	if s.Row >= to {
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
	if n := to - s.Row; b.NumRows() > n {
		s.rest = b.Slice(int(n), int(b.NumRows()))
		whole := b
		b = b.Slice(0, int(n))
		whole.Release()
	}
	s.Row += b.NumRows()
	return b, nil
}

// Close frees what is held and closes the table.
func (s *RangeReader) Close() error {
	if s.rest.Record != nil {
		s.rest.Release()
		s.rest = column.Batch{}
	}
	return s.Reader.Close()
}

// section is a column.Reader of some consecutive rows.
type RowRange struct {
	*RangeReader
	Row, to int64 // where it began, and ends at the latest
}

func (s *RowRange) File() string                                   { return column.FileOf(s.Reader) }
func (s *RowRange) Schema() *arrow.Schema                          { return s.Reader.Schema() }
func (s *RowRange) Read(ctx context.Context) (column.Batch, error) { return s.Take(ctx, s.to) }
func (s *RowRange) Close() error                                   { return nil }
