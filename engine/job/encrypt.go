package job

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Encryption describes an encrypted table to make from one owner's table.
type Encryption struct {
	Options
	Key          Key
	In           []string // files, globs, directories of part files
	Out          string
	IDs          []string // columns that name a record; kept in the clear
	Measures     []Measure
	Squares      []string
	Products     [][2]string
	Layout       string   // Records or Blocks; "" is Records
	MaxAdds      int64    // additions that the slots have room for; 0 is 1024 for blocks, 2^20 for records
	Universe     []string // public reference list: the ids of all records and their order; none: the source's own
	DropUnlisted bool     // drop records outside the universe instead of refusing them
	Nulls        []string // text that stands for a missing value; nil is column.NullsDefault
	Source       string   // name of the owner, for the table's footer
}

// Default numbers of additions.
const (
	MaxAddsBlocks  = 1 << 10
	MaxAddsRecords = 1 << 20
	maxAddsLimit   = 1 << 40
)

// Encrypt writes the encrypted table. Nothing is encrypted before the layout is shown to hold every sum; nothing is
// written under the output's name before every value has been read, found right and encrypted.
func Encrypt(ctx context.Context, e Encryption) (*Report, error) {
	start := time.Now()
	e.Options = e.Options.withDefaults()
	if err := e.check(); err != nil {
		return nil, err
	}
	src, err := listSource(ctx, e.Options, e.In, e.Nulls)
	if err != nil {
		return nil, err
	}
	schema, err := src.schema(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.resolve(src.files[0], schema); err != nil {
		return nil, err
	}
	tuples, err := quantities(e.Measures, e.Squares, e.Products)
	if err != nil {
		return nil, err
	}
	if err := checkOutputNames(e.IDs, e.Measures, e.Squares, e.Products); err != nil {
		return nil, err
	}
	idFields, err := e.idFields(src.files[0], schema)
	if err != nil {
		return nil, err
	}
	if err := e.findBounds(ctx, src); err != nil {
		return nil, err
	}
	pk := e.Key.Public
	if err := e.Key.useKernel(e.Kernel); err != nil {
		return nil, err
	}
	table := newTable(pk)
	table.Layout, table.MaxAdds, table.AddsUsed, table.IDs, table.Source = e.Layout, e.MaxAdds, 1, e.IDs, e.Source
	if err := layOut(&table, pk.Bits(), e.Measures, tuples); err != nil {
		return nil, err
	}
	plan, err := newPlan(&table, pk.NWords())
	if err != nil {
		return nil, err
	}
	report := &Report{Out: e.Out, Kernel: pk.Kernel(), Missing: map[string]int64{}}

	var feed feed
	if len(e.Universe) > 0 {
		feed, idFields, err = e.alignedFeed(ctx, src, plan, report)
	} else {
		feed, err = e.sourceFeed(ctx, src, plan)
	}
	if err != nil {
		return nil, err
	}
	defer feed.close()
	out, err := ctfile.Create(ctx, e.FS, e.Out, table, idFields, ctfile.Options{Overwrite: e.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()

	s := sealing{e: &e, plan: plan, columns: len(table.Columns), missing: make([]atomic.Int64, len(e.Measures)), progress: &engine.Progress{}}
	for _, t := range tuples {
		s.quantities = append(s.quantities, t...)
	}
	done := e.Watch("encrypt", s.progress)
	stats, err := engine.Run(ctx, engine.Pipeline[chunk, sealed]{
		Source: engine.Source[chunk]{Name: "read", Next: feed.next},
		Stages: engine.Stage[chunk, sealed]{Name: "encrypt", Workers: e.Threads, New: s.worker, Discard: chunk.release},
		Sink: engine.Sink[sealed]{Name: "write", Discard: sealed.release, Put: func(ctx context.Context, x sealed) error {
			defer x.release()
			return writeSealed(ctx, out, x, plan.records, e.Layout == Blocks)
		}},
	})
	done()
	if err == nil {
		err = feed.finish()
	}
	if err != nil {
		return nil, unwrapStage(err)
	}
	out.Table().Rows = s.progress.Done.Load()
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report.Records = s.progress.Done.Load()
	report.Ciphertexts = s.ciphertexts.Load()
	report.Values = report.Records * int64(len(e.Measures))
	for i, m := range e.Measures {
		report.Missing[m.Name] += s.missing[i].Load()
	}
	report.finish(start, stats)
	return report, nil
}

// check refuses what is wrong before any file is opened, and fills in defaults.
func (e *Encryption) check() error {
	if e.Layout == "" {
		e.Layout = Records
	}
	if e.Layout != Records && e.Layout != Blocks {
		return usage("Layouts are records and blocks.", "unknown layout %q", e.Layout)
	}
	if e.MaxAdds == 0 {
		e.MaxAdds = MaxAddsRecords
		if e.Layout == Blocks {
			e.MaxAdds = MaxAddsBlocks
		}
	}
	if e.MaxAdds < 1 || e.MaxAdds > maxAddsLimit {
		return usage("It is the number of records that may ever be added up in one sum.", "--max-adds %d is not between 1 and 2^40", e.MaxAdds)
	}
	if len(e.IDs) == 0 {
		return usage("Name the columns that identify a record: --id COL[,COL].", "no id column")
	}
	if len(e.Measures) == 0 {
		return usage("Name what to encrypt: --measure NAME[:decimals=D][:max=M].", "no measure")
	}
	return nil
}

// resolve replaces the measure "*" by all columns that are not ids nor named otherwise, and checks that the columns are
// there.
func (e *Encryption) resolve(file string, schema *arrow.Schema) error {
	have := column.Names(schema)
	if err := column.CheckNames(file, have); err != nil {
		return err
	}
	var measures []Measure
	for _, m := range e.Measures {
		if m.Name != AllColumns || slices.Contains(have, AllColumns) {
			measures = append(measures, m)
			continue
		}
		for _, name := range have {
			if !slices.Contains(e.IDs, name) && !has(e.Measures, name) {
				measures = append(measures, Measure{Name: name, Decimals: m.Decimals, Bound: m.Bound})
			}
		}
	}
	e.Measures = measures
	seen := map[string]bool{}
	for _, name := range e.IDs {
		if seen[name] {
			return usage("Name every id column once.", "id column %s is given twice", column.Quote(name))
		}
		seen[name] = true
	}
	for _, m := range e.Measures {
		if seen[m.Name] {
			return usage("An id is kept in the clear, a measure is encrypted.", "column %s is an id and a measure, or a measure twice", column.Quote(m.Name))
		}
		seen[m.Name] = true
	}
	for _, name := range e.columns() {
		if !slices.Contains(have, name) {
			return column.MissingColumn(file, name, have)
		}
	}
	return nil
}

func (e *Encryption) columns() []string {
	out := slices.Clone(e.IDs)
	for _, m := range e.Measures {
		out = append(out, m.Name)
	}
	return out
}

func (e *Encryption) idFields(file string, schema *arrow.Schema) ([]arrow.Field, error) {
	var fields []arrow.Field
	for _, name := range e.IDs {
		f := schema.Field(schema.FieldIndices(name)[0])
		if err := checkIDType(file, f); err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type})
	}
	return fields, nil
}

// findBounds is the first pass: it reads the measures that were declared without max, checks every value, and rounds
// their bounds up.
func (e *Encryption) findBounds(ctx context.Context, src source) error {
	var find []int
	var columns []string
	for i, m := range e.Measures {
		if m.Bound == 0 {
			find = append(find, i)
			columns = append(columns, m.Name)
		}
	}
	if len(find) == 0 {
		return nil
	}
	r, err := src.open(ctx, columns)
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer e.Watch("find bounds", progress)()
	most := make([]int64, len(find))
	var values scaled
	err = each(ctx, r, func(b column.Batch) error {
		for k, i := range find {
			if err := scaleColumn(&values, b, k, e.Measures[i]); err != nil {
				return err
			}
			most[k] = max(most[k], values.largest())
		}
		progress.Done.Add(b.NumRows())
		return nil
	})
	if err != nil {
		return err
	}
	for k, i := range find {
		m := &e.Measures[i]
		m.Bound = roundedBound(most[k])
		e.Log.Info("bound found in the data; other owners must use the same", "measure", m.Name, "max", decimalText(m.Bound, m.Decimals))
	}
	return nil
}

// chunk is some consecutive records on their way to be encrypted: their ids and measures in a batch, or, when they were
// aligned with a universe, the ids in the batch and the measures already scaled.
type chunk struct {
	batch    column.Batch
	measures []scaled // nil: still in the batch, after the ids
}

func (c chunk) release() { c.batch.Release() }

// feed delivers chunks of a whole number of table rows each, the last one excepted.
type feed interface {
	next(ctx context.Context) (chunk, error)
	finish() error // what only the whole source can tell, after the last chunk
	close()
}

// batchBytes is the size of the ciphertexts that travel together.
const batchBytes = 256 << 10

// tableRows is how many rows of a table make a batch: a multiple of the 8 lanes of vector kernels.
func tableRows(columns, ciphertextSize int) int {
	rows := batchBytes / (columns * ciphertextSize)
	return min(max(rows/8*8, 8), 1024)
}

// sourceFeed reads the records of the source as they come. In blocks, where ids decide what is added to what, an id that
// comes twice is refused.
type sourceFeed struct {
	e      *Encryption
	reader column.Reader
	unique *unique
	rows   int64
	spans  []column.Span
	key    []byte
}

func (e *Encryption) sourceFeed(ctx context.Context, src source, p *plan) (feed, error) {
	r, err := src.open(ctx, e.columns())
	if err != nil {
		return nil, err
	}
	f := &sourceFeed{e: e, reader: column.Rechunk(r, p.records*tableRows(len(p.columns), e.Key.Public.CiphertextSize()))}
	if e.Layout == Blocks {
		f.unique = newUnique(e.Memory / 8)
	}
	return f, nil
}

func (f *sourceFeed) next(ctx context.Context) (chunk, error) {
	b, err := f.reader.Read(ctx)
	if err != nil {
		return chunk{}, err
	}
	if err := f.note(b); err != nil {
		b.Release()
		return chunk{}, err
	}
	return chunk{batch: b}, nil
}

// note checks the ids of a batch and remembers them and where they came from.
func (f *sourceFeed) note(b column.Batch) error {
	ids := len(f.e.IDs)
	if err := checkIDs(b, ids); err != nil {
		return err
	}
	if f.unique == nil {
		return nil
	}
	for i := range int(b.NumRows()) {
		f.key = rowKey(f.key[:0], b.Columns()[:ids], i)
		if err := f.unique.add(f.key, f.rows+int64(i)); err != nil {
			return fmt.Errorf("spilling ids to a temporary file: %w", err)
		}
	}
	f.rows += b.NumRows()
	if b.Spans == nil {
		f.spans = column.AppendSpan(f.spans, column.Span{File: b.File, Row: b.Row, Len: int(b.NumRows())})
	}
	for _, s := range b.Spans {
		f.spans = column.AppendSpan(f.spans, column.Span{File: s.File, Row: s.Row, Len: s.Len})
	}
	return nil
}

func (f *sourceFeed) finish() error {
	if f.unique == nil {
		return nil
	}
	first, second, twice, err := f.unique.twice()
	if err != nil || !twice {
		return err
	}
	fileA, rowA := f.place(first)
	fileB, rowB := f.place(second)
	return column.Refuse(fileB, "duplicate id: the record was already in %s, row %d", fileA, rowA).AtRow(rowB).
		InColumn(f.e.IDs[0]).WithHint("In the blocks layout every record comes once. Add its rows up first, or use --layout records.")
}

// place returns the file and row of the n-th record of the source.
func (f *sourceFeed) place(n int64) (string, int64) {
	for _, s := range f.spans {
		if n < int64(s.Len) {
			return s.File, s.Row + n
		}
		n -= int64(s.Len)
	}
	panic("job: a record beyond the source")
}

func (f *sourceFeed) close() {
	f.reader.Close()
	if f.unique != nil {
		f.unique.close()
	}
}

// sealing is the encrypting stage.
type sealing struct {
	e           *Encryption
	plan        *plan
	columns     int
	quantities  []quantity
	missing     []atomic.Int64 // per measure
	ciphertexts atomic.Int64
	progress    *engine.Progress
}

// sealed is a chunk encrypted: rows of the table.
type sealed struct {
	ids  []arrow.Array // of the records
	ct   [][]byte      // per ciphertext column
	rows int
	free func()
}

func (s sealed) release() { s.free() }

func (s *sealing) worker(int) (engine.Work[chunk, sealed], error) {
	encryptor := s.e.Key.encryptor()
	scratch := make([]scaled, len(s.e.Measures))
	var m []uint64
	widest := 0
	for _, c := range s.plan.columns {
		widest = max(widest, len(c.cells))
	}
	values := make([]codec.Int, widest)
	size := s.e.Key.Public.CiphertextSize()
	return func(ctx context.Context, c chunk) (sealed, error) {
		ids := len(s.e.IDs)
		measures := c.measures
		if measures == nil {
			measures = scratch
			for i := range measures {
				if err := scaleColumn(&measures[i], c.batch, ids+i, s.e.Measures[i]); err != nil {
					c.release()
					return sealed{}, err
				}
			}
		}
		records := int(c.batch.NumRows())
		rows := (records + s.plan.records - 1) / s.plan.records
		out := sealed{ids: c.batch.Columns()[:ids], rows: rows, free: c.release}
		for i := range s.plan.columns {
			if err := ctx.Err(); err != nil {
				c.release()
				return sealed{}, err
			}
			limbs := s.plan.columns[i].packer.Limbs()
			m = slices.Grow(m[:0], rows*limbs)[:rows*limbs]
			if err := s.plan.packRows(m, i, rows, measures, s.quantities, values); err != nil {
				c.release()
				return sealed{}, fmt.Errorf("packing: %w", err)
			}
			ct := make([]byte, rows*size)
			if err := encryptor.Encrypt(ct, m); err != nil {
				c.release()
				return sealed{}, err
			}
			out.ct = append(out.ct, ct)
		}
		clear(m)
		for i := range measures {
			n := int64(0)
			for _, ok := range measures[i].ok {
				if !ok {
					n++
				}
			}
			s.missing[i].Add(n)
		}
		s.ciphertexts.Add(int64(rows * s.columns))
		s.progress.Done.Add(int64(records))
		return out, nil
	}, nil
}

// writeSealed writes rows of ciphertexts with their ids, which become lists in blocks.
func writeSealed(ctx context.Context, w *ctfile.Writer, s sealed, records int, blocks bool) error {
	ids := s.ids
	if blocks {
		ids = lists(ids, records)
		defer releaseArrays(ids)
	}
	rec := ctRecord(w.Schema(), ids, s.ct, s.rows)
	defer rec.Release()
	return w.Write(ctx, column.Batch{Record: rec})
}

// ctRecord joins id columns and ciphertext columns into a record, without copying.
func ctRecord(schema *arrow.Schema, ids []arrow.Array, ct [][]byte, rows int) arrow.Record {
	columns := slices.Clone(ids)
	for i, bytes := range ct {
		t := schema.Field(len(ids) + i).Type
		data := array.NewData(t, rows, []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
		columns = append(columns, array.NewFixedSizeBinaryData(data))
		data.Release()
	}
	rec := array.NewRecord(schema, columns, int64(rows))
	releaseArrays(columns[len(ids):])
	return rec
}
