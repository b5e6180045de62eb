package batch

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Names in a job directory.
const (
	planName    = "job.json"
	journalName = "journal" // and, of shards, journal.SHARD-of-N.RANDOM
	partsName   = "parts"
	receiptName = "receipt.json"
	vaultName   = "private.key" // of what the other files have sealed in them
)

// state is the content of a job directory: the plan and all that is in the journals.
type state struct {
	plan     *PlanFile
	vault    *receipt.Vault // nil: there is none yet, or the job is of version 1
	steps    map[string]*stepState
	journals []string // of shards
	valid    int64    // bytes of the main journal that are whole
	began    bool     // the main journal was begun
	finished bool
}

// stepState is how far a step has come.
type stepState struct {
	key       string // fingerprint of the one that it uses; "" as long as nobody has worked on it
	partition *partition
	parts     map[int][]partState // those of several attempts, when shards were tried again
	writing   map[string]string   // digests of outputs that were about to get their names, by name
	done      bool
	outputs   []receipt.File
	report    *job.Report

	began, ended time.Time // when work on it first began, and when it was done
}

// all are the numbers of the parts of a step.
func (s *stepState) all() []int {
	out := make([]int, len(s.partition.ranges()))
	for k := range out {
		out[k] = k
	}
	return out
}

// missing are the parts of a step that no journal knows.
func (s *stepState) missing() []int {
	return slices.DeleteFunc(s.all(), func(k int) bool { return len(s.parts[k]) > 0 })
}

// partState is a part that is complete.
type partState struct {
	file   receipt.File // its name within the job directory
	report *job.Report
}

// newState is the state of a job that has not been begun.
func newState(plan *PlanFile) *state {
	s := &state{plan: plan, steps: map[string]*stepState{}}
	if plan != nil {
		for _, p := range plan.Steps {
			s.steps[p.Name] = &stepState{parts: map[int][]partState{}, writing: map[string]string{}}
		}
	}
	return s
}

// readState reads a job directory. The plan is nil when there is none.
func readState(ctx context.Context, disk blob.Disk, dir string) (*state, error) {
	names, err := disk.ReadDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	vault, err := receipt.ReadVault(ctx, disk, path.Join(dir, vaultName))
	if err != nil {
		return nil, err
	}
	s := newState(nil)
	s.vault = vault
	if s.plan, err = readPlan(ctx, disk, path.Join(dir, planName), vault); err != nil {
		return nil, err
	}
	if s.plan == nil {
		for _, name := range names {
			if name != journalName && name != partsName && name != vaultName && !temporary(name) {
				return nil, column.Refuse(dir, "not a job directory: it has %s and no %s", column.Quote(name), planName).
					WithHint("Name a directory of its own for the job, which need not be there.")
			}
		}
		return s, nil
	}
	s = newState(s.plan)
	s.vault = vault
	for _, p := range s.plan.Steps {
		v := verbNamed(p.Verb)
		if v == nil {
			return nil, column.Refuse(path.Join(dir, planName), "this program does not know the verb %s", column.Quote(p.Verb)).
				WithHint("Use the cipherfold that began the job.")
		}
		if s.steps[p.Name].partition, err = readPartition(ctx, disk, v, partitionName(dir, p.Name), vault); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if name != journalName && !strings.HasPrefix(name, journalName+".") {
			continue
		}
		file := path.Join(dir, name)
		entries, valid, err := readJournal(ctx, disk, file, vault)
		if err != nil {
			return nil, err
		}
		if name == journalName {
			s.valid, s.began = valid, len(entries) > 0
		} else {
			s.journals = append(s.journals, file)
		}
		for i, e := range entries {
			if err := s.apply(e); err != nil {
				return nil, column.Refuse(file, "%w", err).AtLine(int64(i) + 1).WithHint(hintAnew)
			}
		}
	}
	return s, nil
}

// temporary reports whether a name is one of blob's temporary files, which a crash may have left.
func temporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, ".cipherfold-tmp-")
}

// apply takes note of an entry.
func (s *state) apply(e entry) error {
	if e.Event == began {
		if e.Plan != s.plan.digest {
			return fmt.Errorf("the journal belongs to another %s", planName)
		}
		return nil
	}
	if e.Event == finished {
		s.finished = true
		return nil
	}
	step := s.steps[e.Step]
	if step == nil {
		return fmt.Errorf("the journal tells of a step %s, which the job does not have", column.Quote(e.Step))
	}
	if e.Event == keyed {
		step.key = e.Key
		return nil
	}
	if step.began.IsZero() || e.Time.Before(step.began) {
		step.began = e.Time
	}
	switch e.Event {
	case working:
	case made:
		if e.Part == nil || e.File == nil || e.Report == nil {
			return fmt.Errorf("an entry without its content")
		}
		if step.partition != nil && step.partition.digest == e.Partition {
			step.parts[*e.Part] = append(step.parts[*e.Part], partState{*e.File, e.Report})
		}
	case writing:
		if e.File == nil {
			return fmt.Errorf("an entry without its content")
		}
		step.writing[e.File.Path] = e.File.SHA256
	case done:
		if e.Report == nil || len(e.Outputs) == 0 {
			return fmt.Errorf("an entry without its content")
		}
		step.done, step.outputs, step.report, step.ended = true, e.Outputs, e.Report, e.Time
	default:
		return fmt.Errorf("the journal tells of %s, which this program does not know", column.Quote(string(e.Event)))
	}
	return nil
}

// level is the lowest level with a step that is not done, or 0 when all are.
func (s *state) level() int {
	level := 0
	for _, p := range s.plan.Steps {
		if !s.steps[p.Name].done && (level == 0 || p.Level < level) {
			level = p.Level
		}
	}
	return level
}

// outputs are those of all steps that are done.
func (s *state) outputs() []receipt.File {
	var out []receipt.File
	for _, p := range s.plan.Steps {
		out = append(out, s.steps[p.Name].outputs...)
	}
	return out
}

// Status is how far a job has come, as its directory tells.
type Status struct {
	Dir      string       `json:"dir"`
	Plan     *PlanFile    `json:"plan"`
	Steps    []StepStatus `json:"steps"`
	Finished bool         `json:"finished"`
}

// Public is the status without what values could be guessed from.
func (s *Status) Public() any {
	c := *s
	c.Plan, c.Steps = s.Plan.public(), slices.Clone(s.Steps)
	for i := range c.Steps {
		x := &c.Steps[i]
		x.Outputs, x.Report = publicFiles(x.Outputs), x.Report.Told()
	}
	return &c
}

// StepStatus is how far a step has come.
type StepStatus struct {
	Name    string         `json:"name"`
	Out     string         `json:"out"`
	Done    bool           `json:"done"`
	Parts   int            `json:"parts,omitempty"` // 0: not known yet, or too small to be divided
	Made    int            `json:"parts_made,omitempty"`
	Outputs []receipt.File `json:"outputs,omitempty"`
	Report  *job.Report    `json:"report,omitempty"`
}

// IsJob reports whether a directory is that of a job.
func IsJob(ctx context.Context, o job.Options, dir string) bool {
	names, err := diskOf(o).ReadDir(ctx, dir)
	return err == nil && slices.Contains(names, planName)
}

// Inspect returns how far the job of a directory is. It changes and checks nothing.
func Inspect(ctx context.Context, o job.Options, dir string) (*Status, error) {
	s, err := readState(ctx, diskOf(o), dir)
	if err != nil {
		return nil, err
	}
	if s.plan == nil {
		return nil, column.Refuse(dir, "not a job directory: it has no %s", planName).WithHint("Name the dir of a job file.")
	}
	out := &Status{Dir: dir, Plan: s.plan, Finished: s.finished}
	for _, p := range s.plan.Steps {
		x := s.steps[p.Name]
		st := StepStatus{Name: p.Name, Out: p.Out, Done: x.done, Outputs: x.outputs, Report: x.report}
		if x.partition != nil && !x.done {
			st.Parts, st.Made = len(x.partition.ranges()), len(x.parts)
		}
		out.Steps = append(out.Steps, st)
	}
	return out, nil
}
