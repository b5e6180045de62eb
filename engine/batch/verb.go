package batch

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
)

// verb is a step being worked on.
type verb interface {
	// use sets the key. Only join does without.
	use(k keys.Key)

	// survey reads the inputs as far as needed to divide the step into parts.
	survey(ctx context.Context, partRows int64, shards int) (*cut, error)

	// parts does some parts, in ascending order, each into the file that name says, and calls done after each.
	parts(ctx context.Context, c *cut, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error

	// extension is that of the files of parts.
	extension() string

	// join makes the output of the files of all parts, in their order.
	join(ctx context.Context, c *cut, files []string) (*job.Report, error)

	// whole makes the output at once.
	whole(ctx context.Context, c *cut) (*job.Report, error)
}

type encryptVerb struct {
	encrypt.Request
	tableID string
}

func (v *encryptVerb) use(k keys.Key) { v.Key = k }

func (v *encryptVerb) extension() string { return ".parquet" }

func (v *encryptVerb) survey(ctx context.Context, partRows int64, shards int) (*cut, error) {
	s, err := encrypt.Survey(ctx, v.Request)
	if err != nil {
		return nil, err
	}
	c := newCut(s.Records, s.BlockRecords, int64(s.Columns*s.CiphertextBytes), partBytes, partRows, shards, partsMax)
	c.Encrypt = s
	return c, nil
}

func (v *encryptVerb) parts(ctx context.Context, c *cut, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	return encrypt.Parts(ctx, v.Request, c.Encrypt, v.tableID, ranges, name, done)
}

func (v *encryptVerb) join(ctx context.Context, c *cut, files []string) (*job.Report, error) {
	records, err := enctable.Join(ctx, v.Options, files, v.Out, v.RowsPerFile)
	report := &job.Report{Out: v.Out, Records: records}
	c.Encrypt.Complete(report)
	return report, err
}

func (v *encryptVerb) whole(ctx context.Context, c *cut) (report *job.Report, err error) {
	all := job.Range{To: c.Rows}
	err = v.parts(ctx, c, []job.Range{all}, func(job.Range) string { return v.Out }, func(_ job.Range, r *job.Report) error {
		report = r
		return nil
	})
	if err == nil {
		c.Encrypt.Complete(report)
	}
	return report, err
}

type fuseVerb struct{ fuse.Request }

func (v *fuseVerb) use(keys.Key) {}

func (v *fuseVerb) extension() string { return ".run" }

func (v *fuseVerb) survey(ctx context.Context, partRows int64, shards int) (*cut, error) {
	rows, bytes, err := fuse.Rows(ctx, v.Request)
	if err != nil {
		return nil, err
	}
	return newCut(rows, 1, bytes, fusePartBytes, partRows, shards, fusePartsMax), nil
}

func (v *fuseVerb) parts(ctx context.Context, _ *cut, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	for _, r := range ranges {
		report, err := fuse.Part(ctx, v.Request, r, name(r))
		if err != nil {
			return err
		}
		if err := done(r, report); err != nil {
			return err
		}
	}
	return nil
}

func (v *fuseVerb) join(ctx context.Context, _ *cut, files []string) (*job.Report, error) {
	report, err := fuse.Join(ctx, v.Request, files)
	if err == nil {
		report.Ciphertexts = 0 // those of the inputs count, which the parts have
	}
	return report, err
}

func (v *fuseVerb) whole(ctx context.Context, _ *cut) (*job.Report, error) {
	return fuse.Run(ctx, v.Request)
}

type decryptVerb struct{ decrypt.Request }

func (v *decryptVerb) use(k keys.Key) { v.Key = k }

func (v *decryptVerb) extension() string { return ".parquet" }

func (v *decryptVerb) survey(ctx context.Context, partRows int64, shards int) (*cut, error) {
	s, err := decrypt.Survey(ctx, v.Request)
	if err != nil {
		return nil, err
	}
	c := newCut(s.Rows, 1, int64(s.Columns*s.CiphertextBytes), partBytes, partRows, shards, partsMax)
	if s.Whole {
		c.PartRows = max(1, s.Rows)
	}
	c.Decrypt = s
	return c, nil
}

func (v *decryptVerb) parts(ctx context.Context, _ *cut, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	return decrypt.Parts(ctx, v.Request, ranges, name, done)
}

func (v *decryptVerb) join(ctx context.Context, c *cut, files []string) (*job.Report, error) {
	records, err := decrypt.Join(ctx, v.Request, files)
	return &job.Report{Out: v.Out, Records: records, Inputs: []job.InputReport{{File: v.In, Rows: c.Decrypt.Records}}}, err
}

func (v *decryptVerb) whole(ctx context.Context, _ *cut) (*job.Report, error) {
	return decrypt.Run(ctx, v.Request)
}

// addUp adds what was done for parts to the report of joining them.
func addUp(joined *job.Report, parts []*job.Report) *job.Report {
	sum := *joined
	for _, p := range parts {
		sum.Kernel, sum.Key = p.Kernel, p.Key
		if p.Measures != nil {
			sum.Measures = p.Measures
		}
		if p.Privacy != nil {
			sum.Privacy = p.Privacy
		}
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
