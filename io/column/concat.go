package column

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Concat returns the rows of several readers, such as the part files of a
// directory, one after the other. Their schemas must agree in the names, order
// and types of columns; otherwise the first Read returns an InputError that
// names both files and the column. A column is nullable when it is in any part.
// Each reader is closed when it is exhausted, the rest by Close.
// There must be at least one reader.
func Concat(readers ...Reader) Reader {
	if len(readers) == 0 {
		panic("column: Concat of no readers")
	}
	c := &concat{parts: make([]part, len(readers)), schema: readers[0].Schema()}
	for i, r := range readers {
		c.parts[i].reader = r
		if c.err == nil {
			c.schema, c.err = mergeSchemas(c.schema, FileOf(readers[0]), r.Schema(), FileOf(r))
		}
	}
	return c
}

// OpenFunc opens the reader of one file.
type OpenFunc func(ctx context.Context, name string) (Reader, error)

// OpenParts is Concat of the files of the given names, at least one. It first opens each of them to compare schemas,
// so that a part that does not belong is refused before any work. Then it keeps one at a time open.
func OpenParts(ctx context.Context, names []string, open OpenFunc) (Reader, error) {
	if len(names) == 0 {
		panic("column: OpenParts of no files")
	}
	if len(names) == 1 {
		return open(ctx, names[0])
	}
	c := &concat{parts: make([]part, len(names)), open: open}
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
		c.parts[i].name = name
	}
	return c, nil
}

type part struct {
	name   string // of a file that is still to be opened
	reader Reader // otherwise
}

type concat struct {
	parts  []part // those not yet exhausted
	open   OpenFunc
	schema *arrow.Schema
	err    error
}

func (c *concat) Schema() *arrow.Schema { return c.schema }

func (c *concat) Read(ctx context.Context) (Batch, error) {
	for c.err == nil {
		if len(c.parts) == 0 {
			return Batch{}, io.EOF
		}
		p := &c.parts[0]
		if p.reader == nil {
			r, err := c.open(ctx, p.name)
			if err != nil {
				c.err = err
				break
			}
			p.reader = r
			if !SameColumns(c.schema, r.Schema()) {
				c.err = Refuse(p.name, "%w: its columns changed while it was being read", ErrSchemaMismatch).
					WithHint("Read files that nothing writes to.")
				break
			}
		}
		b, err := p.reader.Read(ctx)
		if err == nil {
			return c.fit(b), nil
		}
		if err != io.EOF {
			c.err = err
			break
		}
		c.err = p.reader.Close()
		c.parts = c.parts[1:]
	}
	return Batch{}, c.err
}

// fit gives b the common schema, which may differ from its own in metadata and in which columns are nullable.
func (c *concat) fit(b Batch) Batch {
	if b.Schema().Equal(c.schema) && b.Schema().Metadata().Equal(c.schema.Metadata()) {
		return b
	}
	out := b
	out.Record = array.NewRecord(c.schema, b.Columns(), b.NumRows())
	b.Release()
	return out
}

func (c *concat) Close() error {
	var errs []error
	for _, p := range c.parts {
		if p.reader != nil {
			errs = append(errs, p.reader.Close())
		}
	}
	c.parts = nil
	return errors.Join(errs...)
}

// mergeSchemas returns a, with every column nullable that is nullable in b. If they differ, it returns an InputError
// that names both files and the first such column.
func mergeSchemas(a *arrow.Schema, fileA string, b *arrow.Schema, fileB string) (*arrow.Schema, error) {
	if fileA == "" {
		fileA = "the first part"
	}
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
			return a, refuse(name, "%s has this column, %s lacks it", fileA, orThisPart(fileB))
		}
	}
	for _, name := range inB {
		if _, ok := indexA[name]; !ok {
			return a, refuse(name, "%s lacks this column, %s has it", fileA, orThisPart(fileB))
		}
	}
	fields := a.Fields()
	for i := range fields {
		f := b.Field(indexB[fields[i].Name])
		if !arrow.TypeEqual(fields[i].Type, f.Type) {
			return a, refuse(f.Name, "type %s in %s, %s in %s", fields[i].Type, fileA, f.Type, orThisPart(fileB))
		}
		if indexB[f.Name] != i {
			return a, refuse(f.Name, "column %d in %s, %d in %s", i+1, fileA, indexB[f.Name]+1, orThisPart(fileB))
		}
		fields[i].Nullable = fields[i].Nullable || f.Nullable
	}
	meta := a.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

func orThisPart(file string) string {
	if file == "" {
		return "this part"
	}
	return file
}
