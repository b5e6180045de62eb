package decrypt

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
)

// How many ciphertexts a part is of, in bytes: some seconds' work. Each part is a file.
const (
	partBytes = 64 << 20
	partsMax  = 1 << 20
)

// Files are the files of a decryption that is a step of a job.
func (d *Request) Files() job.StepFiles {
	f := job.StepFiles{In: []string{d.In}, Counted: 1, Out: d.Out, RowsPerFile: d.RowsPerFile, PartExtension: ".parquet"}
	if d.Trust != "" {
		f.Lists = []string{d.Trust}
	}
	return f
}

// Execution is a decryption that is done as a step of a job.
type Execution struct {
	request Request
	key     func(context.Context) (keys.Key, error)
}

// Begin prepares a decryption to be done as a step of a job, with other options but for CSVSafe. key is asked for the key when that is
// needed.
func (d *Request) Begin(o job.Options, _ string, key func(context.Context) (keys.Key, error)) *Execution {
	x := &Execution{*d, key}
	x.request.Options = o
	x.request.CSVSafe = d.CSVSafe
	return x
}

// withKey is the request with its key.
func (x *Execution) withKey(ctx context.Context) (d Request, err error) {
	d = x.request
	d.Key, err = x.key(ctx)
	return d, err
}

// KeyFingerprint is that of the table's key.
func (s *SurveyResult) KeyFingerprint() string { return s.Key.Fingerprint }

// Once says that a budget is charged.
func (s *SurveyResult) Once() bool { return s.Whole }

// Survey reads the table's footer. It needs no key.
func (x *Execution) Survey(ctx context.Context) (*job.Division, error) {
	s, err := Survey(ctx, x.request)
	if err != nil {
		return nil, err
	}
	d := &job.Division{Rows: s.Rows, Align: 1, RowsBytes: int64(s.Columns * s.CiphertextBytes), PartBytes: partBytes, PartsMax: partsMax, Found: s}
	if s.OnePart {
		d.Align = max(1, s.Rows)
		d.RowsBytes *= d.Align
	}
	return d, nil
}

// Parts decrypts ranges of rows as function Parts does.
func (x *Execution) Parts(ctx context.Context, _ job.Findings, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	d, err := x.withKey(ctx)
	if err != nil {
		return err
	}
	return Parts(ctx, d, ranges, name, done)
}

// Join makes the output of the files of all parts, in their order. It needs no key.
func (x *Execution) Join(ctx context.Context, found job.Findings, files []string) (*job.Report, error) {
	records, err := Join(ctx, x.request, files)
	inputs := []job.InputReport{{File: x.request.In, Rows: found.(*SurveyResult).Records}}
	return &job.Report{Out: x.request.Out, Records: records, Inputs: inputs}, err
}

// Whole makes the output at once.
func (x *Execution) Whole(ctx context.Context, _ job.Findings) (*job.Report, error) {
	d, err := x.withKey(ctx)
	if err != nil {
		return nil, err
	}
	return Run(ctx, d)
}

// Written is the report of a decryption whose output has its name, and which must not be made again.
func (x *Execution) Written(ctx context.Context) (*job.Report, error) {
	d, err := x.withKey(ctx)
	if err != nil {
		return nil, err
	}
	return ReportWritten(ctx, d)
}

// Workload is what the table's footer tells, or what is known of the step that makes the table.
func (x *Execution) Workload(ctx context.Context, known job.StepKnown) (*job.Workload, error) {
	if known.Waits {
		t, ok := known.Tables[x.request.In]
		ciphertexts := t.Rows * int64(t.Columns)
		return &job.Workload{
			AtMost: !ok || t.AtMost, Records: t.Records, Ciphertexts: ciphertexts, Bytes: ciphertexts * int64(t.CiphertextBytes), Out: &t,
		}, nil
	}
	s, ok := known.Found.(*SurveyResult)
	if !ok {
		var err error
		if s, err = Survey(ctx, x.request); err != nil {
			return nil, err
		}
	}
	ciphertexts := s.Rows * int64(s.Columns)
	return &job.Workload{
		Records: s.Records, Ciphertexts: ciphertexts, Bytes: ciphertexts * int64(s.CiphertextBytes),
		Out: &job.TableEstimate{TableSurvey: job.TableSurvey{Key: s.Key}},
	}, nil
}
