package job

import (
	"context"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
)

// TokenList describes a list of ids with their tokens, by which an owner finds its records in a result. It is as secret as
// the ids.
type TokenList struct {
	Options
	Spec // of which measures play no part
	Out  string
}

// ListTokens writes the columns of the ids, normalised as declared, and then those of the tokens, NAME_token, row by row.
func ListTokens(ctx context.Context, l TokenList) (*Report, error) {
	start := time.Now()
	l.Options = l.Options.withDefaults()
	format, err := outputFormat(l.Out)
	if err != nil {
		return nil, err
	}
	if len(l.Tokenize) == 0 {
		return nil, usage("Name the id columns: --tokenize COL[,COL].", "no id to make tokens of")
	}
	e := l.Spec
	src, err := e.openFiles(ctx, l.Options, needs{Output: func(inputs []string) error { return notAnInput(l.Out, inputs) }})
	if err != nil {
		return nil, err
	}
	clear, err := parseIDs(l.IDs, nil)
	if err != nil {
		return nil, err
	}
	raw, err := src.rawSchema(ctx)
	if err != nil {
		return nil, err
	}
	x := src.prep
	if _, err := x.schema(src.files[0], raw); err != nil {
		return nil, err
	}
	// The clear ids are read, and tokens made of what they were before they were normalised.
	columns := x.sources()
	r, err := src.openRaw(ctx, columns)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var fields []arrow.Field
	var made []idColumn
	for _, c := range slices.Concat(clear, x.ids) {
		if c.token {
			c.name += "_token"
		} else if slices.ContainsFunc(made, func(m idColumn) bool { return m.name == c.name }) {
			continue // an id that stays in the clear
		}
		made = append(made, c)
		f := c.field([]arrow.Field{raw.Field(raw.FieldIndices(c.fields[0].column)[0])})
		fields = append(fields, f)
	}
	schema := arrow.NewSchema(fields, nil)
	out, err := format.create(ctx, l.FS, l.Out, schema, column.WriteOptions{Overwrite: l.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()
	tokens := x.key.ids()
	rows := int64(0)
	err = column.Each(ctx, r, func(b column.Batch) error {
		var arrays []arrow.Array
		defer func() { releaseArrays(arrays) }()
		if err := checkIDs(b, len(columns)); err != nil {
			return err
		}
		for _, c := range made {
			arr, err := c.valuesOf(b, columns, tokens)
			if err != nil {
				return err
			}
			arrays = append(arrays, arr)
		}
		rec := array.NewRecord(schema, arrays, b.NumRows())
		defer rec.Release()
		rows += b.NumRows()
		return out.Write(ctx, column.Batch{Record: rec})
	})
	if err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &Report{Out: l.Out, Records: rows, Inputs: src.rows.files}
	report.finish(start, engine.Stats{})
	return report, nil
}

// valuesOf is values of a batch that has the named columns of the source in any order.
func (c *idColumn) valuesOf(b column.Batch, columns []string, key *tokens) (arrow.Array, error) {
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, f := range c.fields {
		i := slices.Index(columns, f.column)
		fields, arrays = append(fields, b.Schema().Field(i)), append(arrays, b.Column(i))
	}
	part := b
	part.Record = array.NewRecord(arrow.NewSchema(fields, nil), arrays, b.NumRows())
	defer part.Release()
	return c.values(part, 0, key)
}
