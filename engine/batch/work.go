package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// work is a job being worked on in its directory.
type work struct {
	*state
	job     *Job
	disk    blob.Disk
	files   *files
	steps   []PlannedStep // as the job file has them now
	keys    map[string]keys.Key
	resume  string // the command that goes on after a stop
	signer  *receipt.Signer
	log     *slog.Logger
	unlock  func() error
	journal *journal
}

func (j *Job) newWork() *work {
	w := &work{job: j, disk: diskOf(j.Options), keys: map[string]keys.Key{}, log: j.Options.Log, unlock: func() error { return nil }}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.resume = fmt.Sprintf("«run %s ‹resume›»", j.File)
	w.files = &files{FS: j.fs(), Disk: w.disk, dir: j.Dir, seen: map[string]identity{}}
	return w
}

// enter opens the job directory, or makes it when there is none. It checks that the job, its inputs and the outputs
// that are done are unchanged. alone locks it.
func (j *Job) enter(ctx context.Context, alone bool) (*work, error) {
	w := j.newWork()
	if strings.Contains(j.Dir, "://") {
		return nil, &job.UsageError{Cause: fmt.Sprintf("the job directory %s is not on a disk", j.Dir), Hint: "Inputs and outputs may be in object stores; dir must be a directory that all shards share."}
	}
	var err error
	if w.state, err = readState(ctx, w.disk, j.Dir); err != nil {
		return nil, err
	}
	var plan *PlanFile
	if w.plan == nil { // made before the directory, so that a refused job leaves none
		if plan, err = j.newPlan(ctx, w.files); err != nil {
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

// lock keeps others from running or merging the job, where the disk can.
func (w *work) lock(ctx context.Context) error {
	unlock, err := w.lockFile(ctx, journalName)
	if errors.Is(err, blob.ErrLocked) {
		return &job.NotNowError{Err: column.Refuse(w.job.Dir, "another program is running this job").WithHint("Wait until it is done. What is done is not done again.")}
	}
	if err == nil {
		w.unlock = unlock
	}
	return err
}

// lockFile locks a file of the job directory, where the disk can.
func (w *work) lockFile(ctx context.Context, name string) (unlock func() error, err error) {
	none := func() error { return nil }
	l, ok := w.disk.(interface {
		Lock(ctx context.Context, name string) (func() error, error)
	})
	if !ok {
		return none, nil
	}
	unlock, err = l.Lock(ctx, path.Join(w.job.Dir, name))
	if errors.Is(err, errors.ErrUnsupported) {
		w.log.Warn("the job directory cannot be locked; see to it that nothing else runs this job", "dir", w.job.Dir)
		return none, nil
	}
	return unlock, err
}

// lockPause is the time between checks whether another program is done.
const lockPause = 200 * time.Millisecond

// alone waits until no other program makes the one part of a step, locks it until unlock is called, and reads what the
// others have done.
func (w *work) alone(ctx context.Context, step string) (unlock func() error, err error) {
	if err := w.disk.MakeDir(ctx, path.Join(w.job.Dir, partsName)); err != nil {
		return nil, err
	}
	for waiting := false; ; waiting = true {
		unlock, err := w.lockFile(ctx, path.Join(partsName, step+".lock"))
		if err == nil {
			if err = w.reread(ctx); err != nil {
				_ = unlock() // nothing was written to the file
			}
			return unlock, err
		}
		if !errors.Is(err, blob.ErrLocked) {
			return nil, err
		}
		if !waiting {
			w.log.Info("another program works on this step; waiting until it is done", "step", step)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// open reads the directory, which nobody else changes now, writes the plan if there is none, and checks.
func (w *work) open(ctx context.Context, plan *PlanFile) (err error) {
	if w.state, err = readState(ctx, w.disk, w.job.Dir); err != nil {
		return err
	}
	if w.plan == nil && plan != nil {
		vault, err := receipt.MakeVault(ctx, w.disk, path.Join(w.job.Dir, vaultName))
		if err != nil {
			return err
		}
		err = plan.write(ctx, w.disk, path.Join(w.job.Dir, planName), vault)
		if err != nil && !errors.Is(err, blob.ErrExists) { // another shard was faster
			return err
		}
		if w.state, err = readState(ctx, w.disk, w.job.Dir); err != nil {
			return err
		}
	}
	if w.plan == nil {
		return column.Refuse(w.job.Dir, "the job directory was removed").WithHint("Run the same command again.")
	}
	// A job that is done may lack inputs; new ones would make it another job.
	if w.steps, err = w.job.resolve(ctx, w.finished); err != nil {
		return err
	}
	if err := w.plan.sameJob(w.job.File, w.steps); err != nil {
		return err
	}
	if err := w.sameTokenKeys(ctx); err != nil {
		return err
	}
	inputs, err := w.job.describe(ctx, w.files, externals(w.steps))
	if err != nil {
		return err
	}
	if err := w.plan.sameInputs(w.job.Dir, w.steps, inputs, w.finished); err != nil {
		return err
	}
	return w.sameOutputs(ctx)
}

// sameTokenKeys refuses a key of tokens that is not the one that a step was begun with.
func (w *work) sameTokenKeys(ctx context.Context) error {
	if err := w.job.tokenChecks(ctx, w.steps, true); err != nil {
		return err
	}
	for i, was := range w.plan.Steps {
		if now := w.steps[i].TokenCheck; now != "" && now != was.TokenCheck {
			return column.Refuse(w.job.Steps[i].files().TokenKey, "the key changed: %s was begun with tokens of the check value %s, and this key's is %s", was.Name, was.TokenCheck, now).
				WithHint("Put the key back; or remove %s to run the job anew.", w.job.Dir)
		}
	}
	return nil
}

// sameOutputs refuses a job of which an output is not what was written.
func (w *work) sameOutputs(ctx context.Context) error {
	for _, was := range w.outputs() {
		now, err := receipt.Describe(ctx, w.files, was.Path)
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
		var u interface{ Abort() error }
		var err error
		if opts := (blob.CreateOptions{Overwrite: w.job.Steps[i].Overwrite}); w.job.Steps[i].files().RowsPerFile > 0 {
			u, err = blob.CreateDir(ctx, w.job.fs(), p.Out, opts)
		} else {
			u, err = w.job.fs().Create(ctx, p.Out, opts)
		}
		if err != nil {
			return w.job.inStep(i, err)
		}
		if err := u.Abort(); err != nil {
			return err
		}
	}
	return nil
}

// sign finds out who signs the receipt.
func (w *work) sign(ctx context.Context) (err error) {
	if w.job.Signer != nil {
		w.signer, err = w.job.Signer(ctx)
	}
	return err
}

// begin opens a journal of which the first `valid` bytes are good, and notes the keys that were read.
func (w *work) begin(ctx context.Context, name string, valid int64) (err error) {
	if w.journal, err = openJournal(ctx, w.disk, path.Join(w.job.Dir, name), valid, w.sealing()); err != nil {
		return err
	}
	if err := w.journal.note(entry{Event: began, Plan: w.plan.digest}); err != nil {
		return err
	}
	return w.noteKeys()
}

// sealing is the vault of a job that seals; nil for one of version 1.
func (w *work) sealing() *receipt.Vault {
	if w.plan.sealed() {
		return w.vault
	}
	return nil
}

// note writes an entry to the journal and updates the state.
func (w *work) note(e entry) error {
	if err := w.journal.note(e); err != nil {
		return err
	}
	e.Time = time.Now().UTC()
	return w.apply(e)
}

func (w *work) leave() {
	if w.journal != nil {
		_ = w.journal.close() // every entry in it is synced
	}
	_ = w.unlock()
}

// key reads a step's key, once, which must be the one that the step was begun with.
func (w *work) key(ctx context.Context, i int) (keys.Key, error) {
	name := w.plan.Steps[i].Name
	if k, ok := w.keys[name]; ok {
		return k, nil
	}
	k, err := w.job.Steps[i].Key(ctx)
	if err != nil {
		return keys.Key{}, err
	}
	s := w.state.steps[name]
	if was := cmp.Or(s.partition.key(), s.key); was != "" && k.Public.Fingerprint() != was {
		return keys.Key{}, column.Refuse(k.File, "the key changed: %s was begun under key %.16s, and this is key %.16s", name, was, k.Public.Fingerprint()).
			WithHint("Put the key back; or remove %s to run the job anew.", w.job.Dir)
	}
	w.keys[name] = k
	return k, nil
}

// rightKey refuses a step's key that is not the one that its partition is for. The right one is noted in place of a wrong
// one.
func (w *work) rightKey(name string, p *partition) error {
	k, ok := w.keys[name]
	right := p.key()
	if !ok || right == "" || k.Public.Fingerprint() == right {
		return nil
	}
	delete(w.keys, name)
	if s := w.state.steps[name]; s.key != "" && s.key != right && w.journal != nil {
		if err := w.note(entry{Event: keyed, Step: name, Key: right}); err != nil {
			return err
		}
	}
	return column.Refuse(k.File, "wrong key: %s works under key %.16s, and this is key %.16s", name, right, k.Public.Fingerprint()).
		WithHint("Find the key whose fingerprint is %s.", right)
}

// noteKeys notes which keys the steps use.
func (w *work) noteKeys() error {
	for _, name := range sortedKeys(w.keys) {
		if w.state.steps[name].key != "" {
			continue
		}
		if err := w.note(entry{Event: keyed, Step: name, Key: w.keys[name].Public.Fingerprint()}); err != nil {
			return err
		}
	}
	return nil
}

// execution prepares a step to be worked on. Its key is read when it is asked for.
func (w *work) execution(ctx context.Context, i int) (Execution, error) {
	s, name := w.job.Steps[i], w.plan.Steps[i].Name
	own, err := w.ownOutput(ctx, name)
	if err != nil {
		return nil, err
	}
	o := w.job.Options
	o.FS, o.Disk, o.Overwrite = w.files, w.files, s.Overwrite || own
	if w.job.Over != nil {
		o.FS = w.job.Over(w.files)
	}
	w.files.commit = func(f receipt.File) error { return w.note(entry{Event: writing, Step: name, File: &f}) }
	w.files.list = func(pattern string) ([]string, error) { return w.listed(i, pattern) }
	key := func(ctx context.Context) (keys.Key, error) { return w.key(ctx, i) }
	return verbOf(s.Request).begin(s.Request, o, w.plan.tableID(name), key), nil
}

// listed are the files that a pattern of a step means: those that were there when the job began, and what the steps
// before have made. A file that came later would be in some parts and not in others.
func (w *work) listed(i int, pattern string) ([]string, error) {
	list, ok := w.steps[i].lists[pattern]
	if !ok {
		return nil, fmt.Errorf("%s is no input of %s", pattern, w.steps[i].Name)
	}
	files := slices.Clone(list.files)
	for _, name := range list.made {
		for _, f := range w.state.steps[name].outputs {
			files = append(files, f.Path)
		}
	}
	if len(files) == 0 {
		return nil, &blob.Error{Path: pattern, Kind: blob.ErrNoMatch}
	}
	blob.SortNames(files)
	return files, nil
}

// executionWithKey is execution for a step that is to compute: a wrong key is refused first.
func (w *work) executionWithKey(ctx context.Context, i int) (Execution, error) {
	x, err := w.execution(ctx, i)
	if err == nil && w.job.Steps[i].Key != nil {
		_, err = w.key(ctx, i)
	}
	return x, err
}

// takeOver notes that a step is done whose output has its name, and which must not be made twice; it reports whether it was.
func (w *work) takeOver(ctx context.Context, x Execution, name string) (bool, error) {
	var outputs []receipt.File
	written := w.state.steps[name].writing
	for _, file := range sortedKeys(written) {
		f, err := receipt.Describe(ctx, w.files, file)
		if errors.Is(err, blob.ErrNotFound) || err == nil && f.SHA256 != written[file] {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		outputs = append(outputs, f)
	}
	if outputs == nil {
		return false, nil
	}
	report, err := x.(releasing).Written(ctx)
	if err != nil {
		return false, err
	}
	return true, w.note(entry{Event: done, Step: name, Outputs: outputs, Report: report})
}

// ownOutput reports whether an output that is there was written by this job, which then ended before it noted that the
// step is done.
func (w *work) ownOutput(ctx context.Context, name string) (bool, error) {
	s := w.state.steps[name]
	if s.done { // and writes nothing any more
		return false, nil
	}
	for file, digest := range s.writing {
		f, err := receipt.Describe(ctx, w.files, file)
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
