package ctfile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/output"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// RowGroupBytesDefault is how many bytes of ciphertext a row group has.
const RowGroupBytesDefault = 16 << 20

// Options say how to write an encrypted table.
type Options struct {
	Overwrite     bool // allow replacing a file that exists
	RowGroupBytes int  // of ciphertext in a row group, which is what is held in memory; 0 means RowGroupBytesDefault

	// Sign returns what the footer has besides the table, given the digest of its text: Table.Signature and
	// Table.Statements, "" for none. It is called once, by Commit; nil means none.
	Sign func(t *Table, digest string) (signature, statements string, err error)
}

// Writer writes an encrypted table. It is a column.Writer: the file appears when Commit has succeeded, not before. It
// is not for concurrent use.
type Writer struct {
	path   string
	file   *output.File
	schema *arrow.Schema
	table  *Table
	out    *pages.Writer
	check  *writeCheck
	sign   func(t *Table, digest string) (signature, statements string, err error)
}

// Create begins an encrypted table. t says what is in it, except for RowGroups, which is ignored. idFields are the id
// columns, with the names and in the order of t.IDs. Each is of the type of one id, or in the layout Blocks of a list
// of it.
//
// Errors about t and the ids are *column.InputError.
func Create(ctx context.Context, fs blob.FS, path string, t Table, idFields []arrow.Field, opts Options) (*Writer, error) {
	table := t.clone()
	table.RowGroups = nil
	if err := table.validateUnwritten(); err != nil {
		return nil, refusedAt(path, err)
	}
	fields, err := table.fields(idFields)
	if err != nil {
		return nil, refusedAt(path, err)
	}
	if err := pages.CheckWidth(path, len(fields)); err != nil {
		return nil, err
	}
	if opts.RowGroupBytes <= 0 {
		opts.RowGroupBytes = RowGroupBytesDefault
	}
	file, err := output.Create(ctx, fs, path, blob.CreateOptions{Overwrite: opts.Overwrite})
	if err != nil {
		return nil, err
	}
	raw := make(map[string]bool, len(table.Columns))
	for _, name := range table.Columns {
		raw[name] = true
	}
	check := &writeCheck{table: table, digests: newDigests(len(table.IDs), len(table.Columns))}
	out, err := pages.NewWriter(file.Bytes(), fields, pages.WriterOptions{
		RowGroupRows: max(1, opts.RowGroupBytes/(len(table.Columns)*table.CiphertextBytes())),
		PageBytes:    pages.PageBytesFor(opts.RowGroupBytes, len(table.Columns)),
		Raw:          raw,
		Check:        check,
	})
	if err != nil {
		return nil, file.Discard(err)
	}
	return &Writer{path: path, schema: table.schema(fields), table: table, file: file, out: out, check: check, sign: opts.Sign}, nil
}

// refusedAt adds the name of the file to an InputError without one.
func refusedAt(path string, err error) error {
	var e *column.InputError
	if errors.As(err, &e) && e.File == "" {
		e.File = path
	}
	return err
}

// fields are the columns of the file, as they are written.
func (t *Table) fields(idFields []arrow.Field) ([]arrow.Field, error) {
	if len(idFields) != len(t.IDs) {
		return nil, refuse("%d id columns are given, the table has %d", len(idFields), len(t.IDs))
	}
	var fields []arrow.Field
	for i, f := range idFields {
		if f.Name != t.IDs[i] {
			return nil, refuse("id column %d is %s, the table has %s there", i+1, column.Quote(f.Name), column.Quote(t.IDs[i]))
		}
		typ := f.Type
		if l, ok := typ.(*arrow.ListType); ok && t.Layout == Blocks {
			typ = l.Elem()
		}
		if ts, ok := typ.(arrow.TemporalWithUnit); ok && ts.TimeUnit() == arrow.Second {
			return nil, column.Refuse("", "ids of type %s cannot be written: Parquet has no seconds", typ).InColumn(f.Name).
				WithHint("Convert the column to milliseconds.")
		}
		if t.Layout == Blocks {
			typ = arrow.ListOfNonNullable(typ)
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: typ})
	}
	for _, name := range t.Columns {
		fields = append(fields, arrow.Field{Name: name, Type: &arrow.FixedSizeBinaryType{ByteWidth: t.CiphertextBytes()}})
	}
	return fields, nil
}

// schema is the schema of batches of the fields: lists are arrow.ListOf.
func (t *Table) schema(fields []arrow.Field) *arrow.Schema {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		if l, ok := f.Type.(*arrow.ListType); ok {
			f.Type = arrow.ListOf(l.Elem())
		}
		out[i] = f
	}
	return arrow.NewSchema(out, nil)
}

// Schema is the schema of the batches to write: the id columns (in Blocks arrow.ListOf their type) and the ciphertext
// columns (arrow.FixedSizeBinaryType), none nullable. Lists whose elements are marked not nullable are accepted as
// well.
func (w *Writer) Schema() *arrow.Schema { return w.schema }

// Table returns the table as the footer will have it. Rows, AddsUsed, MaxAdds, Source, JobID and the measures' bounds may
// be changed until Commit, which validates it. If Rows is still 0 then, and the rows or ids written tell the number of
// records, Commit sets it.
func (w *Writer) Table() *Table { return w.table }

// Write appends rows: see Schema. In Blocks every row has BlockRecords ids; the last one of the file may have fewer. A
// missing id is a *column.InputError at its row.
func (w *Writer) Write(ctx context.Context, b column.Batch) error {
	return w.file.Write(ctx, func() error { return w.write(b) })
}

func (w *Writer) write(b column.Batch) error {
	if int(b.NumCols()) != w.schema.NumFields() {
		return fmt.Errorf("writing %s: a batch of %d columns where %d are expected", w.path, b.NumCols(), w.schema.NumFields())
	}
	if err := w.checkIDs(b); err != nil {
		return err
	}
	if err := w.out.Write(b.Columns(), int(b.NumRows())); err != nil {
		return w.file.Wrap(err)
	}
	return nil
}

// checkIDs refuses missing ids.
func (w *Writer) checkIDs(b column.Batch) error {
	for i, name := range w.table.IDs {
		col := b.Column(i)
		if col.NullN() > 0 {
			at := sort.Search(col.Len(), func(n int) bool {
				head := array.NewSlice(col, 0, int64(n+1))
				defer head.Release()
				return head.NullN() > 0
			})
			return b.Refuse(at, name, "the id is missing").WithHint("Every record needs an id; leave out the rows without.")
		}
	}
	return nil
}

// Commit finishes the file: it validates the table, writes the footer, and
// makes the file appear.
func (w *Writer) Commit(ctx context.Context) error {
	return w.file.Commit(ctx, w.finish)
}

// finish writes what is left, and the footer.
func (w *Writer) finish() error {
	if err := w.out.EndGroup(); err != nil {
		return w.file.Wrap(err)
	}
	t := w.table
	t.RowGroups = append([]RowGroup{}, w.check.groups...)
	records := t.FileRows()
	if t.Layout == Blocks {
		records = w.check.records
	}
	if known := !t.Total && (t.Layout == Records || len(t.IDs) > 0); known && t.Rows == 0 {
		t.Rows = records
	} else if known && t.Rows != records {
		return fmt.Errorf("writing %s: the table claims %d records, %d were written", w.path, t.Rows, records)
	}
	if err := t.Validate(); err != nil {
		return refusedAt(w.path, err)
	}
	footer, err := t.footer()
	if err != nil {
		return w.file.Wrap(err)
	}
	if w.sign != nil {
		signature, statements, err := w.sign(t, footer[KeyDigest])
		if err != nil {
			return w.file.Wrap(err)
		}
		for key, text := range map[string]string{KeySignature: signature, KeyStatements: statements} {
			if text != "" {
				footer[key] = text
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(footer)) { // in a fixed order, so that equal tables are equal files
		w.out.SetMetadata(key, footer[key])
	}
	if err := w.out.Close(); err != nil {
		return w.file.Wrap(err)
	}
	return nil
}

// Close discards the file unless it was committed.
func (w *Writer) Close() error { return w.file.Close() }

// writeCheck computes what the footer says about the row groups.
type writeCheck struct {
	table   *Table
	digests *digests
	groups  []RowGroup
	rows    int64 // of the current row group
	records int64 // in all blocks, by their ids
	short   bool  // a block had fewer records than the others, so it was the last
}

func (c *writeCheck) Rows(cols []arrow.Array) error {
	ids := cols[:len(c.table.IDs)]
	if c.table.Layout == Blocks {
		sizes, err := blockSizes(ids)
		if err != nil {
			return err
		}
		for _, n := range sizes {
			if c.short || n < 1 || n > c.table.BlockRecords {
				return fmt.Errorf("a block of %d records where blocks have %d and only the last may have fewer", n, c.table.BlockRecords)
			}
			c.short = n < c.table.BlockRecords
			c.records += int64(n)
		}
	}
	c.rows += int64(cols[0].Len())
	return c.digests.rows(cols)
}

func (c *writeCheck) End() error {
	g := RowGroup{Rows: c.rows}
	g.SHA256, g.IDsSHA256 = c.digests.sums()
	c.groups = append(c.groups, g)
	c.rows = 0
	return nil
}
