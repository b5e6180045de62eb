package fuse

import (
	"context"
	"strings"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
)

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
	file, err := sums.CreateFile(ctx, f.Disk, out, shape, d)
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
	out, err := enctable.Create(ctx, f.Options, f.Out, f.RowsPerFile, *t, nil)
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
