package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// VCF says what to read of VCF files: see package vcfio. The zero value reads all variants and counts all samples.
type VCF struct {
	Samples      string   // a file with a sample on each line, or A,B,C; "" is all
	PerSample    bool     // a measure for each sample, its dosage, instead of AC, AN, MISSING, HET and HOM
	Dosage       string   // "GT" (default) or "DS"
	Counts       string   // "genotypes" (default) or "info": the counts that INFO has
	Multiallelic string   // "split" (default), "skip" or "refuse"
	Symbolic     string   // "keep" (default), "skip" or "refuse"
	Alleles      string   // "trim" (default) or "keep"
	ChromPrefix  string   // "keep" (default) or "strip"
	Filter       []string // FILTER values, one of which a record must have; none: all records
	AF           string   // MIN-MAX of INFO/AF
	Regions      []string // CHROM[:FROM-TO], the region of a record's POS; none: all
}

// variants is how the VCF files of a source are read, and what the last pass over them left out.
type variants struct {
	options     vcfio.Options
	Tally       vcfio.Tally
	chromosomes []string // of the files
	isList      bool     // they are a reference list
	told        bool     // what it is without was logged
	headerEnd   int64    // the line at which the first file's header ends; 0 before it was opened
	af          string   // as declared
	regions     []string // likewise
}

// checkUsed refuses VCF settings if no file of the source is a VCF file. Settings of how a variant is written also
// apply to the reference lists.
func (v VCF) checkUsed(ctx context.Context, fs blob.FS, files, lists []string) error {
	if slices.ContainsFunc(files, vcfio.IsVCF) {
		return nil
	}
	var flags, ofNames []string
	for _, x := range []struct {
		flag          string
		given, ofName bool
	}{
		{"‹samples›", v.Samples != "", false}, {"‹per_sample›", v.PerSample, false}, {"‹dosage›", v.Dosage != "", false}, {"‹counts›", v.Counts != "", false},
		{"‹filter›", len(v.Filter) > 0, false}, {"‹af›", v.AF != "", false}, {"‹region›", len(v.Regions) > 0, false},
		{"‹multiallelic›", v.Multiallelic != "", true}, {"‹symbolic›", v.Symbolic != "", true},
		{"‹alleles›", v.Alleles != "", true}, {"‹chrom_prefix›", v.ChromPrefix != "", true},
	} {
		switch {
		case x.given && x.ofName:
			ofNames = append(ofNames, x.flag)
		case x.given:
			flags = append(flags, x.flag)
		}
	}
	if len(ofNames) > 0 {
		listed := false
		for _, pattern := range lists {
			list, err := fs.List(ctx, pattern)
			if err != nil {
				return err
			}
			listed = listed || slices.ContainsFunc(list, vcfio.IsVCF)
		}
		if !listed {
			flags = append(flags, ofNames...)
		}
	}
	if len(flags) == 0 {
		return nil
	}
	return job.Misuse("It is for VCF files. Leave it out, or give a file whose name ends in .vcf, .vcf.gz or .vcf.bgz.", "%s: no input is a VCF file", strings.Join(flags, ", "))
}

// restOfNumber matches what commas between the digits of numbers leave in a list: 1:1,000-2,000 becomes 1:1, 000-2 and
// 000.
var restOfNumber = regexp.MustCompile(`^([0-9]{3}|[0-9]+-[0-9]*)$`)

// reading reads the options.
func (v VCF) reading(ctx context.Context, fs blob.FS) (*variants, error) {
	g := &variants{af: v.AF, regions: v.Regions, options: vcfio.Options{
		PerSample: v.PerSample, Dosage: v.Dosage, Counts: v.Counts, Multiallelic: v.Multiallelic, Symbolic: v.Symbolic, Alleles: v.Alleles,
		ChromPrefix: v.ChromPrefix, Filter: v.Filter,
	}}
	o := &g.options
	for i, s := range v.Regions {
		if restOfNumber.MatchString(s) && (i > 0 && strings.Contains(v.Regions[i-1], ":") || strings.Contains(s, "-")) {
			return nil, job.Misuse("Write numbers without commas: ‹region› 22:16000000-17000000. A chromosome that is called so is NAME:0-.",
				"‹region›: %s looks like a part of a number with commas", column.Quote(s))
		}
		r, err := vcfio.ParseRegion(s)
		if err != nil {
			return nil, job.Misuse("Write ‹region› 22:16000000-17000000, without commas in numbers.", "‹region›: %v", err)
		}
		o.Regions = append(o.Regions, r)
	}
	var err error
	if v.AF != "" {
		if o.AFMin, o.AFMax, err = vcfio.ParseAF(v.AF); err != nil {
			return nil, job.Misuse("Write ‹af› 0.01-0.5.", "‹af›: %v", err)
		}
	}
	if err := o.Check(); err != nil {
		return nil, job.Misuse("See «encrypt ‹help›».", "‹%v›", err)
	}
	if v.Counts == vcfio.Info && v.Samples != "" {
		return nil, job.Misuse("Leave ‹samples› out, or count genotypes.", "‹counts› info is of all samples of a file")
	}
	o.Samples, err = readSamples(ctx, fs, v.Samples)
	return g, err
}

const samplesBytesMax = 256 << 20

// readSamples reads a list of samples: the lines of a file of that name, if there is one, otherwise names with commas
// between them.
func readSamples(ctx context.Context, fs blob.FS, list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	f, err := fs.Open(ctx, list)
	if errors.Is(err, blob.ErrNotFound) {
		names := strings.Split(list, ",")
		if slices.Contains(names, "") {
			return nil, job.Misuse("Write A,B,C.", "‹samples› %s: a name is empty", column.Quote(list))
		}
		return names, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > samplesBytesMax {
		return nil, column.Refuse(list, "a list of samples of more than %d MiB", samplesBytesMax>>20).WithHint("Name a text file with a sample on each line.")
	}
	text := make([]byte, f.Size())
	if _, err := f.ReadAt(text, 0); err != nil && len(text) > 0 {
		return nil, err
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return nil, column.Refuse(list, "the list of samples is UTF-16").AtLine(1).WithHint("Save it as UTF-8.")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the byte order mark of editors on Windows
	var out []string
	for i, line := range strings.Split(strings.TrimRight(string(text), "\r\n"), "\n") {
		name := strings.TrimSuffix(line, "\r")
		if name == "" {
			return nil, column.Refuse(list, "an empty line in the list of samples").AtLine(int64(i + 1)).WithHint("Write one sample on each line.")
		}
		out = append(out, name)
	}
	return out, nil
}

// begin starts a pass over the files.
func (g *variants) begin() {
	if g != nil {
		g.Tally, g.chromosomes, g.headerEnd = vcfio.Tally{}, nil, 0
		g.options.Tally, g.options.Chromosomes, g.options.Parts = &g.Tally, &g.chromosomes, &vcfio.Parts{}
	}
}

// Sites says how a reference list of variants is read, so that its ids are written as those of the source.
func (g *variants) Sites() *variants {
	o := g.options
	return &variants{isList: true, options: vcfio.Options{Multiallelic: o.Multiallelic, Symbolic: o.Symbolic, Alleles: o.Alleles, ChromPrefix: o.ChromPrefix}}
}

func (g *variants) Open(ctx context.Context, fs blob.FS, name string, o column.ReadOptions) (column.Reader, error) {
	r, err := vcfio.Open(ctx, fs, name, g.options, o)
	if err == nil && g.headerEnd == 0 {
		g.headerEnd = r.(*vcfio.Reader).HeaderLine()
	}
	return r, err
}

// explain returns what a VCF file says itself about columns that it lacks, else err.
func (g *variants) explain(ctx context.Context, fs blob.FS, file string, e *Spec, err error) error {
	if g == nil || !vcfio.IsVCF(file) || e.Pivot != "" || !errors.Is(err, column.ErrMissingColumn) && !errors.Is(err, errNoMeasure) {
		return err
	}
	for _, name := range append(e.Columns(), "AC") { // that of all counts, for the measure *
		o := g.options
		o.Parts, o.Tally, o.Chromosomes = nil, nil, nil
		r, why := vcfio.Open(ctx, fs, file, o, column.ReadOptions{Columns: []string{name}})
		if why == nil {
			r.Close()
		} else if errors.Is(why, vcfio.ErrNoSamples) {
			return why
		}
	}
	return err
}

// requireRows returns r, which reads the files. If no row is left of them, it says why not. It also says once which
// variants of a reference list were left out.
func (g *variants) requireRows(r column.Reader, file string, log *slog.Logger) column.Reader {
	r = column.RequireRows(r, file)
	if g == nil {
		return r
	}
	return &variantRows{Reader: r, variants: g, file: file, log: log}
}

type variantRows struct {
	column.Reader
	*variants
	file string
	log  *slog.Logger
}

func (r *variantRows) File() string { return column.FileOf(r.Reader) }

func (r *variantRows) Read(ctx context.Context) (column.Batch, error) {
	b, err := r.Reader.Read(ctx)
	if errors.Is(err, column.ErrNoRows) && r.headerEnd > 0 {
		err = r.noRows(r.file)
	}
	if err == io.EOF && r.isList && !r.told && r.omitted() != "" {
		r.told = true
		r.log.Warn("the universe is shorter than its file", "file", r.file, "left_out", r.omitted())
	}
	return b, err
}

// noRows says why nothing is left of the files, of which the first is named.
func (g *variants) noRows(file string) error {
	if g.Tally.Records == 0 {
		return column.Refuse(file, "%w: the file ends after its header, without a record", column.ErrNoRows).AtLine(g.headerEnd).
			WithHint("Check that the export that wrote it ran to its end.")
	}
	hint := "Check the flags that choose records."
	if unseen := g.options.Unseen(g.chromosomes); len(unseen) > 0 {
		hint = fmt.Sprintf("There is no record of chromosome %s. There are records of %s.", someOf(unseen), someOf(g.chromosomes))
	} else if g.Tally.Filtered > 0 {
		hint = "Names in ‹filter› are compared as they are written, such as PASS."
	}
	return column.Refuse(file, "%w: nothing is left of %s: %s", column.ErrNoRows, job.Count(int(g.Tally.Records), "VCF record"), g.omitted()).WithHint("%s", hint)
}

// omitted lists what was left out of the files.
func (g *variants) omitted() string {
	var left []string
	for _, x := range g.Tally.Omissions() {
		left = append(left, job.Count(int(x.Count), x.Noun)+" "+x.Reason)
	}
	return strings.Join(left, ", ")
}

// someOf lists the first of some names.
func someOf(names []string) string {
	const most = 5
	more := ""
	if len(names) > most {
		names, more = names[:most], ", ..."
	}
	return strings.Join(names, ", ") + more
}

// openVCF reads all of a file, such as a universe of variants.
func openVCF(ctx context.Context, fs blob.FS, name string, o column.ReadOptions) (column.Reader, error) {
	return vcfio.Open(ctx, fs, name, vcfio.Options{}, o)
}
