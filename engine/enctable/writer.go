package enctable

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Writer writes an encrypted table: one file, or the part files of a directory.
type Writer interface {
	column.Writer
	Schema() *arrow.Schema

	// Table is the table as its footers will have it: see ctfile.Writer. Earlier part files have what it said when
	// they were full.
	Table() *ctfile.Table
}

// Create begins an encrypted table: the file of that name, or, with rowsPerFile > 0, a directory of that name with
// files of that many records each. In blocks they have as many whole blocks as fit, but at least one.
// seal signs every file as it is completed.
func Create(ctx context.Context, o job.Options, name string, rowsPerFile int64, t ctfile.Table, ids []arrow.Field, seal trust.Seal) (Writer, error) {
	if rowsPerFile == 0 {
		w, err := ctfile.Create(ctx, o.FS, name, t, ids, ctfile.Options{Overwrite: o.Overwrite, Sign: seal.Footer})
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	most := rowsPerFile
	if t.Layout == slots.Blocks {
		most = max(1, rowsPerFile/int64(t.BlockRecords))
	}
	s := &splitTable{table: t}
	s.SplitWriter = dataset.SplitWriter{Name: name, Ext: ".cf.parquet", Most: most, Create: func(ctx context.Context, fs blob.FS, file string, number int) (column.Writer, error) {
		part := s.table
		part.Rows, part.Part = 0, number // how many rows, it counts itself
		if t.Total {
			part.Rows = t.Rows
		}
		w, err := ctfile.Create(ctx, fs, file, part, ids, ctfile.Options{Sign: seal.Footer})
		if err != nil {
			return nil, err
		}
		s.schema = w.Schema()
		return w, nil
	}, Finish: s.finish}
	if err := s.Begin(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// splitTable is an encrypted table in several files.
type splitTable struct {
	dataset.SplitWriter
	table   ctfile.Table
	schema  *arrow.Schema
	records int64 // in the files that are complete
}

func (s *splitTable) Schema() *arrow.Schema { return s.schema }
func (s *splitTable) Table() *ctfile.Table  { return &s.table }

// finish completes the footer of a part.
func (s *splitTable) finish(ctx context.Context, w column.Writer, last bool) error {
	t := w.(*ctfile.Writer).Table()
	t.LastPart = last
	t.AddsUsed, t.MaxAdds, t.Source, t.JobID = s.table.AddsUsed, s.table.MaxAdds, s.table.Source, s.table.JobID
	if err := w.Commit(ctx); err != nil {
		return err
	}
	s.records += t.Rows
	if last && s.table.Rows != 0 && s.records != s.table.Rows {
		return fmt.Errorf("writing %s: the table claims %d records, %d were written", s.Name, s.table.Rows, s.records)
	}
	return nil
}
