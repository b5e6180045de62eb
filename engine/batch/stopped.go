package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/batch/jobfile"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// Stopped is a job that ended before its end, for a reason that may go away. What was done is kept.
type Stopped struct {
	Err    error  // why
	Step   string // that was worked on
	Parts  int    // it has so many, if that is known,
	Done   int    // of which these are done
	Dir    string // the job directory
	Resume string // the command that goes on
}

func (e *Stopped) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }
func (e *Stopped) Unwrap() error { return e.Err }

// Explain describes the error, and says how to resume.
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
		if f.Kind != job.Usage { // which names the step
			f.Message = e.Step + ": " + f.Message
		}
		f.Hint = strings.TrimSpace(fmt.Sprintf("%s If inputs or the job file have to change, remove %s and run the job anew.", f.Hint, e.Dir))
	default:
		f.Message = e.Step + ": " + f.Message
		f.Hint = strings.TrimSpace(fmt.Sprintf("%s When that is mended, go on with: %s", f.Hint, e.Resume))
	}
	return f
}

// stopped says where the job was when it ended.
func (w *work) stopped(name string, err error) error {
	i := slices.IndexFunc(w.plan.Steps, func(p PlannedStep) bool { return p.Name == name })
	s := &Stopped{Err: w.job.inStep(i, err), Step: name, Dir: w.job.Dir, Resume: w.resume}
	if p := w.state.steps[name].partition; p != nil {
		s.Parts, s.Done = len(p.ranges()), len(w.state.steps[name].parts)
	}
	return s
}

// inStep adds to an error about a step's request where in the job file the step is.
func (j *Job) inStep(i int, err error) error {
	s := j.Steps[i]
	var request *job.UsageError
	if errors.As(err, &request) {
		return jobfile.Refuse(j.File, s.Line, request.Hint, "[[%s]]: %s", s.Verb(), err)
	}
	return err
}
