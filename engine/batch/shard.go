package batch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// ShardSummary says what a shard did.
type ShardSummary struct {
	Name    string        `json:"name"`
	Dir     string        `json:"dir"`
	Shard   int           `json:"shard"`
	Of      int           `json:"of"`
	Level   int           `json:"level"` // that was worked on; 0 when the job is done
	Levels  int           `json:"levels"`
	Parts   int           `json:"parts"` // done now
	Before  int           `json:"parts_before"`
	Reports []*job.Report `json:"reports"` // of the parts done now
}

// Public is the summary without what values could be guessed from.
func (s *ShardSummary) Public() any {
	c := *s
	c.Reports = slices.Clone(s.Reports)
	for i, r := range c.Reports {
		c.Reports[i] = r.Told()
	}
	return &c
}

// errOver ends a shard whose level was merged meanwhile by another program.
var errOver = errors.New("the level is done")

// Shard does the parts of shard i of n, from 1, of the lowest level with a step that is not done. Shards may run in
// any order, at the same time, on machines that share the job directory, and again. What is done is not done again,
// and doing it twice does no harm.
func Shard(ctx context.Context, j *Job, i, n int) (*ShardSummary, error) {
	if n < 1 || n > ShardsMax || i < 1 || i > n {
		return nil, &job.UsageError{Cause: fmt.Sprintf("there is no shard %d of %d", i, n), Hint: fmt.Sprintf("Shards are 1/N to N/N, and N is at most %d.", ShardsMax)}
	}
	w, err := j.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	w.resume = fmt.Sprintf("«shard %s %d/%d»", j.File, i, n)
	s := &ShardSummary{Name: w.plan.Name, Dir: j.Dir, Shard: i, Of: n, Level: w.level(), Levels: w.plan.Levels()}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	attempt := fmt.Sprintf(".%d-of-%d.%s", i, n, hex.EncodeToString(random))
	for k, p := range w.plan.Steps {
		if p.Level != s.Level || w.state.steps[p.Name].done {
			continue
		}
		err := w.shard(ctx, k, i, n, attempt, s)
		if err != nil && w.over(ctx, p.Name) {
			err = errOver
		}
		if errors.Is(err, errOver) {
			return s, w.withdraw(ctx, attempt)
		}
		if err != nil {
			return nil, w.stopped(p.Name, err)
		}
	}
	return s, nil
}

// shard does a shard's parts of one step.
func (w *work) shard(ctx context.Context, k, i, n int, attempt string, sum *ShardSummary) error {
	name := w.plan.Steps[k].Name
	s := w.state.steps[name]
	x, err := w.executionWithKey(ctx, k)
	if err != nil {
		return err
	}
	if s.partition == nil {
		p, err := w.survey(ctx, x, k, n)
		if err != nil {
			return err
		}
		if err := w.settle(ctx, name, p); err != nil {
			return err
		}
		if err := w.reread(ctx); err != nil { // parts that others have noted meanwhile
			return err
		}
		s = w.state.steps[name]
	}
	parts := len(s.partition.ranges())
	var mine []int
	for part := range parts {
		if shardOf(part, parts, n) == i {
			mine = append(mine, part)
		}
	}
	if s.partition.once() && len(mine) > 0 {
		unlock, err := w.alone(ctx, name)
		if err != nil {
			return err
		}
		defer unlock()
		if s = w.state.steps[name]; s.done {
			return errOver
		}
	}
	if _, err := w.dropDamaged(ctx, s, mine); err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(mine), func(part int) bool { return len(s.parts[part]) > 0 })
	sum.Before += len(mine) - len(missing)
	if len(missing) == 0 {
		return nil
	}
	if w.journal == nil {
		if err := w.begin(ctx, journalName+attempt, 0); err != nil {
			return err
		}
	}
	if err := w.noteKeys(); err != nil {
		return err
	}
	if err := w.note(entry{Event: working, Step: name}); err != nil {
		return err
	}
	ended := w.logStep(name, len(missing))
	done := &job.Report{}
	err = w.parts(ctx, x, k, missing, attempt, func(report *job.Report) error {
		done.Records, done.Ciphertexts = done.Records+report.Records, done.Ciphertexts+report.Ciphertexts
		sum.Parts++
		sum.Reports = append(sum.Reports, report)
		if w.over(ctx, name) {
			return errOver
		}
		return nil
	})
	if err == nil {
		ended(done)
	}
	return err
}

// reread reads the directory again.
func (w *work) reread(ctx context.Context) error {
	s, err := readState(ctx, w.disk, w.job.Dir)
	if err != nil {
		return err
	}
	if s.plan == nil || s.plan.digest != w.plan.digest {
		return column.Refuse(w.job.Dir, "the job directory was replaced").WithHint("Run the same command again.")
	}
	w.state = s
	return nil
}

// over reports whether somebody else has finished a step, or the job.
func (w *work) over(ctx context.Context, name string) bool {
	entries, _, err := readJournal(ctx, w.disk, path.Join(w.job.Dir, journalName), w.vault)
	return err == nil && slices.ContainsFunc(entries, func(e entry) bool {
		return e.Event == finished || e.Event == done && e.Step == name
	})
}

// withdraw removes what an attempt left that came too late.
func (w *work) withdraw(ctx context.Context, attempt string) error {
	dir := path.Join(w.job.Dir, partsName)
	names, err := w.disk.ReadDir(ctx, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.Contains(name, attempt+".") {
			if err := w.disk.Remove(ctx, path.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if len(names) > 0 {
		_ = w.disk.Remove(ctx, dir) // fails, as it shall, while others have parts there
	}
	return w.disk.Remove(ctx, path.Join(w.job.Dir, journalName+attempt))
}
