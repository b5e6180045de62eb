package analyze

import (
	"math"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Tests of an association.
const (
	// Allelic compares the frequencies of an allele, AC/AN, by Pearson's chi-square of the table of allele counts, with one
	// degree of freedom and without continuity correction.
	Allelic = "allelic"
	// Trend is the test of Cochran and Armitage of the number of alleles that a person has: 0, 1 or 2.
	Trend = "trend"
	// Logistic is Wald's test of a logistic regression on that number.
	Logistic = "logistic"
	// Welch compares two means by Welch's t test: variances may differ, and the degrees of freedom are those of
	// Satterthwaite.
	Welch = "welch"
)

// z95 is the normal quantile of 0.975.
const z95 = 1.959963984540054

// test is which columns a test reads, and what it makes of those of both groups of a stratum.
type test struct {
	columns  []string
	estimate func(cases, controls []float64) estimate
	// pooled is the frequency or mean of a group, of all strata.
	pooled func(group [][]float64) float64
}

// estimate is what one stratum tells. NaN is undefined.
type estimate struct {
	effect, se float64 // ln OR, or the difference of two means
	odds       float64 // OR
	z, df      float64 // the root of the statistic, with the sign of the effect; degrees of freedom, +Inf for a normal one
	chisq      float64 // the square of z, where that is the statistic
	// Mantel and Haenszel: what cases have more than is expected of them, and its variance.
	excess, variance float64
	table            [4]float64 // Allelic: alternative and other alleles of cases, and of controls
}

var nan = math.NaN()

func (a *Association) test() (*test, error) {
	if a.Test != Welch && a.Measure != "" {
		return nil, job.Misuse("‹test› welch compares the means of a measure.", "‹measure› without ‹test› welch")
	}
	frequency := func(group [][]float64) float64 { return sumOf(group, 0) / sumOf(group, 1) }
	switch a.Test {
	case Allelic:
		return &test{[]string{"AC_sum", "AN_sum"}, allelic, frequency}, nil
	case Trend, Logistic:
		estimate := trend
		if a.Test == Logistic {
			estimate = logistic
		}
		return &test{[]string{"AC_sum", "AN_sum", "HET_sum", "HOM_sum"}, estimate, frequency}, nil
	case Welch:
		if a.Measure == "" {
			return nil, job.Misuse("Name it: ‹measure› NAME.", "‹test› welch compares the means of a measure")
		}
		mean := func(group [][]float64) float64 {
			if len(group) == 1 {
				return group[0][1]
			}
			total := 0.0
			for _, x := range group {
				if x[0] != 0 { // nobody has no mean
					total += x[0] * x[1]
				}
			}
			return total / sumOf(group, 0)
		}
		return &test{[]string{a.Measure + "_count", a.Measure + "_mean", a.Measure + "_var"}, welch, mean}, nil
	}
	return nil, job.Misuse("Choose allelic, trend, logistic or welch.", "unknown ‹test› %s", a.Test)
}

func sumOf(group [][]float64, column int) float64 {
	total := 0.0
	for _, x := range group {
		total += x[column]
	}
	return total
}

// allelic tests the table of alternative and other alleles, given AC and AN of both groups.
func allelic(cases, controls []float64) estimate {
	a, b := cases[0], cases[1]-cases[0]
	c, d := controls[0], controls[1]-controls[0]
	e := estimate{effect: nan, se: nan, odds: nan, z: nan, chisq: nan, df: math.Inf(1), excess: nan, variance: nan, table: [4]float64{nan, nan, nan, nan}}
	if !(a >= 0 && b >= 0 && c >= 0 && d >= 0) { // sums with noise need not be a table of counts
		return e
	}
	n := cases[1] + controls[1]
	x := difference(a, d, b, c)
	e.table, e.odds = [4]float64{a, b, c, d}, a*d/(b*c)
	e.chisq = n * (x / (a + b)) * (x / (c + d)) / (a + c) / (b + d)
	e.z = math.Copysign(math.Sqrt(e.chisq), x)
	if a > 0 && b > 0 && c > 0 && d > 0 {
		e.effect, e.se = math.Log(e.odds), math.Sqrt(1/a+1/b+1/c+1/d)
	}
	e.excess, e.variance = x/n, (a+b)/n*(c+d)/n*(a+c)*(b+d)/(n-1)
	return e
}

// genotypes are the numbers of people with 0, 1 and 2 of the allele; NaN where the sums are not those of diploid people whose
// calls are whole.
func genotypes(x []float64) (n [3]float64) {
	ac, an, het, hom := x[0], x[1], x[2], x[3]
	if ref := an/2 - het - hom; ac == het+2*hom && het >= 0 && hom >= 0 && ref >= 0 && ref == math.Trunc(ref) {
		return [3]float64{ref, het, hom}
	}
	return [3]float64{nan, nan, nan}
}

// trend tests whether cases have more or fewer of an allele, by person. The effect is that of the logistic regression.
func trend(cases, controls []float64) estimate {
	r, s := genotypes(cases), genotypes(controls)
	e := logisticOf(r, s)
	people := [2]float64{r[0] + r[1] + r[2], s[0] + s[1] + s[2]}
	n := people[0] + people[1]
	alleles := r[1] + 2*r[2]               // of cases
	all := alleles + s[1] + 2*s[2]         // of everybody
	squares := r[1] + s[1] + 4*(r[2]+s[2]) // of everybody
	spread := difference(n, squares, all, all)
	x := difference(n, alleles, people[0], all)
	e.chisq = n * (x / people[0]) * (x / people[1]) / spread
	e.z = math.Copysign(math.Sqrt(e.chisq), x)
	e.excess, e.variance = x/n, people[0]/n*people[1]/n*spread/(n-1)
	return e
}

// logistic tests the slope of a logistic regression on the number of alleles.
func logistic(cases, controls []float64) estimate {
	e := logisticOf(genotypes(cases), genotypes(controls))
	e.z = e.effect / e.se
	e.chisq = e.z * e.z
	return e
}

// logisticOf fits ln(p/(1-p)) = α + β·g, of r cases and s controls with g alleles, by Newton's method. Data that a threshold
// separates have no estimate.
func logisticOf(r, s [3]float64) estimate {
	e := estimate{effect: nan, se: nan, odds: nan, z: nan, chisq: nan, df: math.Inf(1), excess: nan, variance: nan}
	cases, controls := r[0]+r[1]+r[2], s[0]+s[1]+s[2]
	if !(cases > 0 && controls > 0) {
		return e
	}
	alpha, beta := math.Log(cases/controls), 0.0
	for range 60 {
		var g0, g1, h0, h1, h2 float64
		for i := range 3 {
			x := float64(i)
			p := 1 / (1 + math.Exp(-alpha-beta*x))
			n := r[i] + s[i]
			w := n * p * (1 - p)
			g0, g1 = g0+r[i]-n*p, g1+x*(r[i]-n*p)
			h0, h1, h2 = h0+w, h1+w*x, h2+w*x*x
		}
		det := h0*h2 - h1*h1
		if !(det > 1e-12*h0*h2) || math.Abs(beta) > 20 {
			return e
		}
		da, db := (h2*g0-h1*g1)/det, (h0*g1-h1*g0)/det
		alpha, beta = alpha+da, beta+db
		if math.Abs(db) <= 1e-13*(1+math.Abs(beta)) && math.Abs(da) <= 1e-13*(1+math.Abs(alpha)) {
			e.effect, e.se, e.odds = beta, math.Sqrt(h0/det), math.Exp(beta)
			return e
		}
	}
	return e
}

// welch tests means, given count, mean and variance of both groups.
func welch(cases, controls []float64) estimate {
	n1, m1, v1 := cases[0], cases[1], cases[2]
	n2, m2, v2 := controls[0], controls[1], controls[2]
	s1, s2 := v1/n1, v2/n2
	e := estimate{effect: m1 - m2, se: math.Sqrt(s1 + s2), odds: nan, excess: nan, variance: nan}
	e.z = e.effect / e.se
	e.df = (s1 + s2) * (s1 + s2) / (s1*s1/(n1-1) + s2*s2/(n2-1))
	if e.se == 0 {
		e.se = nan
	}
	return e
}

// difference is a·d - b·c with little loss when the two are nearly equal (Kahan; see Jeannerod, Louvet and Muller, 2013).
func difference(a, d, b, c float64) float64 {
	w := b * c
	e := math.FMA(-b, c, w)
	return math.FMA(a, d, -w) + e
}
