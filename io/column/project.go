package column

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Project returns a reader of r's columns of the given names, in that order;
// of all of them when none are given. It owns r on success only. Formats that
// can leave columns unread do so by ReadOptions.Columns instead.
func Project(r Reader, columns []string) (Reader, error) {
	at, err := Select(FileOf(r), Names(r.Schema()), columns)
	if err != nil {
		return nil, err
	}
	schema := ProjectSchema(r.Schema(), at)
	if len(at) == r.Schema().NumFields() && slices.IsSorted(at) {
		return r, nil
	}
	return &projected{Reader: r, schema: schema, at: at}, nil
}

// ProjectSchema returns the schema of the fields at the given indices, in that
// order, with the metadata of schema.
func ProjectSchema(schema *arrow.Schema, at []int) *arrow.Schema {
	fields := make([]arrow.Field, len(at))
	for k, i := range at {
		fields[k] = schema.Field(i)
	}
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta)
}

type projected struct {
	Reader
	schema *arrow.Schema
	at     []int
}

func (p *projected) File() string          { return FileOf(p.Reader) }
func (p *projected) Schema() *arrow.Schema { return p.schema }

func (p *projected) Read(ctx context.Context) (Batch, error) {
	b, err := p.Reader.Read(ctx)
	if err != nil {
		return Batch{}, err
	}
	cols := make([]arrow.Array, len(p.at))
	for k, i := range p.at {
		cols[k] = b.Column(i)
	}
	out := b
	out.Record = array.NewRecord(p.schema, cols, b.NumRows())
	b.Release()
	return out, nil
}
