package stats

import (
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// ratioHint says how to write a ratio.
const ratioHint = "Write NAME=A/B with two measures of the table, such as AF=AC/AN."

// Ratios makes a column of each NAME=A/B: the sum of A divided by the sum of B, null where that of B is 0. Frequencies of
// alleles are such (AF=AC/AN), and means weighted by weights that were encrypted themselves.
func Ratios(file string, t *ctfile.Table, specs []string, others []Statistic) ([]Statistic, error) {
	var out []Statistic
	taken := map[string]bool{}
	if len(specs) > 0 {
		for _, s := range others {
			taken[s.name] = true
		}
		for _, name := range t.IDs {
			taken[name] = true
		}
	}
	find := ratioMeasures(t)
	for _, spec := range specs {
		name, quotient, ok := strings.Cut(spec, "=")
		if !ok || name == "" {
			return nil, job.Misuse(ratioHint, "ratio %s is not NAME=A/B", column.Quote(spec))
		}
		a, b, err := halves(file, t, find, spec, quotient)
		if err != nil {
			return nil, err
		}
		if taken[name] {
			return nil, job.Misuse("Choose another name.", "ratio %s: the result has a column of this name already", column.Quote(spec))
		}
		taken[name] = true
		x, y := t.Measures[a], t.Measures[b]
		up, down := codec.ExactPowerOfTen(max(0, y.Decimals-x.Decimals)), codec.ExactPowerOfTen(max(0, x.Decimals-y.Decimals))
		ratio := double(name, func(sum func(int) codec.Int) (float64, bool) {
			divisor := codec.ExactOf(sum(b))
			if divisor.Sign() == 0 {
				return 0, false
			}
			return codec.Ratio(codec.ExactOf(sum(a)).Mul(up), divisor.Mul(down)), true
		})
		out = append(out, restOn([]Statistic{ratio}, slots.CountOf(t, x), slots.CountOf(t, y))...)
	}
	return out, nil
}

// ratioMeasures finds the measures that were given, by name; -1 is none.
func ratioMeasures(t *ctfile.Table) func(name string) int {
	at := map[string]int{}
	for i, m := range t.Measures {
		if len(m.Terms) == 1 && len(m.Given) == 1 {
			at[m.Name] = i
		}
	}
	return func(name string) int {
		if i, ok := at[name]; ok {
			return i
		}
		return -1
	}
}

// halves finds the two measures of A/B, in which names may contain slashes.
func halves(file string, t *ctfile.Table, find func(string) int, spec, quotient string) (a, b int, err error) {
	found := 0
	for i := range quotient {
		if quotient[i] != '/' {
			continue
		}
		if x, y := find(quotient[:i]), find(quotient[i+1:]); x >= 0 && y >= 0 {
			a, b, found = x, y, found+1
		}
	}
	switch {
	case found > 1:
		return 0, 0, job.Misuse(ratioHint, "ratio %s can be read in two ways", column.Quote(spec))
	case found == 1:
		return a, b, nil
	}
	x, y, ok := strings.Cut(quotient, "/")
	if !ok {
		return 0, 0, job.Misuse(ratioHint, "ratio %s is not NAME=A/B", column.Quote(spec))
	}
	var have []string
	for _, m := range slots.BaseMeasures(t) {
		have = append(have, m.Name)
	}
	if find(x) >= 0 {
		x = y
	}
	return 0, 0, column.MissingColumn(file, x, have)
}
