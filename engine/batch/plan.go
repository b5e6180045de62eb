package batch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/batch/jobfile"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Version is the version of job.json and of the journals.
const Version = 1

// PlanFile is job.json: a job with everything resolved that is known before it starts.
type PlanFile struct {
	Version int             `json:"version"`
	ID      string          `json:"id"` // random, 16 hex digits
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Program receipt.Program `json:"program"`
	Steps   []PlannedStep   `json:"steps"` // in the order of the job file
	Inputs  []receipt.File  `json:"inputs"`

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
	for i, s := range j.Steps {
		files[i] = s.files()
	}
	outs, err := j.places(ctx, files)
	if err != nil {
		return nil, err
	}
	for i := range j.Steps {
		for k := range j.Steps[:i] {
			if outs[i].Same(outs[k]) || outs[i].Within(outs[k]) || outs[k].Within(outs[i]) {
				return nil, j.refuse(i, "Give every output a name of its own.", "%s and %s write to the same file, %s", names[k], names[i], files[i].Out)
			}
		}
	}
	jobDir, err := blob.Identify(ctx, j.fs(), j.Dir)
	if err != nil {
		return nil, err
	}
	steps := make([]PlannedStep, len(j.Steps))
	for i, s := range j.Steps {
		p, out := &steps[i], files[i].Out
		*p = PlannedStep{Name: names[i], Verb: s.Verb(), Parameters: s.Parameters, Out: out, lists: map[string]listing{}}
		if insideDir(j.Dir, out) || outs[i].Same(jobDir) || outs[i].Within(jobDir) {
			return nil, j.refuse(i, "Give the output a place of its own: the directory is the job's.", "%s would write %s into the job directory %s", names[i], out, j.Dir)
		}
		for _, pattern := range files[i].In {
			at, err := blob.Identify(ctx, j.fs(), pattern)
			if err != nil {
				return nil, err
			}
			if within(out, pattern) || at.Same(outs[i]) || at.Within(outs[i]) {
				return nil, j.refuse(i, "Give the output a name of its own.", "%s reads %s, which is its own output", names[i], pattern)
			}
			list := listing{}
			for k, other := range files {
				if k != i && (stands(pattern, other.Out) || j.standsFor(ctx, pattern, outs[k])) {
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
				if !slices.ContainsFunc(outs, func(out blob.Identity) bool { return id.Same(out) || id.Within(out) }) {
					list.files = append(list.files, file)
				}
			}
			p.Inputs = append(p.Inputs, list.files...)
			p.lists[pattern] = list
		}
		for _, n := range files[i].Named {
			if !mayBeGone && !slices.ContainsFunc(p.Inputs, func(in string) bool { return within(n.File, in) }) {
				return nil, j.refuse(i, "Write the file as in in.", "%s for %s, which is no input", n.What, n.File)
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

// places says where the outputs of the steps lead.
func (j *Job) places(ctx context.Context, files []job.StepFiles) ([]blob.Identity, error) {
	outs := make([]blob.Identity, len(files))
	for i, f := range files {
		var err error
		if outs[i], err = blob.Identify(ctx, j.fs(), f.Out); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// standsFor reports whether a pattern stands for an output that is spelled otherwise: by its name, by that of its directory, or
// by a glob in that.
func (j *Job) standsFor(ctx context.Context, pattern string, out blob.Identity) bool {
	if id, err := blob.Identify(ctx, j.fs(), pattern); err == nil && id.Same(out) {
		return true
	}
	dir, base := pattern, ""
	if strings.ContainsAny(path.Base(blob.Path(pattern)), `*?[`) {
		dir, base = blob.Dir(pattern), path.Base(blob.Path(pattern))
	}
	id, err := blob.Identify(ctx, j.fs(), dir)
	return err == nil && stands(strings.TrimSuffix(blob.Join(id.Path, base), "/"), out.Path)
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

// insideDir reports whether a name, however it is written, is the job directory or something in it.
func insideDir(dir, name string) bool {
	if u, ok := blob.ParseURL(name); ok {
		if u.Scheme != "file" {
			return false
		}
		name = "/" + u.Key
	}
	dir, err1 := filepath.Abs(dir)
	name, err2 := filepath.Abs(name)
	return err1 == nil && err2 == nil && (name == dir || strings.HasPrefix(name, dir+string(filepath.Separator)))
}

// within reports whether a file is an output, or in one that is a directory.
func within(out, file string) bool {
	return job.CleanName(out) == job.CleanName(file) || job.CleanName(out) == job.CleanName(blob.Dir(file))
}

// setLevels puts every step above those that it reads from.
func setLevels(steps []PlannedStep) error {
	for range steps {
		changed := false
		for i := range steps {
			level := 1
			for _, name := range steps[i].After {
				k := slices.IndexFunc(steps, func(p PlannedStep) bool { return p.Name == name })
				level = max(level, steps[k].Level+1)
			}
			changed = changed || level != steps[i].Level
			steps[i].Level = level
		}
		if !changed {
			return nil
		}
	}
	for _, s := range steps {
		if s.Level > len(steps) {
			return &job.UsageError{Cause: fmt.Sprintf("%s needs its own output, by way of %s", s.Name, strings.Join(s.After, ", ")), Hint: "Give every output a name of its own."}
		}
	}
	return nil
}

// stands reports whether a pattern means an output, which need not exist. The pattern is its name, or matches it, or
// is the directory that it is in, itself or in partition folders.
func stands(pattern, out string) bool {
	p, o := job.CleanName(pattern), job.CleanName(out)
	if p == o {
		return true
	}
	a, isURL := blob.ParseURL(p)
	b, other := blob.ParseURL(o)
	if isURL != other || a.Scheme != b.Scheme || a.Bucket != b.Bucket || a.Query != b.Query {
		return false
	}
	base := path.Base(blob.Path(o))
	if match, _ := path.Match(blob.Path(p), blob.Path(o)); match {
		return blob.Matches(path.Base(blob.Path(p)), base)
	}
	dir := job.CleanName(blob.Dir(o))
	for dir != p && strings.Contains(path.Base(blob.Path(dir)), "=") {
		dir = job.CleanName(blob.Dir(dir))
	}
	return dir == p && !blob.Hidden(base)
}

// externals are the inputs that no step makes, each once.
func externals(steps []PlannedStep) []string {
	var out []string
	for _, s := range steps {
		for _, file := range s.Inputs {
			made := slices.ContainsFunc(steps, func(p PlannedStep) bool { return p.Out == file })
			if !made && !slices.Contains(out, file) {
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
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	p := &PlanFile{Version: Version, ID: hex.EncodeToString(id), Name: j.Name, Created: time.Now().UTC(), Program: receipt.ThisProgram(), Steps: steps}
	p.Inputs, err = j.describe(ctx, fs, externals(steps))
	return p, err
}

// tableID is the job id of a step's tables: the same in every part, another in every step.
func (p *PlanFile) tableID(step string) string {
	sum := sha256.Sum256([]byte(p.ID + " " + step))
	return hex.EncodeToString(sum[:8])
}

const planBytesMax = 256 << 20

// readPlan reads job.json; nil when it is not there.
func readPlan(ctx context.Context, disk blob.Disk, name string) (*PlanFile, error) {
	data, err := receipt.ReadFile(ctx, disk, name, planBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &PlanFile{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, column.Refuse(name, "the plan is damaged: %w", err).WithHint(hintAnew)
	}
	if p.Version != Version {
		return nil, column.Refuse(name, "version %d of job directories is not known", p.Version).WithHint("Use the cipherfold that began the job.")
	}
	sum := sha256.Sum256(data)
	p.digest = hex.EncodeToString(sum[:])
	return p, nil
}

// write makes job.json, unless it is there already.
func (p *PlanFile) write(ctx context.Context, disk blob.Disk, name string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	text = append(text, '\n')
	u, err := disk.Create(ctx, name, blob.CreateOptions{})
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
		for _, file := range steps[i].Inputs {
			if !slices.Contains(was.Inputs, file) {
				return refuse(file, "the file is new: it was no input of %s when the job began", was.Name)
			}
		}
		for _, file := range was.Inputs {
			if !mayBeGone && !slices.Contains(steps[i].Inputs, file) {
				return refuse(file, "the file is gone: it was an input of %s when the job began", was.Name)
			}
		}
	}
	for _, was := range p.Inputs {
		i := slices.IndexFunc(now, func(f receipt.File) bool { return f.Path == was.Path })
		if i < 0 && !mayBeGone || i >= 0 && now[i].SHA256 != was.SHA256 {
			return refuse(was.Path, "the input changed since the job began")
		}
	}
	return nil
}
