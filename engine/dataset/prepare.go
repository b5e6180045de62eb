package dataset

import (
	"slices"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// ForIDs returns the preparation of a reference list of the ids: they are written in it as in the source, under the names
// that the table has.
func (x *preparer) ForIDs() *preparer {
	y := &preparer{Key: x.Key, duplicates: slots.DuplicatesRefuse}
	for _, c := range x.Ids {
		c.Fields = slices.Clone(c.Fields)
		for i := range c.Fields {
			c.Fields[i].Column = c.Fields[i].Name
		}
		y.Ids = append(y.Ids, c)
	}
	return y
}

// plain says whether nothing is to be done.
func (x *preparer) plain() bool {
	return len(x.ordered) == 0 && !x.materializes() && x.Key == nil && !slices.ContainsFunc(x.Ids, func(c ids.Column) bool { return !c.Plain() })
}

// Steps is the preparation of the whole table, for its footer.
func (s Source) Steps(measures []slots.Measure) []ctfile.Step {
	var out []ctfile.Step
	if s.Prep != nil {
		out = s.Prep.steps(measures)
	}
	return append(out, s.Vcf.steps(s.Files)...)
}

// Filled returns how many missing values were filled in the last pass, by measure.
func (s Source) Filled() map[string]int64 {
	if s.Prep == nil {
		return nil
	}
	return s.Prep.filled()
}
