package vcfio

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/column"
)

// plan is what is to be read of a file's records. It is not changed once reading has begun.
type plan struct {
	opts    Options
	file    string
	header  *header
	schema  *arrow.Schema // of the columns wanted
	sources []int         // per column: one of the constants below, or sourceSample + output
	mem     memory.Allocator

	genotypes bool   // some column needs the samples
	info      bool   // some column is a count of INFO
	all       bool   // every sample is chosen
	chosen    []bool // per sample
	outputs   int    // samples with a column of their own
	output    []int  // per sample: which of these, or -1

	filter  map[string]bool
	regions map[string][]Region // by the names as delivered
}

// What a column holds.
const (
	sourceChrom = iota
	sourcePos
	sourceRef
	sourceAlt
	sourceAC
	sourceAN
	sourceMissing
	sourceHet
	sourceHom
	sourceInfo // and the following, by infoNames
	_
	_
	_
	sourceSample
)

const posMax = math.MaxInt32 // as the specification has it

// parsed is the rows of a chunk.
type parsed struct {
	record arrow.Record // nil without rows
	spans  []column.Span
	runs   []run // of its records
	tally  Tally
	err    *column.InputError // of the first bad line; rows are those before it
}

// run is consecutive records of one chromosome.
type run struct {
	chrom    string
	from, to int64 // POS of the first and last
	line     int64 // of the first
	lastLine int64
	variants []variant
}

// variant is the part of a row that names a variant.
type variant struct {
	pos, line int64
	shift     int    // pos less POS of its record
	key       string // pos in 8 bytes, ref, a tab, alt
}

// parser turns chunks into rows. It is for one goroutine.
type parser struct {
	*plan
	samples  sampleScanner
	builders []array.Builder
	out      *parsed
	line     int64
	rows     int64
	alts     [][]byte
	freqs    [][]byte
	counts   infoCounts
	ref, alt []byte
	key      []byte
	chrom    []byte // as in the file, of the last run
}

func newParser(p *plan) *parser {
	x := &parser{plan: p, samples: sampleScanner{plan: p}, counts: infoCounts{defined: p.header.info}}
	for _, f := range p.schema.Fields() {
		x.builders = append(x.builders, array.NewBuilder(p.mem, f.Type))
	}
	return x
}

func (p *parser) release() {
	for _, b := range p.builders {
		b.Release()
	}
}

// parse reads the lines of a chunk.
func (p *parser) parse(c chunk) *parsed {
	p.out, p.line, p.rows, p.chrom = &parsed{}, c.line, 0, nil
	for text := c.text; len(text) > 0; p.line++ {
		line := text
		ended := false
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text, ended = text[:i], text[i+1:], true
		} else {
			text = nil
		}
		if err := p.parseLine(trimCR(line), ended, len(text) == 0); err != nil {
			if err.Line == 0 {
				err.AtLine(p.line).AtRow(p.line - p.header.line)
			}
			p.out.err = err
			break
		}
	}
	if p.rows > 0 {
		arrays := make([]arrow.Array, len(p.builders))
		for i, b := range p.builders {
			arrays[i] = b.NewArray()
		}
		p.out.record = array.NewRecord(p.schema, arrays, p.rows)
		for _, a := range arrays {
			a.Release()
		}
	}
	p.out.tally.Rows = p.rows
	return p.out
}

// parseLine reads one line. ended says whether it had a line end.
func (p *parser) parseLine(line []byte, ended, last bool) *column.InputError {
	want := fixedColumns
	if n := len(p.header.samples); n > 0 {
		want += 1 + n
	}
	if tabs := bytes.Count(line, []byte{'\t'}); tabs != want-1 {
		return p.wrongColumns(line, tabs+1, want, ended)
	}
	p.out.tally.Records++
	var fixed [9][]byte
	rest := line
	for i := range min(len(fixed), want) {
		if end := bytes.IndexByte(rest, '\t'); end >= 0 {
			fixed[i], rest = rest[:end], rest[end+1:]
		} else {
			fixed[i], rest = rest, nil
		}
		if len(fixed[i]) == 0 {
			return column.Refuse("", "%s is empty", fixedNames[i]).InColumn(columnNames[i]).WithHint("A value that is not known is a dot.")
		}
	}
	if !ended && p.looksCut(fixed[8], rest) {
		return column.Refuse("", "%w: the last line has no line end, and its last sample has no whole genotype", column.ErrTruncated).
			WithHint("Copy the file again, and compare its size or checksum with the original; or, if it is whole, end its last line with a line feed.")
	}
	pos, err := parsePos(fixed[1])
	if err != nil {
		return err
	}
	if err := p.note(fixed[0], pos); err != nil {
		return err
	}
	ref := fixed[3]
	if !isBases(ref) {
		return column.Refuse("", "%s is no reference allele", column.Quote(string(ref[:min(len(ref), 100)]))).InColumn("REF").WithHint("REF is one or more bases.")
	}
	if err := p.parseAlts(fixed[4]); err != nil {
		return err
	}
	run := &p.out.runs[len(p.out.runs)-1]
	switch {
	case !p.passes(fixed[6]):
		p.out.tally.Filtered++
		return nil
	case !p.inRegions(run.chrom, pos):
		p.out.tally.Outside++
		return nil
	case len(p.alts) == 0:
		p.out.tally.Monomorphic++
		return nil
	case len(p.alts) > 1 && p.opts.Multiallelic == Refuse:
		return column.Refuse("", "%d alternative alleles", len(p.alts)).InColumn("ALT").
			WithHint("‹multiallelic› split makes a row of each, ‹multiallelic› skip leaves such records out.")
	case len(p.alts) > 1 && p.opts.Multiallelic == Skip:
		p.out.tally.Multiallelic++
		return nil
	}
	if err := p.frequencies(fixed[7]); err != nil {
		return err
	}
	if p.info {
		if err := p.counts.read(fixed[7], len(p.alts)); err != nil {
			return err
		}
	}
	if p.genotypes {
		if err := p.samples.scan(fixed[8], rest, len(p.alts)); err != nil {
			return err
		}
	}
	for k, alt := range p.alts {
		if err := p.addAllele(run, pos, ref, alt, k); err != nil {
			return err
		}
	}
	return nil
}

// columnNames are the fixed columns as messages name them.
var columnNames = []string{"CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"}

// wrongColumns refuses a line that has n columns instead of those wanted.
func (p *parser) wrongColumns(line []byte, n, want int, ended bool) *column.InputError {
	switch {
	case len(line) == 0:
		return column.Refuse("", "an empty line").WithHint("Remove it.")
	case line[0] == '#':
		return column.Refuse("", "a header line after the first record").WithHint("If files were joined, join them with bcftools concat.")
	case !ended:
		return column.Refuse("", "%w: the last line has %d columns, not %d, and no line end", column.ErrTruncated, n, want).
			WithHint("Copy the file again, and compare its size or checksum with the original.")
	}
	return column.Refuse("", "%d columns, but the header has %d", n, want).
		WithHint("Every record has the eight fixed columns, FORMAT and one column for each sample, separated by tabs.")
}

// looksCut says whether the last line of a file, which has no line end, ends in a haploid genotype while another
// sample's is not haploid. Then something is likely missing.
func (p *parser) looksCut(format, samples []byte) bool {
	n := len(p.header.samples)
	if n < 2 || !p.genotypes {
		return false
	}
	i := bytes.LastIndexByte(samples, '\t')
	return !bytes.ContainsAny(samples[i+1:], "/|") && bytes.ContainsAny(samples[:i], "/|")
}

func parsePos(text []byte) (int64, *column.InputError) {
	pos := int64(0)
	for _, c := range text {
		if pos = pos*10 + int64(c-'0'); c-'0' > 9 || pos > posMax {
			return 0, column.Refuse("", "%s is no position", column.Quote(string(text[:min(len(text), 100)]))).InColumn("POS").
				WithHint("POS is a number from 0 to %d.", posMax)
		}
	}
	return pos, nil
}

// note adds a record to the runs of the chunk, and refuses one that comes before the record before it.
func (p *parser) note(chrom []byte, pos int64) *column.InputError {
	if n := len(p.out.runs); n > 0 && bytes.Equal(chrom, p.chrom) {
		r := &p.out.runs[n-1]
		if pos < r.to {
			return unsorted(r.chrom, pos, r.to, r.lastLine)
		}
		r.to, r.lastLine = pos, p.line
		return nil
	}
	for _, c := range chrom {
		if c <= ' ' || c == 0x7f {
			return column.Refuse("", "%s is no name of a chromosome", column.Quote(string(chrom[:min(len(chrom), 100)]))).InColumn("CHROM").
				WithHint("It has no blanks and control characters.")
		}
	}
	if len(chrom) > chromBytesMax {
		return column.Refuse("", "the name of a chromosome has more than %d bytes", chromBytesMax).InColumn("CHROM")
	}
	p.chrom = chrom
	p.out.runs = append(p.out.runs, run{chrom: p.opts.chromName(string(chrom)), from: pos, to: pos, line: p.line, lastLine: p.line})
	return nil
}

const chromBytesMax = 1 << 10

func unsorted(chrom string, pos, before, beforeLine int64) *column.InputError {
	return column.Refuse("", "not sorted: position %d of %s comes after %d on line %d", pos, chrom, before, beforeLine).InColumn("POS").
		WithHint("Sort the file by position, for example with bcftools sort.")
}

// parseAlts splits ALT into p.alts; a dot means none.
func (p *parser) parseAlts(text []byte) *column.InputError {
	p.alts = p.alts[:0]
	if len(text) == 1 && text[0] == '.' {
		return nil
	}
	for rest := text; ; {
		alt, after, more := bytes.Cut(rest, []byte{','})
		if !isBases(alt) && !isSymbolic(alt) {
			return column.Refuse("", "%s is no alternative allele", column.Quote(string(alt[:min(len(alt), 100)]))).InColumn("ALT").
				WithHint("It is bases, <ID>, * or a breakend; a record without one has a dot.")
		}
		if p.alts = append(p.alts, alt); len(p.alts) > allelesMax {
			return column.Refuse("", "more than %d alternative alleles", allelesMax).InColumn("ALT")
		}
		if !more {
			return nil
		}
		rest = after
	}
}

func (p *parser) passes(filter []byte) bool {
	if len(p.filter) == 0 {
		return true
	}
	for rest, more := filter, true; more; {
		var one []byte
		one, rest, more = bytes.Cut(rest, []byte{';'})
		if p.filter[string(one)] {
			return true
		}
	}
	return false
}

func (p *parser) inRegions(chrom string, pos int64) bool {
	if p.regions == nil {
		return true
	}
	for _, r := range p.regions[chrom] {
		if r.From <= pos && pos <= r.To {
			return true
		}
	}
	return false
}

// frequencies finds the values of INFO/AF, one per allele, if they are wanted.
func (p *parser) frequencies(info []byte) *column.InputError {
	if p.opts.AFMax == 0 {
		return nil
	}
	p.freqs = p.freqs[:0]
	for rest, more := info, true; more; {
		var one []byte
		one, rest, more = bytes.Cut(rest, []byte{';'})
		if text, ok := bytes.CutPrefix(one, []byte("AF=")); ok {
			p.freqs = bytes.Split(text, []byte{','})
			if len(p.freqs) != len(p.alts) {
				return column.Refuse("", "AF has %d values for %d alternative alleles", len(p.freqs), len(p.alts)).InColumn("INFO").
					WithHint("AF has a value for each allele in ALT.")
			}
			return nil
		}
	}
	return nil
}

// inFrequencies says whether allele k is wanted by its frequency.
func (p *parser) inFrequencies(k int) (bool, *column.InputError) {
	if p.opts.AFMax == 0 {
		return true, nil
	}
	if len(p.freqs) == 0 || string(p.freqs[k]) == "." {
		p.out.tally.WithoutAF++
		return false, nil
	}
	f, err := strconv.ParseFloat(string(p.freqs[k]), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return false, column.Refuse("", "AF %s is no frequency", column.Quote(string(p.freqs[k][:min(len(p.freqs[k]), 100)]))).InColumn("INFO").WithHint("It is a number from 0 to 1.")
	}
	if f < p.opts.AFMin || f > p.opts.AFMax {
		p.out.tally.Frequency++
		return false, nil
	}
	return true, nil
}

// addAllele appends the row of alternative allele k.
func (p *parser) addAllele(run *run, pos int64, ref, alt []byte, k int) *column.InputError {
	if ok, err := p.inFrequencies(k); err != nil || !ok {
		return err
	}
	p.ref, p.alt = upper(p.ref[:0], ref), append(p.alt[:0], alt...)
	shift := 0
	if isBases(alt) {
		p.alt = upper(p.alt[:0], alt)
		if bytes.Equal(p.ref, p.alt) {
			return column.Refuse("", "ALT equals REF, %s", column.Quote(string(alt[:min(len(alt), 100)]))).InColumn("ALT").WithHint("Correct the record.")
		}
		if p.opts.Alleles == Trim {
			p.ref, p.alt, shift = trim(p.ref, p.alt)
		}
	} else if p.opts.Symbolic == Skip {
		p.out.tally.Symbolic++
		return nil
	} else if p.opts.Symbolic == Refuse {
		return column.Refuse("", "the allele %s is not bases", column.Quote(string(alt[:min(len(alt), 100)]))).InColumn("ALT").
			WithHint("‹symbolic› skip leaves such alleles out, ‹symbolic› keep keeps them as they are written.")
	}
	pos += int64(shift)
	for i, source := range p.sources {
		switch b := p.builders[i].(type) {
		case *array.StringBuilder:
			switch source {
			case sourceChrom:
				b.Append(run.chrom)
			case sourceRef:
				b.BinaryBuilder.Append(p.ref)
			default:
				b.BinaryBuilder.Append(p.alt)
			}
		case *array.Int64Builder:
			if n := p.number(source, pos, k); n == noCount {
				b.AppendNull()
			} else {
				b.Append(n)
			}
		case *array.Int16Builder:
			if n := p.samples.dosage[k*p.outputs+source-sourceSample]; n == noDosage {
				b.AppendNull()
			} else {
				b.Append(int16(n))
			}
		case *array.Decimal128Builder:
			n := int64(noDosage)
			if source == sourceAC {
				n = p.samples.ac[k]
			} else {
				n = p.samples.dosage[k*p.outputs+source-sourceSample]
			}
			if n == noDosage {
				b.AppendNull()
			} else {
				b.Append(decimal128.FromI64(n))
			}
		}
	}
	p.rows++
	p.key = binary.BigEndian.AppendUint64(p.key[:0], uint64(pos))
	p.key = append(append(append(p.key, p.ref...), '\t'), p.alt...)
	run.variants = append(run.variants, variant{pos: pos, line: p.line, shift: shift, key: string(p.key)})
	p.out.spans = column.AppendSpan(p.out.spans, column.Span{File: p.file, Row: p.line - p.header.line, Line: p.line, Len: 1})
	return nil
}

func (p *parser) number(source int, pos int64, k int) int64 {
	switch source {
	case sourcePos:
		return pos
	case sourceAC:
		return p.samples.ac[k]
	case sourceAN:
		return p.samples.an
	case sourceMissing:
		return p.samples.missing
	case sourceHet:
		return p.samples.het[k]
	}
	if source >= sourceInfo {
		return p.counts.of(source, k)
	}
	return p.samples.hom[k]
}
