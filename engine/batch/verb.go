package batch

import (
	"context"
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
)

// verbs are the verbs that can be steps of a job, in the order of their tables in a job file. A new verb is a new row: its
// room has a request that is a Request and a method that begins an Execution.
var verbs = []verb{
	row("encrypt", (*encrypt.Request).Begin, func() job.Findings { return new(encrypt.SurveyResult) }, func(one *inspect.Estimate) float64 { return one.Encrypt }),
	row("fuse", (*fuse.Request).Begin, nil, func(one *inspect.Estimate) float64 { return one.Fold }),
	row("decrypt", (*decrypt.Request).Begin, func() job.Findings { return new(decrypt.SurveyResult) }, func(one *inspect.Estimate) float64 { return one.Decrypt }),
}

// Verbs are the names of the verbs that can be steps of a job, in the order of their tables in a job file.
func Verbs() []string {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	return names
}

// Request is what a step is asked for: a pointer to the request of a verb's room, without Options and Key.
type Request interface {
	Files() job.StepFiles
}

// Execution is a step that is being worked on. The argument `found` is what Survey found, here or in another program that
// wrote it down: a value of the type that the verb's row names, or nil.
type Execution interface {
	// Survey reads the inputs as far as needed to divide the step into parts.
	Survey(ctx context.Context) (*job.Division, error)

	// Parts does some parts, in ascending order, each into the file that name says, and calls done after each.
	Parts(ctx context.Context, found job.Findings, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error

	// Join makes the output of the files of all parts, in their order. It asks for no key.
	Join(ctx context.Context, found job.Findings, files []string) (*job.Report, error)

	// Whole makes the output at once.
	Whole(ctx context.Context, found job.Findings) (*job.Report, error)

	// Workload tells how much there is to do. It writes nothing and asks for no key.
	Workload(ctx context.Context, known job.StepKnown) (*job.Workload, error)
}

// releasing is an execution whose output must not be made twice, which its findings say.
type releasing interface {
	// Written is the report of a step whose output has its name already.
	Written(ctx context.Context) (*job.Report, error)
}

// verb is a row of the registry.
type verb struct {
	name  string
	is    func(Request) bool // a request of this verb
	begin func(r Request, o job.Options, tableID string, key func(context.Context) (keys.Key, error)) Execution
	found func() job.Findings                 // to read what a survey found into; nil: surveys find nothing that is kept
	rate  func(one *inspect.Estimate) float64 // ciphertexts per second of one core; nil: not known
}

// row makes a row of the types of a room. begin prepares a request to be done with the options given, as the table of the
// id given; key reads the step's key, once.
func row[R Request, E Execution](name string, begin func(R, job.Options, string, func(context.Context) (keys.Key, error)) E, found func() job.Findings, rate func(*inspect.Estimate) float64) verb {
	return verb{
		name: name,
		is:   func(r Request) bool { _, ok := r.(R); return ok },
		begin: func(r Request, o job.Options, tableID string, key func(context.Context) (keys.Key, error)) Execution {
			return begin(r.(R), o, tableID, key)
		},
		found: found, rate: rate,
	}
}

// verbOf is the verb of a request.
func verbOf(r Request) *verb {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.is(r) })
	if i < 0 {
		panic(fmt.Sprintf("batch: no verb has requests of type %T", r))
	}
	return &verbs[i]
}

// verbNamed is the verb of a name; nil when there is none.
func verbNamed(name string) *verb {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == name })
	if i < 0 {
		return nil
	}
	return &verbs[i]
}

// addUp adds what was done for parts to the report of joining them.
func addUp(joined *job.Report, parts []*job.Report) *job.Report {
	sum := *joined
	for _, p := range parts {
		sum.Kernel, sum.Key = p.Kernel, p.Key
		if p.Measures != nil {
			sum.Measures = p.Measures
		}
		if p.Originals != nil {
			sum.Originals = p.Originals
		}
		if p.Privacy != nil {
			sum.Privacy = p.Privacy
		}
		if p.Suppressed != nil {
			sum.Suppressed = p.Suppressed
		}
		sum.Single += p.Single
		sum.Ciphertexts += p.Ciphertexts
		sum.Values += p.Values
		sum.Spilled += p.Spilled
		sum.Seconds += p.Seconds
		for name, n := range p.Missing {
			if sum.Missing == nil {
				sum.Missing = map[string]int64{}
			}
			sum.Missing[name] += n
		}
	}
	return &sum
}
