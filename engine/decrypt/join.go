package decrypt

import (
	"context"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// Join writes the rows of the parts of one decrypted table, in their order, into d.Out. It needs no key.
func Join(ctx context.Context, d Request, parts []string) (records int64, err error) {
	d.Options = d.Options.WithDefaults()
	in, err := d.table(ctx)
	if err != nil {
		return 0, err
	}
	o, err := newDecryption(&d, in)
	if err != nil {
		return 0, err
	}
	w, err := dataset.CreateClear(ctx, d.Options, d.Out, d.RowsPerFile, o.schema)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	progress := &engine.Progress{}
	progress.Total.Store(in.Table.Rows)
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
	r = column.Rechunk(r, o.batchRows()*o.plan.Records) // the batches of Decrypt, as which some formats keep them
	defer r.Close()
	err = column.Each(ctx, r, func(b column.Batch) error {
		records += b.NumRows()
		progress.Done.Add(b.NumRows())
		return w.Write(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	if records != in.Table.Rows {
		return 0, column.Refuse(d.In, "the parts have %d records, the table has %d", records, in.Table.Rows).WithHint("Begin anew.")
	}
	return records, w.Commit(ctx)
}
