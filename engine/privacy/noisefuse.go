package privacy

import (
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// OnQuantity returns the noise on a quantity, or nil.
func OnQuantity(n *ctfile.Noise, name string) *ctfile.NoisyQuantity {
	for i := range n.Quantities {
		if n.Quantities[i].Name == name {
			return &n.Quantities[i]
		}
	}
	return nil
}
