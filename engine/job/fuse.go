package job

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Fusion describes the adding up of encrypted tables.
type Fusion struct {
	Options
	In          []string // encrypted tables: files, globs, directories
	Out         string
	By          []string // id columns to group by; nil: per record id; empty but not nil: one total
	Weights     []Weight
	MinGroup    int64  // drop groups of fewer records
	Rerandomize string // "auto", "always" or "never"; "" is auto
}

// Weight multiplies the values of an input.
type Weight struct {
	File   string // as in Fusion.In
	Weight int64  // not 0
}

// input is one encrypted table of a fusion.
type input struct {
	file   string
	table  *ctfile.Table
	ids    []arrow.Field // as in the file: lists in blocks
	weight int64
}

// adds is how many additions a record of this input counts for.
func (in input) adds() int64 {
	w := in.weight
	if w < 0 {
		w = -w
	}
	return saturatingMul(w, in.table.AddsUsed)
}

// Fuse writes the sum of the inputs. Whether it can overflow is decided from the footers, and the group sizes, before
// anything is multiplied.
func Fuse(ctx context.Context, u Fusion) (*Report, error) {
	start := time.Now()
	u.Options = u.Options.withDefaults()
	if u.Rerandomize == "" {
		u.Rerandomize = "auto"
	}
	if !slices.Contains([]string{"auto", "always", "never"}, u.Rerandomize) {
		return nil, usage("Choose auto, always or never.", "unknown --rerandomize %s", u.Rerandomize)
	}
	if u.MinGroup < 0 {
		return nil, usage("It is a number of records.", "--min-group %d is negative", u.MinGroup)
	}
	inputs, err := u.inputs(ctx)
	if err != nil {
		return nil, err
	}
	first := inputs[0]
	pk, err := tableKey(first)
	if err != nil {
		return nil, err
	}
	if err := pk.UseKernel(u.Kernel); err != nil {
		return nil, err
	}
	f := &fusing{Fusion: u, pk: pk, inputs: inputs, report: &Report{Out: u.Out, Kernel: pk.Kernel()}}
	f.refresh = u.Rerandomize == "always" || u.Rerandomize == "auto" && len(u.Weights) > 0
	total := u.By != nil && len(u.By) == 0
	var stats engine.Stats
	switch {
	case first.table.Layout == Records:
		stats, err = f.grouped(ctx)
	case total:
		stats, err = f.total(ctx)
	case u.By != nil:
		return nil, usage("Encrypt with --layout records to group, or give --by '' for one total.", "tables in blocks cannot be grouped by %v", u.By)
	case u.MinGroup > 0:
		return nil, usage("Encrypt with --layout records, where a group is a number of rows.", "--min-group needs the records layout")
	default:
		stats, err = f.aligned(ctx)
	}
	if err != nil {
		return nil, unwrapStage(err)
	}
	f.report.Ciphertexts = f.ciphertexts.Load()
	f.report.finish(start, stats)
	return f.report, nil
}

// inputs opens every input's footer and gives it its weight.
func (u *Fusion) inputs(ctx context.Context) ([]input, error) {
	var out []input
	index := map[string]int{}
	for _, pattern := range u.In {
		files, err := u.FS.List(ctx, pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if _, ok := index[filepath.Clean(file)]; ok {
				return nil, usage("To count it twice, give --weight FILE=2.", "%s is given twice", file)
			}
			index[filepath.Clean(file)] = len(out)
			t, ids, err := readTable(ctx, u.Options, file)
			if err != nil {
				return nil, err
			}
			out = append(out, input{file: file, table: t, ids: ids, weight: 1})
		}
	}
	if len(out) == 0 {
		return nil, usage("Name at least one encrypted table.", "no input")
	}
	weighted := map[int]bool{}
	for _, w := range u.Weights {
		i, ok := index[filepath.Clean(w.File)]
		switch {
		case !ok:
			return nil, usage("Write the file as in --in.", "--weight for %s, which is no input", w.File)
		case weighted[i]:
			return nil, usage("", "two weights for %s", w.File)
		case w.Weight == 0:
			return nil, usage("Leave the input out.", "weight 0 for %s", w.File)
		}
		weighted[i] = true
		out[i].weight = w.Weight
	}
	return out, nil
}

// tableKey returns the public key that a table carries, checked against its fingerprint.
func tableKey(in input) (*paillier.PublicKey, error) {
	key, err := paillier.ParseKey(in.table.PublicKey)
	if err != nil {
		return nil, refuseKey(in.file, err)
	}
	pk := key.Public()
	if _, secret := key.(*paillier.SecretKey); secret {
		return nil, column.Refuse(in.file, "the footer holds a secret key").WithHint("Destroy this file and make a new key.")
	}
	if pk.Fingerprint() != in.table.Fingerprint || pk.Bits() != in.table.Bits || string(pk.Variant()) != in.table.Variant {
		return nil, column.Refuse(in.file, "the footer's key is not the one it names").WithHint("The footer was changed; encrypt again.")
	}
	return pk, nil
}

// fusing is a fusion under way.
type fusing struct {
	Fusion
	pk          *paillier.PublicKey
	inputs      []input
	refresh     bool // re-randomise the result
	ciphertexts atomic.Int64
	progress    engine.Progress
	report      *Report
}

// headroom refuses a fusion in which a sum would have more additions than its slots have room for.
func headroom(t *ctfile.Table, inputs []input, adds int64, what string) error {
	if adds <= t.MaxAdds {
		t.AddsUsed = adds
		return nil
	}
	file := inputs[0].file
	for _, in := range inputs {
		if in.table.MaxAdds == t.MaxAdds {
			file = in.file
			break
		}
	}
	return column.Refuse(file, "no headroom: %s adds up to %d records and the slots have room for %d", what, adds, t.MaxAdds).
		WithHint("Encrypt again with --max-adds %d or more, for every owner alike.", adds)
}

func saturatingAdd(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return 1<<63 - 1
}

func saturatingMul(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	if p := a * b; p/b == a && p > 0 {
		return p
	}
	return 1<<63 - 1
}

// reader opens an input with the named columns, none meaning all, in batches of `rows` rows.
func (f *fusing) reader(ctx context.Context, in input, rows int, columns ...string) (column.Reader, error) {
	return ctfile.Open(ctx, f.FS, in.file, column.ReadOptions{Columns: columns, Threads: f.Threads, BatchRows: rows})
}

// columnBytes returns the ciphertexts of an input's c-th ciphertext column in a batch.
func columnBytes(b column.Batch, ids, c int) []byte { return column.FixedBytes(b.Column(ids + c)) }

// aligned fuses blocks: row i of every input holds the same records.
func (f *fusing) aligned(ctx context.Context) (engine.Stats, error) {
	m, err := merge(f.inputs)
	if err != nil {
		return engine.Stats{}, err
	}
	adds := int64(0)
	for _, in := range f.inputs {
		adds = saturatingAdd(adds, in.adds())
		if in.table.Rows != f.inputs[0].table.Rows {
			return engine.Stats{}, column.Refuse(in.file, "%d records, but %s has %d", in.table.Rows, f.inputs[0].file, f.inputs[0].table.Rows).
				WithHint("Blocks fuse record by record. Give every owner the same --universe, or encrypt with --layout records.")
		}
	}
	if err := headroom(&m.table, f.inputs, adds, "the fusion"); err != nil {
		return engine.Stats{}, err
	}
	rows := tableRows(len(m.table.Columns), f.pk.CiphertextSize())
	readers := make([]column.Reader, len(f.inputs))
	for i, in := range f.inputs {
		if readers[i], err = f.reader(ctx, in, rows); err != nil {
			return engine.Stats{}, err
		}
		defer readers[i].Close()
	}
	m.table.JobID = newTable(f.pk).JobID
	out, err := ctfile.Create(ctx, f.FS, f.Out, m.table, f.inputs[0].ids, ctfile.Options{Overwrite: f.Overwrite})
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	defer f.Watch("fuse", &f.progress)()
	f.progress.Total.Store(m.table.Rows)
	stats, err := engine.Run(ctx, engine.Pipeline[lockstep, sealed]{
		Source: engine.Source[lockstep]{Name: "read", Next: func(ctx context.Context) (lockstep, error) { return f.readLockstep(ctx, readers) }},
		Stages: engine.Stage[lockstep, sealed]{Name: "fold", Workers: f.Threads, Discard: lockstep.release, New: func(int) (engine.Work[lockstep, sealed], error) {
			evaluator := f.pk.NewEvaluator()
			return func(ctx context.Context, l lockstep) (sealed, error) { return f.foldAligned(ctx, evaluator, m, l) }, nil
		}},
		Sink: engine.Sink[sealed]{Name: "write", Discard: sealed.release, Put: func(ctx context.Context, s sealed) error {
			defer s.release()
			return writeSealed(ctx, out, s, 0, false)
		}},
	})
	if err != nil {
		return stats, err
	}
	f.report.Records = m.table.Rows
	return stats, out.Commit(ctx)
}

// lockstep is the same rows of all inputs.
type lockstep []column.Batch

func (l lockstep) release() { column.ReleaseAll(l) }

func (f *fusing) readLockstep(ctx context.Context, readers []column.Reader) (lockstep, error) {
	var l lockstep
	for i, r := range readers {
		b, err := r.Read(ctx)
		if err != nil { // all have the same number of records in blocks of one size, so all end together
			l.release()
			return nil, err
		}
		l = append(l, b)
		if err := f.compareIDs(l[0], b, i); err != nil {
			l.release()
			return nil, err
		}
	}
	return l, nil
}

// compareIDs refuses a batch of blocks of input i whose records are not those of the first input.
func (f *fusing) compareIDs(a, b column.Batch, i int) error {
	ids := len(f.inputs[0].table.IDs)
	same := a.NumRows() == b.NumRows()
	for c := 0; same && c < ids; c++ {
		same = array.Equal(a.Column(c), b.Column(c))
	}
	if same {
		return nil
	}
	const hint = "Blocks fuse record by record. Give every owner the same --universe, or encrypt with --layout records."
	x, y := flattened(a.Columns()[:ids]), flattened(b.Columns()[:ids])
	defer releaseArrays(x)
	defer releaseArrays(y)
	first := (a.Row - 1) * int64(f.inputs[0].table.BlockRecords)
	for r := range min(x[0].Len(), y[0].Len()) {
		if s, t := keyText(x, r), keyText(y, r); s != t {
			return column.Refuse(f.inputs[i].file, "the ids differ from those of %s: record %d is %s, there it is %s", f.inputs[0].file, first+int64(r)+1, t, s).
				AtRow(first + int64(r) + 1).InColumn(f.inputs[i].table.IDs[0]).WithHint(hint)
		}
	}
	return column.Refuse(f.inputs[i].file, "the ids differ from those of %s in number or type", f.inputs[0].file).WithHint(hint)
}

func (f *fusing) foldAligned(ctx context.Context, evaluator *paillier.Evaluator, m *merger, l lockstep) (sealed, error) {
	ids := len(f.inputs[0].table.IDs)
	rows := int(l[0].NumRows())
	out := sealed{ids: l[0].Columns()[:ids], rows: rows, free: l.release}
	for c := range m.table.Columns {
		if err := ctx.Err(); err != nil {
			l.release()
			return sealed{}, err
		}
		var cts [][]byte
		var from []int
		var weights []int64
		weighted := false
		for i, in := range f.inputs {
			if at := m.columns[i][c]; at >= 0 {
				cts, from, weights = append(cts, columnBytes(l[i], ids, at)), append(from, i), append(weights, in.weight)
				weighted = weighted || in.weight != 1
			}
		}
		dst := make([]byte, rows*f.pk.CiphertextSize())
		var err error
		if weighted {
			err = evaluator.WeightedFold(dst, weights, cts...)
		} else {
			err = evaluator.Fold(dst, cts...)
		}
		if err == nil && f.refresh {
			err = evaluator.Rerandomize(dst, dst)
		}
		if err != nil {
			err = f.refuseFold(err, l, from, m.columns, c)
			l.release()
			return sealed{}, err
		}
		out.ct = append(out.ct, dst)
		f.ciphertexts.Add(int64(rows * len(cts)))
	}
	f.progress.Done.Add(int64(rows * f.inputs[0].table.BlockRecords))
	return out, nil
}

// refuseFold names the file and row of the ciphertext that a fold refused.
func (f *fusing) refuseFold(err error, l lockstep, from []int, columns [][]int, c int) error {
	var bad *paillier.CiphertextError
	if !errors.As(err, &bad) {
		return err
	}
	i := from[bad.Batch]
	return refuseCiphertext(l[i], f.inputs[i].table.Columns[columns[i][c]], bad)
}

// totalTable lays out a total: one ciphertext for each tuple. Tuples of all inputs must have the same slots, whatever the
// size of their blocks.
func (f *fusing) totalTable() (*ctfile.Table, []totalColumn, error) {
	first := f.inputs[0].table
	t := newTable(f.pk)
	t.Layout, t.Total, t.BlockRecords, t.MaxAdds, t.Rows, t.TestKey = Blocks, true, 1, first.MaxAdds, 1, first.TestKey
	adds := int64(0)
	var columns []totalColumn
	for i, in := range f.inputs {
		if err := sameKeyAndLayout(f.inputs[0], in); err != nil {
			return nil, nil, err
		}
		adds = saturatingAdd(adds, saturatingMul(in.adds(), max(1, in.table.Rows)))
		t.MaxAdds = min(t.MaxAdds, in.table.MaxAdds)
		for _, m := range in.table.Measures {
			offset := m.Offset
			c := slices.IndexFunc(columns, func(x totalColumn) bool { return slices.Equal(x.given, m.Given) })
			if c < 0 {
				c = len(columns)
				columns = append(columns, totalColumn{given: m.Given, from: make([][]string, len(f.inputs))})
				t.Columns = append(t.Columns, columnName(nil, c))
			}
			columns[c].from[i] = m.InColumns
			columns[c].tuple = m.Stride
			at := slices.IndexFunc(t.Measures, func(x ctfile.Measure) bool { return x.Name == m.Name })
			if at < 0 {
				m.Slots, m.Offset, m.InColumns = 1, offset, []string{t.Columns[c]}
				t.Measures = append(t.Measures, m)
				continue
			}
			had := &t.Measures[at]
			if had.Decimals != m.Decimals {
				return nil, nil, column.Refuse(in.file, "measure %s has %d decimals, in %s it has %d", column.Quote(m.Name), m.Decimals, f.inputs[0].file, had.Decimals).
					InColumn(m.Name).WithHint("All owners must encrypt a measure with the same decimals.")
			}
			if had.Width != m.Width || had.Stride != m.Stride || had.Offset != m.Offset {
				return nil, nil, column.Refuse(in.file, "measure %s is packed differently than in the other tables", column.Quote(m.Name)).
					InColumn(m.Name).WithHint("All owners must give the same max, --square and --max-adds.")
			}
			had.Bound = larger(had.Bound, m.Bound)
		}
	}
	return &t, columns, headroom(&t, f.inputs, adds, "the total")
}

// totalColumn is a tuple of the total: the columns of each input that are folded into its one ciphertext.
type totalColumn struct {
	given []string
	from  [][]string // per input; nil where the input has no such measure
	tuple int        // width in bits
}

// total folds all blocks of all inputs into one ciphertext for each tuple. The result would still show the key holder the
// sums of single slots (every S-th record), so it is masked: a random multiple of 2^W - 1 leaves the total as the only
// thing to be read (codec.Total), and encrypting the mask re-randomises the ciphertext as well.
func (f *fusing) total(ctx context.Context) (engine.Stats, error) {
	t, columns, err := f.totalTable()
	if err != nil {
		return engine.Stats{}, err
	}
	if f.MinGroup > 0 {
		records := int64(0)
		for _, in := range f.inputs {
			records += in.table.Rows
		}
		if records < f.MinGroup {
			return engine.Stats{}, column.Refuse(f.inputs[0].file, "the total is of %d records, fewer than --min-group %d", records, f.MinGroup)
		}
	}
	out, err := ctfile.Create(ctx, f.FS, f.Out, *t, nil, ctfile.Options{Overwrite: f.Overwrite})
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	defer f.Watch("fuse", &f.progress)()
	for _, in := range f.inputs {
		f.progress.Total.Add(in.table.Rows)
	}
	size := f.pk.CiphertextSize()
	evaluator := f.pk.NewEvaluator()
	result := make([][]byte, len(columns))
	for c := range result {
		result[c] = trivial(1, size)
	}
	var stats engine.Stats
	for i, in := range f.inputs {
		sums, s, err := f.sumInput(ctx, i, in, columns)
		if err != nil {
			return s, err
		}
		stats = s
		for c, sum := range sums {
			if sum == nil {
				continue
			}
			if err := evaluator.WeightedFold(result[c], []int64{1, in.weight}, result[c], sum); err != nil {
				return s, err
			}
		}
	}
	if err := f.mask(t, columns, result); err != nil {
		return stats, err
	}
	rec := ctRecord(out.Schema(), nil, result, 1)
	defer rec.Release()
	if err := out.Write(ctx, column.Batch{Record: rec}); err != nil {
		return stats, err
	}
	f.report.Records = 1
	return stats, out.Commit(ctx)
}

// sumInput multiplies all ciphertexts of one input, column by column of the total; nil where the input has none.
func (f *fusing) sumInput(ctx context.Context, i int, in input, columns []totalColumn) ([][]byte, engine.Stats, error) {
	r, err := f.reader(ctx, in, tableRows(len(in.table.Columns), f.pk.CiphertextSize()))
	if err != nil {
		return nil, engine.Stats{}, err
	}
	defer r.Close()
	ids := len(in.table.IDs)
	size := f.pk.CiphertextSize()
	sum := func(evaluator *paillier.Evaluator, b column.Batch) ([][]byte, error) {
		defer b.Release()
		out := make([][]byte, len(columns))
		for c, col := range columns {
			for _, name := range col.from[i] {
				at := slices.Index(in.table.Columns, name)
				dst := make([]byte, size)
				if err := evaluator.Sum(dst, columnBytes(b, ids, at)); err != nil {
					return nil, refuseCiphertext(b, name, err)
				}
				f.ciphertexts.Add(b.NumRows())
				if out[c] != nil {
					if err := evaluator.Fold(dst, dst, out[c]); err != nil {
						return nil, err
					}
				}
				out[c] = dst
			}
		}
		f.progress.Done.Add(b.NumRows() * int64(in.table.BlockRecords))
		return out, nil
	}
	combine := func(evaluator *paillier.Evaluator, parts [][][]byte) ([][]byte, error) {
		out := parts[0]
		for c := range out {
			if out[c] == nil {
				continue
			}
			var cts [][]byte
			for _, p := range parts {
				cts = append(cts, p[c])
			}
			if err := evaluator.Fold(out[c], cts...); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	sums, stats, err := engine.Reduce(ctx, engine.Reduction[column.Batch, [][]byte]{
		Source: engine.Source[column.Batch]{Name: "read", Next: r.Read},
		Stages: engine.Stage[column.Batch, [][]byte]{Name: "fold", Workers: f.Threads, Discard: column.Batch.Release, New: func(int) (engine.Work[column.Batch, [][]byte], error) {
			evaluator := f.pk.NewEvaluator()
			return func(_ context.Context, b column.Batch) ([][]byte, error) { return sum(evaluator, b) }, nil
		}},
		Tree: engine.Tree[[][]byte]{FanIn: 8, New: func(int) (engine.Work[[][][]byte, [][]byte], error) {
			evaluator := f.pk.NewEvaluator()
			return func(_ context.Context, parts [][][]byte) ([][]byte, error) { return combine(evaluator, parts) }, nil
		}},
	})
	return sums, stats, err
}

// mask hides all but the totals.
func (f *fusing) mask(t *ctfile.Table, columns []totalColumn, result [][]byte) error {
	random := paillier.NewRandom()
	encryptor := f.pk.NewEncryptor()
	evaluator := f.pk.NewEvaluator()
	for c, tuple := range tupleWidths(t) {
		if tuple.Width() != columns[c].tuple {
			return fmt.Errorf("tuple of %d bits with a stride of %d", tuple.Width(), columns[c].tuple)
		}
		total, err := codec.NewTotal(f.pk.NWords(), tuple)
		if err != nil {
			return err
		}
		m := make([]uint64, f.pk.PlaintextLimbs())
		if err := total.Mask(m, random); err != nil {
			return err
		}
		masked := make([]byte, f.pk.CiphertextSize())
		if err := encryptor.Encrypt(masked, m); err != nil {
			return err
		}
		if err := evaluator.Fold(result[c], result[c], masked); err != nil {
			return err
		}
		if f.refresh {
			if err := evaluator.Rerandomize(result[c], result[c]); err != nil {
				return err
			}
		}
	}
	return nil
}

// trivial returns n times the ciphertext 1, an encryption of 0.
func trivial(n, size int) []byte {
	out := make([]byte, n*size)
	for i := size - 1; i < len(out); i += size {
		out[i] = 1
	}
	return out
}
