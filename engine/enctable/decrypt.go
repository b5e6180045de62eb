package enctable

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// TupleWidths returns the slot widths of the tuple that each column of a blocks table holds.
func TupleWidths(t *ctfile.Table) []codec.Tuple {
	out := make([]codec.Tuple, len(t.Columns))
	for _, m := range t.Measures {
		for _, name := range m.InColumns {
			c := slices.Index(t.Columns, name)
			out[c] = append(out[c], m.Width)
		}
	}
	return out
}

// RefuseCiphertext gives a kernel's error about the i-th ciphertext of a batch its place.
func RefuseCiphertext(b column.Batch, name string, err error) error {
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return b.Refuse(bad.Index, name, "invalid ciphertext: %s", bad.Reason).
			WithHint("The file was changed after it was written, or made by other software.")
	}
	return fmt.Errorf("column %s: %w", name, err)
}
