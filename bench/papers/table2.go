package papers

import (
	"fmt"
	"math"
	"strconv"
)

// Table2 is the paper's Table 2 done right: mean squared errors, against what, and over what.
type Table2 struct {
	Rows   []Table2Row `json:"rows"`
	Checks []Check     `json:"checks"` // of the printed numbers
}

// Table2Row is the error of one column of Table 1.
type Table2Row struct {
	Method   string  `json:"method"`
	OfSum    float64 `json:"mse_of_sum"`          // against the true sum
	OfMean   float64 `json:"mse_of_feature_mean"` // against the mean of the two sources, the feature level
	MeanAbs  float64 `json:"mean_abs_error"`      // against the true sum
	Expected float64 `json:"expected_mse"`        // theoretical, against the true sum; NaN is not written: 0 where exact, -1 where unknown
}

// unknown means an error that the paper does not allow to compute.
const unknown = -1

// table2 computes errors of the rows of Table 1.
func table2(t Table1) Table2 {
	row := func(method string, expected float64, column func(r Table1Row) string) Table2Row {
		out := Table2Row{Method: method, Expected: expected}
		for _, r := range t.Rows {
			x, err := strconv.ParseFloat(column(r), 64)
			if err != nil {
				panic(fmt.Sprintf("papers: %q in Table 1: %v", column(r), err))
			}
			sum := float64(r.Source1 + r.Source2)
			n := float64(len(t.Rows))
			out.OfSum += (x - sum) * (x - sum) / n
			out.OfMean += (x - sum/2) * (x - sum/2) / n
			out.MeanAbs += math.Abs(x-sum) / n
		}
		return out
	}
	out := Table2{Rows: []Table2Row{
		row("Paillier, as printed in Table 1", 0, func(r Table1Row) string { return strconv.FormatInt(r.Printed, 10) }),
		row("Paillier, this program", 0, func(r Table1Row) string { return r.Paillier }),
		row("differential privacy, as printed in Table 1", unknown, func(r Table1Row) string { return r.DP }),
	}}
	for i, m := range t.Mechanisms {
		out.Rows = append(out.Rows, row(fmt.Sprintf("%s, %s, this program", m.Name, m.Guarantee), m.Variance, func(r Table1Row) string { return r.Noisy[i] }))
	}
	out.Rows = append(out.Rows, row("feature level: mean of the two sources", unknown, func(r Table1Row) string {
		return strconv.FormatFloat(float64(r.Source1+r.Source2)/2, 'f', -1, 64)
	}))
	out.Checks = checkPrintedMSE(out)
	return out
}

// checkPrintedMSE compares the printed errors with Table 1 and with arithmetic.
func checkPrintedMSE(t Table2) []Check {
	paillier, _ := strconv.ParseFloat(printedMSEPaillier, 64)
	dp, _ := strconv.ParseFloat(printedMSEDP, 64)
	exact, noisy := t.Rows[0], t.Rows[2]
	granularity := 4 * len(printedTable1)
	return []Check{
		{
			fmt.Sprintf("the error of the Paillier column of Table 1 is %s", printedMSEPaillier),
			fmt.Sprintf("every number of that column is the exact sum, so it is %s", shortFloat(exact.OfSum)),
			math.Abs(exact.OfSum-paillier) < 0.0005,
		},
		{
			fmt.Sprintf("%s is a mean squared error of five rows that are integers or halves of integers (sums, sources, or means of two sources, against each other)", printedMSEPaillier),
			fmt.Sprintf("such an error is a multiple of 1/%d = 0.05; %s is none. It takes at least %d rows to give that number", granularity, printedMSEPaillier, fewestRows(paillier, 0.0005)),
			isMultiple(paillier, granularity, 0.0005),
		},
		{
			fmt.Sprintf("%s compares like with like", printedMSEPaillier),
			fmt.Sprintf("the nearest natural number is %s, the error of the sum against the mean of the two sources: a sum compared with an average, which is half as large. That is a mistake of units, made on other or more rows than are printed, and no loss of accuracy: the feature-level mean itself has the error %s against the sum",
				shortFloat(exact.OfMean), shortFloat(t.Rows[len(t.Rows)-1].OfSum)),
			false,
		},
		{
			fmt.Sprintf("the error of the differential privacy column of Table 1 is %s", printedMSEDP),
			fmt.Sprintf("it is %.6f (mean |error| %.4f, root %.3f)", noisy.OfSum, noisy.MeanAbs, math.Sqrt(noisy.OfSum)),
			math.Abs(noisy.OfSum-dp) < 0.00005,
		},
		{
			"homomorphic operations are expensive and hence less accurate (section 4.1)",
			"cost and error have nothing to do with each other: sums of integers under Paillier are exact, and numbers with D decimals are exact as integers times 10^D",
			false,
		},
		{
			"the noise of Table 1 protects anybody: ε, δ and the sensitivity are not reported",
			fmt.Sprintf("if a person changes a value by at most 1, Gaussian noise of root mean square %.3f has δ = %.2g at ε = 1 and δ = %.6f at ε = 5: practically no privacy",
				math.Sqrt(noisy.OfSum), gaussianDelta(math.Sqrt(noisy.OfSum), 1), gaussianDelta(math.Sqrt(noisy.OfSum), 5)),
			false,
		},
	}
}

// isMultiple reports whether a number printed with the given rounding can be k/d for an integer k.
func isMultiple(x float64, d int, rounding float64) bool {
	return math.Floor((x+rounding)*float64(d)) >= math.Ceil((x-rounding)*float64(d))
}

// fewestRows is the smallest n for which a mean of n squares of halves of integers can be x, as printed.
func fewestRows(x, rounding float64) int {
	n := 1
	for !isMultiple(x, 4*n, rounding) {
		n++
	}
	return n
}

// gaussianDelta is the exact δ of a Gaussian mechanism with sensitivity 1 (Balle and Wang, ICML 2018).
func gaussianDelta(sigma, epsilon float64) float64 {
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	return phi(1/(2*sigma)-epsilon*sigma) - math.Exp(epsilon)*phi(-1/(2*sigma)-epsilon*sigma)
}

func shortFloat(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
