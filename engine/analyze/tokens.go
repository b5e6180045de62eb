package analyze

import (
	"context"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// TokenList describes a list of ids with their tokens, by which an owner finds its records in a result. It is as secret as
// the ids.
type TokenList struct {
	job.Options
	dataset.Spec // of which measures play no part
	Out          string
}

// ListTokens writes, row by row, the columns of the ids, normalised as declared, and then those of the tokens,
// NAME_token.
func ListTokens(ctx context.Context, l TokenList) (*job.Report, error) {
	start := time.Now()
	l.Options = l.Options.WithDefaults()
	format, err := dataset.OutputFormat(l.Out)
	if err != nil {
		return nil, err
	}
	if len(l.Tokenize) == 0 {
		return nil, job.Misuse("Name the id columns: ‹tokenize› COL[,COL].", "no id to make tokens of")
	}
	e := l.Spec
	src, err := e.OpenFiles(ctx, l.Options, dataset.Needs{Output: func(inputs []string) error { return job.CheckOutput(ctx, l.Options.FS, l.Out, inputs) }})
	if err != nil {
		return nil, err
	}
	clear, err := ids.Parse(l.IDs, nil)
	if err != nil {
		return nil, err
	}
	raw, err := src.RawSchema(ctx)
	if err != nil {
		return nil, err
	}
	x := src.Prep
	if _, err := x.Schema(src.Files[0], raw); err != nil {
		return nil, err
	}
	// The clear ids are read, and tokens are made of what they were before they were normalised.
	columns := x.Sources()
	r, err := src.OpenRaw(ctx, columns)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var fields []arrow.Field
	var made []ids.Column
	for _, c := range slices.Concat(clear, x.IDs) {
		if c.Token {
			c.Name += "_token"
		} else if slices.ContainsFunc(made, func(m ids.Column) bool { return m.Name == c.Name }) {
			continue // an id that stays in the clear
		}
		made = append(made, c)
		f := c.Field([]arrow.Field{raw.Field(raw.FieldIndices(c.Fields[0].Column)[0])})
		fields = append(fields, f)
	}
	schema := arrow.NewSchema(fields, nil)
	options := dataset.WriteOptions(l.Options, l.Out)
	options.Private = true
	out, err := format.Create(ctx, l.FS, l.Out, schema, options)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	tokens := x.Key.IDs()
	rows := int64(0)
	err = column.Each(ctx, r, func(b column.Batch) error {
		var arrays []arrow.Array
		defer func() { ids.Release(arrays) }()
		if err := ids.CheckPresent(b, len(columns)); err != nil {
			return err
		}
		for _, c := range made {
			arr, err := c.ValuesOf(b, columns, tokens)
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
	report := &job.Report{Out: l.Out, Records: rows, Inputs: src.Rows.Files}
	report.Finish(start, engine.Stats{})
	return report, nil
}
