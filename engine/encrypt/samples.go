package encrypt

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// sampleTokens makes the tokens of the samples that VCF files are read for, and refuses a sample that another owner's table
// has.
func (e *Request) sampleTokens(ctx context.Context, src dataset.Source) ([]string, error) {
	if !e.TokenSamples && len(e.DisjointFrom) == 0 {
		return nil, nil
	}
	key := src.Prep.Key
	others := map[string]string{} // the table that each token is in
	for _, pattern := range e.DisjointFrom {
		files, err := e.FS.List(ctx, pattern)
		if err != nil {
			return nil, err
		}
		if err := job.CheckOutput(ctx, e.FS, e.Out, files); err != nil {
			return nil, err
		}
		for _, file := range files {
			t, _, err := enctable.ReadFooter(ctx, e.Options, file)
			if err != nil {
				return nil, err
			}
			check, ok := ids.SampleTokenCheck(t)
			if !ok {
				return nil, column.Refuse(file, "the table has no tokens of its samples").WithHint("Its owner must encrypt with ‹token_samples›.")
			}
			if check != key.Check() {
				return nil, column.Refuse(file, "the tokens of its samples are under another key").WithHint("All owners must use the same ‹token_key›.")
			}
			for _, s := range t.Samples {
				others[s] = file
			}
		}
	}
	all := map[string]bool{}
	tokens := key.Samples()
	for _, file := range src.Files {
		if !vcfio.IsVCF(file) {
			return nil, column.Refuse(file, "not a VCF file: it has no samples to compare").WithHint("‹token_samples› and ‹disjoint_from› are for VCF files.")
		}
		r, err := src.Vcf.Open(ctx, e.FS, file, column.ReadOptions{Columns: []string{"chrom"}})
		if err != nil {
			return nil, err
		}
		v := r.(*vcfio.Reader)
		for _, name := range v.Samples() {
			token := tokens.Of(name)
			if other, ok := others[token]; ok {
				r.Close()
				return nil, column.Refuse(file, "duplicate sample: %s is in %s too", column.Quote(name), other).AtLine(v.HeaderLine()).InColumn(name).
					WithHint("Every person counts once. Agree on who counts the sample, and leave it out here by ‹samples›.")
			}
			all[token] = true
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	if !e.TokenSamples {
		return nil, nil
	}
	out := make([]string, 0, len(all))
	for token := range all {
		out = append(out, token)
	}
	slices.Sort(out)
	return out, nil
}
