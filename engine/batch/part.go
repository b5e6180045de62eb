package batch

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
)

// parts makes parts of a step, in ascending order, notes each and calls then. attempt tells the files of one attempt from
// those of another.
func (w *work) parts(ctx context.Context, v verb, name string, which []int, attempt string, then func(*job.Report) error) error {
	if len(which) == 0 {
		return nil
	}
	s := w.state.steps[name]
	all := s.cut.ranges()
	ranges := make([]job.Range, len(which))
	for i, k := range which {
		ranges[i] = all[k]
	}
	number := func(r job.Range) int { return slices.Index(all, r) }
	file := func(r job.Range) string {
		return path.Join(partsName, fmt.Sprintf("%s.%06d%s%s", name, number(r), attempt, v.extension()))
	}
	w.files.take()
	return v.parts(ctx, s.cut, ranges, func(r job.Range) string { return path.Join(w.job.Dir, file(r)) }, func(r job.Range, report *job.Report) error {
		k := number(r)
		f := w.files.take()[0]
		f.Path = file(r)
		if err := w.note(entry{Event: made, Step: name, Part: &k, Cut: s.cut.digest, File: &f, Report: report}); err != nil {
			return err
		}
		return then(report)
	})
}

// all are the numbers of the parts of a step.
func (s *stepState) all() []int {
	out := make([]int, len(s.cut.ranges()))
	for k := range out {
		out[k] = k
	}
	return out
}

// missing are the parts of a step that no journal knows.
func (s *stepState) missing() []int {
	return slices.DeleteFunc(s.all(), func(k int) bool { return len(s.parts[k]) > 0 })
}
