package enctable

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Join writes the rows of the parts of one encrypted table, in their order, into one file, or, with rowsPerFile > 0,
// into a directory of part files of that many records each. It checks the digests of all parts. It returns the number
// of records. Nothing is encrypted or folded again.
func Join(ctx context.Context, o job.Options, parts []string, out string, rowsPerFile int64, seal trust.Seal) (records int64, err error) {
	o = o.WithDefaults()
	if err := CheckOutput(out); err != nil {
		return 0, err
	}
	var w Writer
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
			if w, err = Create(ctx, o, out, rowsPerFile, all, ids, seal); err != nil {
				return err
			}
		}
		if t.TableID != first.TableID || t.JobID != first.JobID || t.Fingerprint != first.Fingerprint || !slices.Equal(t.Columns, first.Columns) || t.BlockRecords != first.BlockRecords {
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
