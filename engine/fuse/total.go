package fuse

import (
	"context"
	"fmt"
	"strings"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// totalTable lays out a total: one ciphertext for each tuple. Tuples of all inputs must have the same slots, whatever
// the size of their blocks.
func (f *fusion) totalTable() (*ctfile.Table, []totalColumn, error) {
	first := f.inputs[0].Table
	t := enctable.NewFooter(f.pk)
	t.Layout, t.Total, t.BlockRecords, t.MaxAdds, t.Rows, t.TestKey = slots.Blocks, true, 1, first.MaxAdds, 1, first.TestKey
	f.identify(&t)
	for _, in := range f.inputs {
		if err := sameKeyAndLayout(f.inputs[0], in); err != nil {
			return nil, nil, err
		}
	}
	var err error
	if t.Preparation, t.Samples, err = agree(f.inputs); err != nil {
		return nil, nil, err
	}
	t.Randomizers = string(f.randomizers)
	if t.Noise, t.WeightMax, err = fuseNoise(f.inputs); err != nil {
		return nil, nil, err
	}
	adds := int64(0)
	var columns []totalColumn
	columnOf, measureAt := map[string]int{}, map[string]int{} // by what is given, and by name
	for i, in := range f.inputs {
		if err := enctable.CheckTuples(in.Table); err != nil {
			return nil, nil, column.Refuse(in.File, "no total can be made of this layout: %w", err).WithHint(job.ForeignFooter)
		}
		if err := in.Table.CheckTotalRoom(); err != nil {
			return nil, nil, column.Refuse(in.File, "no total can be made of this layout: %w", err).WithHint(job.ForeignFooter)
		}
		adds = codec.SaturatingAdd(adds, codec.SaturatingMul(in.Adds(), max(1, in.Table.Rows)))
		t.MaxAdds = min(t.MaxAdds, in.Table.MaxAdds)
		for _, m := range in.Table.Measures {
			offset := m.Offset
			given := slots.KeyOf(nil, m.Given)
			c, ok := columnOf[given]
			if !ok {
				c = len(columns)
				columnOf[given] = c
				columns = append(columns, totalColumn{given: m.Given, from: make([][]string, len(f.inputs))})
				t.Columns = append(t.Columns, slots.ColumnName(nil, c))
			}
			columns[c].from[i] = m.InColumns
			columns[c].tuple = m.Stride
			at, ok := measureAt[m.Name]
			if !ok {
				measureAt[m.Name] = len(t.Measures)
				m.Slots, m.Offset, m.InColumns = 1, offset, []string{t.Columns[c]}
				t.Measures = append(t.Measures, m)
				continue
			}
			had := &t.Measures[at]
			if had.Decimals != m.Decimals {
				return nil, nil, otherDecimals(in.File, m, f.inputs[0].File, had.Decimals)
			}
			if had.Width != m.Width || had.Stride != m.Stride || had.Offset != m.Offset {
				return nil, nil, column.Refuse(in.File, "measure %s is packed differently than in the other tables", column.Quote(m.Name)).
					InColumn(m.Name).WithHint("All owners must give the same max, ‹square› and ‹max_adds›.")
			}
			had.Bound = slots.LargerBound(had.Bound, m.Bound)
		}
	}
	if records := f.records(); records < f.request.MinGroup {
		return nil, nil, column.Refuse(f.inputs[0].File, "the total is of %d records, fewer than ‹min_group› %d", records, f.request.MinGroup).
			WithHint("Lower ‹min_group›, or add more tables.")
	}
	return &t, columns, headroom(&t, f.inputs, adds, "the total")
}

// records is the number of records of all inputs.
func (f *fusion) records() int64 {
	n := int64(0)
	for _, in := range f.inputs {
		n += in.Table.Rows
	}
	return n
}

// totalColumn is a tuple of the total: the columns of each input that are folded into its one ciphertext.
type totalColumn struct {
	given []string
	from  [][]string // per input; nil where the input has no such measure
	tuple int        // width in bits
}

// total folds all blocks of all inputs into one ciphertext for each tuple. The result would still show the key holder
// the sums of single slots (every S-th record). So it is masked: a random multiple of 2^W - 1 leaves only the total
// readable (codec.Total). Encrypting the mask also re-randomises the ciphertext.
func (f *fusion) total(ctx context.Context) (engine.Stats, error) {
	t, columns, err := f.totalTable()
	if err != nil {
		return engine.Stats{}, err
	}
	out, err := enctable.Create(ctx, f.request.Options, f.request.Out, f.request.RowsPerFile, *t, nil, f.seal)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	result, stats, err := f.sumRanges(ctx, columns, f.ranges(job.Range{From: 0, To: f.rows()}))
	if err != nil {
		return stats, err
	}
	return stats, f.writeTotal(ctx, out, columns, result)
}

// sumRanges multiplies all ciphertexts of stretches, column by column of the total and raised to the inputs' weights;
// nil where they have none.
func (f *fusion) sumRanges(ctx context.Context, columns []totalColumn, list []rowRange) (result [][]byte, stats engine.Stats, err error) {
	defer f.request.Watch("fuse", &f.progress)()
	for _, s := range list {
		t := f.inputs[s.input].Table
		f.progress.Total.Add(min(t.Rows, (s.to-s.from)*int64(t.BlockRecords)))
	}
	evaluator := f.pk.NewEvaluator()
	result = make([][]byte, len(columns))
	for _, s := range list {
		sums, more, err := f.sumRange(ctx, s, columns)
		if err != nil {
			return nil, more, err
		}
		stats = more
		for c, sum := range sums {
			if sum == nil {
				continue
			}
			if result[c] == nil {
				result[c] = trivial(1, len(sum))
			}
			if err := evaluator.WeightedFold(result[c], []int64{1, f.inputs[s.input].Weight}, result[c], sum); err != nil {
				return nil, stats, err
			}
		}
	}
	return result, stats, nil
}

// writeTotal masks sums and writes them as the result.
func (f *fusion) writeTotal(ctx context.Context, out enctable.Writer, columns []totalColumn, result [][]byte) error {
	for c := range result {
		if result[c] == nil {
			result[c] = trivial(1, f.pk.CiphertextSize())
		}
	}
	if err := f.mask(out.Table(), columns, result); err != nil {
		return err
	}
	rec := enctable.Record(out.Schema(), nil, result, 1)
	defer rec.Release()
	if err := out.Write(ctx, column.Batch{Record: rec}); err != nil {
		return err
	}
	f.report.Records = 1
	return out.Commit(ctx)
}

// sumRange multiplies all ciphertexts of a stretch, column by column of the total; nil where the input has none.
func (f *fusion) sumRange(ctx context.Context, s rowRange, columns []totalColumn) ([][]byte, engine.Stats, error) {
	in := f.inputs[s.input]
	r, err := f.open(ctx, s, column.ReadOptions{Threads: f.request.Threads, BatchRows: enctable.BatchRows(len(in.Table.Columns), f.pk.CiphertextSize())})
	if err != nil {
		return nil, engine.Stats{}, err
	}
	defer r.Close()
	ids, places := len(in.Table.IDs), column.IndexNames(in.Table.Columns)
	size := f.pk.CiphertextSize()
	sum := func(evaluator *paillier.Evaluator, b column.Batch) ([][]byte, error) {
		defer b.Release()
		out := make([][]byte, len(columns))
		for c, col := range columns {
			for _, name := range col.from[s.input] {
				dst := make([]byte, size)
				if err := evaluator.Sum(dst, columnBytes(b, ids, places[name])); err != nil {
					return nil, enctable.RefuseCiphertext(b, name, err)
				}
				f.ciphertexts.Add(b.NumRows())
				f.progress.Items.Add(b.NumRows())
				if out[c] != nil {
					if err := evaluator.Fold(dst, dst, out[c]); err != nil {
						return nil, err
					}
				}
				out[c] = dst
			}
		}
		f.progress.Done.Add(b.NumRows() * int64(in.Table.BlockRecords))
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
		Stage: engine.Stage[column.Batch, [][]byte]{Name: "fold", Workers: f.request.Threads, Discard: column.Batch.Release, New: func(int) (engine.Work[column.Batch, [][]byte], error) {
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
func (f *fusion) mask(t *ctfile.Table, columns []totalColumn, result [][]byte) error {
	random := paillier.NewRandom()
	encryptor := f.pk.NewEncryptor()
	evaluator := f.pk.NewEvaluator()
	for c, tuple := range enctable.TupleWidths(t) {
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
			if err := evaluator.RerandomizeOf(result[c], result[c], f.randomizers); err != nil {
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

// describeTotal says what a run of a range is a part of, and what rows it has.
func (f *fusion) describeTotal(part job.Range, columns []totalColumn) (sums.Description, sums.Shape, error) {
	var slots []string
	for _, c := range columns {
		slots = append(slots, strings.Join(c.given, "*"))
	}
	d, err := f.describe(part, nil, slots)
	return d, sums.Shape{Key: f.pk, Slots: len(columns)}, err
}

// totalPart folds blocks into a run of one row.
func (f *fusion) totalPart(ctx context.Context, part job.Range, out string) (engine.Stats, error) {
	_, columns, err := f.totalTable()
	if err != nil {
		return engine.Stats{}, err
	}
	d, shape, err := f.describeTotal(part, columns)
	if err != nil {
		return engine.Stats{}, err
	}
	file, err := sums.CreateFile(ctx, f.request.Disk, out, shape, d)
	if err != nil {
		return engine.Stats{}, err
	}
	defer file.Close()
	result, stats, err := f.sumRanges(ctx, columns, f.ranges(part))
	if err != nil {
		return stats, err
	}
	keys := &sums.Keys{}
	keys.End()
	if err := file.Append(&sums.Rows{Keys: keys, Sums: result, Size: f.pk.CiphertextSize()}); err != nil {
		return stats, err
	}
	f.report.Records = 1
	return stats, file.Commit(ctx)
}

// totalRuns folds the rows of runs into the result.
func (f *fusion) totalRuns(ctx context.Context, runs []string) (engine.Stats, error) {
	t, columns, err := f.totalTable()
	if err != nil {
		return engine.Stats{}, err
	}
	d, shape, err := f.describeTotal(job.Range{}, columns)
	if err != nil {
		return engine.Stats{}, err
	}
	files, err := f.openRuns(ctx, runs, d)
	if err != nil {
		return engine.Stats{}, err
	}
	defer closeRuns(files)
	out, err := enctable.Create(ctx, f.request.Options, f.request.Out, f.request.RowsPerFile, *t, nil, f.seal)
	if err != nil {
		return engine.Stats{}, err
	}
	defer out.Close()
	evaluator := f.pk.NewEvaluator()
	result := make([][]byte, len(columns))
	in := newRunReader(files, shape)
	for range files {
		_, row, err := in.next(ctx)
		if err != nil {
			return engine.Stats{}, err
		}
		for c, sum := range row {
			if sum == nil {
				continue
			}
			f.ciphertexts.Add(1)
			if result[c] == nil {
				result[c] = trivial(1, len(sum))
			}
			if err := evaluator.Fold(result[c], result[c], sum); err != nil {
				return engine.Stats{}, err
			}
		}
	}
	if err := in.end(ctx); err != nil {
		return engine.Stats{}, err
	}
	return engine.Stats{}, f.writeTotal(ctx, out, columns, result)
}
