package column

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
)

// fromSlice returns a reader of the given batches. It retains them until they are delivered or the reader is closed.
func fromSlice(schema *arrow.Schema, batches ...Batch) Reader {
	s := &slice{schema: schema}
	for _, b := range batches {
		b.Retain()
		s.batches = append(s.batches, b)
	}
	return s
}

// fromRecords is fromSlice of records that are consecutive rows of a file of the given name, from row 1.
func fromRecords(file string, schema *arrow.Schema, records ...arrow.Record) Reader {
	batches := make([]Batch, len(records))
	row := int64(1)
	for i, rec := range records {
		batches[i] = Batch{Record: rec, File: file, Row: row}
		row += rec.NumRows()
	}
	s := fromSlice(schema, batches...).(*slice)
	s.file = file
	return s
}

type slice struct {
	file    string
	schema  *arrow.Schema
	batches []Batch
	closed  bool
}

func (s *slice) File() string          { return s.file }
func (s *slice) Schema() *arrow.Schema { return s.schema }

func (s *slice) Read(ctx context.Context) (Batch, error) {
	if s.closed {
		return Batch{}, errClosed
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	if len(s.batches) == 0 {
		return Batch{}, io.EOF
	}
	b := s.batches[0]
	s.batches = s.batches[1:]
	return b, nil
}

func (s *slice) Close() error {
	for _, b := range s.batches {
		b.Release()
	}
	s.batches, s.closed = nil, true
	return nil
}
