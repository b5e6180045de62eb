package column

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// OpenFunc opens the reader of one file.
type OpenFunc func(ctx context.Context, name string) (Reader, error)

// OpenParts returns the rows of several files, such as the part files of a directory, one file after the other. There
// must be at least one name. The schemas of the files must agree in the names, order and types of columns; otherwise it
// returns an InputError that names both files and the column. A column is nullable when it is in any part.
//
// It first opens each file to compare schemas, so that a part that does not belong is refused before any work. Then it
// keeps one at a time open.
func OpenParts(ctx context.Context, names []string, open OpenFunc) (Reader, error) {
	if len(names) == 0 {
		panic("column: OpenParts of no files")
	}
	if len(names) == 1 {
		return open(ctx, names[0])
	}
	c := &parts{names: names, open: open}
	for i, name := range names {
		r, err := open(ctx, name)
		if err != nil {
			return nil, err
		}
		schema := r.Schema()
		if err := r.Close(); err != nil {
			return nil, fmt.Errorf("closing %s: %w", name, err)
		}
		if i == 0 {
			c.schema = schema
		}
		if c.schema, err = mergeSchemas(c.schema, names[0], schema, name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

type parts struct {
	names   []string // of the files not yet exhausted
	open    OpenFunc
	current Reader // of the first of them, once it is open
	schema  *arrow.Schema
	err     error
}

func (c *parts) Schema() *arrow.Schema { return c.schema }

func (c *parts) Read(ctx context.Context) (Batch, error) {
	for c.err == nil {
		if len(c.names) == 0 {
			return Batch{}, io.EOF
		}
		if c.current == nil {
			if c.current, c.err = c.open(ctx, c.names[0]); c.err != nil {
				break
			}
			if !SameColumns(c.schema, c.current.Schema()) {
				c.err = Refuse(c.names[0], "%w: its columns changed while it was being read", ErrSchemaMismatch).
					WithHint("Read files that nothing writes to.")
				break
			}
		}
		b, err := c.current.Read(ctx)
		if err == nil {
			return c.fit(b), nil
		}
		if err != io.EOF {
			c.err = err
			break
		}
		c.err = c.current.Close()
		c.current, c.names = nil, c.names[1:]
	}
	return Batch{}, c.err
}

// fit gives b the common schema, which may differ from its own in metadata and in which columns are nullable.
func (c *parts) fit(b Batch) Batch {
	if b.Schema().Equal(c.schema) && b.Schema().Metadata().Equal(c.schema.Metadata()) {
		return b
	}
	out := b
	out.Record = array.NewRecord(c.schema, b.Columns(), b.NumRows())
	b.Release()
	return out
}

func (c *parts) Close() error {
	if c.current == nil {
		return nil
	}
	r := c.current
	c.current, c.names = nil, nil
	return r.Close()
}

// mergeSchemas returns a, with every column nullable that is nullable in b. If they differ, it returns an InputError
// that names both files and the first such column.
func mergeSchemas(a *arrow.Schema, fileA string, b *arrow.Schema, fileB string) (*arrow.Schema, error) {
	refuse := func(column, format string, args ...any) error {
		return Refuse(fileB, "%w: %s", ErrSchemaMismatch, fmt.Sprintf(format, args...)).InColumn(column).
			WithHint("Files read as one table need the same columns, in the same order and of the same types.")
	}
	inA, inB := Names(a), Names(b)
	if err := CheckNames(fileA, inA); err != nil {
		return a, err
	}
	if err := CheckNames(fileB, inB); err != nil {
		return a, err
	}
	indexB := make(map[string]int, len(inB))
	for i, name := range inB {
		indexB[name] = i
	}
	indexA := make(map[string]int, len(inA))
	for i, name := range inA {
		indexA[name] = i
		if _, ok := indexB[name]; !ok {
			return a, refuse(name, "%s has this column, %s lacks it", fileA, fileB)
		}
	}
	for _, name := range inB {
		if _, ok := indexA[name]; !ok {
			return a, refuse(name, "%s lacks this column, %s has it", fileA, fileB)
		}
	}
	fields := a.Fields()
	for i := range fields {
		f := b.Field(indexB[fields[i].Name])
		if !arrow.TypeEqual(fields[i].Type, f.Type) {
			return a, refuse(f.Name, "type %s in %s, %s in %s", fields[i].Type, fileA, f.Type, fileB)
		}
		if indexB[f.Name] != i {
			return a, refuse(f.Name, "column %d in %s, %d in %s", i+1, fileA, indexB[f.Name]+1, fileB)
		}
		fields[i].Nullable = fields[i].Nullable || f.Nullable
	}
	meta := a.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}
