package batch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// MergeSummary says what a merge did and what comes next.
type MergeSummary struct {
	*Summary      // of the steps done now
	Level    int  `json:"level"` // that is done now
	Levels   int  `json:"levels"`
	Finished bool `json:"finished"`
	Parts    int  `json:"parts"` // put together
}

// Public is the summary without what values could be guessed from.
func (m *MergeSummary) Public() any {
	c := *m
	c.Summary = m.Summary.public()
	return &c
}

// Merge puts together the parts that the shards of the lowest level have made, and notes that its steps are done.
// While parts are missing it refuses, and names the shards to run. A scheduler may repeat a merge that was killed at
// its very end. So if the level before is done and the next one has no parts yet, Merge does nothing.
func Merge(ctx context.Context, j *Job) (*MergeSummary, error) {
	w, err := j.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	w.resume = fmt.Sprintf("«merge %s»", j.File)
	m := &MergeSummary{Level: w.level(), Levels: w.plan.Levels()}
	if w.finished {
		m.Summary, m.Finished = w.summary(true), true
		return m, w.sweep(ctx)
	}
	if m.Level > 1 && !w.begun(m.Level) {
		m.Level--
		m.Summary = w.summary(false)
		m.Summary.Steps = nil
		return m, nil
	}
	for _, p := range w.plan.Steps {
		s := w.state.steps[p.Name]
		if p.Level != m.Level || s.done {
			continue
		}
		if s.partition == nil {
			return nil, &job.NotNowError{Err: column.Refuse(j.Dir, "%s has no part yet", p.Name).WithHint("Run the shards first: «shard %s 1/N» to N/N", j.File)}
		}
		if _, err := w.dropDamaged(ctx, s, s.all()); err != nil {
			return nil, err
		}
		if missing := s.missing(); len(missing) > 0 {
			return nil, w.lacking(p.Name, s.partition, missing)
		}
	}
	if err := w.sign(ctx); err != nil {
		return nil, err
	}
	if err := w.begin(ctx, journalName, w.valid); err != nil {
		return nil, err
	}
	before := w.summary(false)
	for k, p := range w.plan.Steps {
		s := w.state.steps[p.Name]
		if p.Level != m.Level || s.done {
			continue
		}
		x, err := w.execution(ctx, k)
		if err == nil {
			err = w.removeTemporary(ctx, k)
		}
		if err == nil {
			m.Parts += len(s.partition.ranges())
			ended := w.logStep(p.Name, len(s.partition.ranges()))
			if err = w.join(ctx, x, p.Name); err == nil {
				ended(w.state.steps[p.Name].report)
			}
		}
		if err != nil {
			return nil, w.stopped(p.Name, err)
		}
	}
	if w.level() == 0 {
		m.Finished = true
		err = w.finish(ctx)
	} else {
		err = w.removeJournals(ctx)
	}
	m.Summary = w.summary(false)
	m.Summary.Steps = slices.DeleteFunc(m.Summary.Steps, func(s StepSummary) bool {
		return s.Report == nil || slices.ContainsFunc(before.Steps, func(b StepSummary) bool { return b.Name == s.Name && b.Report != nil })
	})
	return m, err
}

// begun says whether a step of a level is done, or a part of one.
func (w *work) begun(level int) bool {
	return slices.ContainsFunc(w.plan.Steps, func(p PlannedStep) bool {
		s := w.state.steps[p.Name]
		return p.Level == level && (s.done || len(s.parts) > 0)
	})
}

// lacking says which shards have not done their parts.
func (w *work) lacking(name string, p *partition, missing []int) error {
	parts := len(p.ranges())
	e := column.Refuse(w.job.Dir, "%s lacks %d of %d parts", name, len(missing), parts)
	if p.Shards == 0 {
		return &job.NotNowError{Err: e.WithHint("Go on with: «run %s ‹resume›»", w.job.File)}
	}
	var shards []string
	for _, part := range missing {
		s := fmt.Sprintf("%d/%d", shardOf(part, parts, p.Shards), p.Shards)
		if !slices.Contains(shards, s) {
			shards = append(shards, s)
		}
	}
	const listed = 20
	if len(shards) > listed {
		shards = append(shards[:listed], "...")
	}
	return &job.NotNowError{Err: e.WithHint("Run these shards, and merge again: %s", strings.Join(shards, " "))}
}

// removeJournals removes the journals of shards whose steps are all done.
func (w *work) removeJournals(ctx context.Context) error {
	for _, name := range w.journals {
		if err := w.disk.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
