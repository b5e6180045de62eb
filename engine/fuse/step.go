package fuse

import (
	"cmp"
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
)

// The parts of a fusion are read once more when they are put together, so that it is divided only where it takes long, or
// among shards. They are all open then.
const (
	partBytes = 4 << 30
	partsMax  = 128
)

// Files are the files of a fusion that is a step of a job.
func (u *Request) Files() job.StepFiles {
	f := job.StepFiles{In: u.In, Counted: len(u.In), Out: u.Out, RowsPerFile: u.RowsPerFile, PartExtension: ".run"}
	if u.Trust != "" {
		f.Lists = []string{u.Trust}
	}
	for _, w := range u.Weights {
		f.Named = append(f.Named, job.NamedFile{File: w.File, What: "a weight"})
	}
	return f
}

// Execution is a fusion that is done as a step of a job.
type Execution struct{ request Request }

// Begin prepares a fusion to be done as a step of a job, with other options. It needs no key, and its table has an id of
// its own.
func (u *Request) Begin(o job.Options, _ string, _ func(context.Context) (keys.Key, error)) *Execution {
	x := &Execution{*u}
	o.ScratchDir = cmp.Or(u.ScratchDir, o.ScratchDir)
	x.request.Options = o
	return x
}

// Survey reads the inputs' footers.
func (x *Execution) Survey(ctx context.Context) (*job.Division, error) {
	rows, bytes, err := Rows(ctx, x.request)
	if err != nil {
		return nil, err
	}
	return &job.Division{Rows: rows, Align: 1, RowsBytes: bytes, PartBytes: partBytes, PartsMax: partsMax}, nil
}

// Parts folds ranges of rows, each into the run file that name says, and calls done after each.
func (x *Execution) Parts(ctx context.Context, _ job.Findings, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	for _, r := range ranges {
		report, err := Part(ctx, x.request, r, name(r))
		if err != nil {
			return err
		}
		if err := done(r, report); err != nil {
			return err
		}
	}
	return nil
}

// Join merges the run files of all parts into the output.
func (x *Execution) Join(ctx context.Context, _ job.Findings, files []string) (*job.Report, error) {
	report, err := Join(ctx, x.request, files)
	if err == nil {
		report.Ciphertexts = 0 // those of the inputs count, which the parts have
	}
	return report, err
}

// Whole makes the output at once.
func (x *Execution) Whole(ctx context.Context, _ job.Findings) (*job.Report, error) {
	return Run(ctx, x.request)
}

// Workload tells of a fusion whose inputs are there, or will be made by steps of which enough is known.
func (x *Execution) Workload(ctx context.Context, known job.StepKnown) (*job.Workload, error) {
	u := &x.request
	var in []job.TableEstimate
	if !known.Waits {
		surveys, err := Survey(ctx, *u)
		if err != nil {
			return nil, err
		}
		for _, s := range surveys {
			in = append(in, job.TableEstimate{TableSurvey: s})
		}
	} else {
		for _, name := range known.Inputs {
			t, ok := known.Tables[name]
			if !ok {
				return &job.Workload{AtMost: true}, nil
			}
			at, err := blob.Identify(ctx, u.Options.Files(), name)
			if err != nil {
				return nil, err
			}
			for _, w := range u.Weights {
				weighed, err := blob.Identify(ctx, u.Options.Files(), w.File)
				if err != nil {
					return nil, err
				}
				if weighed.Same(at) {
					t.AddsUsed *= max(w.Weight, -w.Weight)
				}
			}
			in = append(in, t)
		}
	}
	load := &job.Workload{}
	out := job.TableEstimate{TableSurvey: in[0].TableSurvey}
	out.Name, out.AddsUsed, out.Records, out.Rows = u.Out, 0, 0, 0
	each := int64(0) // additions if every record comes once in each input
	for _, t := range in {
		load.AtMost = load.AtMost || t.AtMost
		load.Records += t.Records
		load.Ciphertexts += t.Rows * int64(t.Columns)
		load.Headroom.Most += t.AddsUsed * t.Records
		each += t.AddsUsed
		load.Headroom.Least = max(load.Headroom.Least, t.AddsUsed)
		out.MaxAdds = min(out.MaxAdds, t.MaxAdds)
		out.Columns = max(out.Columns, t.Columns)
		out.Records += t.Records
		out.Rows += t.Rows
	}
	load.Bytes = load.Ciphertexts * int64(out.CiphertextBytes)
	load.Headroom.MaxAdds = out.MaxAdds
	switch {
	case u.wantsTotal():
		load.Headroom.Least = load.Headroom.Most
		out.Records, out.Rows = 1, 1
	case out.Layout == slots.Blocks:
		load.Headroom.Least, load.Headroom.Most = each, each
		out.Records, out.Rows = in[0].Records, in[0].Rows
	default:
		out.AtMost = true
	}
	out.AddsUsed = load.Headroom.Most
	load.Out = &out
	return load, nil
}
