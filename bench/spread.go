package bench

import (
	"math"
	"slices"
	"strconv"
)

// median returns the middle value of a list that is not empty, or the mean of the two middle ones.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// SpreadOf returns the range of a list that is not empty, rounded.
func SpreadOf(values []float64) Spread {
	return Spread{Significant(slices.Min(values)), Significant(median(values)), Significant(slices.Max(values))}
}

// Ratio returns the median of the ratios a[i]/b[i], rounded: what happens to the machine during a round happens to both.
func Ratio(a, b []float64) float64 {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return Significant(median(r))
}

// significantDigits is more than any measurement is good for.
const significantDigits = 5

// Significant rounds to that many digits, so that files hold no digits without meaning.
func Significant(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', significantDigits, 64), 64)
	return rounded
}
