package dataset

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// WriteOptions are how a table in the clear is written.
func WriteOptions(o job.Options, name string) column.WriteOptions {
	o = o.WithDefaults()
	return column.WriteOptions{Overwrite: o.Overwrite, SafeText: o.CSVSafe, Formula: func(text string) {
		o.Log.Warn("a spreadsheet would take texts in this file for formulas and do what they say; ‹csv_safe› puts ' before them", "file", name, "first", column.Quote(text))
	}}
}

// CreateClear begins a table in the clear: the file of that name, or, with rowsPerFile > 0, a directory with files of so many
// rows each, in the format of the name's extension, or Parquet when it has none.
func CreateClear(ctx context.Context, o job.Options, name string, rowsPerFile int64, schema *arrow.Schema) (column.Writer, error) {
	f, ext, err := ClearFormat(name, rowsPerFile)
	if err != nil {
		return nil, err
	}
	if rowsPerFile == 0 {
		return f.Create(ctx, o.FS, name, schema, WriteOptions(o, name))
	}
	s := &SplitWriter{Name: name, Ext: ext, Most: rowsPerFile,
		Create: func(ctx context.Context, fs blob.FS, file string, _ int) (column.Writer, error) {
			options := WriteOptions(o, file)
			options.Overwrite = false // the directory is new
			return f.Create(ctx, fs, file, schema, options)
		},
		Finish: func(ctx context.Context, w column.Writer, _ bool) error { return w.Commit(ctx) },
	}
	if err := s.Begin(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// ClearFormat returns the format of an output in the clear, and its files' extension.
func ClearFormat(name string, rowsPerFile int64) (format, string, error) {
	ext := blob.Ext(name)
	if rowsPerFile > 0 && ext == "" {
		return parquetFormat, ".parquet", nil
	}
	f, err := OutputFormat(name)
	return f, ext, err
}

// SplitWriter writes rows into the part files of a directory. A file is complete when it is known whether it is the last.
type SplitWriter struct {
	Name   string
	Ext    string
	Most   int64 // rows of a file
	Create func(ctx context.Context, fs blob.FS, file string, number int) (column.Writer, error)
	Finish func(ctx context.Context, w column.Writer, last bool) error // commits a file

	ctx     context.Context // of the job, which outlives those of writes
	dir     blob.DirUpload
	current column.Writer
	rows    int64 // in it
	number  int   // of it, from 1
}

func (s *SplitWriter) Begin(ctx context.Context, o job.Options) (err error) {
	s.ctx = ctx
	if s.dir, err = blob.CreateDir(ctx, o.FS, s.Name, blob.CreateOptions{Overwrite: o.Overwrite}); err != nil {
		return err
	}
	if err := s.next(); err != nil {
		return errors.Join(err, s.dir.Abort())
	}
	return nil
}

// next begins the next file, which may be committed after the stage that writes is over.
func (s *SplitWriter) next() (err error) {
	file := blob.Join(s.Name, fmt.Sprintf("part-%05d%s", s.number, s.Ext))
	s.number++
	s.rows = 0
	s.current, err = s.Create(s.ctx, s.dir, file, s.number)
	return err
}

func (s *SplitWriter) Write(ctx context.Context, b column.Batch) error {
	for at := int64(0); at < b.NumRows(); {
		if s.rows == s.Most {
			if err := s.Finish(ctx, s.current, false); err != nil {
				return err
			}
			if err := s.next(); err != nil {
				return err
			}
		}
		n := min(b.NumRows()-at, s.Most-s.rows)
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

func (s *SplitWriter) Commit(ctx context.Context) error {
	if err := s.Finish(ctx, s.current, true); err != nil {
		return err
	}
	return s.dir.Commit(ctx)
}

func (s *SplitWriter) Close() error {
	var err error
	if s.current != nil {
		err = s.current.Close()
	}
	return errors.Join(err, s.dir.Abort())
}
