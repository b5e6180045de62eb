package job

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

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
	create func(context.Context, blob.FS, string, *arrow.Schema, column.WriteOptions) (column.Writer, error) // nil: read only
	keys   []string                                                                                          // columns that say what a row is about, ids or not
}

var (
	csvFormat     = format{open: csvio.Open, create: csvio.Create}
	arrowFormat   = format{open: arrowio.Open, create: arrowio.Create}
	parquetFormat = format{open: parquetio.Open, create: parquetio.Create}
	vcfFormat     = format{open: openVCF, keys: []string{"chrom", "pos", "ref", "alt"}}
	bedFormat     = format{open: csvio.Open, keys: []string{"chrom", "start", "end", "id"}}
)

// formats by the extension of the file's name.
var formats = map[string]format{
	".parquet": parquetFormat,
	".arrow":   arrowFormat, ".feather": arrowFormat,
	".csv": csvFormat, ".csv.gz": csvFormat, ".tsv": csvFormat, ".tsv.gz": csvFormat,
	".bed": bedFormat, ".bed.gz": bedFormat,
	".vcf": vcfFormat, ".vcf.gz": vcfFormat, ".vcf.bgz": vcfFormat, ".bcf": vcfFormat,
}

func formatOf(name string) (format, error) {
	if f, ok := formats[blob.Ext(name)]; ok {
		return f, nil
	}
	return format{}, unknownFormat(name, func(format) bool { return true })
}

// outputFormat is formatOf of a table to write.
func outputFormat(name string) (format, error) {
	writable := func(f format) bool { return f.create != nil }
	if f, ok := formats[blob.Ext(name)]; ok && writable(f) {
		return f, nil
	}
	return format{}, unknownFormat(name, writable)
}

// unknownFormat lists the formats that would do.
func unknownFormat(name string, would func(format) bool) error {
	var known []string
	for ext, f := range formats {
		if would(f) {
			known = append(known, ext)
		}
	}
	slices.Sort(known)
	return usage("Formats go by the extension: "+strings.Join(known, ", ")+".", "%s: unknown format %q", name, blob.Ext(name))
}

// source is the plain table of one owner: one file or several part files.
type source struct {
	opts  Options
	files []string
	nulls []string
	rows  *rowCount
	parts *column.Partitions // columns that the folders of the files say; nil when there are none
	vcf   *genotypes         // how VCF files are read
	pivot *pivot             // of a long table; nil when it is wide
	prep  *preparer          // nil when the table is taken as it is

	mayBeEmpty bool // a table without a row is no mistake
}

// listSource expands paths, globs and directories, in the order given. A file that comes twice is refused: its rows would
// count twice.
func listSource(ctx context.Context, o Options, patterns, nulls []string) (source, error) {
	s := source{opts: o, nulls: nulls, rows: newRowCount()}
	seen := map[string]bool{}
	for _, p := range patterns {
		files, err := o.FS.List(ctx, p)
		if err != nil {
			return s, err
		}
		for _, file := range files {
			if seen[filepath.Clean(file)] {
				return s, usage("Name every file once; globs and directories name those in them.", "%s is given twice", file)
			}
			seen[filepath.Clean(file)] = true
		}
		s.files = append(s.files, files...)
	}
	if len(s.files) == 0 {
		return s, usage("Name at least one file.", "no input")
	}
	var err error
	s.parts, err = column.FindPartitions(s.files, blob.Path)
	return s, err
}

// notAnInput refuses an output that would replace what it is made from: the file, or a directory that it is in.
func notAnInput(out string, inputs []string) error {
	for _, in := range inputs {
		if in, out := filepath.Clean(in), filepath.Clean(out); in == out || strings.HasPrefix(in, out+string(filepath.Separator)) {
			return usage("Give the output a name of its own.", "%s is an input and the output", in)
		}
	}
	return nil
}

// open reads the named columns of the prepared table.
func (s source) open(ctx context.Context, columns []string) (column.Reader, error) {
	if s.prep != nil {
		return s.prep.open(ctx, s, columns)
	}
	return s.openRaw(ctx, columns)
}

// openRaw reads the named columns of the wide table that the files are, or make.
func (s source) openRaw(ctx context.Context, columns []string) (column.Reader, error) {
	if s.pivot == nil {
		return s.openFiles(ctx, columns)
	}
	if err := s.pivot.load(ctx, s); err != nil {
		return nil, err
	}
	return s.pivot.reader(columns)
}

// openFiles reads the named columns of all files, one after the other; none means all columns. A table without a row is
// refused, unless it may be empty.
func (s source) openFiles(ctx context.Context, columns []string) (column.Reader, error) {
	s.vcf.begin()
	r, err := column.OpenParts(ctx, s.files, func(ctx context.Context, name string) (column.Reader, error) {
		r, err := s.openFile(ctx, name, column.ReadOptions{Columns: columns, Threads: s.opts.Threads, Nulls: s.nulls, BatchRows: readRows})
		if err != nil {
			return nil, err
		}
		return s.rows.of(name, r), nil
	})
	if err != nil {
		return nil, err
	}
	if s.mayBeEmpty {
		return r, nil
	}
	return s.vcf.requireRows(r, s.files[0], s.opts.Log), nil
}

// openFile opens one file, with the columns that its folders say.
func (s source) openFile(ctx context.Context, name string, o column.ReadOptions) (column.Reader, error) {
	if s.parts == nil {
		return s.openFormat(ctx, name, o)
	}
	return s.parts.Open(ctx, name, o, func(ctx context.Context, o column.ReadOptions) (column.Reader, error) {
		return s.openFormat(ctx, name, o)
	})
}

// openFormat opens one file in the format that its name says.
func (s source) openFormat(ctx context.Context, name string, o column.ReadOptions) (column.Reader, error) {
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	if s.vcf != nil && vcfio.IsVCF(name) {
		return s.vcf.open(ctx, s.opts.FS, name, o)
	}
	return f.open(ctx, s.opts.FS, name, o)
}

// readRows is how many rows a reader decodes at a time.
const readRows = 8 << 10

// schema returns the columns of the prepared table, those of measures as they are before.
func (s source) schema(ctx context.Context) (*arrow.Schema, error) {
	raw, err := s.rawSchema(ctx)
	if err != nil || s.prep == nil {
		return raw, err
	}
	return s.prep.schema(s.files[0], raw)
}

// rawSchema returns the columns of the wide table: those of the first file, unless it is long.
func (s source) rawSchema(ctx context.Context) (*arrow.Schema, error) {
	if s.pivot != nil {
		err := s.pivot.load(ctx, s)
		return s.pivot.schema(), err
	}
	r, err := s.openFile(ctx, s.files[0], column.ReadOptions{Nulls: s.nulls})
	if err != nil {
		return nil, err
	}
	schema := r.Schema()
	return schema, r.Close()
}
