package batch

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/column"
)

// Status is how far a job has come, as its directory tells.
type Status struct {
	Dir      string       `json:"dir"`
	Plan     *PlanFile    `json:"plan"`
	Steps    []StepStatus `json:"steps"`
	Finished bool         `json:"finished"`
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

// Inspect tells how far the job of a directory has come. It changes and checks nothing.
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
		if x.cut != nil && !x.done {
			st.Parts, st.Made = len(x.cut.ranges()), len(x.parts)
		}
		out.Steps = append(out.Steps, st)
	}
	return out, nil
}
