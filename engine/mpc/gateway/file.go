package gateway

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// flushEvery is how long a reading of a stream waits for its batch to be full.
const flushEvery = time.Second

// IngestFile is Ingest of files: a name, a pattern or a directory, in a format that the extension says. "-" reads CSV from in,
// as it comes: readings are spooled after a second, also when the batch is not full. Reading in goes on until its end, even when
// ctx ends before.
func (g *Gateway) IngestFile(ctx context.Context, o job.Options, t *Table, name string, in io.Reader) (added, skipped int64, err error) {
	if name == "-" {
		return g.ingestStream(ctx, t, newStream(ctx, in))
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

// ingestStream is Ingest of rows that come one by one.
func (g *Gateway) ingestStream(ctx context.Context, t *Table, s *stream) (added, skipped int64, err error) {
	c := &converter{g: g, t: t}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		b, err := s.next(ctx, tick.C)
		switch {
		case err == io.EOF:
			return c.added, c.skipped, nil
		case err != nil:
			return c.added, c.skipped, err
		case b == nil:
			err = g.Flush(ctx)
		default:
			err = c.batch(ctx, *b)
			b.Release()
		}
		if err != nil {
			return c.added, c.skipped, err
		}
	}
}

// stream is CSV that comes row by row.
type stream struct {
	lines  chan line
	schema *arrow.Schema
	rows   int64 // delivered
	end    *line // what ends the stream, when rows before it were delivered first
}

// line is a row, the header, or what ends the stream.
type line struct {
	cells []string
	err   error
}

const (
	streamName   = "standard input" // in messages
	streamRows   = 256              // of a batch, at most
	streamBuffer = 1024             // rows that wait
)

// newStream begins to read.
func newStream(ctx context.Context, in io.Reader) *stream {
	s := &stream{lines: make(chan line, streamBuffer)}
	go func() {
		for r := csv.NewReader(in); ; {
			cells, err := r.Read()
			select {
			case s.lines <- line{cells, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

// next returns the rows that there are, at least one; or nil when there is none at a tick.
func (s *stream) next(ctx context.Context, tick <-chan time.Time) (*column.Batch, error) {
	var rows [][]string
	for len(rows) < streamRows {
		var l line
		if s.end != nil {
			l = *s.end
		} else if len(rows) == 0 {
			select {
			case l = <-s.lines:
			case <-tick:
				return nil, nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		} else {
			select {
			case l = <-s.lines:
			default:
				return s.build(rows), nil
			}
		}
		switch {
		case l.err == io.EOF && s.schema == nil:
			return nil, column.Refuse(streamName, "%w", column.ErrEmptyFile)
		case l.err != nil && len(rows) > 0:
			s.end = &l
			return s.build(rows), nil
		case l.err == io.EOF:
			return nil, io.EOF
		case l.err != nil:
			return nil, column.Refuse(streamName, "%w", l.err).AtRow(s.rows + 1)
		case s.schema == nil:
			var fields []arrow.Field
			for _, name := range l.cells {
				fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
			}
			s.schema = arrow.NewSchema(fields, nil)
		default:
			rows = append(rows, l.cells)
		}
	}
	return s.build(rows), nil
}

// build makes a batch of rows.
func (s *stream) build(rows [][]string) *column.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s.schema)
	defer b.Release()
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" || cell == "NA" {
				b.Field(i).AppendNull()
			} else {
				b.Field(i).(*array.StringBuilder).Append(cell)
			}
		}
	}
	first := s.rows + 1
	s.rows += int64(len(rows))
	return &column.Batch{Record: b.NewRecord(), File: streamName, Row: first}
}
