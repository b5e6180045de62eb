package inspect

import (
	"context"
	"errors"
	"os"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	codecvectors "github.com/cipherfold/cipherfold/kernels/codec/vectors"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/paillier/vectors"
)

// SelftestReport says what was checked.
type SelftestReport struct {
	Kernels []string       `json:"kernels"`
	Files   []SelftestFile `json:"files"`
	Entries int            `json:"entries"`
}

// SelftestFile is one file of known answers.
type SelftestFile struct {
	File       string         `json:"file"`
	Checked    map[string]int `json:"checked"`
	NotChecked []string       `json:"not_checked,omitempty"`
}

// Selftest checks known answers with every kernel that this machine can run, or the one that is asked for: the built-in
// ones, and files of the format paillier-vectors-1. A wrong answer is an *column.InputError that names file and entry.
func Selftest(ctx context.Context, o job.Options, files []string) (*SelftestReport, error) {
	o = o.WithDefaults()
	r := &SelftestReport{}
	for _, k := range paillier.Kernels() {
		if k.Available && (o.Kernel == "" || o.Kernel == k.Name) {
			r.Kernels = append(r.Kernels, k.Name)
		}
	}
	if len(r.Kernels) == 0 {
		return nil, job.NoKernel(o.Kernel)
	}
	for _, b := range vectors.BuiltIn() {
		if err := r.check(ctx, b.Name, b.Data); err != nil {
			return nil, err
		}
	}
	for _, pattern := range files {
		names, err := o.FS.List(ctx, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			if err := r.check(ctx, name, data); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// refuseAnswers distinguishes a wrong answer from a file without answers.
func refuseAnswers(name, kernel string, err error) error {
	var e *vectors.Error
	if errors.As(err, &e) {
		place := *e
		place.File = "not a file of known answers"
		if e.Section == "" {
			return column.Refuse(name, "%w", &place).WithHint("Give files of the format %s.", vectors.Format)
		}
		place.File = "wrong with kernel " + kernel
		err = &place
	}
	return column.Refuse(name, "%w", err).
		WithHint("Either the file was changed, or this program is wrong on this machine: do not use it until this is understood.")
}

func (r *SelftestReport) check(ctx context.Context, name string, data []byte) error {
	f := SelftestFile{File: name}
	for _, kernel := range r.Kernels {
		if err := ctx.Err(); err != nil {
			return err
		}
		report, err := vectors.Check(name, data, kernel)
		f.Checked, f.NotChecked = report.Checked, report.NotChecked
		if errors.Is(err, vectors.ErrEncodingFile) {
			f.Checked, err = codecvectors.Check(data)
		}
		if err != nil {
			return refuseAnswers(name, kernel, err)
		}
	}
	for _, n := range f.Checked {
		r.Entries += n
	}
	r.Files = append(r.Files, f)
	return nil
}
