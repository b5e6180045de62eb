package gateway

import (
	"context"
	"encoding/csv"
	"errors"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// IngestFile is Ingest of files: a name, a pattern or a directory, in a format that the extension says. "-" reads CSV from in.
func (g *Gateway) IngestFile(ctx context.Context, o job.Options, t *Table, name string, in io.Reader) (added, skipped int64, err error) {
	if name == "-" {
		r, err := newStream(in)
		if err != nil {
			return 0, 0, err
		}
		return g.Ingest(ctx, t, r)
	}
	source, err := dataset.List(ctx, o.WithDefaults(), []string{name}, nil)
	if err != nil {
		return 0, 0, err
	}
	r, err := source.OpenFiles(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	added, skipped, err = g.Ingest(ctx, t, r)
	return added, skipped, errors.Join(err, r.Close())
}

// stream reads CSV that arrives row by row.
type stream struct {
	r      *csv.Reader
	schema *arrow.Schema
	rows   int64
}

// streamName is the name of the input in messages.
const streamName = "standard input"

func newStream(in io.Reader) (*stream, error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if err == io.EOF {
		return nil, column.Refuse(streamName, "%w", column.ErrEmptyFile)
	}
	if err != nil {
		return nil, column.Refuse(streamName, "%w", err)
	}
	var fields []arrow.Field
	for _, name := range header {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	return &stream{r: r, schema: arrow.NewSchema(fields, nil)}, nil
}

func (s *stream) File() string          { return streamName }
func (s *stream) Schema() *arrow.Schema { return s.schema }
func (s *stream) Close() error          { return nil }

// streamRows is how many rows a batch has at most.
const streamRows = 256

// Read implements column.Reader.
func (s *stream) Read(ctx context.Context) (column.Batch, error) {
	if ctx.Err() != nil {
		return column.Batch{}, context.Cause(ctx)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, s.schema)
	defer b.Release()
	first := s.rows + 1
	for s.rows < first+streamRows-1 {
		row, err := s.r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return column.Batch{}, column.Refuse(streamName, "%w", err).AtRow(s.rows + 1)
		}
		s.rows++
		for i, cell := range row {
			if cell == "" || cell == "NA" {
				b.Field(i).AppendNull()
			} else {
				b.Field(i).(*array.StringBuilder).Append(cell)
			}
		}
	}
	if s.rows < first {
		return column.Batch{}, io.EOF
	}
	return column.Batch{Record: b.NewRecord(), File: streamName, Row: first}, nil
}
