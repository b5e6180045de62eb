package job

import (
	"context"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// TableSurvey is what matters of an encrypted table to whoever plans to fuse or open it.
type TableSurvey struct {
	Name            string    `json:"name"`
	Key             KeyReport `json:"key"`
	Layout          string    `json:"layout"`
	Records         int64     `json:"records"`
	Rows            int64     `json:"rows"`    // of the file: records or blocks
	Columns         int       `json:"columns"` // of ciphertexts
	CiphertextBytes int       `json:"ciphertext_bytes"`
	AddsUsed        int64     `json:"adds_used"` // times the weight that the fusion gives it
	MaxAdds         int64     `json:"max_adds"`
}

// SurveyFusion checks a fusion as far as the inputs' footers tell, and returns what they say.
func SurveyFusion(ctx context.Context, u Fusion) ([]TableSurvey, error) {
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	var out []TableSurvey
	for _, in := range f.inputs {
		t := in.table
		out = append(out, TableSurvey{
			Name: in.file, Key: keyReport(f.pk), Layout: t.Layout, Records: t.Rows, Rows: t.FileRows(), Columns: len(t.Columns),
			CiphertextBytes: f.pk.CiphertextSize(), AddsUsed: in.adds(), MaxAdds: t.MaxAdds,
		})
	}
	return out, nil
}

// EstimateKey measures what one core of this machine does with keys of a variant and size, in about two seconds.
func EstimateKey(ctx context.Context, kernel, variant string, bits int) (*Estimate, error) {
	return estimate(ctx, kernel, paillier.Variant(variant), bits)
}
