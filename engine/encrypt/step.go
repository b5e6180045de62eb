package encrypt

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
)

// How many ciphertexts a part is of, in bytes: some seconds' work. Each part is a file.
const (
	partBytes = 64 << 20
	partsMax  = 1 << 20
)

// Files are the files of an encryption that is a step of a job.
func (e *Request) Files() job.StepFiles {
	f := job.StepFiles{
		In: slices.Concat(e.In, e.Universe, e.Constants, e.DisjointFrom, e.Privacy.Groups), Counted: len(e.In), TokenKey: e.TokenKey,
		Out: e.Out, RowsPerFile: e.RowsPerFile, PartExtension: ".parquet",
	}
	if e.VCF.Samples != "" {
		f.Lists = []string{e.VCF.Samples}
	}
	return f
}

// Execution is an encryption that is done as a step of a job.
type Execution struct {
	request Request
	tableID string
	key     func(context.Context) (keys.Key, error)
}

// Begin prepares an encryption to be done as a step of a job, with other options. The table gets the id tableID.
// key is asked for the key when that is needed.
func (e *Request) Begin(o job.Options, tableID string, key func(context.Context) (keys.Key, error)) *Execution {
	x := &Execution{*e, tableID, key}
	x.request.Options = o
	return x
}

// withKey is the request with its key.
func (x *Execution) withKey(ctx context.Context) (e Request, err error) {
	e = x.request
	e.Key, err = x.key(ctx)
	return e, err
}

// KeyFingerprint is that of the key that the encryption began with.
func (s *SurveyResult) KeyFingerprint() string { return s.Key.Fingerprint }

// Once is false: nothing but time is lost if a part is made twice.
func (s *SurveyResult) Once() bool { return false }

// Survey reads the source as function Survey does. It needs the key, whose size decides the layout.
func (x *Execution) Survey(ctx context.Context) (*job.Division, error) {
	e, err := x.withKey(ctx)
	if err != nil {
		return nil, err
	}
	s, err := Survey(ctx, e)
	if err != nil {
		return nil, err
	}
	return &job.Division{Rows: s.Records, Align: s.BlockRecords, RowsBytes: int64(s.Columns * s.CiphertextBytes), PartBytes: partBytes, PartsMax: partsMax, Found: s}, nil
}

// Parts encrypts ranges of records as function Parts does.
func (x *Execution) Parts(ctx context.Context, found job.Findings, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	e, err := x.withKey(ctx)
	if err != nil {
		return err
	}
	return Parts(ctx, e, found.(*SurveyResult), x.tableID, ranges, name, done)
}

// Join makes the table of the files of all parts, in their order. It needs no key.
func (x *Execution) Join(ctx context.Context, found job.Findings, files []string) (*job.Report, error) {
	e := &x.request
	seal, err := e.seal(ctx)
	if err != nil {
		return nil, err
	}
	records, err := enctable.Join(ctx, e.Options, files, e.Out, e.RowsPerFile, seal)
	report := &job.Report{Out: e.Out, Records: records}
	found.(*SurveyResult).Complete(report)
	return report, err
}

// Whole makes the table at once.
func (x *Execution) Whole(ctx context.Context, found job.Findings) (report *job.Report, err error) {
	s := found.(*SurveyResult)
	all := []job.Range{{To: s.Records}}
	err = x.Parts(ctx, s, all, func(job.Range) string { return x.request.Out }, func(_ job.Range, r *job.Report) error {
		report = r
		return nil
	})
	if err == nil {
		s.Complete(report)
	}
	return report, err
}

// Workload is what a survey found, or the report tells. Nothing is known of an encryption of what another step decrypts.
func (x *Execution) Workload(_ context.Context, known job.StepKnown) (*job.Workload, error) {
	if known.Report != nil {
		return &job.Workload{Records: known.Report.Records, Ciphertexts: known.Report.Ciphertexts}, nil
	}
	if known.Found == nil {
		return &job.Workload{AtMost: true}, nil
	}
	s := known.Found.(*SurveyResult)
	layout := x.request.Layout
	if layout == "" {
		layout = slots.Records
	}
	ciphertexts := s.Rows() * int64(s.Columns)
	return &job.Workload{
		Records: s.Records, Ciphertexts: ciphertexts, Bytes: ciphertexts * int64(s.CiphertextBytes),
		Headroom: job.Headroom{Least: 1, Most: 1, MaxAdds: s.MaxAdds},
		Out: &job.TableEstimate{TableSurvey: job.TableSurvey{
			Name: x.request.Out, Key: s.Key, Layout: layout, Records: s.Records, Rows: s.Rows(), Columns: s.Columns,
			CiphertextBytes: s.CiphertextBytes, AddsUsed: 1, MaxAdds: s.MaxAdds,
		}},
	}, nil
}
