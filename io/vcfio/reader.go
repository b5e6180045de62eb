package vcfio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Reader reads a VCF file. It is a column.Reader with these columns:
//
//   - chrom (string), pos (int64), ref and alt (string);
//   - then AC, AN, MISSING, HET and HOM (int64); with dosages AC is decimal(18, 9), and there are no HET and HOM;
//   - or, with Options.PerSample, a column for each sample (int16 or decimal(18, 9), null where missing).
//
// A file without samples has the first four alone. With ReadOptions.Threads, several chunks of the file are
// decompressed and read at a time.
type Reader struct {
	plan    *plan
	file    blob.File
	text    text
	lines   *lines
	opts    column.ReadOptions
	made    []*parser // all parsers
	free    chan *parser
	queue   []*parsing
	running sync.WaitGroup
	order   order
	part    *part
	tally   Tally
	pending column.Batch // of a chunk that has more rows than a batch
	held    bool
	ended   bool // lines has no more
	err     error
}

// parsing is a chunk on its way.
type parsing struct {
	out  *parsed
	err  error
	done chan struct{} // nil: done
}

// Open opens a file and reads its header; see the package's documentation for what is refused.
func Open(ctx context.Context, fs blob.FS, name string, o Options, opts column.ReadOptions) (column.Reader, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if blob.Ext(name) == ".bcf" {
		return nil, column.Refuse(name, "BCF is not read").WithHint("Convert it: bcftools view -Oz -o FILE.vcf.gz FILE.bcf.")
	}
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	r := &Reader{file: f, opts: opts.WithDefaults()}
	if err := r.open(name, o); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(name string, o Options) error {
	if r.file.Size() == 0 {
		return column.Refuse(name, "%w", column.ErrEmptyFile).AtLine(1).WithHint("Check that the export that wrote it ran to its end.")
	}
	var err error
	if r.text, err = openText(r.file, r.opts.Threads); err != nil {
		return placed(name, 1, err)
	}
	r.lines = &lines{text: r.text, line: 1}
	h, err := readHeader(r.lines)
	if err != nil {
		return placed(name, r.lines.line, err)
	}
	if r.plan, err = newPlan(name, h, o, r.opts); err != nil {
		return placed(name, h.line, err)
	}
	if o.Parts != nil {
		var refused *column.InputError
		if r.part, refused = o.Parts.open(name, h.line, r.plan.names()); refused != nil {
			return refused
		}
	}
	r.free = make(chan *parser, max(1, r.opts.Threads))
	return nil
}

// newPlan says what is to be read of a file with the header h.
func newPlan(name string, h *header, o Options, opts column.ReadOptions) (*plan, error) {
	p := &plan{opts: o, file: name, header: h, mem: opts.Mem, filter: map[string]bool{}}
	for _, f := range o.Filter {
		p.filter[f] = true
	}
	if len(o.Regions) > 0 {
		p.regions = map[string][]Region{}
		for _, r := range o.Regions {
			chrom := o.chromName(r.Chrom)
			p.regions[chrom] = append(p.regions[chrom], r)
		}
	}
	chosen, err := h.choose(o.Samples)
	if err != nil {
		return nil, err
	}
	p.all = len(chosen) == len(h.samples)
	p.chosen = make([]bool, len(h.samples))
	p.output = make([]int, len(h.samples))
	for i := range p.output {
		p.output[i] = -1
	}
	for _, i := range chosen {
		p.chosen[i] = true
	}
	str, number, dosage := arrow.DataType(arrow.BinaryTypes.String), arrow.DataType(arrow.PrimitiveTypes.Int64), arrow.DataType(arrow.PrimitiveTypes.Int16)
	if o.Dosage == DS {
		dosage = &arrow.Decimal128Type{Precision: dosagePrecision, Scale: dosageDecimals}
	}
	types := []arrow.DataType{str, number, str, str}
	var fields []arrow.Field
	var sources []int
	for i, name := range idNames {
		fields, sources = append(fields, arrow.Field{Name: name, Type: types[i]}), append(sources, sourceChrom+i)
	}
	if refused := h.sitesOnly(&o, opts.Columns); refused != nil {
		return nil, refused
	}
	switch {
	case o.Counts == Info:
		counts, refused := h.infoColumns()
		if refused != nil {
			return nil, refused
		}
		if len(counts) == 0 {
			return nil, column.Refuse("", "the header defines no counts in INFO: neither AC nor AN").AtLine(h.line).
				WithHint("Counts of INFO are read from AC, AN, AC_Het and nhomalt.")
		}
		for _, i := range counts {
			fields, sources = append(fields, arrow.Field{Name: infoNames[i], Type: number, Nullable: true}), append(sources, sourceInfo+i)
		}
	case len(h.samples) == 0:
	case o.PerSample:
		p.outputs = len(chosen)
		for out, i := range chosen {
			p.output[i] = out
			fields, sources = append(fields, arrow.Field{Name: h.samples[i], Type: dosage, Nullable: true}), append(sources, sourceSample+out)
		}
	default:
		counts := countNames
		if o.Dosage == DS {
			counts = dosageNames
		}
		for i, name := range counts {
			t := number
			if i == 0 && o.Dosage == DS {
				t = dosage
			}
			fields, sources = append(fields, arrow.Field{Name: name, Type: t}), append(sources, sourceAC+i)
		}
	}
	all := arrow.NewSchema(fields, nil)
	at, err := column.Select(name, column.Names(all), opts.Columns)
	if err != nil {
		return nil, err
	}
	p.schema = column.ProjectSchema(all, at)
	for _, i := range at {
		p.sources = append(p.sources, sources[i])
		p.genotypes = p.genotypes || sources[i] >= sourceAC && sources[i] <= sourceHom || sources[i] >= sourceSample
		p.info = p.info || sources[i] >= sourceInfo && sources[i] < sourceSample
	}
	return p, nil
}

// names are the samples chosen, in the order of the header.
func (p *plan) names() []string {
	var out []string
	for i, name := range p.header.samples {
		if p.chosen[i] {
			out = append(out, name)
		}
	}
	return out
}

// File returns the file's name.
func (r *Reader) File() string { return r.plan.file }

// Schema returns the columns read.
func (r *Reader) Schema() *arrow.Schema { return r.plan.schema }

// Samples returns the samples chosen, in the order of the header. It must not be changed.
func (r *Reader) Samples() []string { return r.plan.names() }

// HeaderLine returns the line that names the samples.
func (r *Reader) HeaderLine() int64 { return r.plan.header.line }

// Read returns the next rows.
func (r *Reader) Read(ctx context.Context) (column.Batch, error) {
	if err := ctx.Err(); err != nil {
		return column.Batch{}, err
	}
	for r.err == nil && !r.held {
		r.pending, r.held, r.err = r.nextChunk()
	}
	if r.held {
		return r.takePending(), nil
	}
	return column.Batch{}, r.err
}

// takePending returns the next ReadOptions.BatchRows rows of the pending batch.
func (r *Reader) takePending() column.Batch {
	b := r.pending
	n := int(b.NumRows())
	if n <= r.opts.BatchRows {
		r.pending, r.held = column.Batch{}, false
		return b
	}
	out := b.Slice(0, r.opts.BatchRows)
	r.pending = b.Slice(r.opts.BatchRows, n)
	b.Release()
	return out
}

// nextChunk returns the rows of the next chunk that has some. If a chunk has an error, its other rows are not
// delivered, as they would be of no use.
func (r *Reader) nextChunk() (column.Batch, bool, error) {
	r.startParsing()
	if len(r.queue) == 0 {
		if o := r.plan.opts.Tally; o != nil {
			o.add(&r.tally)
		}
		if o := r.plan.opts.Chromosomes; o != nil {
			for _, name := range r.order.chromosomes() {
				if !slices.Contains(*o, name) {
					*o = append(*o, name)
				}
			}
		}
		return column.Batch{}, false, io.EOF
	}
	q := r.queue[0]
	r.queue = r.queue[1:]
	if q.done != nil {
		<-q.done
	}
	if q.err != nil {
		return column.Batch{}, false, placed(r.plan.file, r.lines.line, q.err)
	}
	out := q.out
	drop := func(err *column.InputError) (column.Batch, bool, error) {
		out.release()
		if err.Row == 0 && err.Line > 0 {
			err.AtRow(err.Line - r.plan.header.line)
		}
		return column.Batch{}, false, placed(r.plan.file, 0, err)
	}
	if err := r.order.check(out.runs); err != nil {
		return drop(err)
	}
	if r.part != nil {
		if err := r.plan.opts.Parts.read(r.part, out.runs); err != nil {
			return drop(err)
		}
	}
	if out.err != nil {
		return drop(out.err)
	}
	r.tally.add(&out.tally)
	if out.record == nil {
		return column.Batch{}, false, nil
	}
	return column.Batch{Record: out.record, File: r.plan.file, Row: out.spans[0].Row, Spans: out.spans}, true, nil
}

func (p *parsed) release() {
	if p.record != nil {
		p.record.Release()
	}
}

// startParsing keeps as many chunks in work as there are threads.
func (r *Reader) startParsing() {
	for !r.ended && len(r.queue) < max(1, r.opts.Threads) {
		c, err := r.lines.next()
		if err == io.EOF {
			r.ended = true
			return
		}
		if err != nil {
			r.ended = true
			r.queue = append(r.queue, &parsing{err: err})
			return
		}
		q := &parsing{}
		r.queue = append(r.queue, q)
		p := r.parser()
		if r.opts.Threads <= 1 {
			q.out = p.parse(c)
			r.free <- p
			continue
		}
		q.done = make(chan struct{})
		r.running.Add(1)
		go func() {
			defer r.running.Done()
			q.out = p.parse(c)
			r.free <- p
			close(q.done)
		}()
	}
}

// parser returns an idle parser. There are no more parsers than chunks in work.
func (r *Reader) parser() *parser {
	select {
	case p := <-r.free:
		return p
	default:
		p := newParser(r.plan)
		r.made = append(r.made, p)
		return p
	}
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	r.running.Wait()
	if r.text != nil {
		r.text.close()
	}
	for _, q := range r.queue {
		if q.out != nil {
			q.out.release()
		}
	}
	if r.held {
		r.pending.Release()
	}
	for _, p := range r.made {
		p.release()
	}
	r.queue, r.made, r.held = nil, nil, false
	r.err = errors.New("vcfio: read after Close")
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing the file: %w", err)
	}
	return nil
}

// IsVCF says whether a file's name says that it is of this format.
func IsVCF(name string) bool {
	ext := blob.Ext(name)
	return strings.HasPrefix(ext, ".vcf") || ext == ".bcf"
}
