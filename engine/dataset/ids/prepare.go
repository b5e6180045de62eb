package ids

import (
	"slices"

	"github.com/cipherfold/cipherfold/io/ctfile"
)

// SampleStep is the step that says under which key the tokens of a table's samples are.
const SampleStep = "samples"

// SampleTokenCheck returns the check value of the key of a table's sample tokens, if it has any.
func SampleTokenCheck(t *ctfile.Table) (string, bool) {
	i := slices.IndexFunc(t.Preparation, func(s ctfile.Step) bool { return s.On == "" && s.Step == SampleStep })
	if i < 0 {
		return "", false
	}
	return t.Preparation[i].Value, true
}
