package job

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// JoinTables writes the rows of the parts of one encrypted table, in their order, into one file, or, with rowsPerFile > 0,
// into a directory of part files of so many records each, checking the digests of all of them on the way. It returns the
// number of records. Nothing is encrypted or folded anew.
func JoinTables(ctx context.Context, o Options, parts []string, out string, rowsPerFile int64) (records int64, err error) {
	o = o.withDefaults()
	if err := plainOutput(out); err != nil {
		return 0, err
	}
	var w tableWriter
	var first *ctfile.Table
	progress := &engine.Progress{}
	defer o.Watch("join", progress)()
	add := func(part string) error {
		r, err := ctfile.Open(ctx, o.FS, part, column.ReadOptions{Threads: o.Threads})
		if err != nil {
			return err
		}
		defer r.Close()
		t := r.Table()
		if w == nil {
			first = t
			all := *t
			all.Rows = 0 // known at the end
			ids := r.Schema().Fields()[:len(t.IDs)]
			if w, err = createTable(ctx, o, out, rowsPerFile, all, ids); err != nil {
				return err
			}
		}
		if t.JobID != first.JobID || t.Fingerprint != first.Fingerprint || !slices.Equal(t.Columns, first.Columns) || t.BlockRecords != first.BlockRecords {
			return column.Refuse(part, "not a part of the same table as %s", parts[0]).WithHint("Begin anew.")
		}
		records += t.Rows
		progress.Done.Add(t.Rows)
		_, err = column.Copy(ctx, w, r)
		return err
	}
	for _, part := range parts {
		if err = add(part); err != nil {
			break
		}
	}
	if w != nil {
		defer w.Close()
	}
	if err != nil {
		return 0, err
	}
	w.Table().Rows = records
	return records, w.Commit(ctx)
}

// JoinDecrypted writes the rows of the parts of one decrypted table, in their order, into d.Out. It needs no key.
func JoinDecrypted(ctx context.Context, d Decryption, parts []string) (records int64, err error) {
	d.Options = d.Options.withDefaults()
	in, err := d.table(ctx)
	if err != nil {
		return 0, err
	}
	o, err := newOpening(&d, in)
	if err != nil {
		return 0, err
	}
	w, err := createRows(ctx, d.Options, d.Out, d.RowsPerFile, o.schema)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	progress := &engine.Progress{}
	progress.Total.Store(in.table.Rows)
	defer d.Watch("join", progress)()
	r, err := column.OpenParts(ctx, parts, func(ctx context.Context, part string) (column.Reader, error) {
		return parquetio.Open(ctx, d.FS, part, column.ReadOptions{Threads: d.Threads})
	})
	if err != nil {
		return 0, err
	}
	if !column.SameColumns(r.Schema(), o.schema) {
		r.Close()
		return 0, column.Refuse(parts[0], "not a part of this table").WithHint("Begin anew.")
	}
	r = column.Rechunk(r, o.batchRows()*o.plan.records) // the batches of Decrypt, as which some formats keep them
	defer r.Close()
	err = column.Each(ctx, r, func(b column.Batch) error {
		records += b.NumRows()
		progress.Done.Add(b.NumRows())
		return w.Write(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	if records != in.table.Rows {
		return 0, column.Refuse(d.In, "the parts have %d records, the table has %d", records, in.table.Rows).WithHint("Begin anew.")
	}
	return records, w.Commit(ctx)
}
