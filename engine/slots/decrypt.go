package slots

import (
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Exceeds reports |v| > limit.
func Exceeds(v codec.Int, limit codec.Bound) bool {
	a := v.Abs()
	return codec.Bound{a.LowBits(), uint64(a.HighBits())}.Cmp(limit) > 0
}

// BaseMeasures lists the measures that were given, without squares, products and counts.
func BaseMeasures(t *ctfile.Table) []ctfile.Measure {
	var out []ctfile.Measure
	for _, m := range t.Measures {
		if len(m.Terms) == 1 && len(m.Given) == 1 {
			out = append(out, m)
		}
	}
	return out
}
