package vcfio

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/gzipped"
	"github.com/cipherfold/cipherfold/io/internal/stream"
)

// header is what the lines before the records say.
type header struct {
	samples []string
	line    int64              // of #CHROM
	info    map[string]infoDef // of infoNames, those that are defined
}

const (
	headerLinesMax = 1 << 20
	fixedColumns   = 8 // CHROM to INFO
	samplesMax     = 8 << 20
)

var fixedNames = []string{"#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"}

// foreign are the beginnings of files that are often mistaken for VCF.
var foreign = []struct{ magic, what, hint string }{
	{"BCF\x02", "BCF", "Convert it: bcftools view -Oz -o FILE.vcf.gz FILE.bcf."},
	{"BCF\x04", "BCF", "Convert it: bcftools view -Oz -o FILE.vcf.gz FILE.bcf."},
	{"PK\x03\x04", "a zip archive", "Extract it."},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", "Decompress it, and compress it with bgzip."},
	{"\xff\xfe", "UTF-16 text", "Convert it to UTF-8."},
	{"\xfe\xff", "UTF-16 text", "Convert it to UTF-8."},
}

// readHeader reads up to the line #CHROM. Its errors have no file.
func readHeader(l *lines) (*header, error) {
	info := map[string]infoDef{}
	for first := true; ; first = false {
		at := l.line
		line, err := l.oneLine()
		if err == io.EOF && first {
			return nil, column.Refuse("", "%w", column.ErrEmptyFile).AtLine(1).WithHint("Check that the export that wrote it ran to its end.")
		}
		if err == io.EOF {
			return nil, column.Refuse("", "%w: there is no line #CHROM", column.ErrTruncated).AtLine(at).
				WithHint("A VCF file has a header that ends in a line #CHROM POS ID ..., and then its records.")
		}
		if err != nil {
			return nil, err
		}
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
		if first {
			if err := checkFileFormat(line); err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case bytes.HasPrefix(line, []byte("##INFO=<")):
			if err := defineInfo(info, string(line[len("##INFO="):]), at); err != nil {
				return nil, err
			}
		case bytes.HasPrefix(line, []byte("##")):
		case bytes.HasPrefix(line, []byte("#CHROM")):
			h := &header{line: at, info: info}
			return h, h.parse(string(line))
		default:
			return nil, column.Refuse("", "%s where a header line is expected", column.Quote(string(line[:min(len(line), 200)]))).AtLine(at).
				WithHint("Before the records there is a line #CHROM POS ID REF ALT QUAL FILTER INFO [FORMAT SAMPLE...], separated by tabs.")
		}
		if at >= headerLinesMax {
			return nil, column.Refuse("", "more than %d header lines", headerLinesMax).AtLine(at)
		}
	}
}

func checkFileFormat(line []byte) error {
	for _, f := range foreign {
		if bytes.HasPrefix(line, []byte(f.magic)) {
			return column.Refuse("", "not a VCF file: it is %s", f.what).AtLine(1).WithHint("%s", f.hint)
		}
	}
	version, ok := bytes.CutPrefix(line, []byte("##fileformat="))
	if !ok {
		return column.Refuse("", "not a VCF file: it does not begin with ##fileformat=VCFv4").AtLine(1).
			WithHint("The first line of a VCF file is ##fileformat=VCFv4.2, or another version 4.")
	}
	if !bytes.HasPrefix(version, []byte("VCFv4.")) {
		return column.Refuse("", "file format %s is not known", column.Quote(string(version[:min(len(version), 100)]))).AtLine(1).
			WithHint("VCFv4.0 to VCFv4.5 are; convert the file, for example with bcftools view.")
	}
	return nil
}

// parse reads the line #CHROM.
func (h *header) parse(line string) error {
	names := strings.Split(line, "\t")
	refuse := func(format string, args ...any) *column.InputError {
		return column.Refuse("", format, args...).AtLine(h.line)
	}
	for i, want := range fixedNames {
		if i == len(fixedNames)-1 && i == len(names) {
			break // without FORMAT there are no samples
		}
		if i >= len(names) || names[i] != want {
			e := refuse("column %d of the header is not %s", i+1, want)
			if !strings.Contains(line, "\t") {
				return e.WithHint("Columns are separated by tabs, not blanks.")
			}
			return e.WithHint("The columns are #CHROM POS ID REF ALT QUAL FILTER INFO, then FORMAT and the samples.")
		}
	}
	if len(names) == len(fixedNames) {
		return refuse("FORMAT but no sample").WithHint("Check whether the header was cut off; a file without genotypes has no FORMAT either.")
	}
	h.samples = slices.Clone(names[min(len(names), len(fixedNames)):])
	if len(h.samples) > samplesMax {
		return refuse("more than %d samples", samplesMax)
	}
	seen := make(map[string]int, len(h.samples))
	for i, name := range h.samples {
		if strings.TrimSpace(name) == "" || printable.Check(name) != nil {
			return refuse("column %d has %s as the name of a sample", len(fixedNames)+i+1, column.Quote(name)).WithHint("Give every sample a name.")
		}
		if j, twice := seen[name]; twice {
			return refuse("duplicate sample: columns %d and %d are both %s", len(fixedNames)+j+1, len(fixedNames)+i+1, column.Quote(name)).
				InColumn(name).WithHint("Remove or rename one of them: every sample counts once.")
		}
		seen[name] = i
	}
	return nil
}

// choose returns which samples are wanted, in the order wanted, as indices.
func (h *header) choose(wanted []string) ([]int, error) {
	if len(wanted) == 0 {
		all := make([]int, len(h.samples))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	at := make(map[string]int, len(h.samples))
	for i, name := range h.samples {
		at[name] = i
	}
	out := make([]int, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for k, name := range wanted {
		i, ok := at[name]
		if !ok {
			e := column.Refuse("", "there is no sample %s", column.Quote(name)).AtLine(h.line)
			if near, likely := column.Nearest(name, h.samples); likely {
				return nil, e.WithHint("Did you mean %s?", column.Quote(near))
			}
			return nil, e.WithHint("The file has %d samples; see its line #CHROM.", len(h.samples))
		}
		if taken[name] {
			return nil, column.Refuse("", "sample %s is asked for twice", column.Quote(name)).AtLine(h.line).InColumn(name).WithHint("Name each sample once.")
		}
		taken[name] = true
		out[k] = i
	}
	return out, nil
}

// placed adds the file to an error, and the line if it has none, and says what an error of decompression means.
func placed(file string, line int64, err error) error {
	var e *column.InputError
	if errors.As(err, &e) {
		if e.File == "" {
			e.File = file
		}
		return err
	}
	refuse := func(format string, args ...any) *column.InputError {
		return column.Refuse(file, format, args...).AtLine(line)
	}
	const again = "Copy the file again, and compare its size or checksum with the original."
	switch {
	case errors.Is(err, stream.ErrShrank):
		return refuse("%w: it became shorter while it was read", column.ErrTruncated).WithHint("Read a file that nothing writes to.")
	case errors.Is(err, errNoMarker):
		return refuse("%w: it lacks the end-of-file marker of bgzip", column.ErrTruncated).
			WithHint("%s If it is whole and another program wrote it, compress it with bgzip or gzip.", again)
	case errors.Is(err, errCutBlock), errors.Is(err, gzipped.ErrTruncated):
		return refuse("%w: the compressed data breaks off", column.ErrTruncated).WithHint(again)
	case errors.Is(err, errMixed):
		return refuse("%w", err).WithHint("Compress the file anew: gzip -dc OLD.vcf.gz | bgzip > NEW.vcf.gz.")
	case errors.Is(err, errTrailing), errors.Is(err, gzipped.ErrTrailing):
		return refuse("%w", err).WithHint("What follows would be lost: decompress the file, see what it is, and compress the records alone.")
	case errors.Is(err, errNotBlock), errors.Is(err, errBadBlock), errors.Is(err, gzipped.ErrDamaged), errors.Is(err, gzipped.ErrNot):
		return refuse("%w", err).WithHint(again)
	}
	return err
}
