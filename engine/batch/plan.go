package batch

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/batch/jobfile"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Version is the version of job.json and of the journals. Those of version 1 have nothing sealed in them.
const Version = 2

// PlanFile is job.json: a job with everything resolved that is known before it starts.
type PlanFile struct {
	Version int             `json:"version"`
	ID      string          `json:"id"` // random, 32 hex digits; 16 of earlier versions
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Program receipt.Program `json:"program"`
	Steps   []PlannedStep   `json:"steps"` // in the order of the job file
	Inputs  []receipt.File  `json:"inputs,omitempty"`
	Sealed  string          `json:"sealed,omitempty"` // in the file, in the place of inputs: see receipt.Vault

	digest string // SHA-256 of the file, 64 hex digits
}

// PlannedStep is a step of a plan.
type PlannedStep struct {
	Name       string                    `json:"name"`
	Verb       string                    `json:"verb"`
	Parameters map[string]receipt.Values `json:"parameters"`
	After      []string                  `json:"after,omitempty"` // steps whose outputs it reads
	Level      int                       `json:"level"`           // 1, or one more than the highest level of those steps
	Inputs     []string                  `json:"inputs"`          // files, in order; outputs of other steps among them
	Out        string                    `json:"out"`
	TokenCheck string                    `json:"token_check,omitempty"` // check value of the key of tokens

	lists map[string]listing // by the patterns that were given
}

// listing is what a pattern means in a job, from its beginning to its end, whatever files appear meanwhile.
type listing struct {
	files []string // that no step of the job makes
	made  []string // names of steps whose outputs it stands for
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Levels is the highest level of a step.
func (p *PlanFile) Levels() int {
	most := 0
	for _, s := range p.Steps {
		most = max(most, s.Level)
	}
	return most
}

// resolve finds the files that every step reads and the order of the steps. It digests nothing. If missing files are
// allowed, it leaves them out.
func (j *Job) resolve(ctx context.Context, mayBeGone bool) ([]PlannedStep, error) {
	if len(j.Steps) == 0 {
		return nil, &job.UsageError{Cause: "the job has no steps", Hint: jobfile.StepsHint(Verbs())}
	}
	names, files := j.names(), make([]job.StepFiles, len(j.Steps))
	outs := make([]blob.Place, len(j.Steps))
	for i, s := range j.Steps {
		files[i] = s.files()
		var err error
		if outs[i], err = blob.FindPlace(ctx, j.fs(), files[i].Out); err != nil {
			return nil, err
		}
		for k := range i {
			if a, b := outs[i].Identity, outs[k].Identity; a.Same(b) || a.Within(b) || b.Within(a) {
				return nil, j.refuse(i, "Give every output a name of its own.", "%s and %s write to the same file, %s", names[k], names[i], files[i].Out)
			}
		}
	}
	jobDir, err := blob.Identify(ctx, j.fs(), j.Dir)
	if err != nil {
		return nil, err
	}
	var places blob.Places
	for i, out := range outs {
		places.Add(out.Identity, i)
	}
	output := func(id blob.Identity) int { // of which step a file is an output, or -1
		if i, ok := places.Find(id); ok {
			return i
		}
		return -1
	}
	steps := make([]PlannedStep, len(j.Steps))
	for i, s := range j.Steps {
		p, out := &steps[i], files[i].Out
		*p = PlannedStep{Name: names[i], Verb: s.Verb(), Parameters: s.Parameters, Out: out, lists: map[string]listing{}}
		if outs[i].Same(jobDir) || outs[i].Within(jobDir) {
			return nil, j.refuse(i, "Give the output a place of its own: the directory is the job's.", "%s would write %s into the job directory %s", names[i], out, j.Dir)
		}
		var once blob.Uses
		for n, pattern := range files[i].In {
			at, err := blob.Identify(ctx, j.fs(), pattern)
			if err != nil {
				return nil, err
			}
			if output(at) == i {
				return nil, j.refuse(i, "Give the output a name of its own.", "%s reads %s, which is its own output", names[i], pattern)
			}
			list := listing{}
			for k, other := range files {
				if k != i && outs[k].MeantBy(ctx, at) {
					list.made = append(list.made, names[k])
					p.Inputs = append(p.Inputs, other.Out)
					p.After = append(p.After, names[k])
				}
			}
			found, err := j.fs().List(ctx, pattern)
			if err != nil && !((list.made != nil || mayBeGone) && (errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrNoMatch))) {
				return nil, err
			}
			for _, file := range found {
				id, err := blob.Identify(ctx, j.fs(), file)
				if err != nil {
					return nil, err
				}
				if id.Within(jobDir) {
					return nil, j.refuse(i, "Put it elsewhere: the directory is the job's.", "%s reads %s, which is in the job directory %s", names[i], file, j.Dir)
				}
				if output(id) < 0 {
					list.files = append(list.files, file)
				}
			}
			if n < files[i].Counted {
				for _, file := range slices.Concat(p.Inputs[len(p.Inputs)-len(list.made):], list.files) {
					if err := job.Once(ctx, j.fs(), &once, file, job.HintOnce); err != nil {
						return nil, j.inStep(i, err)
					}
				}
			}
			p.Inputs = append(p.Inputs, list.files...)
			p.lists[pattern] = list
		}
		if err := j.checkNamed(ctx, i, p, files[i].Named, mayBeGone); err != nil {
			return nil, err
		}
		for _, name := range append(slices.Clone(files[i].Lists), files[i].TokenKey) {
			if name == "" {
				continue
			}
			id, err := blob.Identify(ctx, j.fs(), name)
			if err != nil {
				return nil, err
			}
			if k := output(id); k >= 0 {
				return nil, j.refuse(i, "Give the output a name of its own, or make the list in a job before.", "%s reads %s, which is the output of %s", names[i], name, names[k])
			}
		}
		for _, name := range files[i].Lists {
			switch file, err := j.fs().Open(ctx, name); {
			case err == nil:
				file.Close()
				p.Inputs = append(p.Inputs, name)
			case !errors.Is(err, blob.ErrNotFound):
				return nil, err
			}
		}
	}
	return steps, setLevels(steps)
}

// checkNamed refuses a file that a step names once more, as for a weight, and that is none of its inputs.
func (j *Job) checkNamed(ctx context.Context, i int, p *PlannedStep, named []job.NamedFile, mayBeGone bool) error {
	if len(named) == 0 || mayBeGone {
		return nil
	}
	inputs := map[string]bool{} // by identity: files, and the directories that they are in
	for _, in := range p.Inputs {
		for _, name := range []string{in, blob.Dir(in)} {
			id, err := blob.Identify(ctx, j.fs(), name)
			if err != nil {
				return err
			}
			inputs[id.Key()] = true
		}
	}
	for _, n := range named {
		id, err := blob.Identify(ctx, j.fs(), n.File)
		if err != nil {
			return err
		}
		if !inputs[id.Key()] {
			return j.refuse(i, "Write the file as in in.", "%s for %s, which is no input", n.What, n.File)
		}
	}
	return nil
}

// refuse is an error about a step of the job file.
func (j *Job) refuse(i int, hint, format string, args ...any) error {
	return j.inStep(i, &job.UsageError{Cause: fmt.Sprintf(format, args...), Hint: hint})
}

// tokenChecks reads the token keys. A merge may lack them, and so may a shard of other steps.
func (j *Job) tokenChecks(ctx context.Context, steps []PlannedStep, mayLack bool) error {
	for i, s := range j.Steps {
		name := s.files().TokenKey
		if name == "" {
			continue
		}
		k, err := ids.ReadTokenKey(ctx, j.fs(), name)
		switch {
		case err == nil:
			steps[i].TokenCheck = k.Check()
		case !mayLack || !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, blob.ErrPermission):
			return err
		}
	}
	return nil
}

// setLevels puts every step above those that it reads from.
func setLevels(steps []PlannedStep) error {
	number := make(map[string]int, len(steps))
	for i, s := range steps {
		number[s.Name] = i
	}
	const entered = -1 // its level is being found
	var find func(i int) error
	find = func(i int) error {
		s := &steps[i]
		if s.Level == entered {
			return &job.UsageError{Cause: fmt.Sprintf("%s needs its own output, by way of %s", s.Name, strings.Join(s.After, ", ")), Hint: "Give every output a name of its own."}
		}
		if s.Level > 0 {
			return nil
		}
		s.Level = entered
		level := 1
		for _, name := range s.After {
			k := number[name]
			if err := find(k); err != nil {
				return err
			}
			level = max(level, steps[k].Level+1)
		}
		s.Level = level
		return nil
	}
	for i := range steps {
		if err := find(i); err != nil {
			return err
		}
	}
	return nil
}

// externals are the inputs that no step makes, each once.
func externals(steps []PlannedStep) []string {
	known := map[string]bool{} // or made by a step
	for _, s := range steps {
		known[s.Out] = true
	}
	var out []string
	for _, s := range steps {
		for _, file := range s.Inputs {
			if !known[file] {
				known[file] = true
				out = append(out, file)
			}
		}
	}
	return out
}

// describe digests files, several at a time.
func (j *Job) describe(ctx context.Context, fs blob.FS, names []string) ([]receipt.File, error) {
	out := make([]receipt.File, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, j.Options.Threads))
	for i, name := range names {
		g.Go(func() (err error) {
			out[i], err = receipt.Describe(ctx, fs, name)
			return err
		})
	}
	return out, g.Wait()
}

// newPlan resolves a job and digests its inputs.
func (j *Job) newPlan(ctx context.Context, fs blob.FS) (*PlanFile, error) {
	steps, err := j.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	if err := j.tokenChecks(ctx, steps, false); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	p := &PlanFile{Version: Version, ID: hex.EncodeToString(id), Name: j.Name, Created: time.Now().UTC(), Program: receipt.ThisProgram(), Steps: steps}
	p.Inputs, err = j.describe(ctx, fs, externals(steps))
	return p, err
}

// tableID is the id of a step's table: the same in every part, another in every step. In a job of version 1, some of whose parts
// may be there, tables had no id, but a job id alone.
func (p *PlanFile) tableID(step string) string {
	sum := sha256.Sum256([]byte(p.ID + " " + step))
	if p.Version == 1 {
		return hex.EncodeToString(sum[:8])
	}
	return hex.EncodeToString(sum[:16])
}

const planBytesMax = 256 << 20

// readPlan reads job.json; nil when it is not there.
func readPlan(ctx context.Context, disk blob.Disk, name string, vault *receipt.Vault) (*PlanFile, error) {
	data, err := job.ReadFile(ctx, disk, name, planBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &PlanFile{}
	if err := strictjson.Decode(data, p); err != nil {
		return nil, column.Refuse(name, "the plan is damaged: %w", err).WithHint(hintAnew)
	}
	if len(p.Steps) > jobfile.StepsMax {
		return nil, column.Refuse(name, "the plan has %d steps, more than %d", len(p.Steps), jobfile.StepsMax).WithHint(hintAnew)
	}
	if p.Version != 1 && p.Version != Version {
		return nil, column.Refuse(name, "version %d of job directories is not known", p.Version).WithHint("Use the cipherfold that began the job.")
	}
	if p.sealed() {
		text, err := vault.Open(planName, p.Sealed)
		if err == nil {
			p.Inputs = nil // which it does not have in the open
			err = json.Unmarshal(text, &p.Inputs)
		}
		if err != nil {
			return nil, column.Refuse(name, "%w", err).WithHint("Put %s back beside it. %s", vaultName, hintAnew)
		}
	}
	sum := sha256.Sum256(data)
	p.digest = hex.EncodeToString(sum[:])
	return p, nil
}

// sealed says that the job's files keep what they say of tables in the clear under a key.
func (p *PlanFile) sealed() bool { return p != nil && p.Version > 1 }

// public is the plan as it may be told.
func (p *PlanFile) public() *PlanFile {
	if p == nil {
		return nil
	}
	c := *p
	c.Sealed, c.Inputs = "", publicFiles(p.Inputs)
	return &c
}

func publicFiles(files []receipt.File) []receipt.File {
	out := slices.Clone(files)
	for i, f := range out {
		out[i] = f.Public()
	}
	return out
}

// write makes job.json, unless it is there already.
func (p *PlanFile) write(ctx context.Context, disk blob.Disk, name string, vault *receipt.Vault) error {
	c := *p
	if p.sealed() {
		inputs, err := json.Marshal(p.Inputs)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.Inputs, c.Sealed = nil, vault.Seal(planName, inputs)
	}
	text, err := json.MarshalIndent(&c, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	text = append(text, '\n')
	u, err := disk.Create(ctx, name, blob.CreateOptions{Private: true})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.Write(text); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	p.digest = hex.EncodeToString(sum[:])
	return u.Commit(ctx)
}

// sameJob refuses a job that is not the one that the plan was made for.
func (p *PlanFile) sameJob(file string, steps []PlannedStep) error {
	changed := func(format string, args ...any) error {
		return column.Refuse(file, "the job is not the one that its directory was made for: "+format, args...).
			WithHint("Put the job file back as it was; or name another directory, or remove this one, to run it anew.")
	}
	if len(steps) != len(p.Steps) {
		return changed("it has %d steps, not %d", len(steps), len(p.Steps))
	}
	for i, was := range p.Steps {
		now := steps[i]
		if now.Name != was.Name {
			return changed("step %d is %s, not %s", i+1, now.Name, was.Name)
		}
		keys := sortedKeys(was.Parameters)
		for _, key := range append(keys, sortedKeys(now.Parameters)...) {
			a, hadOne := was.Parameters[key]
			b, hasOne := now.Parameters[key]
			if hadOne != hasOne || !slices.Equal(a, b) {
				return changed("%s of %s is %s and was %s", key, now.Name, parameter(b, hasOne), parameter(a, hadOne))
			}
		}
	}
	return nil
}

func parameter(v receipt.Values, given bool) string {
	if !given {
		return "not given"
	}
	quoted := make([]string, len(v))
	for i, s := range v {
		quoted[i] = column.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

// sameInputs refuses inputs that differ from those of the plan: other files, or other bytes. If missing files are
// allowed, it accepts them.
func (p *PlanFile) sameInputs(dir string, steps []PlannedStep, now []receipt.File, mayBeGone bool) error {
	refuse := func(file, format string, args ...any) error {
		return column.Refuse(file, format, args...).
			WithHint("Put the inputs back as they were; or run the job anew, with another dir or after removing %s.", dir)
	}
	for i, was := range p.Steps {
		before, after := setOf(was.Inputs), setOf(steps[i].Inputs)
		for _, file := range steps[i].Inputs {
			if !before[file] {
				return refuse(file, "the file is new: it was no input of %s when the job began", was.Name)
			}
		}
		for _, file := range was.Inputs {
			if !mayBeGone && !after[file] {
				return refuse(file, "the file is gone: it was an input of %s when the job began", was.Name)
			}
		}
	}
	digests := make(map[string]string, len(now))
	for _, f := range now {
		digests[f.Path] = f.SHA256
	}
	for _, was := range p.Inputs {
		if digest, there := digests[was.Path]; !there && !mayBeGone || there && digest != was.SHA256 {
			return refuse(was.Path, "the input changed since the job began")
		}
	}
	return nil
}
