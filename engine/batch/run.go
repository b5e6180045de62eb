package batch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Summary says what was done.
type Summary struct {
	Name    string        `json:"name"`
	Dir     string        `json:"dir"`
	Steps   []StepSummary `json:"steps"`
	Already bool          `json:"already_done"` // before: nothing was done now but checking
}

// StepSummary is one step of a job that is done.
type StepSummary struct {
	Name    string         `json:"name"`
	Outputs []receipt.File `json:"outputs"`
	Report  *job.Report    `json:"report"`
}

// Public is the summary without what values could be guessed from.
func (s *Summary) Public() any { return s.public() }

func (s *Summary) public() *Summary {
	if s == nil {
		return nil
	}
	c := *s
	c.Steps = slices.Clone(s.Steps)
	for i := range c.Steps {
		x := &c.Steps[i]
		x.Outputs, x.Report = publicFiles(x.Outputs), x.Report.Told()
	}
	return &c
}

// Reports are those of the steps that were done, none of a job that was done already.
func (s *Summary) Reports() []*job.Report {
	var out []*job.Report
	for _, x := range s.Steps {
		if !s.Already {
			out = append(out, x.Report)
		}
	}
	return out
}

// Run does the whole job, or with resume the part of it that an earlier Run or shards have not done. A job that is
// done is checked, and not done again. Only one Run or Merge at a time can have a job directory.
func Run(ctx context.Context, j *Job, resume bool) (*Summary, error) {
	w, err := j.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	if w.finished {
		return w.summary(true), w.sweep(ctx) // what a loss of power brought back
	}
	if !resume && (w.began || len(w.journals) > 0) {
		return nil, column.Refuse(j.Dir, "the job was begun and is not done: %s", w.progress()).
			WithHint("Remove the directory to run the job anew, or go on with: %s", w.resume)
	}
	if err := w.sign(ctx); err != nil {
		return nil, err
	}
	for i, s := range j.Steps { // a wrong key is refused before hours of work
		if s.Key != nil && !w.state.steps[w.plan.Steps[i].Name].done {
			if _, err := w.key(ctx, i); err != nil {
				return nil, err
			}
		}
	}
	if err := w.begin(ctx, journalName, w.valid); err != nil {
		return nil, err
	}
	for level := w.level(); level > 0; level = w.level() {
		for i, p := range w.plan.Steps {
			if p.Level == level && !w.state.steps[p.Name].done {
				ended := w.logStep(p.Name, 0)
				if err := w.do(ctx, i); err != nil {
					return nil, w.stopped(p.Name, err)
				}
				ended(w.state.steps[p.Name].report)
			}
		}
	}
	if err := w.finish(ctx); err != nil {
		return nil, err
	}
	return w.summary(false), nil
}

// logStep notes that a step, or so many parts of it, begins, and returns what notes that it is done. 0 parts says nothing.
func (w *work) logStep(name string, parts int) (ended func(*job.Report)) {
	start := time.Now()
	about := []any{"step", name}
	if parts > 0 {
		about = append(about, "parts", parts)
	}
	w.log.Info("begins", about...)
	return func(r *job.Report) {
		if r != nil {
			about = append(about, "records", r.Records, "ciphertexts", r.Ciphertexts)
		}
		w.log.Info("done", append(about, "seconds", math.Round(10*time.Since(start).Seconds())/10)...)
	}
}

// survey divides a step that nobody has divided.
func (w *work) survey(ctx context.Context, x Execution, i, shards int) (*partition, error) {
	d, err := x.Survey(ctx)
	if err != nil {
		return nil, err
	}
	return newPartition(verbOf(w.job.Steps[i].Request), d, w.job.PartRows, shards), nil
}

// do does what is left of a step.
func (w *work) do(ctx context.Context, i int) error {
	name := w.plan.Steps[i].Name
	s := w.state.steps[name]
	if err := w.removeTemporary(ctx, i); err != nil {
		return err
	}
	if err := w.note(entry{Event: working, Step: name}); err != nil {
		return err
	}
	x, err := w.executionWithKey(ctx, i)
	if err != nil {
		return err
	}
	p := s.partition
	if p == nil {
		if p, err = w.survey(ctx, x, i, 0); err != nil {
			return err
		}
		if err := w.rightKey(name, p); err != nil {
			return err
		}
	}
	if p.once() {
		unlock, err := w.alone(ctx, name)
		if err != nil {
			return err
		}
		defer unlock()
		s = w.state.steps[name]
		if s.partition == nil {
			if taken, err := w.takeOver(ctx, x, name); taken || err != nil {
				return err
			}
		}
	}
	if len(p.ranges()) == 1 && s.partition == nil {
		w.files.take()
		report, err := x.Whole(ctx, p.found)
		if err != nil {
			return err
		}
		return w.note(entry{Event: done, Step: name, Outputs: w.files.take(), Report: report})
	}
	if s.partition == nil {
		if err := w.settle(ctx, name, p); err != nil {
			return err
		}
	}
	const rounds = 3
	for round := 1; ; round++ {
		if err := w.parts(ctx, x, i, s.missing(), "", func(*job.Report) error { return nil }); err != nil {
			return err
		}
		damaged, err := w.dropDamaged(ctx, s, s.all())
		if err != nil {
			return err
		}
		if damaged == "" {
			break
		}
		if round == rounds {
			return column.Refuse(damaged, "the part is not what was written, time and again").WithHint("Check the disk.")
		}
		w.log.Warn("parts were lost or damaged and are made again", "step", name, "first", damaged)
	}
	return w.join(ctx, x, name)
}

// parts makes parts of a step, in ascending order, notes each and calls then. attempt tells the files of one attempt from
// those of another.
func (w *work) parts(ctx context.Context, x Execution, i int, which []int, attempt string, then func(*job.Report) error) error {
	if len(which) == 0 {
		return nil
	}
	name := w.plan.Steps[i].Name
	s := w.state.steps[name]
	extension := w.job.Steps[i].files().PartExtension
	all := s.partition.ranges()
	ranges := make([]job.Range, len(which))
	for i, k := range which {
		ranges[i] = all[k]
	}
	number := func(r job.Range) int { return slices.Index(all, r) }
	file := func(r job.Range) string {
		return path.Join(partsName, fmt.Sprintf("%s.%06d%s%s", name, number(r), attempt, extension))
	}
	w.files.take()
	return x.Parts(ctx, s.partition.found, ranges, func(r job.Range) string { return path.Join(w.job.Dir, file(r)) }, func(r job.Range, report *job.Report) error {
		k := number(r)
		f := w.files.take()[0]
		f.Path = file(r)
		if err := w.note(entry{Event: made, Step: name, Part: &k, Partition: s.partition.digest, File: &f, Report: report}); err != nil {
			return err
		}
		return then(report)
	})
}

// join puts a step's parts, all of which are there, together.
func (w *work) join(ctx context.Context, x Execution, name string) error {
	s := w.state.steps[name]
	var files []string
	var reports []*job.Report
	for k := range s.partition.ranges() {
		part := s.parts[k][0]
		files = append(files, path.Join(w.job.Dir, part.file.Path))
		reports = append(reports, part.report)
	}
	w.files.take()
	report, err := x.Join(ctx, s.partition.found, files)
	if err != nil {
		return err
	}
	if err := w.note(entry{Event: done, Step: name, Outputs: w.files.take(), Report: addUp(report, reports)}); err != nil {
		return err
	}
	return w.clear(ctx, name)
}

// dropDamaged forgets the given parts of a step that are missing or damaged. It returns the file of one that was noted
// and has no good attempt left, "" if there is none.
func (w *work) dropDamaged(ctx context.Context, s *stepState, which []int) (string, error) {
	damaged := ""
	for _, k := range which {
		var good []partState
		bad := ""
		for _, part := range s.parts[k] {
			file := path.Join(w.job.Dir, part.file.Path)
			now, err := receipt.Describe(ctx, w.disk, file)
			if err != nil && !errors.Is(err, blob.ErrNotFound) {
				return "", err
			}
			if err == nil && now.SHA256 == part.file.SHA256 {
				good = append(good, part)
				break
			}
			bad = file
		}
		if s.parts[k] = good; len(good) == 0 {
			delete(s.parts, k)
			if bad != "" {
				damaged = bad
			}
		}
	}
	return damaged, nil
}

// clear removes the parts of a step that is done; "" means of all.
func (w *work) clear(ctx context.Context, name string) error {
	dir := path.Join(w.job.Dir, partsName)
	names, err := w.disk.ReadDir(ctx, dir)
	if err != nil {
		return err
	}
	left := false
	for _, file := range names {
		if name != "" && !strings.HasPrefix(strings.TrimPrefix(file, "."), name+".") {
			left = true
			continue
		}
		if err := w.disk.Remove(ctx, path.Join(dir, file)); err != nil {
			return err
		}
	}
	if left {
		return nil
	}
	return w.disk.Remove(ctx, dir)
}

// removeTemporary removes the temporary files that killed attempts to write an output left, where the file system has
// no anonymous files. Those of directories go when the directory is written again.
func (w *work) removeTemporary(ctx context.Context, i int) error {
	out := w.plan.Steps[i].Out
	if strings.Contains(out, "://") || w.job.Steps[i].files().RowsPerFile > 0 {
		return nil
	}
	dir := path.Dir(out)
	names, err := w.disk.ReadDir(ctx, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if temporary(name) && strings.HasPrefix(name, "."+path.Base(out)+".") {
			if err := w.disk.Remove(ctx, path.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish ends a job whose steps are all done.
func (w *work) finish(ctx context.Context) error {
	w.warnOfLateFiles(ctx)
	if err := w.sweep(ctx); err != nil {
		return err
	}
	if err := w.writeReceipt(ctx); err != nil {
		return err
	}
	return w.note(entry{Event: finished})
}

// warnOfLateFiles names files that patterns match and that were not there when the job began.
func (w *work) warnOfLateFiles(ctx context.Context) {
	steps, err := w.job.resolve(ctx, true)
	if err != nil {
		return // nothing depends on it any more
	}
	for i, p := range steps {
		for _, file := range p.Inputs {
			if !slices.Contains(w.plan.Steps[i].Inputs, file) {
				w.log.Warn("a file came when the job had begun, and is not in it", "file", file, "step", p.Name)
			}
		}
	}
}

// sweep removes what only a job under way needs.
func (w *work) sweep(ctx context.Context) error {
	if err := w.clear(ctx, ""); err != nil {
		return err
	}
	return w.removeJournals(ctx)
}

// progress says how far the job has come.
func (w *work) progress() string {
	ready := 0
	for _, s := range w.state.steps {
		if s.done {
			ready++
		}
	}
	return fmt.Sprintf("%d of %d steps are done", ready, len(w.plan.Steps))
}

func (w *work) summary(already bool) *Summary {
	s := &Summary{Name: w.plan.Name, Dir: w.job.Dir, Already: already}
	for _, p := range w.plan.Steps {
		x := w.state.steps[p.Name]
		s.Steps = append(s.Steps, StepSummary{Name: p.Name, Outputs: x.outputs, Report: x.report})
	}
	return s
}
