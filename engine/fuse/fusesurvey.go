package fuse

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Survey checks a fusion as far as the inputs' footers tell, and returns what they say.
func Survey(ctx context.Context, u Request) ([]job.TableSurvey, error) {
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	var out []job.TableSurvey
	for _, in := range f.inputs {
		t := in.Table
		out = append(out, job.TableSurvey{
			Name: in.File, Key: job.DescribeKey(f.pk), Layout: t.Layout, Records: t.Rows, Rows: t.FileRows(), Columns: len(t.Columns),
			CiphertextBytes: f.pk.CiphertextSize(), AddsUsed: in.Adds(), MaxAdds: t.MaxAdds,
		})
	}
	return out, nil
}
