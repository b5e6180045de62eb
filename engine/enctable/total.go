package enctable

import (
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// CheckTuples refuses a layout that the format allows but of which the total cannot be read (codec.Total): the slots of a
// tuple must follow each other from bit 0 on, in the order of the measures, in ciphertexts of their own and without gaps.
func CheckTuples(t *ctfile.Table) error {
	type tuple struct {
		first ctfile.Measure
		width int
	}
	var tuples []*tuple
	taken := map[string]bool{}
	for _, m := range t.Measures {
		i := slices.IndexFunc(tuples, func(x *tuple) bool { return slices.Equal(x.first.Given, m.Given) })
		if i < 0 {
			i = len(tuples)
			tuples = append(tuples, &tuple{first: m})
			for _, name := range m.InColumns {
				if taken[name] {
					return fmt.Errorf("column %s holds values of several measures", column.Quote(name))
				}
				taken[name] = true
			}
		}
		x := tuples[i]
		if m.Offset != x.width || m.Slots != x.first.Slots || m.Stride != x.first.Stride || !slices.Equal(m.InColumns, x.first.InColumns) {
			return fmt.Errorf("the slots of %s are not where the order of the measures puts them", column.Quote(m.Name))
		}
		x.width += m.Width
	}
	for _, x := range tuples {
		if x.width != x.first.Stride {
			return fmt.Errorf("the slots of %s have gaps", column.Quote(x.first.Name))
		}
	}
	return nil
}
