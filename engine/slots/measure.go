// Package slots places measures in plaintext slots. It reads measures, scales values to exact integers, and decides
// which quantity is in which slot of which ciphertext, so that no sum can leave its slot.
package slots

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// A Measure is a column of numbers to encrypt.
type Measure struct {
	Name     string
	Decimals int   // a value times 10^Decimals is an integer
	Bound    int64 // and at most this in magnitude; 0: a first pass over the source finds it
	Prepare  Preparation
}

// AllColumns is the name that means every column that is not an id.
const AllColumns = "*"

// ParseMeasure reads NAME[:decimals=D][:max=M] and further settings (Preparation), in any order. M bounds the prepared value:
// |value| <= M.
func ParseMeasure(spec string) (Measure, error) {
	const hint = MeasureHint
	m := Measure{Name: spec}
	given := map[string]bool{}
	var max string
	for {
		i := strings.LastIndexByte(m.Name, ':')
		if i < 0 {
			break
		}
		key, value, ok := strings.Cut(m.Name[i+1:], "=")
		if !slices.Contains(Settings, key) || !ok && !slices.Contains(bare, key) {
			if near, likely := column.Nearest(key, Settings); ok && likely {
				return Measure{}, job.Misuse(hint, "measure %s: unknown setting %q; did you mean %q?", column.Quote(spec), key, near)
			}
			break // a colon of the name itself
		}
		if given[key] {
			return Measure{}, job.Misuse(hint, "measure %s: %s is given twice", column.Quote(spec), key)
		}
		given[key] = true
		if key != "max" && key != "decimals" {
			if err := m.Prepare.set(key, value, ok); err != nil {
				return Measure{}, job.Misuse(hint, "measure %s: %s %v", column.Quote(spec), m.Name[i+1:], err)
			}
		} else if key == "max" {
			max = value
			if value == "" {
				return Measure{}, job.Misuse(hint, "measure %s: max is empty", column.Quote(spec))
			}
		} else if n, err := strconv.Atoi(value); err != nil || n < 0 || n > codec.MaxDecimals {
			return Measure{}, job.Misuse(hint, "measure %s: decimals=%s is not a number from 0 to %d", column.Quote(spec), value, codec.MaxDecimals)
		} else {
			m.Decimals = n
		}
		m.Name = m.Name[:i]
	}
	if m.Name == "" {
		return Measure{}, job.Misuse(hint, "measure %s has no name", column.Quote(spec))
	}
	if max != "" {
		bound, err := codec.ParseDecimal(max, m.Decimals)
		if err != nil || bound <= 0 {
			if err == nil {
				err = fmt.Errorf("must be positive")
			}
			return Measure{}, job.Misuse(hint, "measure %s: max=%s with %d decimals: %v", column.Quote(spec), max, m.Decimals, err)
		}
		m.Bound = bound
	}
	return m, nil
}

// ParseProduct reads A*B, or, when names contain asterisks, the one split whose halves are both measures.
func ParseProduct(spec string, measures []Measure) ([2]string, error) {
	var found [][2]string
	for i := range spec {
		if spec[i] != '*' {
			continue
		}
		a, b := spec[:i], spec[i+1:]
		if Has(measures, a) && Has(measures, b) {
			found = append(found, [2]string{a, b})
		}
	}
	const hint = "Write A*B with two names given as ‹measure›."
	switch {
	case len(found) == 0:
		return [2]string{}, job.Misuse(hint, "product %s is not of two measures", column.Quote(spec))
	case len(found) > 1:
		return [2]string{}, job.Misuse(hint, "product %s can be read in two ways", column.Quote(spec))
	case found[0][0] == found[0][1]:
		return [2]string{}, job.Misuse("Use ‹square› "+found[0][0]+".", "product %s is of a measure with itself", column.Quote(spec))
	}
	return found[0], nil
}

func Has(measures []Measure, name string) bool {
	return slices.ContainsFunc(measures, func(m Measure) bool { return m.Name == name })
}

// A quantity is what one slot sums: over the records in which all measures of `given` are present, the product of
// `terms`; of no terms, a count. Indices are into a list of measures.
type Quantity struct {
	Terms, Given []int
}

// Quantities lists, tuple by tuple, what must be summed. A measure needs its sum and count, with a square also the sum
// of squares. A product needs the five sums and the count that a covariance and a correlation are made of, over the
// records that have both measures. Sums over records that miss the other measure would be of another population.
func Quantities(measures []Measure, squares []string, products [][2]string) ([][]Quantity, error) {
	index := map[string]int{}
	for i, m := range measures {
		if _, ok := index[m.Name]; ok {
			return nil, job.Misuse("Give every measure once.", "measure %s is given twice", column.Quote(m.Name))
		}
		index[m.Name] = i
	}
	squared := map[int]bool{}
	for _, name := range squares {
		i, ok := index[name]
		if !ok {
			return nil, job.Misuse("Give it as ‹measure› too.", "square of %s, which is no measure", column.Quote(name))
		}
		squared[i] = true
	}
	var tuples [][]Quantity
	for i := range measures {
		g := []int{i}
		t := []Quantity{{Terms: g, Given: g}}
		if squared[i] {
			t = append(t, Quantity{Terms: []int{i, i}, Given: g})
		}
		tuples = append(tuples, append(t, Quantity{Given: g}))
	}
	seen := map[[2]int]bool{}
	for _, p := range products {
		a, b := index[p[0]], index[p[1]]
		pair := [2]int{min(a, b), max(a, b)}
		if seen[pair] {
			return nil, job.Misuse("Give every product once.", "product %s is given twice", column.Quote(p[0]+"*"+p[1]))
		}
		seen[pair] = true
		g := []int{a, b}
		tuples = append(tuples, []Quantity{
			{Terms: g, Given: g}, {Terms: []int{a}, Given: g}, {Terms: []int{b}, Given: g},
			{Terms: []int{a, a}, Given: g}, {Terms: []int{b, b}, Given: g}, {Given: g},
		})
	}
	return tuples, nil
}

// KeyOf is a text that is the same only for the same terms and given, whatever is in their names.
func KeyOf(terms, given []string) string {
	var key []byte
	for _, names := range [][]string{terms, given} {
		for _, name := range names {
			key = append(strconv.AppendInt(key, int64(len(name)), 10), ':')
			key = append(key, name...)
		}
		key = append(key, ';')
	}
	return string(key)
}

// QuantityName is unique for its terms and given: "HR", "HR*HR", "n|HR", "HR*ABP|HR&ABP", "HR|HR&ABP", "n|HR&ABP".
func QuantityName(terms, given []string) string {
	name := strings.Join(terms, "*")
	if len(terms) == 0 {
		name = "n"
	}
	if len(given) == 1 && len(terms) > 0 {
		return name
	}
	return name + "|" + strings.Join(given, "&")
}
