package fuse

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// Rows returns how many rows a fusion has, for dividing it into ranges, and the bytes of ciphertexts that are read for
// one. These are the rows of all inputs. Tables in blocks are fused block by block, and have as many rows as one of
// them has blocks. For one total they have the blocks of all.
func Rows(ctx context.Context, u Request) (rows, bytes int64, err error) {
	f, err := u.begin(ctx)
	if err != nil {
		return 0, 0, err
	}
	all := int64(0)
	for _, in := range f.inputs {
		all += in.Table.FileRows() * int64(len(in.Table.Columns)*f.pk.CiphertextSize())
	}
	rows = f.partRows()
	return rows, all / max(1, rows), nil
}

// partRows is the number of rows that parts are ranges of.
func (f *fusion) partRows() int64 {
	if f.kind() == byBlock {
		return f.inputs[0].Table.FileRows()
	}
	return f.rows()
}

// Part folds the rows of a range into a run file on u.Disk, in place of one that there may be: partial sums in the order
// of their keys, with all that FuseRuns needs to know that they belong together. u.Out is not written. Values that are
// re-randomized block by block are so in the run; the rest is done by FuseRuns.
func Part(ctx context.Context, u Request, part job.Range, out string) (*job.Report, error) {
	start := time.Now()
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	if n := f.partRows(); part.From < 0 || part.From >= part.To || part.To > n {
		return nil, job.Misuse("Ask for rows that there are.", "rows %d to %d of a fusion of %d", part.From, part.To, n)
	}
	f.report.Out = out
	if err := f.fillTables(ctx); err != nil {
		return nil, err
	}
	var stats engine.Stats
	switch f.kind() {
	case byKey:
		stats, err = f.groupPart(ctx, part, out)
	case oneTotal:
		stats, err = f.totalPart(ctx, part, out)
	default:
		stats, err = f.alignedPart(ctx, part, out)
	}
	if err != nil {
		return nil, job.UnwrapStage(err)
	}
	f.report.Ciphertexts = f.ciphertexts.Load()
	f.report.Finish(start, stats)
	return f.report, nil
}

// Join merges the run files of ranges that together are all rows, in any order, into u.Out. The result is the one of
// Fuse, byte by byte but for what is random. A range that is there twice counts once.
func Join(ctx context.Context, u Request, runs []string) (*job.Report, error) {
	return u.result(ctx, func(f *fusion) (engine.Stats, error) {
		switch f.kind() {
		case byKey:
			return f.groupRuns(ctx, runs)
		case oneTotal:
			return f.totalRuns(ctx, runs)
		}
		return f.alignedRuns(ctx, runs)
	})
}

// describe says what a run of a range is a part of. keys and slots are for people; the plan decides.
func (f *fusion) describe(part job.Range, keys, slots []string) (sums.Description, error) {
	type planned struct {
		Footer any
		Weight int64
	}
	plan := struct {
		Inputs   []planned
		By       []string
		MinGroup int64
		Refresh  bool
		Sums     []string
	}{By: f.request.By, MinGroup: f.request.MinGroup, Refresh: f.refresh, Sums: slots}
	for _, in := range f.inputs {
		plan.Inputs = append(plan.Inputs, planned{in.Table, in.Weight})
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return sums.Description{}, fmt.Errorf("describing a part of a fusion: %w", err)
	}
	digest := sha256.Sum256(text)
	return sums.Description{
		Fingerprint: f.pk.Fingerprint(), Plan: hex.EncodeToString(digest[:]), Keys: keys, Sums: slots, Size: f.pk.CiphertextSize(),
		From: part.From, To: part.To,
	}, nil
}

// openRuns opens run files, in the order of their ranges. It refuses those of another fusion, and ranges that do not
// cover all rows.
func (f *fusion) openRuns(ctx context.Context, runs []string, want sums.Description) (files []*sums.File, err error) {
	defer func() {
		if err != nil {
			closeRuns(files)
			files = nil
		}
	}()
	names := map[*sums.File]string{}
	for _, name := range runs {
		file, err := sums.OpenFile(ctx, f.request.Disk, name)
		if err != nil {
			return files, err
		}
		files = append(files, file)
		names[file] = name
		switch d := file.Description; {
		case d.Fingerprint != want.Fingerprint:
			return files, column.Refuse(name, "a part of a fusion under key %s, not %s", job.ShortFingerprint(d.Fingerprint), job.ShortFingerprint(want.Fingerprint)).WithHint(foreignRun)
		case d.Plan != want.Plan:
			return files, column.Refuse(name, "a part of another fusion, or of other inputs").WithHint(foreignRun)
		}
	}
	slices.SortStableFunc(files, func(a, b *sums.File) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for i := 1; i < len(files); {
		if files[i].From == files[i-1].From && files[i].To == files[i-1].To {
			_ = files[i].Close()
			files = slices.Delete(files, i, i+1)
			continue
		}
		i++
	}
	at := int64(0)
	for _, file := range files {
		switch {
		case file.From > at:
			return files, f.missing(job.Range{From: at, To: file.From})
		case file.From < at || file.To <= file.From:
			return files, column.Refuse(names[file], "rows %d to %d are in another part, too", file.From, at).WithHint("Give the parts of one cut only.")
		}
		at = file.To
	}
	if n := f.partRows(); at < n {
		return files, f.missing(job.Range{From: at, To: n})
	} else if at > n {
		return files, column.Refuse(names[files[len(files)-1]], "it has rows up to %d of a fusion of %d", at, n).WithHint(foreignRun)
	}
	return files, nil
}

const foreignRun = "Give the parts that were made of these inputs, with the same options."

// missing refuses parts between which there are others.
func (f *fusion) missing(r job.Range) error {
	return column.Refuse(f.inputs[0].File, "the part of rows %d to %d is missing", r.From, r.To).WithHint("Run the part that makes it, and merge again.")
}

func closeRuns(files []*sums.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
