package ctfile

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// Reader reads an encrypted table. It is a column.Reader of the id columns (in
// Blocks arrow.ListOf their type) and the ciphertext columns
// (arrow.FixedSizeBinaryType), none nullable. It is not for concurrent use.
//
// Every batch except the last has exactly BatchRows rows, wherever row groups end. So tables of the same rows, read
// with the same BatchRows, stay in step.
//
// A row group's digests are checked when its last row is decoded. If Read fails later, nothing that was delivered
// before may be kept.
type Reader struct {
	scan   *pages.Scan
	table  *Table
	footer Footer
	schema *arrow.Schema
	at     []int     // of the columns of schema among those scanned
	file   blob.File // nil when closed
	skip   int64     // rows scanned that must still be left out,
	left   int64     // and rows to be delivered after them
}

// Open opens an encrypted table and checks all of its footer: version, digest, fields, and that the Parquet columns
// and row groups are the ones it names. An error is a *column.InputError.
//
// opts.Columns may name any id and ciphertext columns. Digests cover the id columns together and the ciphertext
// columns together. So if one of a kind is asked for, all of that kind are read. The other kind is neither read nor
// checked.
func Open(ctx context.Context, fs blob.FS, path string, opts column.ReadOptions) (*Reader, error) {
	return OpenRows(ctx, fs, path, opts, 0, math.MaxInt64)
}

// OpenRows is Open for the rows of the file (blocks in Blocks) from number `from`, counted from 0, to before `to`, as
// far as there are such rows. Row groups without any of them are not read. Row groups with some of them are read
// whole, so that their digests can be checked. The first batch may be shorter than the others, too.
func OpenRows(ctx context.Context, fs blob.FS, path string, opts column.ReadOptions, from, to int64) (*Reader, error) {
	return Reopen(ctx, fs, path, Footer{}, opts, from, to)
}

// Reopen is OpenRows for a file whose footer was read before. As long as it is the same one, it is not read again: that
// takes most of the time of opening a table of thousands of measures.
func Reopen(ctx context.Context, fs blob.FS, path string, before Footer, opts column.ReadOptions, from, to int64) (*Reader, error) {
	f, err := fs.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	r, err := open(f, path, before, opts, from, to)
	if err != nil {
		return nil, errors.Join(refusedAt(path, err), f.Close())
	}
	return r, nil
}

func open(f blob.File, path string, before Footer, opts column.ReadOptions, from, to int64) (*Reader, error) {
	opts = opts.WithDefaults()
	pf, err := pages.Open(path, f, f.Size())
	if err != nil {
		return nil, err
	}
	footer, err := parseFooter(pf.Values, before)
	if err != nil {
		return nil, err
	}
	t := footer.Table
	if err := t.matches(pf); err != nil {
		return nil, err
	}
	names := append(append([]string{}, t.IDs...), t.Columns...)
	wanted, err := column.Select(path, names, opts.Columns)
	if err != nil {
		return nil, err
	}
	var ids, ciphers bool
	for _, i := range wanted {
		if i < len(t.IDs) {
			ids = true
		} else {
			ciphers = true
		}
	}
	scanned, scannedIDs := pf.Columns(), len(t.IDs)
	if !ciphers {
		scanned = scanned[:len(t.IDs)]
	}
	if !ids {
		scanned, scannedIDs = scanned[len(t.IDs):], 0
	}
	r := &Reader{table: t, footer: footer, file: f}
	for _, i := range wanted {
		if !ids {
			i -= len(t.IDs)
		}
		r.at = append(r.at, i)
	}
	plainOnly := make([]bool, len(scanned))
	for i := scannedIDs; i < len(scanned); i++ {
		plainOnly[i] = true
	}
	firsts := make([]int64, len(t.RowGroups)) // rows before each row group
	for i := 1; i < len(firsts); i++ {
		firsts[i] = firsts[i-1] + t.RowGroups[i-1].Rows
	}
	first, end := 0, len(firsts) // row groups with rows that are wanted
	for first < end && firsts[first]+t.RowGroups[first].Rows <= from {
		first++
	}
	for first < end && (firsts[end-1] >= to || from >= to) {
		end--
	}
	if first < end {
		r.skip = from - firsts[first]
		r.left = min(to-from, t.FileRows()-from)
	}
	if end == 0 {
		first, end = len(firsts), len(firsts) // for a scan, 0 means all
	}
	r.scan = pages.NewScan(pf, scanned, pages.ScanOptions{
		FirstGroup: first,
		EndGroup:   end,
		BatchRows:  opts.BatchRows,
		Threads:    opts.Threads,
		Mem:        opts.Mem,
		PlainOnly:  plainOnly,
		Check: func(group int) pages.Check {
			return &readCheck{table: t, group: t.RowGroups[group], ids: scannedIDs, row: firsts[group],
				withIDs: ids, withCiphers: ciphers, digests: newDigests(scannedIDs, len(scanned)-scannedIDs)}
		},
	})
	r.schema = column.ProjectSchema(r.scan.Schema(), r.at)
	return r, nil
}

// matches checks the Parquet file against the table.
func (t *Table) matches(f *pages.File) error {
	cols := f.Columns()
	if len(cols) != len(t.IDs)+len(t.Columns) {
		return refuse("the file has %d columns, its footer %d", len(cols), len(t.IDs)+len(t.Columns))
	}
	for i, c := range cols {
		if err := t.matchesColumn(i, c); err != nil {
			return err
		}
	}
	if f.NumRowGroups() != len(t.RowGroups) {
		return refuse("the file has %d row groups, its footer %d", f.NumRowGroups(), len(t.RowGroups))
	}
	for i, g := range t.RowGroups {
		if n := f.RowGroupRows(i); n != g.Rows {
			return refuse("it has %d rows, the footer says %d", n, g.Rows).InRowGroup(i + 1)
		}
	}
	return nil
}

func (t *Table) matchesColumn(i int, c *pages.Column) error {
	bad := func(format string, args ...any) error {
		return refuse(format, args...).InColumn(c.Name)
	}
	if i >= len(t.IDs) {
		if want := t.Columns[i-len(t.IDs)]; c.Name != want {
			return bad("column %d should be the ciphertext column %s", i+1, column.Quote(want))
		}
		if width, ok := c.Fixed(); !ok || width != t.CiphertextBytes() {
			return bad("a ciphertext column is not required fixed-length bytes of %d", t.CiphertextBytes())
		}
		return nil
	}
	if c.Name != t.IDs[i] {
		return bad("column %d should be the id column %s", i+1, column.Quote(t.IDs[i]))
	}
	if c.Err != nil {
		return bad("%w", c.Err)
	}
	if !c.Required() {
		return bad("an id column allows nulls")
	}
	if _, list := c.Field.Type.(*arrow.ListType); list != (t.Layout == Blocks) {
		return bad("an id column of type %s in the layout %q", c.Field.Type, t.Layout)
	}
	return nil
}

// File returns the file's name.
func (r *Reader) File() string { return r.scan.File() }

// Schema returns the schema of the batches.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Table returns what the footer says. It must not be changed.
func (r *Reader) Table() *Table { return r.table }

// Footer returns the footer, for Reopen.
func (r *Reader) Footer() Footer { return r.footer }

// Read returns the next batch: see column.Reader.
func (r *Reader) Read(ctx context.Context) (column.Batch, error) {
	b, err := r.scan.Read(ctx)
	// Read up to the end even when nothing of it is wanted, for the last digest.
	for err == nil && (r.skip >= b.NumRows() || r.left == 0) {
		r.skip -= min(r.skip, b.NumRows())
		b.Release()
		b, err = r.scan.Read(ctx)
	}
	if err != nil {
		return column.Batch{}, err
	}
	if n := min(b.NumRows()-r.skip, r.left); n < b.NumRows() {
		part := b.Slice(int(r.skip), int(r.skip+n))
		b.Release()
		b, r.skip = part, 0
	}
	r.left -= b.NumRows()
	cols := make([]arrow.Array, len(r.at))
	for k, i := range r.at {
		cols[k] = b.Column(i)
	}
	out := b
	out.Record = array.NewRecord(r.schema, cols, b.NumRows())
	b.Release()
	return out, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return errors.Join(r.scan.Close(), f.Close())
}

// readCheck checks a row group against what the footer says about it.
type readCheck struct {
	table                *Table
	group                RowGroup
	digests              *digests
	ids                  int   // id columns scanned
	row                  int64 // 0-based number of the next row in the file
	withIDs, withCiphers bool
}

func (c *readCheck) Rows(cols []arrow.Array) error {
	if c.table.Layout == Blocks && !c.table.Total {
		sizes, err := blockSizes(cols[:c.ids])
		if err != nil {
			return err
		}
		last := c.table.blocks() - 1
		for i, n := range sizes {
			want := int64(c.table.BlockRecords)
			if c.row+int64(i) == last {
				want = c.table.Rows - last*want
			}
			if int64(n) != want {
				return &column.InputError{Row: c.row + int64(i) + 1, Cause: fmt.Errorf("the block has %d ids, not %d", n, want),
					Hint: "The file is damaged. Copy it again."}
			}
		}
	}
	c.row += int64(cols[0].Len())
	return c.digests.rows(cols)
}

func (c *readCheck) End() error {
	ciphers, ids := c.digests.sums()
	if c.withIDs && ids != c.group.IDsSHA256 {
		return errors.New("the ids do not match their digest")
	}
	if c.withCiphers && ciphers != c.group.SHA256 {
		return errors.New("the ciphertexts do not match their digest")
	}
	return nil
}

var (
	_ column.Reader = (*Reader)(nil)
	_ column.Writer = (*Writer)(nil)
)
