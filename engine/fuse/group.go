package fuse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// grouped fuses tables with one record per row: all rows with the same key are combined. The result is in the order of
// the keys, whatever the order of the inputs.
//
// Every row is read once. Inputs that are in the order of the keys are merged as they are. The others go through a
// table in memory, and groups that do not fit go through runs in a file (package sums). Weights cost nothing per row:
// each weight has its own sums, which are raised to it at the end.
func (f *fusion) grouped(ctx context.Context) (engine.Stats, error) {
	g, err := f.newGrouping()
	if err != nil {
		return engine.Stats{}, err
	}
	defer g.close()
	out, err := g.create(ctx)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	sources, stats, err := g.collect(ctx, g.fusion.ranges(job.Range{From: 0, To: f.rows()}))
	if err != nil {
		return stats, err
	}
	more, err := g.write(ctx, out, sources)
	return joinStats(stats, more), err
}

// joinStats is the account of two runs, one after the other.
func joinStats(a, b engine.Stats) engine.Stats {
	return engine.Stats{Wall: a.Wall + b.Wall, Stages: append(slices.Clone(a.Stages), b.Stages...)}
}

// groupFusion is a fusion by group under way.
type groupFusion struct {
	fusion  *fusion
	m       *merger
	fields  []arrow.Field // of the columns of --by
	weights []int64       // different ones
	shape   sums.Shape    // slots: for each weight, the columns
	memory  fuseMemory
	pool    *sums.Pool
	runs    *sums.Runs

	kept, small int64 // groups that are kept, and that are too small
}

// newGrouping decides what the footers alone decide.
func (f *fusion) newGrouping() (*groupFusion, error) {
	if f.request.By == nil {
		f.request.By = f.inputs[0].Table.IDs
	}
	m, err := merge(f.inputs)
	if err != nil {
		return nil, err
	}
	g := &groupFusion{fusion: f, m: m}
	for _, name := range f.request.By {
		i := slices.Index(m.table.IDs, name)
		if i < 0 && len(m.table.IDs) == 0 {
			return nil, column.Refuse(f.inputs[0].File, "there are no ids to group by: the records were added up before").
				WithHint("Group the tables that this one was made of.")
		}
		if i < 0 {
			return nil, column.MissingColumn(f.inputs[0].File, name, m.table.IDs)
		}
		g.fields = append(g.fields, f.inputs[0].IDs[i])
	}
	total := int64(0)
	for _, in := range f.inputs {
		if !slices.Contains(g.weights, in.Weight) {
			g.weights = append(g.weights, in.Weight)
		}
		total = codec.SaturatingAdd(total, codec.SaturatingMul(in.Adds(), in.Table.Rows))
		if f.request.MinGroup <= 1 && in.Table.Rows > 0 && in.Adds() > m.table.MaxAdds {
			return nil, headroom(&m.table, f.inputs, in.Adds(), "a group")
		}
	}
	if len(f.request.By) == 0 && f.records() >= f.request.MinGroup {
		if err := headroom(&m.table, f.inputs, total, "a group"); err != nil {
			return nil, err
		}
	}
	slices.Sort(g.weights)
	g.shape = sums.Shape{Key: f.pk, Slots: len(g.weights) * len(m.table.Columns)}
	if g.memory, err = f.divide(len(m.table.Columns), g.shape); err != nil {
		return nil, err
	}
	g.pool = g.memory.pool
	g.runs = sums.NewRuns(g.shape, f.request.Disk, f.scratchDir(), g.pool)
	return g, nil
}

func (g *groupFusion) close() { _ = g.runs.Close() }

// create begins the result.
func (g *groupFusion) create(ctx context.Context) (enctable.Writer, error) {
	t := g.m.table
	t.IDs, t.Rows, t.AddsUsed, t.JobID = g.fusion.request.By, 0, 0, g.fusion.jobID()
	g.fusion.identify(&t)
	return enctable.Create(ctx, g.fusion.request.Options, g.fusion.request.Out, g.fusion.request.RowsPerFile, t, g.fields, g.fusion.seal)
}

// over reports a group that has more additions than fit, and will not be dropped for being small.
func (g *groupFusion) over(records, adds int64) bool {
	return adds > g.m.table.MaxAdds && records >= g.fusion.request.MinGroup
}

// keep notes a group that is complete, and says whether it is large enough.
func (g *groupFusion) keep(records, _ int64) bool {
	if records < g.fusion.request.MinGroup {
		g.small++
		return false
	}
	g.kept++
	return true
}

// refuseOver names the row of a batch with which a group took more additions than fit.
func (g *groupFusion) refuseOver(b column.Batch, idColumns []arrow.Array, row int, adds int64) error {
	what, name := "the total", ""
	if len(idColumns) > 0 {
		what, name = "group "+ids.Text(idColumns, row), g.fusion.request.By[0]
	}
	e := b.Refuse(row, name, "no headroom: with this row %s takes %d additions or more, a weight counting as many, and the slots have room for %d", what, adds, g.m.table.MaxAdds)
	if adds > slots.MaxAddsLimit {
		return e.WithHint("Use smaller weights or fewer records: slots can be made for 2^40 additions at most.")
	}
	return e.WithHint("Encrypt again with a larger ‹max_adds›, for every owner alike: the largest group must fit, and this one has got to %d.", adds)
}

// slot is where column c of the result is for inputs of a weight.
func (g *groupFusion) slot(weight int64, c int) int {
	return slices.Index(g.weights, weight)*len(g.m.table.Columns) + c
}

// slotColumns returns the column of an input that goes into each slot, or -1.
func (g *groupFusion) slotColumns(i int) []int {
	out := make([]int, g.shape.Slots)
	for slot := range out {
		out[slot] = -1
	}
	for c, at := range g.m.columns[i] {
		out[g.slot(g.fusion.inputs[i].Weight, c)] = at
	}
	return out
}

// keyColumns returns the columns of --by of a batch of an input that begins with its ids.
func (g *groupFusion) keyColumns(b column.Batch, i int) []arrow.Array {
	by := make([]arrow.Array, len(g.fusion.request.By))
	for k, name := range g.fusion.request.By {
		by[k] = b.Column(slices.Index(g.fusion.inputs[i].Table.IDs, name))
	}
	return by
}

// appendKeys adds the keys of a batch's rows.
func (g *groupFusion) appendKeys(keys *sums.Keys, b column.Batch, by []arrow.Array) error {
	for i := range int(b.NumRows()) {
		before := len(keys.Data)
		keys.Data = ids.AppendKey(keys.Data, by, i)
		keys.End()
		if n := len(keys.Data) - before; n > sums.KeyBytesMax {
			return b.Refuse(i, g.fusion.request.By[0], "an id of %d bytes; to be grouped by, ids may have %d", n, sums.KeyBytesMax).
				WithHint("Group by a shorter column.")
		}
	}
	return nil
}

// rowsOf are the rows of a batch of an input as sums has them. columns are those of slotColumns.
func (g *groupFusion) rowsOf(keys *sums.Keys, b column.Batch, i int, columns []int) *sums.Rows {
	r := &sums.Rows{Keys: keys, Adds: g.fusion.inputs[i].Adds(), Sums: make([][]byte, g.shape.Slots), Size: g.fusion.pk.CiphertextSize()}
	ids := len(g.fusion.inputs[i].Table.IDs)
	for slot, at := range columns {
		if at >= 0 {
			r.Sums[slot] = columnBytes(b, ids, at)
		}
	}
	return r
}

// place gives an error of package sums about a row of a batch of an input its place.
func (g *groupFusion) place(err error, b column.Batch, i int, columns []int) error {
	var bad *sums.SumError
	if errors.As(err, &bad) {
		return enctable.RefuseCiphertext(b, g.fusion.inputs[i].Table.Columns[columns[bad.Slot]], bad.Err)
	}
	var over *sums.OverError
	if errors.As(err, &over) {
		return g.refuseOver(b, g.keyColumns(b, i), over.Row, over.Adds)
	}
	return err
}

// collect reads stretches of the inputs and returns what is to be merged: the inputs that are in order, and what the table
// made of the others.
func (g *groupFusion) collect(ctx context.Context, all []rowRange) ([]sums.Source, engine.Stats, error) {
	chains, rest, err := g.findSortedRuns(ctx, all)
	if err != nil {
		return nil, engine.Stats{}, err
	}
	threads := 0 // that decode for each chain
	if len(chains) > 0 {
		threads = max(1, min(g.memory.sortedRuns, g.fusion.request.Threads)/len(chains))
	}
	most := g.memory.merge(threads * len(chains))
	var sources []sums.Source
	var stats engine.Stats
	if len(rest) > 0 {
		if sources, stats, err = g.tabulate(ctx, rest, most); err != nil {
			return nil, stats, err
		}
	}
	g.pool.Shrink(most)
	for _, c := range chains {
		sources = append(sources, g.sortedRunSource(c, threads))
	}
	sources, err = g.runs.Consolidate(ctx, sources, g.pool, g.fusion.request.Threads)
	return sources, stats, err
}

// count counts the ciphertexts of a batch.
func (g *groupFusion) count(b inputBatch) {
	n := b.NumRows() * int64(len(g.fusion.inputs[b.input].Table.Columns))
	g.fusion.ciphertexts.Add(n)
	g.fusion.progress.Items.Add(n)
}

// tabulate adds up the rows of ranges in a table, and returns what it holds, in at most `most` bytes of memory.
func (g *groupFusion) tabulate(ctx context.Context, rest []rowRange, most int64) ([]sums.Source, engine.Stats, error) {
	defer g.fusion.request.Watch("fuse", &g.fusion.progress)()
	for _, s := range rest {
		g.fusion.progress.Total.Add(s.to - s.from)
	}
	table := sums.NewTable(g.shape, g.pool, g.runs, g.fusion.request.Threads, g.over)
	in := g.fusion.readRanges(rest, g.memory.readers)
	defer in.close()
	stats, err := engine.ForEach(ctx, engine.Loop[inputBatch]{
		Source: engine.Source[inputBatch]{Name: "read", Next: in.next},
		Stage: engine.Stage[inputBatch, engine.None]{Name: "fold", Workers: g.fusion.request.Threads, Discard: inputBatch.Release, New: func(int) (engine.Work[inputBatch, engine.None], error) {
			worker := table.NewWorker()
			keys := &sums.Keys{}
			columns := make([][]int, len(g.fusion.inputs))
			return func(ctx context.Context, b inputBatch) (engine.None, error) {
				defer b.Release()
				if columns[b.input] == nil {
					columns[b.input] = g.slotColumns(b.input)
				}
				keys.Reset()
				if err := g.appendKeys(keys, b.Batch, g.keyColumns(b.Batch, b.input)); err != nil {
					return engine.None{}, err
				}
				if err := worker.Add(ctx, g.rowsOf(keys, b.Batch, b.input, columns[b.input])); err != nil {
					return engine.None{}, g.place(err, b.Batch, b.input, columns[b.input])
				}
				g.count(b)
				g.fusion.progress.Done.Add(b.NumRows())
				return engine.None{}, nil
			}, nil
		}},
	})
	if err != nil {
		return nil, stats, err
	}
	sources, err := table.Sources(ctx, g.fusion.request.Threads, most)
	return sources, stats, err
}

// write merges sources into the result.
func (g *groupFusion) write(ctx context.Context, out enctable.Writer, sources []sums.Source) (engine.Stats, error) {
	progress := &engine.Progress{}
	defer g.fusion.request.Watch("merge", progress)()
	rows := enctable.BatchRows(len(g.m.table.Columns), g.fusion.pk.CiphertextSize())
	w := newGroupWriter(out, g.fields, rows)
	defer w.release()
	stats, err := sums.Merge[*finished]{
		Shape: g.shape, Sources: sources, Pool: g.pool, Threads: g.fusion.request.Threads, Name: "finish", Progress: progress, RowsMax: rows,
		Over: g.over, Refuse: g.refuseMerged, Keep: g.keep,
		Emit: func() (func(context.Context, *sums.Merged) (*finished, error), error) {
			e := &groupEmitter{group: g, finisher: sums.NewFinisher(g.shape), evaluator: g.fusion.pk.NewEvaluator()}
			return e.emit, nil
		},
		Put: w.put,
	}.Run(ctx)
	if err == nil {
		err = w.flush(ctx)
	}
	if err != nil {
		return stats, g.fusion.findBadCiphertext(ctx, err)
	}
	if g.kept == 0 {
		return stats, column.Refuse(g.fusion.inputs[0].File, "no group has %d records or more", g.fusion.request.MinGroup).WithHint("Lower ‹min_group›, or group by fewer columns.")
	}
	out.Table().Rows = g.kept
	g.fusion.report.Records, g.fusion.report.SmallGroups, g.fusion.report.Spilled = g.kept, g.small, g.runs.Bytes()
	return stats, out.Commit(ctx)
}

// refuseMerged is refuseOver for a row met in a merge: of an input, or sums that have no place.
func (g *groupFusion) refuseMerged(over *sums.OverError) error {
	if b, ok := over.Origin.(inputBatch); ok {
		return g.refuseOver(b.Batch, g.keyColumns(b.Batch, b.input), over.Row, over.Adds)
	}
	return headroom(&g.m.table, g.fusion.inputs, over.Adds, "a group")
}

// groupEmitter turns groups and their sums into rows of the result.
type groupEmitter struct {
	group     *groupFusion
	finisher  *sums.Finisher
	evaluator *paillier.Evaluator
}

func (e *groupEmitter) emit(_ context.Context, m *sums.Merged) (*finished, error) {
	size := e.group.fusion.pk.CiphertextSize()
	out := &finished{}
	for i := range m.Len() {
		out.keys.Data = append(out.keys.Data, m.Key(i)...)
		out.keys.End()
		_, adds := m.Counts(i)
		out.most = max(out.most, adds)
	}
	columns, bytes := len(e.group.m.table.Columns), m.Len()*size
	for first, some := 0, max(1, columnBytesMax/bytes); first < columns; first += some {
		n := min(some, columns-first)
		byWeight := make([][]byte, len(e.group.weights))
		for w, weight := range e.group.weights {
			byWeight[w] = make([]byte, n*bytes)
			if err := e.finisher.Finish(byWeight[w], m, e.group.slot(weight, first)); err != nil {
				return nil, err
			}
		}
		dst := byWeight[0]
		if len(e.group.weights) > 1 || e.group.weights[0] != 1 {
			if err := e.evaluator.WeightedFold(dst, e.group.weights, byWeight...); err != nil {
				return nil, err
			}
		}
		if e.group.fusion.refresh {
			if err := e.evaluator.RerandomizeOf(dst, dst, e.group.fusion.randomizers); err != nil {
				return nil, err
			}
		}
		for c := range n {
			out.ct = append(out.ct, dst[c*bytes:(c+1)*bytes])
		}
	}
	return out, nil
}

// columnBytesMax is about how many bytes of ciphertexts are finished together, of several columns where each has few.
const columnBytesMax = 128 << 10

// findBadCiphertext reads the inputs once more, if a group's product was no unit, and names the ciphertext that is the
// cause.
func (f *fusion) findBadCiphertext(ctx context.Context, err error) error {
	var bad *paillier.CiphertextError
	if !errors.As(err, &bad) {
		return err
	}
	evaluator := f.pk.NewEvaluator()
	for _, in := range f.inputs {
		r, err := f.reader(ctx, in, enctable.BatchRows(len(in.Table.Columns), f.pk.CiphertextSize()))
		if err != nil {
			return err
		}
		err = column.Each(ctx, r, func(b column.Batch) error {
			for c, name := range in.Table.Columns {
				if err := evaluator.Check(columnBytes(b, len(in.Table.IDs), c)); err != nil {
					return enctable.RefuseCiphertext(b, name, err)
				}
			}
			return nil
		})
		r.Close()
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("partial sums went wrong on the way: %w", err)
}

// finished are rows of the result of a fusion by group.
type finished struct {
	keys sums.Keys
	most int64    // additions of one of them
	ct   [][]byte // per column of the result
}

// groupWriter writes finished rows in batches of one size, whatever sizes they come in. Where a file's pages end
// depends on the batches that it was written in, and the result must not depend on how it was computed.
type groupWriter struct {
	out  enctable.Writer
	keys *ids.KeyBuilder
	rows int // of a batch
	held int // rows that wait for more
	size int
	ct   [][]byte // of those; per column
}

func newGroupWriter(out enctable.Writer, fields []arrow.Field, rows int) *groupWriter {
	return &groupWriter{out: out, keys: ids.NewKeyBuilder(fields), rows: rows, size: out.Table().CiphertextBytes(), ct: make([][]byte, len(out.Table().Columns))}
}

func (w *groupWriter) put(ctx context.Context, f *finished) error {
	t := w.out.Table()
	t.AddsUsed = max(t.AddsUsed, f.most) // before these rows are in a file whose footer has it
	for at, n := 0, f.keys.Len(); at < n; {
		more := min(n-at, w.rows-w.held)
		for i := range more {
			if err := w.keys.Append(f.keys.At(at + i)); err != nil {
				return err
			}
		}
		for c, ct := range f.ct {
			if w.ct[c] == nil {
				w.ct[c] = make([]byte, 0, w.rows*w.size)
			}
			w.ct[c] = append(w.ct[c], ct[at*w.size:(at+more)*w.size]...)
		}
		at, w.held = at+more, w.held+more
		if w.held == w.rows {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what waits.
func (w *groupWriter) flush(ctx context.Context) error {
	if w.held == 0 {
		return nil
	}
	idColumns := w.keys.Arrays()
	defer ids.Release(idColumns)
	err := enctable.WriteRows(ctx, w.out, enctable.Rows{IDs: idColumns, Ciphertexts: w.ct, Rows: w.held}, 0, false)
	for c := range w.ct {
		w.ct[c] = w.ct[c][:0] // the writer has copied them
	}
	w.held = 0
	return err
}

// release frees what was not written.
func (w *groupWriter) release() { ids.Release(w.keys.Arrays()) }
