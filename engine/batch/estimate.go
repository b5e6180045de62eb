package batch

import (
	"context"
	"fmt"
	"runtime"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
)

// Forecast is what a job will do, as far as its inputs and the steps that are done tell.
type Forecast struct {
	Name   string         `json:"name"`
	Dir    string         `json:"dir"`
	Level  int            `json:"level"` // the lowest one that is not done; 0 when all are
	Levels int            `json:"levels"`
	Shards int            `json:"shards,omitempty"` // that the parts of the level are meant for
	Steps  []StepForecast `json:"steps"`
}

// StepForecast is what a step will do. Numbers of a step that waits for others are upper bounds where its own inputs
// decide them.
type StepForecast struct {
	Name        string    `json:"name"`
	Verb        string    `json:"verb"`
	Level       int       `json:"level"`
	Inputs      []string  `json:"inputs"`
	Out         string    `json:"out"`
	After       []string  `json:"after,omitempty"`
	State       StepState `json:"state"`
	AtMost      bool      `json:"at_most,omitempty"` // the numbers are upper bounds
	Records     int64     `json:"records"`           // read
	Parts       int       `json:"parts,omitempty"`   // 0: not known yet
	Made        int       `json:"parts_made,omitempty"`
	Ciphertexts int64     `json:"ciphertexts"`       // made, folded or opened
	Bytes       int64     `json:"bytes"`             // of these
	Seconds     float64   `json:"seconds,omitempty"` // on this machine; 0: not known
	Headroom    Headroom  `json:"headroom"`
}

// StepState is how far a step is.
type StepState string

// States of a step.
const (
	Done  StepState = "done"
	Ready StepState = "ready"
	Waits StepState = "waits" // for steps below it
)

// Headroom is how many additions the sums of a step's output hold, of how many that they have room for. Most is reached
// if all records are in one group.
type Headroom struct {
	Least   int64 `json:"least"`
	Most    int64 `json:"most"`
	MaxAdds int64 `json:"max_adds"`
}

// Verdict says in words whether the sums fit.
func (h Headroom) Verdict() string {
	switch {
	case h.MaxAdds == 0:
		return ""
	case h.Most <= h.MaxAdds:
		return "fits"
	case h.Least > h.MaxAdds:
		return "does not fit"
	}
	return fmt.Sprintf("fits groups of up to %d records", h.MaxAdds)
}

// table is what is known of an output.
type table struct {
	job.TableSurvey
	atMost bool
}

// Plan tells what a job will do. It writes nothing, unless shards > 0: then it makes the job directory and divides the steps
// of the lowest level that is not done into parts for so many shards, so that these need not.
func Plan(ctx context.Context, j *Job, shards int) (*Forecast, error) {
	if shards < 0 || shards > ShardsMax {
		return nil, &job.UsageError{Cause: fmt.Sprintf("parts for %d shards", shards), Hint: fmt.Sprintf("There can be %d shards.", ShardsMax)}
	}
	w, err := j.look(ctx, shards > 0)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	f := &Forecast{Name: j.Name, Dir: j.Dir, Level: w.level(), Levels: w.plan.Levels(), Shards: shards}
	tables := map[string]table{} // by their names, of steps so far
	rates := rates{kernel: j.Options.Kernel, known: map[string]*inspect.Estimate{}, threads: j.Options.Threads}
	for _, i := range w.plan.order() {
		s, err := w.forecast(ctx, i, shards, f.Level, tables, &rates)
		if err != nil {
			return nil, j.inStep(i, err)
		}
		f.Steps = append(f.Steps, *s)
	}
	return f, nil
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

func (w *work) forecast(ctx context.Context, i, shards, level int, tables map[string]table, rates *rates) (*StepForecast, error) {
	p := w.plan.Steps[i]
	s := w.state.steps[p.Name]
	f := &StepForecast{Name: p.Name, Verb: p.Verb, Level: p.Level, Inputs: p.Inputs, Out: p.Out, After: p.After, State: Ready}
	for _, name := range p.After {
		if !w.state.steps[name].done {
			f.State = Waits
		}
	}
	if s.done {
		f.State = Done
	}
	if f.State == Ready && s.cut == nil {
		prepare := w.verb
		if w.job.Steps[i].Encrypt != nil {
			prepare = w.verbWithKey // its size decides the layout
		}
		v, err := prepare(ctx, i)
		if err != nil {
			return nil, err
		}
		c, err := v.survey(ctx, w.job.PartRows, shards)
		if err != nil {
			return nil, err
		}
		s.cut = c
		if shards > 0 && p.Level == level {
			if err := w.settle(ctx, p.Name, c); err != nil {
				return nil, err
			}
		}
	}
	if s.cut != nil {
		f.Parts, f.Made = len(s.cut.ranges()), len(s.parts)
	}
	var err error
	switch {
	case w.job.Steps[i].Encrypt != nil:
		err = w.forecastEncryption(f, i, s, tables)
	case w.job.Steps[i].Fuse != nil:
		err = w.forecastFusion(ctx, f, i, tables)
	default:
		err = w.forecastDecryption(ctx, f, i, s, tables)
	}
	if err != nil {
		return nil, err
	}
	if t, ok := tables[p.Out]; ok && !s.done {
		err = rates.apply(ctx, f, t.Key)
	}
	return f, err
}

func (w *work) forecastEncryption(f *StepForecast, i int, s *stepState, tables map[string]table) error {
	e := w.job.Steps[i].Encrypt
	if s.done {
		f.Records, f.Ciphertexts = s.report.Records, s.report.Ciphertexts
		return nil
	}
	if s.cut == nil || s.cut.Encrypt == nil { // it encrypts what another step decrypts
		f.AtMost = true
		return nil
	}
	x := s.cut.Encrypt
	f.Records = x.Records
	f.Ciphertexts = x.Rows() * int64(x.Columns)
	f.Bytes = f.Ciphertexts * int64(x.CiphertextBytes)
	f.Headroom = Headroom{Least: 1, Most: 1, MaxAdds: x.MaxAdds}
	layout := e.Layout
	if layout == "" {
		layout = slots.Records
	}
	tables[f.Out] = table{TableSurvey: job.TableSurvey{Name: f.Out, Key: x.Key, Layout: layout, Records: x.Records, Rows: x.Rows(),
		Columns: x.Columns, CiphertextBytes: x.CiphertextBytes, AddsUsed: 1, MaxAdds: x.MaxAdds}}
	return nil
}

// forecastFusion tells of a fusion whose inputs are there, or will be made by steps of which enough is known.
func (w *work) forecastFusion(ctx context.Context, f *StepForecast, i int, tables map[string]table) error {
	u := w.job.Steps[i].Fuse
	var in []table
	if f.State != Waits {
		v, err := w.verb(ctx, i)
		if err != nil {
			return err
		}
		surveys, err := fuse.Survey(ctx, v.(*fuseVerb).Request)
		if err != nil {
			return err
		}
		for _, s := range surveys {
			in = append(in, table{TableSurvey: s})
		}
	} else {
		for _, name := range f.Inputs {
			t, ok := tables[name]
			if !ok {
				f.AtMost = true
				return nil
			}
			for _, x := range u.Weights {
				if clean(x.File) == clean(name) {
					t.AddsUsed *= max(x.Weight, -x.Weight)
				}
			}
			in = append(in, t)
		}
	}
	out := table{TableSurvey: in[0].TableSurvey}
	out.Name, out.AddsUsed, out.Records, out.Rows = f.Out, 0, 0, 0
	each := int64(0) // additions if every record comes once in each input
	total := u.By != nil && len(u.By) == 0
	for _, t := range in {
		f.AtMost = f.AtMost || t.atMost
		f.Records += t.Records
		f.Ciphertexts += t.Rows * int64(t.Columns)
		f.Headroom.Most += t.AddsUsed * t.Records
		each += t.AddsUsed
		f.Headroom.Least = max(f.Headroom.Least, t.AddsUsed)
		out.MaxAdds = min(out.MaxAdds, t.MaxAdds)
		out.Columns = max(out.Columns, t.Columns)
		out.Records += t.Records
		out.Rows += t.Rows
	}
	f.Bytes = f.Ciphertexts * int64(out.CiphertextBytes)
	f.Headroom.MaxAdds = out.MaxAdds
	switch {
	case total:
		f.Headroom.Least = f.Headroom.Most
		out.Records, out.Rows = 1, 1
	case out.Layout == slots.Blocks:
		f.Headroom.Least, f.Headroom.Most = each, each
		out.Records, out.Rows = in[0].Records, in[0].Rows
	default:
		out.atMost = true
	}
	out.AddsUsed = f.Headroom.Most
	tables[f.Out] = out
	return nil
}

func (w *work) forecastDecryption(ctx context.Context, f *StepForecast, i int, s *stepState, tables map[string]table) error {
	d := w.job.Steps[i].Decrypt
	if f.State == Waits {
		t, ok := tables[d.In]
		f.AtMost = !ok || t.atMost
		f.Records, f.Ciphertexts = t.Records, t.Rows*int64(t.Columns)
		f.Bytes = f.Ciphertexts * int64(t.CiphertextBytes)
		tables[f.Out] = t
		return nil
	}
	x := (*decrypt.SurveyResult)(nil)
	if s.cut != nil {
		x = s.cut.Decrypt
	}
	if x == nil {
		v, err := w.verb(ctx, i)
		if err != nil {
			return err
		}
		if x, err = decrypt.Survey(ctx, v.(*decryptVerb).Request); err != nil {
			return err
		}
	}
	f.Records, f.Ciphertexts = x.Records, x.Rows*int64(x.Columns)
	f.Bytes = f.Ciphertexts * int64(x.CiphertextBytes)
	tables[f.Out] = table{TableSurvey: job.TableSurvey{Key: x.Key}}
	return nil
}

// rates estimate times by what this machine does with keys of a size, measured once for each.
type rates struct {
	kernel  string
	threads int
	known   map[string]*inspect.Estimate
}

func (r *rates) apply(ctx context.Context, f *StepForecast, key job.KeyReport) error {
	if f.Ciphertexts == 0 {
		return nil
	}
	name := fmt.Sprint(key.Variant, key.Bits)
	e := r.known[name]
	if e == nil {
		var err error
		if e, err = inspect.EstimateKey(ctx, r.kernel, key.Variant, key.Bits); err != nil {
			return err
		}
		r.known[name] = e
	}
	rate := map[string]float64{"encrypt": e.Encrypt, "fuse": e.Fold, "decrypt": e.Decrypt}[f.Verb]
	threads := r.threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	f.Seconds = float64(f.Ciphertexts) / rate / float64(threads)
	return nil
}
