package encrypt

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// noiseGroups delivers the records of a source, which must all be in one of the groups of a list. After them it
// delivers one record of noise for each group of the list, whether or not the source has records of it.
type noiseGroups struct {
	feed
	ids    int
	index  *engine.Groups // the keys of the list
	reader column.Reader  // of the list, in chunks
	key    []byte
	source bool // the source is at its end
	blank  int  // measures of a record of noise
}

// withGroups adds the groups of the request after a feed. Without any, it returns the feed.
func (x *encryption) withGroups(ctx context.Context, f feed) (feed, error) {
	if x.noise == nil || x.request.Privacy.Groups == nil {
		return f, nil
	}
	list, err := x.idList(ctx, x.request.Privacy.Groups)
	if err != nil {
		return nil, err
	}
	schema, err := list.Schema(ctx)
	if err != nil {
		return nil, err
	}
	for _, want := range x.idFields {
		at := schema.FieldIndices(want.Name)
		if len(at) == 0 {
			return nil, column.MissingColumn(list.Files[0], want.Name, column.Names(schema))
		}
		if have := schema.Field(at[0]).Type; !arrow.TypeEqual(have, want.Type) {
			return nil, column.Refuse(list.Files[0], "groups of type %s, but the source has %s", have, want.Type).InColumn(want.Name).
				WithHint("Write the groups in the format of the source.")
		}
	}
	budget := engine.NewBudget(x.request.Memory / 4)
	g := &noiseGroups{feed: f, ids: len(x.request.IDs), index: engine.NewGroups(budget), blank: len(x.request.Measures)}
	if err := g.readList(ctx, list, x.request.IDs); err != nil {
		g.index.Free()
		return nil, err
	}
	if x.list, err = digestOf(listOfGroups, g.index, budget); err != nil {
		g.index.Free()
		return nil, err
	}
	r, err := list.Open(ctx, x.request.IDs)
	if err != nil {
		g.index.Free()
		return nil, err
	}
	g.reader = column.Rechunk(r, x.chunkRecords())
	return g, nil
}

// readList notes the keys of the list, each of which may come once.
func (g *noiseGroups) readList(ctx context.Context, list dataset.Source, idColumns []string) error {
	r, err := list.Open(ctx, idColumns)
	if err != nil {
		return err
	}
	defer r.Close()
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, g.ids); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			g.key = ids.AppendKey(g.key[:0], b.Columns()[:g.ids], i)
			_, added, err := g.index.Index(g.key)
			if err != nil {
				return err
			}
			if !added {
				return b.Refuse(i, idColumns[0], "group %s comes twice", ids.Text(b.Columns()[:g.ids], i)).WithHint("List every group once: each gets one share of noise.")
			}
		}
		return nil
	})
}

func (g *noiseGroups) next(ctx context.Context) (chunk, error) {
	if !g.source {
		c, err := g.feed.next(ctx)
		if err == nil {
			err = g.check(c)
		}
		if err != io.EOF {
			return c, err
		}
		g.source = true
	}
	b, err := g.reader.Read(ctx)
	if err != nil {
		return chunk{}, err
	}
	c := chunk{batch: b, noise: true}
	for range g.blank {
		c.measures = append(c.measures, slots.NewScaled(int(b.NumRows())))
	}
	return c, nil
}

// check refuses a record whose group is not in the list: its sum would have no noise.
func (g *noiseGroups) check(c chunk) error {
	idColumns := c.batch.Columns()[:g.ids]
	for i := range int(c.batch.NumRows()) {
		g.key = ids.AppendKey(g.key[:0], idColumns, i)
		if _, ok := g.index.Lookup(g.key); !ok {
			err := c.batch.Refuse(i, c.batch.ColumnName(0), "group %s is not in the list of ‹noise_groups›", ids.Text(idColumns, i)).
				WithHint("All owners use one list, which has every group that there can be.")
			c.release()
			return err
		}
	}
	return nil
}

func (g *noiseGroups) close() {
	g.feed.close()
	g.reader.Close()
	g.index.Free()
}
