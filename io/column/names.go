package column

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// CheckNames returns an InputError when two of a file's columns have the same name, because a name must identify a
// column.
func CheckNames(file string, names []string) error {
	first := make(map[string]int, len(names))
	for i, name := range names {
		if j, ok := first[name]; ok {
			return duplicateName(file, name, j, i)
		}
		first[name] = i
	}
	return nil
}

// duplicateName refuses that columns i and j have one name.
func duplicateName(file, name string, i, j int) *InputError {
	return Refuse(file, "%w: columns %d and %d are both called %s", ErrDuplicateColumn, i+1, j+1, Quote(name)).
		InColumn(name).WithHint("Rename or drop one of them.")
}

// Names returns the names of a schema's columns, in order.
func Names(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	for i := range names {
		names[i] = schema.Field(i).Name
	}
	return names
}

// IndexNames returns the index of each name, of the first where a name comes twice.
func IndexNames(names []string) map[string]int {
	at := make(map[string]int, len(names))
	for i, name := range names {
		if _, ok := at[name]; !ok {
			at[name] = i
		}
	}
	return at
}

// SameColumns says whether two schemas have columns of the same names and types
// in the same order. Whether these are nullable, and metadata, may differ.
func SameColumns(a, b *arrow.Schema) bool {
	if a == b {
		return true
	}
	if a.NumFields() != b.NumFields() {
		return false
	}
	for i := range a.NumFields() {
		if a.Field(i).Name != b.Field(i).Name || !arrow.TypeEqual(a.Field(i).Type, b.Field(i).Type) {
			return false
		}
	}
	return true
}

// MissingColumn returns the InputError for a column that a file lacks, with
// the nearest of the names that it has as a hint.
func MissingColumn(file, name string, have []string) *InputError {
	e := Refuse(file, "%w: %s", ErrMissingColumn, Quote(name))
	if near, ok := Nearest(name, have); ok {
		return e.WithHint("Did you mean %s?", Quote(near))
	}
	if len(have) == 0 {
		return e.WithHint("The file has no columns.")
	}
	const listed = 12
	var quoted []string
	for _, h := range have[:min(len(have), listed)] {
		quoted = append(quoted, Quote(h))
	}
	more := ""
	if len(have) > listed {
		more = ", ..."
	}
	return e.WithHint("The file has %s%s.", strings.Join(quoted, ", "), more)
}

// Select returns the indices in have of the wanted names, in the order wanted;
// all of them when none are wanted. It refuses a name that have lacks, a name
// wanted twice, and names that have holds twice, if they are wanted.
func Select(file string, have, wanted []string) ([]int, error) {
	if len(wanted) == 0 {
		all := make([]int, len(have))
		for i := range all {
			all[i] = i
		}
		return all, CheckNames(file, have)
	}
	at, twice := make(map[string]int, len(have)), make(map[string]int)
	for i, name := range have {
		if _, ok := at[name]; !ok {
			at[name] = i
		} else if _, ok := twice[name]; !ok {
			twice[name] = i
		}
	}
	out := make([]int, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for k, name := range wanted {
		i, ok := at[name]
		if !ok {
			return nil, MissingColumn(file, name, have)
		}
		if j, ok := twice[name]; ok {
			return nil, duplicateName(file, name, i, j)
		}
		if taken[name] {
			return nil, Refuse(file, "%w: %s is asked for twice", ErrDuplicateColumn, Quote(name)).InColumn(name).
				WithHint("Name each column once.")
		}
		taken[name] = true
		out[k] = i
	}
	return out, nil
}

// Nearest returns the name in have that was most likely meant: equal except for case and surrounding space, or few
// enough typing errors away.
func Nearest(name string, have []string) (string, bool) {
	want := []rune(strings.ToLower(strings.TrimSpace(name)))
	if len(want) > nearestRunesMax {
		return "", false
	}
	best, bestDistance := "", len(want)/3+2 // one error is allowed in any name, one more for every three letters
	if len(want) <= 1 {
		bestDistance = 1
	}
	for _, h := range have {
		r := []rune(strings.ToLower(strings.TrimSpace(h)))
		if len(r) > nearestRunesMax {
			continue
		}
		if d := typingDistance(want, r); d < bestDistance {
			best, bestDistance = h, d
		}
	}
	return best, best != ""
}

// nearestRunesMax bounds the names compared, as the comparison is quadratic.
const nearestRunesMax = 200

// typingDistance is the number of insertions, deletions, substitutions and
// swaps of neighbours from a to b (optimal string alignment).
func typingDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// ProjectSchema returns the schema of the fields at the given indices, in that order, with the metadata of schema.
func ProjectSchema(schema *arrow.Schema, at []int) *arrow.Schema {
	fields := make([]arrow.Field, len(at))
	for k, i := range at {
		fields[k] = schema.Field(i)
	}
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta)
}
