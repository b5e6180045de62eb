package job

import (
	"slices"

	"github.com/cipherfold/cipherfold/io/ctfile"
)

// forIDs returns the preparation of a reference list of the ids: they are written in it as in the source, under the names
// that the table has.
func (x *preparer) forIDs() *preparer {
	y := &preparer{key: x.key, duplicates: DuplicatesRefuse}
	for _, c := range x.ids {
		c.fields = slices.Clone(c.fields)
		for i := range c.fields {
			c.fields[i].column = c.fields[i].name
		}
		y.ids = append(y.ids, c)
	}
	return y
}

// plain says whether nothing is to be done.
func (x *preparer) plain() bool {
	return len(x.ordered) == 0 && !x.gathers() && x.key == nil && !slices.ContainsFunc(x.ids, func(c idColumn) bool { return !c.plain() })
}

// steps is the preparation of the whole table, for its footer.
func (s source) steps(measures []Measure) []ctfile.Step {
	var out []ctfile.Step
	if s.prep != nil {
		out = s.prep.steps(measures)
	}
	return append(out, s.vcf.steps(s.files)...)
}

// filled returns how many missing values were filled in the last pass, by measure.
func (s source) filled() map[string]int64 {
	if s.prep == nil {
		return nil
	}
	return s.prep.filled()
}

// sampleStep is the step that says under which key the tokens of a table's samples are.
const sampleStep = "samples"

// samplesCheck returns the check value of the key of a table's sample tokens, if it has any.
func samplesCheck(t *ctfile.Table) (string, bool) {
	i := slices.IndexFunc(t.Preparation, func(s ctfile.Step) bool { return s.On == "" && s.Step == sampleStep })
	if i < 0 {
		return "", false
	}
	return t.Preparation[i].Value, true
}
