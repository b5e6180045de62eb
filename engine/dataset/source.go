package dataset

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/arrowio"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/csvio"
	"github.com/cipherfold/cipherfold/io/parquetio"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// A format reads and writes plain tables.
type format struct {
	open   func(context.Context, blob.FS, string, column.ReadOptions) (column.Reader, error)
	Create func(context.Context, blob.FS, string, *arrow.Schema, column.WriteOptions) (column.Writer, error) // nil: read only
	keys   []string                                                                                          // columns that say what a row is about, ids or not
}

var (
	csvFormat     = format{open: csvio.Open, Create: csvio.Create}
	arrowFormat   = format{open: arrowio.Open, Create: arrowio.Create}
	parquetFormat = format{open: parquetio.Open, Create: parquetio.Create}
	vcfFormat     = format{open: openVCF, keys: []string{"chrom", "pos", "ref", "alt"}}
	bedFormat     = format{open: csvio.Open, keys: []string{"chrom", "start", "end", "id"}}
)

// Formats by the extension of the file's name.
var Formats = map[string]format{
	".parquet": parquetFormat,
	".arrow":   arrowFormat, ".feather": arrowFormat,
	".csv": csvFormat, ".csv.gz": csvFormat, ".tsv": csvFormat, ".tsv.gz": csvFormat,
	".bed": bedFormat, ".bed.gz": bedFormat,
	".vcf": vcfFormat, ".vcf.gz": vcfFormat, ".vcf.bgz": vcfFormat, ".bcf": vcfFormat,
}

func formatOf(name string) (format, error) {
	if f, ok := Formats[blob.Ext(name)]; ok {
		return f, nil
	}
	return format{}, unknownFormat(name, func(format) bool { return true })
}

// OutputFormat is formatOf of a table to write.
func OutputFormat(name string) (format, error) {
	writable := func(f format) bool { return f.Create != nil }
	if f, ok := Formats[blob.Ext(name)]; ok && writable(f) {
		return f, nil
	}
	return format{}, unknownFormat(name, writable)
}

// unknownFormat lists the formats that would do.
func unknownFormat(name string, would func(format) bool) error {
	var known []string
	for ext, f := range Formats {
		if would(f) {
			known = append(known, ext)
		}
	}
	slices.Sort(known)
	return job.Misuse("Formats go by the extension: "+strings.Join(known, ", ")+".", "%s: unknown format %q", name, blob.Ext(name))
}

// Source is the plain table of one owner: one file or several part files.
type Source struct {
	Opts  job.Options
	Files []string
	nulls []string
	Rows  *job.RowCounter
	parts *column.Partitions // columns that the folders of the files say; nil when there are none
	Vcf   *variants          // how VCF files are read
	pivot *pivotTable        // of a long table; nil when it is wide
	Prep  *preparer          // nil when the table is taken as it is

	mayBeEmpty bool // a table without a row is no mistake
}

// List expands paths, globs and directories, in the order given. A file that comes twice is refused: its rows would
// count twice.
func List(ctx context.Context, o job.Options, patterns, nulls []string) (Source, error) {
	s := Source{Opts: o, nulls: nulls, Rows: job.NewRowCounter()}
	var uses blob.Uses
	for _, p := range patterns {
		files, err := o.FS.List(ctx, p)
		if err != nil {
			return s, err
		}
		for _, file := range files {
			if err := job.Once(ctx, o.FS, &uses, file, job.HintOnce); err != nil {
				return s, err
			}
		}
		s.Files = append(s.Files, files...)
	}
	if len(s.Files) == 0 {
		return s, job.Misuse("Name at least one file.", "no input")
	}
	var err error
	s.parts, err = column.FindPartitions(s.Files, blob.Path)
	return s, err
}

// Open reads the named columns of the prepared table.
func (s Source) Open(ctx context.Context, columns []string) (column.Reader, error) {
	if s.Prep != nil {
		return s.Prep.open(ctx, s, columns)
	}
	return s.OpenRaw(ctx, columns)
}

// OpenRaw reads the named columns of the wide table that the files are, or make.
func (s Source) OpenRaw(ctx context.Context, columns []string) (column.Reader, error) {
	if s.pivot == nil {
		return s.OpenFiles(ctx, columns)
	}
	if err := s.pivot.load(ctx, s); err != nil {
		return nil, err
	}
	return s.pivot.reader(columns)
}

// OpenFiles reads the named columns of all files, one after the other; none means all columns. A table without a row is
// refused, unless it may be empty.
func (s Source) OpenFiles(ctx context.Context, columns []string) (column.Reader, error) {
	s.Vcf.begin()
	r, err := column.OpenParts(ctx, s.Files, func(ctx context.Context, name string) (column.Reader, error) {
		r, err := s.openFile(ctx, name, column.ReadOptions{Columns: columns, Threads: readThreads(s.Opts, len(columns)), Nulls: s.nulls, BatchRows: batchRows(len(columns))})
		if err != nil {
			return nil, err
		}
		return s.Rows.Count(name, r), nil
	})
	if err != nil {
		return nil, err
	}
	if s.mayBeEmpty {
		return r, nil
	}
	return s.Vcf.requireRows(r, s.Files[0], s.Opts.Log), nil
}

// openFile opens one file, with the columns that its folders say.
func (s Source) openFile(ctx context.Context, name string, o column.ReadOptions) (column.Reader, error) {
	if s.parts == nil {
		return s.openFormat(ctx, name, o)
	}
	return s.parts.Open(ctx, name, o, func(ctx context.Context, o column.ReadOptions) (column.Reader, error) {
		return s.openFormat(ctx, name, o)
	})
}

// openFormat opens one file in the format that its name says.
func (s Source) openFormat(ctx context.Context, name string, o column.ReadOptions) (column.Reader, error) {
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	if s.Vcf != nil && vcfio.IsVCF(name) {
		return s.Vcf.Open(ctx, s.Opts.FS, name, o)
	}
	return f.open(ctx, s.Opts.FS, name, o)
}

// BatchRows is how many rows a reader decodes at a time, at most.
const BatchRows = 8 << 10

// batchRows is how many rows of so many columns a reader decodes at a time: wide tables have batches of fewer rows, so that
// they are not of more bytes.
func batchRows(columns int) int {
	const cells = 1 << 20
	return max(8, min(BatchRows, cells/max(1, columns)))
}

// readThreads is how many threads decode a table of so many columns: as many as a quarter of the memory has room for. Each has
// pages, buffers and arrays of every column.
func readThreads(o job.Options, columns int) int {
	const columnBytes = 12 << 10
	o = o.WithDefaults()
	return int(max(1, min(int64(o.Threads), o.Memory/4/columnBytes/int64(max(1, columns)))))
}

// Schema returns the columns of the prepared table, those of measures as they are before.
func (s Source) Schema(ctx context.Context) (*arrow.Schema, error) {
	raw, err := s.RawSchema(ctx)
	if err != nil || s.Prep == nil {
		return raw, err
	}
	return s.Prep.Schema(s.Files[0], raw)
}

// RawSchema returns the columns of the wide table: those of the first file, unless it is long.
func (s Source) RawSchema(ctx context.Context) (*arrow.Schema, error) {
	if s.pivot != nil {
		err := s.pivot.load(ctx, s)
		return s.pivot.schema(), err
	}
	r, err := s.openFile(ctx, s.Files[0], column.ReadOptions{Nulls: s.nulls})
	if err != nil {
		return nil, err
	}
	schema := r.Schema()
	if err := duplicateColumn(ctx, s.Files[0], r); err != nil {
		r.Close()
		return nil, err
	}
	return schema, r.Close()
}

// duplicateColumn refuses a file of which two columns have one name. The reader, asked for rows, knows the line where that is.
func duplicateColumn(ctx context.Context, file string, r column.Reader) error {
	err := column.CheckNames(file, column.Names(r.Schema()))
	if err == nil {
		return nil
	}
	b, placed := r.Read(ctx)
	if placed == nil {
		b.Release()
	} else if errors.Is(placed, column.ErrDuplicateColumn) {
		return placed
	}
	return err
}
