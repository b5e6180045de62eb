package slots

import (
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

// statisticNames lists the columns of a result in order: NAME_sum, NAME_count, NAME_mean and, with a square, NAME_var for
// every measure, then A_B_cov and A_B_cor for every product.
func statisticNames(measures []Measure, squares []string, products [][2]string) []string {
	var out []string
	squared := map[string]bool{}
	for _, name := range squares {
		squared[name] = true
	}
	for _, m := range measures {
		out = append(out, m.Name+"_sum", m.Name+"_count", m.Name+"_mean")
		if squared[m.Name] {
			out = append(out, m.Name+"_var")
		}
	}
	for _, p := range products {
		out = append(out, p[0]+"_"+p[1]+"_cov", p[0]+"_"+p[1]+"_cor")
	}
	return out
}

// CheckResultNames refuses names that would make two columns of the result the same.
func CheckResultNames(ids []string, measures []Measure, squares []string, products [][2]string) error {
	seen := map[string]bool{}
	for _, name := range append(slices.Clone(ids), statisticNames(measures, squares, products)...) {
		if seen[name] {
			return job.Misuse("Rename one of the columns.", "two columns of the result would both be called %s", column.Quote(name))
		}
		seen[name] = true
	}
	return nil
}
