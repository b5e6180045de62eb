package encrypt

import (
	"context"
	"fmt"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// chunk is some consecutive records on their way to be encrypted: their ids and measures in a batch. If they were
// aligned with a universe, the batch has the ids only, and the measures are already scaled.
type chunk struct {
	batch    column.Batch
	measures []slots.Scaled // nil: still in the batch, after the ids
	noise    bool           // these are groups, not records, for their share of noise
}

func (c chunk) release() { c.batch.Release() }

// feed delivers chunks of a whole number of table rows each, except the last one.
type feed interface {
	next(ctx context.Context) (chunk, error)
	finish() error // what depends on the whole source, after the last chunk
	close()
}

// sourceFeed reads the records of the source as they come. In blocks, where ids decide what is added up, an id that
// comes twice is refused.
type sourceFeed struct {
	e      *Request
	reader column.Reader
	unique *ids.DuplicateFinder
	rows   int64
	spans  []column.Span
	key    []byte
}

// records are the records to encrypt, in order: the source's as they come, or those of the universe with the source's
// values.
type records struct {
	dataset.RangeReader
	aligned []slots.Scaled // the values of all records; nil: in the rows, after the ids
}

func (x *encryption) openRecords(ctx context.Context) (*records, error) {
	if len(x.request.Universe) > 0 {
		return x.openAligned(ctx)
	}
	r, err := x.src.Open(ctx, x.request.Columns())
	if err != nil {
		return nil, err
	}
	return &records{RangeReader: dataset.RangeReader{Reader: r}}, nil
}

// feed delivers a section of the records.
func (x *encryption) feed(r *records, s *dataset.RowRange) feed {
	chunks := column.Rechunk(s, x.chunkRecords())
	if r.aligned != nil {
		return &alignedFeed{reader: chunks, measures: r.aligned, at: int(s.Row)}
	}
	return &sourceFeed{e: &x.request, reader: chunks}
}

// chunkRecords is how many records are encrypted together: whole rows of the table.
func (x *encryption) chunkRecords() int {
	return x.plan.Records * enctable.BatchRows(len(x.plan.Columns), x.request.Key.Public.CiphertextSize())
}

func (f *sourceFeed) next(ctx context.Context) (chunk, error) {
	b, err := f.reader.Read(ctx)
	if err != nil {
		return chunk{}, err
	}
	if err := f.note(b); err != nil {
		b.Release()
		return chunk{}, err
	}
	return chunk{batch: b}, nil
}

// note checks the ids of a batch and remembers them and where they came from.
func (f *sourceFeed) note(b column.Batch) error {
	idColumns := len(f.e.IDs)
	if err := ids.CheckPresent(b, idColumns); err != nil {
		return err
	}
	if f.unique == nil {
		return nil
	}
	for i := range int(b.NumRows()) {
		f.key = ids.AppendKey(f.key[:0], b.Columns()[:idColumns], i)
		if err := f.unique.Add(f.key, f.rows+int64(i)); err != nil {
			return fmt.Errorf("spilling ids to a temporary file: %w", err)
		}
	}
	f.rows += b.NumRows()
	if b.Spans == nil {
		f.spans = column.AppendSpan(f.spans, column.Span{File: b.File, Row: b.Row, Len: int(b.NumRows())})
	}
	for _, s := range b.Spans {
		f.spans = column.AppendSpan(f.spans, s)
	}
	return nil
}

func (f *sourceFeed) finish() error {
	if f.unique == nil {
		return nil
	}
	first, second, twice, err := f.unique.Find()
	if err != nil || !twice {
		return err
	}
	before, again := f.place(first), f.place(second)
	e := column.Refuse(again.File, "duplicate id: the record was already in %s, row %d", before.File, before.Row).
		AtRow(again.Row).AtLine(again.Line).InColumn(f.e.IDs[0])
	if f.e.Layout == slots.Blocks {
		return e.WithHint("In the blocks layout every record comes once. Add its rows up first (‹duplicates› sum), or use ‹layout› records.")
	}
	return e.WithHint("Remove one of the rows, or choose what becomes of them by ‹duplicates› sum, mean or first.")
}

// place returns where the n-th record of the source is.
func (f *sourceFeed) place(n int64) column.Span {
	for _, s := range f.spans {
		if n < int64(s.Len) {
			s.Row += n
			if s.Line > 0 {
				s.Line += n
			}
			return s
		}
		n -= int64(s.Len)
	}
	panic("job: a record beyond the source")
}

func (f *sourceFeed) close() {
	f.reader.Close()
	if f.unique != nil {
		f.unique.Close()
	}
}
