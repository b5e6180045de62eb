package batch

import (
	"context"
	"fmt"
	"runtime"

	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
)

// Estimate is what a job will do, as far as its inputs and the steps that are done tell.
type Estimate struct {
	Name   string         `json:"name"`
	Dir    string         `json:"dir"`
	Level  int            `json:"level"` // the lowest one that is not done; 0 when all are
	Levels int            `json:"levels"`
	Shards int            `json:"shards,omitempty"` // that the parts of the level are meant for
	Steps  []StepEstimate `json:"steps"`
}

// StepEstimate is what a step will do. Numbers of a step that waits for others are upper bounds where its own inputs
// decide them.
type StepEstimate struct {
	Name        string       `json:"name"`
	Verb        string       `json:"verb"`
	Level       int          `json:"level"`
	Inputs      []string     `json:"inputs"`
	Out         string       `json:"out"`
	After       []string     `json:"after,omitempty"`
	State       StepState    `json:"state"`
	AtMost      bool         `json:"at_most,omitempty"` // the numbers are upper bounds
	Records     int64        `json:"records"`           // read
	Parts       int          `json:"parts,omitempty"`   // 0: not known yet
	Made        int          `json:"parts_made,omitempty"`
	Ciphertexts int64        `json:"ciphertexts"`       // made, folded or opened
	Bytes       int64        `json:"bytes"`             // of these
	Seconds     float64      `json:"seconds,omitempty"` // on this machine; 0: not known
	Headroom    job.Headroom `json:"headroom"`
}

// StepState is how far a step is.
type StepState string

// States of a step.
const (
	Done  StepState = "done"
	Ready StepState = "ready"
	Waits StepState = "waits" // for steps below it
)

// Estimate tells what a job will do. It writes nothing, unless shards > 0: then it makes the job directory and divides the
// steps of the lowest level that is not done into parts for so many shards, so that these need not.
func (j *Job) Estimate(ctx context.Context, shards int) (*Estimate, error) {
	if shards < 0 || shards > ShardsMax {
		return nil, &job.UsageError{Cause: fmt.Sprintf("parts for %d shards", shards), Hint: fmt.Sprintf("There can be %d shards.", ShardsMax)}
	}
	w, err := j.look(ctx, shards > 0)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	all := &Estimate{Name: j.Name, Dir: j.Dir, Level: w.level(), Levels: w.plan.Levels(), Shards: shards}
	e := estimating{work: w, shards: shards, level: all.Level, tables: map[string]job.TableEstimate{}, rates: map[string]*inspect.Estimate{}}
	for _, i := range w.plan.order() {
		s, err := e.step(ctx, i)
		if err != nil {
			return nil, j.inStep(i, err)
		}
		all.Steps = append(all.Steps, *s)
	}
	return all, nil
}

// look is enter for who only looks, and need not find a directory.
func (j *Job) look(ctx context.Context, write bool) (*work, error) {
	if write {
		return j.enter(ctx, false)
	}
	s, err := readState(ctx, diskOf(j.Options), j.Dir)
	if err != nil {
		return nil, err
	}
	if s.plan != nil {
		return j.enter(ctx, false)
	}
	w := j.newWork()
	steps, err := j.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	if err := w.canWrite(ctx, steps); err != nil {
		return nil, err
	}
	w.state, w.steps = newState(&PlanFile{Steps: steps}), steps
	return w, nil
}

// order are the numbers of the steps, level by level.
func (p *PlanFile) order() []int {
	var out []int
	for level := 1; level <= p.Levels(); level++ {
		for i, s := range p.Steps {
			if s.Level == level {
				out = append(out, i)
			}
		}
	}
	return out
}

// estimating is an estimate under way.
type estimating struct {
	*work
	shards, level int
	tables        map[string]job.TableEstimate // outputs of steps so far, by their names
	rates         map[string]*inspect.Estimate // of this machine, by the kind of key: each is measured once
}

// step estimates a step, after those that it reads from.
func (e *estimating) step(ctx context.Context, i int) (*StepEstimate, error) {
	p := e.plan.Steps[i]
	s := e.state.steps[p.Name]
	out := &StepEstimate{Name: p.Name, Verb: p.Verb, Level: p.Level, Inputs: p.Inputs, Out: p.Out, After: p.After, State: Ready}
	for _, name := range p.After {
		if !e.state.steps[name].done {
			out.State = Waits
		}
	}
	if s.done {
		out.State = Done
	}
	x, err := e.execution(ctx, i)
	if err != nil {
		return nil, err
	}
	if out.State == Ready && s.partition == nil {
		if s.partition, err = e.survey(ctx, x, i, e.shards); err != nil {
			return nil, err
		}
		if e.shards > 0 && p.Level == e.level {
			if err := e.settle(ctx, p.Name, s.partition); err != nil {
				return nil, err
			}
		}
	}
	known := job.StepKnown{Waits: out.State == Waits, Report: s.report, Inputs: p.Inputs, Tables: e.tables}
	if s.partition != nil {
		out.Parts, out.Made = len(s.partition.ranges()), len(s.parts)
		known.Found = s.partition.found
	}
	load, err := x.Workload(ctx, known)
	if err != nil {
		return nil, err
	}
	out.AtMost, out.Records, out.Ciphertexts, out.Bytes, out.Headroom = load.AtMost, load.Records, load.Ciphertexts, load.Bytes, load.Headroom
	if load.Out != nil {
		e.tables[p.Out] = *load.Out
		if !s.done {
			out.Seconds, err = e.seconds(ctx, i, load)
		}
	}
	return out, err
}

// seconds are what a step takes on this machine; 0 when that is not known.
func (e *estimating) seconds(ctx context.Context, i int, load *job.Workload) (float64, error) {
	rate := verbOf(e.job.Steps[i].Request).rate
	if load.Ciphertexts == 0 || rate == nil {
		return 0, nil
	}
	key := load.Out.Key
	name := fmt.Sprint(key.Variant, key.Bits)
	one := e.rates[name]
	if one == nil {
		var err error
		if one, err = inspect.EstimateKey(ctx, e.job.Options.Kernel, key.Variant, key.Bits); err != nil {
			return 0, err
		}
		e.rates[name] = one
	}
	threads := e.job.Options.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return float64(load.Ciphertexts) / rate(one) / float64(threads), nil
}
