package inspect

import (
	"context"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// EstimateKey measures what one core of this machine does with keys of a variant and size, in about two seconds.
func EstimateKey(ctx context.Context, kernel, variant string, bits int) (*Estimate, error) {
	return estimate(ctx, kernel, paillier.Variant(variant), bits)
}
