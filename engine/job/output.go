package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// tableWriter writes an encrypted table: one file, or the part files of a directory.
type tableWriter interface {
	column.Writer
	Schema() *arrow.Schema

	// Table is the table as its footers will have it: see ctfile.Writer. Of part files, the ones before have what it said
	// when they were full.
	Table() *ctfile.Table
}

// createTable begins an encrypted table: the file of that name, or, with rowsPerFile > 0, a directory of that name with
// files of so many records each. In blocks they have as many whole blocks as that makes, but one at least.
func createTable(ctx context.Context, o Options, name string, rowsPerFile int64, t ctfile.Table, ids []arrow.Field) (tableWriter, error) {
	if rowsPerFile == 0 {
		w, err := ctfile.Create(ctx, o.FS, name, t, ids, ctfile.Options{Overwrite: o.Overwrite})
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	most := rowsPerFile
	if t.Layout == Blocks {
		most = max(1, rowsPerFile/int64(t.BlockRecords))
	}
	s := &splitTable{table: t}
	s.splitWriter = splitWriter{name: name, ext: ".cf.parquet", most: most, create: func(ctx context.Context, fs blob.FS, file string, number int) (column.Writer, error) {
		part := s.table
		part.Rows, part.Part = 0, number // how many rows, it counts itself
		if t.Total {
			part.Rows = t.Rows
		}
		w, err := ctfile.Create(ctx, fs, file, part, ids, ctfile.Options{})
		if err != nil {
			return nil, err
		}
		s.schema = w.Schema()
		return w, nil
	}, finish: s.finish}
	if err := s.begin(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// splitTable is an encrypted table in several files.
type splitTable struct {
	splitWriter
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
		return fmt.Errorf("writing %s: the table claims %d records, %d were written", s.name, s.table.Rows, s.records)
	}
	return nil
}

// createRows begins a table in the clear: the file of that name, or, with rowsPerFile > 0, a directory with files of so many
// rows each, in the format of the name's extension, or Parquet when it has none.
func createRows(ctx context.Context, o Options, name string, rowsPerFile int64, schema *arrow.Schema) (column.Writer, error) {
	f, ext, err := rowsFormat(name, rowsPerFile)
	if err != nil {
		return nil, err
	}
	if rowsPerFile == 0 {
		return f.create(ctx, o.FS, name, schema, column.WriteOptions{Overwrite: o.Overwrite})
	}
	s := &splitWriter{name: name, ext: ext, most: rowsPerFile,
		create: func(ctx context.Context, fs blob.FS, file string, _ int) (column.Writer, error) {
			return f.create(ctx, fs, file, schema, column.WriteOptions{})
		},
		finish: func(ctx context.Context, w column.Writer, _ bool) error { return w.Commit(ctx) },
	}
	if err := s.begin(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// rowsFormat returns the format of an output in the clear, and its files' extension.
func rowsFormat(name string, rowsPerFile int64) (format, string, error) {
	ext := blob.Ext(name)
	if rowsPerFile > 0 && ext == "" {
		return parquetFormat, ".parquet", nil
	}
	f, err := outputFormat(name)
	return f, ext, err
}

// splitWriter writes rows into the part files of a directory. A file is complete when it is known whether it is the last.
type splitWriter struct {
	name   string
	ext    string
	most   int64 // rows of a file
	create func(ctx context.Context, fs blob.FS, file string, number int) (column.Writer, error)
	finish func(ctx context.Context, w column.Writer, last bool) error // commits a file

	ctx     context.Context // of the job, which outlives those of writes
	dir     blob.DirUpload
	current column.Writer
	rows    int64 // in it
	number  int   // of it, from 1
}

func (s *splitWriter) begin(ctx context.Context, o Options) (err error) {
	s.ctx = ctx
	if s.dir, err = blob.CreateDir(ctx, o.FS, s.name, blob.CreateOptions{Overwrite: o.Overwrite}); err != nil {
		return err
	}
	if err := s.next(); err != nil {
		return errors.Join(err, s.dir.Abort())
	}
	return nil
}

// next begins the next file, which is committed when the stage that writes may be over.
func (s *splitWriter) next() (err error) {
	file := blob.Join(s.name, fmt.Sprintf("part-%05d%s", s.number, s.ext))
	s.number++
	s.rows = 0
	s.current, err = s.create(s.ctx, s.dir, file, s.number)
	return err
}

func (s *splitWriter) Write(ctx context.Context, b column.Batch) error {
	for at := int64(0); at < b.NumRows(); {
		if s.rows == s.most {
			if err := s.finish(ctx, s.current, false); err != nil {
				return err
			}
			if err := s.next(); err != nil {
				return err
			}
		}
		n := min(b.NumRows()-at, s.most-s.rows)
		piece := b.Slice(int(at), int(at+n))
		err := s.current.Write(ctx, piece)
		piece.Release()
		if err != nil {
			return err
		}
		at += n
		s.rows += n
	}
	return nil
}

func (s *splitWriter) Commit(ctx context.Context) error {
	if err := s.finish(ctx, s.current, true); err != nil {
		return err
	}
	return s.dir.Commit(ctx)
}

func (s *splitWriter) Close() error {
	var err error
	if s.current != nil {
		err = s.current.Close()
	}
	return errors.Join(err, s.dir.Abort())
}

// checkRowsPerFile refuses a number of rows that makes no sense.
func checkRowsPerFile(n int64) error {
	if n < 0 {
		return usage("It is a number of records.", "--rows-per-file %d is negative", n)
	}
	return nil
}
