package analyze

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/stats"
)

// result is a row: what the strata of one id tell together. What depends on the other ids is NaN.
func (c *comparison) result(cases, controls [][]float64) []float64 {
	row := []float64{c.test.pooled(cases), c.test.pooled(controls)}
	all := make([]estimate, len(cases))
	for s := range cases {
		all[s] = c.test.estimate(cases[s], controls[s])
	}
	one := all[0]
	var heterogeneity []float64
	if c.several() {
		one, heterogeneity = c.combine(all)
	}
	effect, low, high := one.odds, math.Exp(one.effect-z95*one.se), math.Exp(one.effect+z95*one.se)
	if c.Test == Welch {
		effect = one.effect
		low, high = effect-quantile95(one.df)*one.se, effect+quantile95(one.df)*one.se
	}
	row = append(row, effect, one.se, low, high)
	if c.Test == Welch && !c.several() {
		row = append(row, one.z, one.df)
	} else {
		row = append(row, one.chisq)
	}
	row = append(row, tail(one.z, one.df, c.Alternative))
	if c.Test == Allelic && !c.several() {
		row = append(row, fisher(one.table, c.Alternative))
	}
	return append(append(row, nan, nan, twoSided(one)), heterogeneity...)
}

// twoSided is the two-sided P value, from which genomic control goes; see adjust.
func twoSided(e estimate) float64 { return tail(e.z, e.df, TwoSided) }

// combine combines strata: by weights inverse to variances, or as Mantel and Haenszel do. With it come the number of strata
// that were combined, and Cochran's Q of the strata's effects, its P, and I², the share of Q beyond chance.
func (c *comparison) combine(all []estimate) (one estimate, heterogeneity []float64) {
	one = estimate{effect: nan, se: nan, odds: nan, z: nan, chisq: nan, df: math.Inf(1)}
	var weights, effects, squares, strata float64
	for _, e := range all {
		if w := 1 / (e.se * e.se); w > 0 && !math.IsInf(w, 0) && !math.IsNaN(e.effect) {
			weights, effects, squares, strata = weights+w, effects+w*e.effect, squares+w*e.effect*e.effect, strata+1
		}
	}
	q, p, i2 := nan, nan, nan
	if strata > 0 {
		one.effect, one.se = effects/weights, 1/math.Sqrt(weights)
		one.z, one.odds = one.effect/one.se, math.Exp(one.effect)
		one.chisq = one.z * one.z
	}
	if strata > 1 {
		q = max(0, squares-effects*effects/weights)
		p, i2 = mathext.GammaIncRegComp((strata-1)/2, q/2), max(0, 1-(strata-1)/q)
		if q == 0 {
			i2 = 0
		}
	}
	if c.Combine == MantelHaenszel {
		strata = mantelHaenszel(&one, all)
		if c.Test == Allelic {
			mantelHaenszelOdds(&one, all)
		}
	}
	return one, []float64{strata, q, p, i2}
}

// mantelHaenszel sets the root of the statistic: (Σ excess)²/Σ variance, without continuity correction.
func mantelHaenszel(one *estimate, all []estimate) (strata float64) {
	var excess, variance float64
	for _, e := range all {
		if e.variance > 0 {
			excess, variance, strata = excess+e.excess, variance+e.variance, strata+1
		}
	}
	one.z, one.chisq = excess/math.Sqrt(variance), excess*excess/variance
	return strata
}

// mantelHaenszelOdds sets the common odds ratio and the standard error of its logarithm (Robins, Breslow and Greenland, 1986).
func mantelHaenszelOdds(one *estimate, all []estimate) {
	var r, s, pr, psqr, qs float64
	for _, e := range all {
		a, b, c, d := e.table[0], e.table[1], e.table[2], e.table[3]
		n := a + b + c + d
		if !(n > 0) {
			continue
		}
		ri, si, pi, qi := a*d/n, b*c/n, (a+d)/n, (b+c)/n
		r, s = r+ri, s+si
		pr, psqr, qs = pr+pi*ri, psqr+pi*si+qi*ri, qs+qi*si
	}
	one.odds = r / s
	one.effect = math.Log(one.odds)
	one.se = math.Sqrt(pr/(2*r*r) + psqr/(2*r*s) + qs/(2*s*s))
	if r == 0 || s == 0 {
		one.effect, one.se = nan, nan
	}
}

// tail is the probability of a statistic as far out as t, in both directions or in one, under Student's distribution or, with
// df +Inf, the normal one.
func tail(t, df float64, alternative string) float64 {
	var both float64
	if math.IsInf(df, 1) {
		switch both = math.Erfc(math.Abs(t) / math.Sqrt2); alternative {
		case Greater:
			return math.Erfc(t/math.Sqrt2) / 2
		case Less:
			return math.Erfc(-t/math.Sqrt2) / 2
		}
		return both
	}
	both = stats.StudentP(t, df)
	if alternative == TwoSided {
		return both
	}
	if t > 0 == (alternative == Greater) {
		return both / 2
	}
	return 1 - both/2
}

// quantile95 is the t that |T| exceeds with a probability of 0.05.
func quantile95(df float64) float64 {
	switch {
	case math.IsInf(df, 1):
		return z95
	case !(df > 0):
		return nan
	}
	x := mathext.InvRegIncBeta(df/2, 0.5, 0.05)
	return math.Sqrt(df * (1 - x) / x)
}

// exactBelow is the least expected count from which on chi-square needs no exact test (Cochran, 1954).
const exactBelow = 5

// fisher is the P value of Fisher's exact test of a table where a count of less than exactBelow is expected; NaN elsewhere.
// Two-sided, it is the probability of all tables that are no likelier than the one there is, within a relative 1e-7.
func fisher(table [4]float64, alternative string) float64 {
	a, rows, columns := table[0], table[0]+table[1], table[0]+table[2]
	n := rows + table[2] + table[3]
	least := min(rows, n-rows) * min(columns, n-columns) / n
	if !(least < exactBelow && n > 0) || a != math.Trunc(a) || rows != math.Trunc(rows) || columns != math.Trunc(columns) {
		return nan
	}
	low, high := max(0, rows+columns-n), min(rows, columns)
	mode := min(high, max(low, math.Floor((rows+1)*(columns+1)/(n+2))))
	weights := make([]float64, int(high-low)+1) // of the tables, that of the mode is 1
	at := int(mode - low)
	weights[at] = 1
	for i := at + 1; i < len(weights); i++ {
		k := low + float64(i) - 1
		weights[i] = weights[i-1] * (rows - k) / (k + 1) * (columns - k) / (n - rows - columns + k + 1)
	}
	for i := at - 1; i >= 0; i-- {
		k := low + float64(i)
		weights[i] = weights[i+1] * (k + 1) / (rows - k) * (n - rows - columns + k + 1) / (columns - k)
	}
	here := int(a - low)
	var all, out float64
	for i, w := range weights {
		all += w
		switch {
		case alternative == Greater && i >= here, alternative == Less && i <= here, alternative == TwoSided && w <= weights[here]*(1+1e-7):
			out += w
		}
	}
	return min(1, out/all)
}

// medianChiSquare is the median of the chi-square distribution with one degree of freedom.
const medianChiSquare = 0.4549364231195725

// chiSquareOf is the statistic, with one degree of freedom, of which p is the two-sided probability.
func chiSquareOf(p float64) float64 {
	z := mathext.NormalQuantile(p / 2)
	return z * z
}

// compareP orders P values, null ones last.
func compareP(a, b float64) int {
	if x, y := math.IsNaN(a), math.IsNaN(b); x || y {
		return cmp.Compare(b2i(x), b2i(y))
	}
	return cmp.Compare(a, b)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// adjust fills in what depends on all ids: P_BONF and P_BH, and P_GC, in which the two-sided P stood before. Lambda is the
// median statistic divided by the one that is expected. Statistics are divided by it if it is above 1 (Devlin and Roeder, 1999).
func (c *comparison) adjust() *job.AssociationReport {
	names := c.names()
	p, bonferroni, bh, gc := slices.Index(names, "P"), slices.Index(names, "P_BONF"), slices.Index(names, "P_BH"), slices.Index(names, "P_GC")
	report := &job.AssociationReport{Test: c.Test, Alternative: c.Alternative}
	if c.several() {
		report.Combine = c.Combine
	}
	var tested []int
	for i, row := range c.results {
		if !math.IsNaN(row[p]) {
			tested = append(tested, i)
		}
	}
	report.Tests = int64(len(tested))
	if len(tested) == 0 {
		return report
	}
	both := make([]float64, len(tested))
	for j, i := range tested {
		both[j] = c.results[i][gc]
	}
	slices.Sort(both)
	half := len(both) / 2
	median := chiSquareOf(both[half])
	if len(both)%2 == 0 {
		median = (median + chiSquareOf(both[half-1])) / 2
	}
	report.Lambda = median / medianChiSquare
	slices.SortStableFunc(tested, func(x, y int) int { return compareP(c.results[x][p], c.results[y][p]) })
	n := float64(len(tested))
	least := 1.0
	for j := len(tested) - 1; j >= 0; j-- {
		row := c.results[tested[j]]
		row[bonferroni] = min(1, n*row[p])
		least = min(least, row[p]*n/float64(j+1))
		row[bh] = least
		if row[bonferroni] < 0.05 {
			report.Significant++
		}
		if report.Lambda > 1 && row[gc] > 0 {
			row[gc] = math.Erfc(math.Sqrt(chiSquareOf(row[gc]) / report.Lambda / 2))
		}
	}
	report.Least = c.results[tested[0]][p]
	return report
}
