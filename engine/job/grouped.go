package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// grouped fuses tables with one record per row: all rows with the same key go into one.
//
// A first pass over the ids alone finds the groups and their sizes, so that headroom, --min-group and memory are decided
// before anything is multiplied. The second pass multiplies every row into its group. Weights cost nothing per row: each
// weight has its own accumulators, whose results are raised to it at the end.
func (f *fusing) grouped(ctx context.Context) (engine.Stats, error) {
	if f.By == nil {
		f.By = f.inputs[0].table.IDs
	}
	m, err := merge(f.inputs)
	if err != nil {
		return engine.Stats{}, err
	}
	budget := engine.NewBudget(f.Memory)
	g, err := f.findGroups(ctx, &m.table, budget)
	if err != nil {
		return engine.Stats{}, err
	}
	sums, err := newGroupSums(f, g, len(m.table.Columns), budget)
	if err != nil {
		return engine.Stats{}, err
	}
	m.table.IDs, m.table.Rows, m.table.JobID = f.By, int64(g.kept), newTable(f.pk).JobID
	out, err := f.createTable(ctx, f.Out, f.RowsPerFile, m.table, g.fields)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	stats, err := f.addUp(ctx, m, g, sums)
	if err != nil {
		return stats, err
	}
	if err := f.writeGroups(ctx, out, g, sums); err != nil {
		return stats, err
	}
	f.report.Records = int64(g.kept)
	f.report.SmallGroups = int64(g.index.Len() - g.kept)
	return stats, out.Commit(ctx)
}

// groups are the keys of a fusion and which of them are kept.
type groups struct {
	index  *engine.Groups
	fields []arrow.Field // of the columns of --by
	rank   []int32       // per group: its place among those kept, or -1
	kept   int
}

// findGroups reads the keys of all inputs.
func (f *fusing) findGroups(ctx context.Context, t *ctfile.Table, budget *engine.Budget) (*groups, error) {
	g := &groups{index: engine.NewGroups(budget)}
	for _, name := range f.By {
		i := slices.Index(t.IDs, name)
		if i < 0 && len(t.IDs) == 0 {
			return nil, column.Refuse(f.inputs[0].file, "there are no ids to group by: the records were added up before").
				WithHint("Group the tables that this one was made of.")
		}
		if i < 0 {
			return nil, column.MissingColumn(f.inputs[0].file, name, t.IDs)
		}
		g.fields = append(g.fields, f.inputs[0].ids[i])
	}
	var adds, records []int64
	if len(f.By) == 0 {
		if _, _, err := g.index.Index(nil); err != nil {
			return nil, err
		}
		adds, records = []int64{0}, []int64{0}
		for _, in := range f.inputs {
			adds[0] = saturatingAdd(adds[0], saturatingMul(in.adds(), in.table.Rows))
			records[0] += in.table.Rows
		}
	} else {
		progress := &engine.Progress{}
		for _, in := range f.inputs {
			progress.Total.Add(in.table.Rows)
		}
		done := f.Watch("find groups", progress)
		defer done()
		for _, in := range f.inputs {
			r, err := f.reader(ctx, in, readRows, f.By...)
			if err != nil {
				return nil, err
			}
			var key []byte
			err = each(ctx, r, func(b column.Batch) error {
				for i := range int(b.NumRows()) {
					key = rowKey(key[:0], b.Columns(), i)
					n, added, err := g.index.Index(key)
					if err != nil {
						return err
					}
					if added {
						if err := budget.Keep("the sizes of the groups", 20); err != nil {
							return err
						}
						adds, records = append(adds, 0), append(records, 0)
					}
					adds[n] = saturatingAdd(adds[n], in.adds())
					records[n]++
				}
				progress.Done.Add(b.NumRows())
				return nil
			})
			r.Close()
			if err != nil {
				return nil, err
			}
		}
	}
	g.rank = make([]int32, len(records))
	most := int64(0)
	for i, n := range records {
		g.rank[i] = -1
		if n >= f.MinGroup {
			g.rank[i] = int32(g.kept)
			g.kept++
			most = max(most, adds[i])
		}
	}
	if g.kept == 0 {
		return nil, column.Refuse(f.inputs[0].file, "no group has %d records or more", f.MinGroup).WithHint("Lower --min-group, or group by fewer columns.")
	}
	return g, headroom(t, f.inputs, most, "a group")
}

// of returns the kept group of row i, or -1 for one that is dropped. It is not found when the first pass did not see its
// key: the file has changed since. key is scratch.
func (g *groups) of(key []byte, by []arrow.Array, i int) (group int32, scratch []byte, found bool) {
	key = rowKey(key[:0], by, i)
	n, found := g.index.Lookup(key)
	if !found {
		return -1, key, false
	}
	return g.rank[n], key, true
}

// groupSums is the state of the groups: for every weight and column, a product of ciphertexts per group, striped so that
// several workers add at once.
type groupSums struct {
	weights []int64
	stripes []*engine.Stripes[[]*paillier.Accumulator] // per weight; an accumulator per column
}

// stripesPerWorker keeps workers from waiting for each other.
const stripesPerWorker = 8

func newGroupSums(f *fusing, g *groups, columns int, budget *engine.Budget) (*groupSums, error) {
	s := &groupSums{}
	for _, in := range f.inputs {
		if !slices.Contains(s.weights, in.weight) {
			s.weights = append(s.weights, in.weight)
		}
	}
	perGroup := int64(f.pk.CiphertextSize()+paillier.AccumulatorOverhead) * int64(columns) * int64(len(s.weights))
	need := perGroup*int64(g.kept) + int64(f.Threads)*4*batchBytes
	if err := budget.Keep(fmt.Sprintf("the sums of %d groups", g.kept), need); err != nil {
		return nil, err
	}
	parts := min(f.Threads*stripesPerWorker, g.kept)
	for range s.weights {
		s.stripes = append(s.stripes, engine.NewStripes(parts, func(part int) []*paillier.Accumulator {
			out := make([]*paillier.Accumulator, columns)
			for c := range out {
				out[c] = f.pk.NewAccumulator((g.kept - part + parts - 1) / parts)
			}
			return out
		}))
	}
	return s, nil
}

// weighted is a batch on its way to the sums of its input's weight.
type weighted struct {
	column.Batch
	input int
}

func (w weighted) release() { w.Release() }

// addUp is the second pass.
func (f *fusing) addUp(ctx context.Context, m *merger, g *groups, sums *groupSums) (engine.Stats, error) {
	defer f.Watch("fuse", &f.progress)()
	for _, in := range f.inputs {
		f.progress.Total.Add(in.table.Rows)
	}
	at := -1
	var r column.Reader
	defer func() {
		if r != nil {
			r.Close()
		}
	}()
	next := func(ctx context.Context) (weighted, error) {
		for {
			if r == nil {
				if at++; at == len(f.inputs) {
					return weighted{}, io.EOF
				}
				var err error
				in := f.inputs[at]
				if r, err = f.reader(ctx, in, tableRows(len(in.table.Columns), f.pk.CiphertextSize())); err != nil {
					return weighted{}, err
				}
			}
			b, err := r.Read(ctx)
			if err == nil {
				return weighted{b, at}, nil
			}
			if err != io.EOF {
				return weighted{}, err
			}
			if err := r.Close(); err != nil {
				return weighted{}, err
			}
			r = nil
		}
	}
	stats, err := engine.ForEach(ctx, engine.Loop[weighted]{
		Source: engine.Source[weighted]{Name: "read", Next: next},
		Stages: engine.Stage[weighted, engine.None]{Name: "fold", Workers: f.Threads, Discard: weighted.release, New: func(worker int) (engine.Work[weighted, engine.None], error) {
			a := &adder{fusing: f, m: m, g: g, sums: sums, worker: worker}
			return func(ctx context.Context, w weighted) (engine.None, error) {
				defer w.release()
				return engine.None{}, a.add(w)
			}, nil
		}},
	})
	return stats, err
}

// adder is one worker of the second pass.
type adder struct {
	*fusing
	m      *merger
	g      *groups
	sums   *groupSums
	worker int
	key    []byte
	local  [][]int32 // per stripe: the groups of its rows,
	rows   [][]int   // which rows they are,
	ct     []byte    // and their ciphertexts
}

func (a *adder) add(w weighted) error {
	in := a.inputs[w.input]
	ids := len(in.table.IDs)
	stripes := a.sums.stripes[slices.Index(a.sums.weights, in.weight)]
	if a.local == nil {
		a.local, a.rows = make([][]int32, stripes.Len()), make([][]int, stripes.Len())
	}
	for p := range a.local {
		a.local[p], a.rows[p] = a.local[p][:0], a.rows[p][:0]
	}
	by := make([]arrow.Array, len(a.By))
	for i, name := range a.By {
		by[i] = w.Column(slices.Index(in.table.IDs, name))
	}
	for i := range int(w.NumRows()) {
		var group int32
		var found bool
		if group, a.key, found = a.g.of(a.key, by, i); !found {
			return w.Refuse(i, a.By[0], "the record was not there when the groups were counted").
				WithHint("The file changed while it was being fused. Run the same command again.")
		}
		if group >= 0 {
			part, local := stripes.Locate(group)
			a.local[part], a.rows[part] = append(a.local[part], local), append(a.rows[part], i)
		}
	}
	size := a.pk.CiphertextSize()
	err := stripes.Visit(a.worker*stripesPerWorker, func(part int, accumulators []*paillier.Accumulator) error {
		if len(a.rows[part]) == 0 {
			return nil
		}
		for c, accumulator := range accumulators {
			at := a.m.columns[w.input][c]
			if at < 0 {
				continue
			}
			ct := columnBytes(w.Batch, ids, at)
			a.ct = a.ct[:0]
			for _, i := range a.rows[part] {
				a.ct = append(a.ct, ct[i*size:(i+1)*size]...)
			}
			if err := accumulator.Add(a.local[part], a.ct); err != nil {
				return a.refuse(err, w, part, in.table.Columns[at])
			}
			a.ciphertexts.Add(int64(len(a.rows[part])))
			a.progress.Items.Add(int64(len(a.rows[part])))
		}
		return nil
	})
	a.progress.Done.Add(w.NumRows())
	return err
}

// refuse names the row of a ciphertext that an accumulator refused.
func (a *adder) refuse(err error, w weighted, part int, name string) error {
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return refuseCiphertext(w.Batch, name, &paillier.CiphertextError{Index: a.rows[part][bad.Index], Reason: bad.Reason})
	}
	return err
}

// writeGroups finishes the sums and writes them with their keys, in the order in which the groups first came.
func (f *fusing) writeGroups(ctx context.Context, out tableWriter, g *groups, sums *groupSums) error {
	parts := sums.stripes[0].Len()
	columns := out.Schema().NumFields() - len(f.By)
	size := f.pk.CiphertextSize()
	each := (tableRows(columns, size) + parts - 1) / parts // groups of each stripe in a batch
	keys := newKeyBuilder(g.fields)
	group := int32(-1) // the last one whose key was written
	first := 0
	progress := &engine.Progress{}
	progress.Total.Store(int64(g.kept))
	defer f.Watch("finish", progress)()
	_, err := engine.Run(ctx, engine.Pipeline[span, sealed]{
		Source: engine.Source[span]{Name: "groups", Next: func(context.Context) (span, error) {
			if first >= g.kept {
				return span{}, io.EOF
			}
			s := span{first: first, rows: min(each*parts, g.kept-first)}
			first += s.rows
			for range s.rows {
				for group++; g.rank[group] < 0; group++ {
				}
				keys.append(g.index.Key(group))
			}
			s.ids = keys.arrays()
			return s, nil
		}},
		Stages: engine.Stage[span, sealed]{Name: "finish", Workers: f.Threads, Discard: span.release, New: func(worker int) (engine.Work[span, sealed], error) {
			evaluator := f.pk.NewEvaluator()
			return func(ctx context.Context, s span) (sealed, error) { return f.finishGroups(evaluator, sums, s, columns) }, nil
		}},
		Sink: engine.Sink[sealed]{Name: "write", Discard: sealed.release, Put: func(ctx context.Context, s sealed) error {
			defer s.release()
			progress.Done.Add(int64(s.rows))
			return writeSealed(ctx, out, s, 0, false)
		}},
	})
	if err != nil {
		if culprit := f.findCulprit(ctx, err); culprit != nil {
			return culprit
		}
	}
	return err
}

// span is some consecutive kept groups: their keys, and where they are in every stripe.
type span struct {
	first, rows int
	ids         []arrow.Array
}

func (s span) release() { releaseArrays(s.ids) }

func (f *fusing) finishGroups(evaluator *paillier.Evaluator, sums *groupSums, s span, columns int) (sealed, error) {
	size := f.pk.CiphertextSize()
	out := sealed{ids: s.ids, rows: s.rows, free: s.release}
	fail := func(err error) (sealed, error) {
		s.release()
		return sealed{}, err
	}
	byWeight := make([][][]byte, len(sums.weights)) // [weight][column]
	for w, stripes := range sums.stripes {
		byWeight[w] = make([][]byte, columns)
		for c := range byWeight[w] {
			byWeight[w][c] = make([]byte, s.rows*size)
		}
		parts := stripes.Len()
		scratch := make([]byte, (s.rows+parts-1)/parts*size)
		err := stripes.Visit(0, func(part int, accumulators []*paillier.Accumulator) error {
			n := (s.rows - part + parts - 1) / parts // spans start at a multiple of the number of stripes
			for c, a := range accumulators {
				if err := a.Sums(scratch[:n*size], s.first/parts); err != nil {
					return err
				}
				for i := range n {
					copy(byWeight[w][c][(i*parts+part)*size:][:size], scratch[i*size:])
				}
			}
			return nil
		})
		if err != nil {
			return fail(err)
		}
	}
	for c := range columns {
		dst := byWeight[0][c]
		if len(sums.weights) > 1 || sums.weights[0] != 1 {
			var cts [][]byte
			for w := range sums.weights {
				cts = append(cts, byWeight[w][c])
			}
			if err := evaluator.WeightedFold(dst, sums.weights, cts...); err != nil {
				return fail(err)
			}
		}
		if f.refresh {
			if err := evaluator.Rerandomize(dst, dst); err != nil {
				return fail(err)
			}
		}
		out.ct = append(out.ct, dst)
	}
	return out, nil
}

// findCulprit names the ciphertext that made a group's product no unit, by reading the inputs once more. It returns nil
// when that was not the error.
func (f *fusing) findCulprit(ctx context.Context, err error) error {
	var bad *paillier.CiphertextError
	if !errors.As(err, &bad) {
		return nil
	}
	evaluator := f.pk.NewEvaluator()
	for _, in := range f.inputs {
		r, err := f.reader(ctx, in, tableRows(len(in.table.Columns), f.pk.CiphertextSize()))
		if err != nil {
			return err
		}
		err = each(ctx, r, func(b column.Batch) error {
			for c, name := range in.table.Columns {
				if err := evaluator.Check(columnBytes(b, len(in.table.IDs), c)); err != nil {
					return refuseCiphertext(b, name, err)
				}
			}
			return nil
		})
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
