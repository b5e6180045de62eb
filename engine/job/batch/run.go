package batch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/job/receipt"
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

// Stopped is a job that ended before its end, for a reason that may go away. What was done is kept.
type Stopped struct {
	Err    error  // why
	Step   string // that was worked on
	Parts  int    // it has so many,
	Done   int    // of which these are done
	Dir    string // the job directory
	Resume string // the command that goes on
}

func (e *Stopped) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }
func (e *Stopped) Unwrap() error { return e.Err }

// Explain takes the error apart, and says how to go on.
func (e *Stopped) Explain() job.Failure {
	f := job.Explain(e.Err)
	var input *column.InputError
	switch {
	case f.Kind == job.Interrupted:
		f.Message, f.Hint = "interrupted in "+e.Step, ""
		if e.Parts > 1 {
			f.Message += fmt.Sprintf("; %d of its %d parts are done and kept", e.Done, e.Parts)
		}
		f.Hint = "Go on with: " + e.Resume
	case errors.As(e.Err, &input), f.Kind == job.Usage:
		f.Message = e.Step + ": " + f.Message
		f.Hint = strings.TrimSpace(fmt.Sprintf("%s If inputs or the job file have to change, remove %s and run the job anew.", f.Hint, e.Dir))
	default:
		f.Message = e.Step + ": " + f.Message
		if f.Hint != "" {
			f.Hint += " Then go"
		} else {
			f.Hint = "Go"
		}
		f.Hint += " on with: " + e.Resume
	}
	return f
}

// Run does the whole job, or with resume what an earlier Run or shards have not done. A job that is done is checked, and
// not done again. Only one Run or Merge at a time can have a job directory.
func Run(ctx context.Context, j *Job, resume bool) (*Summary, error) {
	r, err := j.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	defer r.leave()
	if r.began && !r.finished && !resume {
		return nil, r.unfinished()
	}
	already := r.finished
	if !already {
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
		for {
			level := r.level()
			if level == 0 {
				break
			}
			for i, p := range r.plan.Steps {
				if p.Level == level && !r.state.steps[p.Name].done {
					if err := r.do(ctx, i); err != nil {
						return nil, err
					}
				}
			}
		}
		if err := r.finish(ctx); err != nil {
			return nil, err
		}
	}
	return r.summary(already), nil
}

// work is a job being worked on in its directory.
type work struct {
	*state
	job     *Job
	disk    blob.Disk
	files   *files
	steps   []PlannedStep // as the job file has them now
	keys    map[string]job.Key
	unlock  func() error
	journal *journal
}

// enter opens the job directory, makes it when there is none, and checks that the job, its inputs and the outputs that are
// done are what they were. alone locks it.
func (j *Job) enter(ctx context.Context, alone bool) (*work, error) {
	w := &work{job: j, disk: j.disk(), keys: map[string]job.Key{}, unlock: func() error { return nil }}
	w.files = &files{FS: j.fs(), Disk: w.disk, dir: j.Dir}
	if strings.Contains(j.Dir, "://") {
		return nil, &job.UsageError{Cause: fmt.Sprintf("the job directory %s is not on a disk", j.Dir), Hint: "Inputs and outputs may be in object stores; dir must be a directory that all shards share."}
	}
	var err error
	if w.state, err = readState(ctx, w.disk, j.Dir); err != nil {
		return nil, err
	}
	var plan *Plan
	if w.plan == nil { // a job that is refused leaves no directory
		if plan, err = j.newPlan(ctx); err != nil {
			return nil, err
		}
		if err := w.canWrite(ctx, plan.Steps); err != nil {
			return nil, err
		}
		if err := w.disk.MakeDir(ctx, j.Dir); err != nil {
			return nil, err
		}
	}
	if alone {
		if err := w.lock(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.open(ctx, plan); err != nil {
		w.leave()
		return nil, err
	}
	return w, nil
}

// lock keeps others from working in the directory, where the disk can.
func (w *work) lock(ctx context.Context) error {
	l, ok := w.disk.(interface {
		Lock(ctx context.Context, name string) (func() error, error)
	})
	if !ok {
		return nil
	}
	unlock, err := l.Lock(ctx, path.Join(w.job.Dir, journalName))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		w.job.Options.Log.Warn("the job directory cannot be locked; see to it that nothing else runs this job", "dir", w.job.Dir)
		return nil
	case errors.Is(err, blob.ErrLocked):
		return column.Refuse(w.job.Dir, "another program is running this job").WithHint("Wait until it is done. A job that is done is not done again.")
	case err != nil:
		return err
	}
	w.unlock = unlock
	return nil
}

// open reads what the directory says now that nobody else changes it, makes the plan if there is none, and checks.
func (w *work) open(ctx context.Context, plan *Plan) (err error) {
	if w.state, err = readState(ctx, w.disk, w.job.Dir); err != nil {
		return err
	}
	name := path.Join(w.job.Dir, planName)
	if w.plan == nil && plan != nil {
		err := plan.write(ctx, w.disk, name)
		if err != nil && !errors.Is(err, blob.ErrExists) { // another shard was faster
			return err
		}
		if w.state, err = readState(ctx, w.disk, w.job.Dir); err != nil {
			return err
		}
	}
	if w.plan == nil {
		return column.Refuse(name, "the plan is gone").WithHint("Run the same command again.")
	}
	if w.steps, err = w.job.resolve(ctx); err != nil {
		return err
	}
	if err := w.plan.sameJob(w.job.File, w.steps); err != nil {
		return err
	}
	inputs, err := w.job.describe(ctx, w.job.fs(), externals(w.steps))
	if err != nil {
		return err
	}
	if err := w.plan.sameInputs(w.steps, inputs); err != nil {
		return err
	}
	return w.sameOutputs(ctx)
}

// sameOutputs refuses a job of which an output is not what was written.
func (w *work) sameOutputs(ctx context.Context) error {
	for _, was := range w.outputs() {
		now, err := receipt.Describe(ctx, w.job.fs(), was.Path)
		switch {
		case errors.Is(err, blob.ErrNotFound):
			return column.Refuse(was.Path, "the job made this file, and it is gone").WithHint("Put it back; or remove the job directory %s to run the job anew.", w.job.Dir)
		case err != nil:
			return err
		case now.SHA256 != was.SHA256:
			return column.Refuse(was.Path, "the file changed since the job made it").WithHint("Put it back as it was; or remove it and the job directory %s to run the job anew.", w.job.Dir)
		}
	}
	return nil
}

// canWrite refuses a job that could not write an output, before any work.
func (w *work) canWrite(ctx context.Context, steps []PlannedStep) error {
	for i, p := range steps {
		u, err := w.job.fs().Create(ctx, p.Out, blob.CreateOptions{Overwrite: w.job.Steps[i].Overwrite})
		if err != nil {
			return err
		}
		if err := u.Abort(); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) unfinished() error {
	return column.Refuse(w.job.Dir, "the job was begun and is not done: %s", w.progress()).
		WithHint("Remove the directory to run the job anew, or go on with: %s", w.resume())
}

// progress says how far the job has come.
func (w *work) progress() string {
	ready := 0
	for _, p := range w.plan.Steps {
		if w.state.steps[p.Name].done {
			ready++
		}
	}
	return fmt.Sprintf("%d of %d steps are done", ready, len(w.plan.Steps))
}

func (w *work) resume() string { return fmt.Sprintf("cipherfold run %s --resume", w.job.File) }

// begin opens the journal.
func (w *work) begin(ctx context.Context) (err error) {
	if w.journal, err = openJournal(ctx, w.disk, path.Join(w.job.Dir, journalName), w.valid); err != nil {
		return err
	}
	return w.journal.note(entry{Event: began, Plan: w.plan.digest})
}

func (w *work) leave() {
	if w.journal != nil {
		_ = w.journal.close() // every entry in it is synced
	}
	_ = w.unlock()
}

// key reads a step's key, once.
func (w *work) key(ctx context.Context, i int) (job.Key, error) {
	name := w.plan.Steps[i].Name
	if k, ok := w.keys[name]; ok {
		return k, nil
	}
	k, err := w.job.Steps[i].Key(ctx)
	if err == nil {
		w.keys[name] = k
	}
	return k, err
}

// verb prepares a step to be worked on.
func (w *work) verb(ctx context.Context, i int) (verb, error) {
	s, name := w.job.Steps[i], w.plan.Steps[i].Name
	o := w.job.Options
	o.FS, o.Disk, o.Overwrite = w.files, w.files, s.Overwrite
	own, err := w.ownOutput(ctx, i)
	if err != nil {
		return nil, err
	}
	o.Overwrite = o.Overwrite || own
	w.files.commit = func(f receipt.File) error { return w.journal.note(entry{Event: writing, Step: name, File: &f}) }
	switch {
	case s.Encrypt != nil:
		e := *s.Encrypt
		e.Options = o
		e.Key, err = w.key(ctx, i)
		return encryptVerb{e, w.plan.tableID(name)}, err
	case s.Fuse != nil:
		u := *s.Fuse
		u.Options = o
		return fuseVerb{u}, nil
	default:
		d := *s.Decrypt
		d.Options = o
		d.Key, err = w.key(ctx, i)
		return decryptVerb{d}, err
	}
}

// ownOutput reports whether an output that is there was written by this job, which then ended before it noted that the
// step is done.
func (w *work) ownOutput(ctx context.Context, i int) (bool, error) {
	for name, digest := range w.state.steps[w.plan.Steps[i].Name].writing {
		f, err := receipt.Describe(ctx, w.job.fs(), name)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if f.SHA256 == digest {
			return true, nil
		}
	}
	return false, nil
}

// do does a step, as far as it is not done, and notes it in the journal.
func (w *work) do(ctx context.Context, i int) error {
	name := w.plan.Steps[i].Name
	s := w.state.steps[name]
	v, err := w.verb(ctx, i)
	if err != nil {
		return w.stopped(ctx, name, err)
	}
	if s.cut == nil {
		c, err := v.survey(ctx, w.job.PartRows, 0)
		if err != nil {
			return w.stopped(ctx, name, err)
		}
		if err := w.note(s, entry{Event: surveyed, Step: name, Cut: c}); err != nil {
			return err
		}
	}
	var report *job.Report
	w.files.take()
	if len(s.cut.ranges()) == 1 && len(s.parts) == 0 {
		report, err = v.whole(ctx, s.cut)
	} else {
		report, err = w.join(ctx, v, i)
	}
	if err != nil {
		return w.stopped(ctx, name, err)
	}
	if err := w.note(s, entry{Event: done, Step: name, Outputs: w.files.take(), Report: report}); err != nil {
		return err
	}
	return w.clear(ctx, name)
}

// note writes an entry to the journal and takes note of it.
func (w *work) note(s *stepState, e entry) error {
	if err := w.journal.note(e); err != nil {
		return w.stopped(context.Background(), e.Step, err)
	}
	return w.apply(path.Join(w.job.Dir, journalName), e)
}

// join makes the parts that are missing and puts all together.
func (w *work) join(ctx context.Context, v verb, i int) (*job.Report, error) {
	name := w.plan.Steps[i].Name
	s := w.state.steps[name]
	const rounds = 3
	for round := 1; ; round++ {
		if err := w.parts(ctx, v, name, s.missing(), ""); err != nil {
			return nil, err
		}
		damaged, err := w.dropDamaged(ctx, s)
		if err != nil {
			return nil, err
		}
		if damaged == "" {
			break
		}
		if round == rounds {
			return nil, column.Refuse(damaged, "the part is not what was written, time and again").WithHint("Check the disk.")
		}
		w.job.Options.Log.Warn("parts were lost or damaged and are made again", "step", name, "first", damaged)
	}
	var names []string
	var reports []*job.Report
	for k := range s.cut.ranges() {
		names = append(names, path.Join(w.job.Dir, s.parts[k][0].file.Path))
		reports = append(reports, s.parts[k][0].report)
	}
	w.files.take()
	report, err := v.join(ctx, s.cut, names)
	if err != nil {
		return nil, err
	}
	return addUp(report, reports), nil
}

// parts makes parts, in ascending order. attempt tells the files of one attempt from those of another.
func (w *work) parts(ctx context.Context, v verb, name string, which []int, attempt string) error {
	if len(which) == 0 {
		return nil
	}
	if err := w.disk.MakeDir(ctx, path.Join(w.job.Dir, partsName)); err != nil {
		return err
	}
	s := w.state.steps[name]
	all := s.cut.ranges()
	var ranges []job.Range
	for _, k := range which {
		ranges = append(ranges, all[k])
	}
	number := func(r job.Range) int { return slices.Index(all, r) }
	file := func(r job.Range) string {
		return path.Join(partsName, fmt.Sprintf("%s.%06d%s.parquet", name, number(r), attempt))
	}
	w.files.take()
	return v.parts(ctx, s.cut, ranges, func(r job.Range) string { return path.Join(w.job.Dir, file(r)) }, func(r job.Range, report *job.Report) error {
		k := number(r)
		f := w.files.take()[0]
		f.Path = file(r)
		return w.note(s, entry{Event: made, Step: name, Part: &k, File: &f, Report: report})
	})
}

// dropDamaged forgets the parts of a step that are not there, or not as they were written. It returns the name of one of
// a part of which then none is left, "" if there is no such part.
func (w *work) dropDamaged(ctx context.Context, s *stepState) (string, error) {
	damaged := ""
	for k := range s.cut.ranges() {
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
			damaged = bad
		}
	}
	return damaged, nil
}

// clear removes the parts of a step that is done.
func (w *work) clear(ctx context.Context, name string) error {
	dir := path.Join(w.job.Dir, partsName)
	names, err := w.disk.ReadDir(ctx, dir)
	if err != nil {
		return err
	}
	left := 0
	for _, file := range names {
		if !strings.HasPrefix(strings.TrimPrefix(file, "."), name+".") {
			left++
			continue
		}
		if err := w.disk.Remove(ctx, path.Join(dir, file)); err != nil {
			return err
		}
	}
	if left > 0 {
		return nil
	}
	return w.disk.Remove(ctx, dir)
}

// finish ends a job whose steps are all done.
func (w *work) finish(ctx context.Context) error {
	for _, name := range w.journals {
		if err := w.disk.Remove(ctx, name); err != nil {
			return err
		}
	}
	if err := w.journal.note(entry{Event: finished}); err != nil {
		return err
	}
	w.finished = true
	return nil
}

// stopped says where the job was when it ended.
func (w *work) stopped(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	s := &Stopped{Err: err, Step: name, Dir: w.job.Dir, Resume: w.resume()}
	if c := w.state.steps[name].cut; c != nil {
		s.Parts, s.Done = len(c.ranges()), len(w.state.steps[name].parts)
	}
	return s
}

func (w *work) summary(already bool) *Summary {
	s := &Summary{Name: w.plan.Name, Dir: w.job.Dir, Already: already}
	for _, p := range w.plan.Steps {
		x := w.state.steps[p.Name]
		s.Steps = append(s.Steps, StepSummary{Name: p.Name, Outputs: x.outputs, Report: x.report})
	}
	return s
}
