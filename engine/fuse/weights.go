package fuse

import (
	"math"
	"math/bits"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// WeightDigitsMax is the largest number of digits that weights can be rounded to.
const WeightDigitsMax = 9

// fraction is a weight as it was given: not 0, in lowest terms, den positive.
type fraction struct{ num, den int64 }

// ParseWeights reads weights FILE=W, where W is an integer, a decimal number or a fraction P/Q, and variances FILE=V,
// which mean the weight 1/V. Ciphertexts are multiplied by integers only. So weights become the smallest integers in
// the same proportion, or with digits > 0 the nearest integers of which the largest is 10^digits. Then `all` says that
// every input must be named, as 1 has no meaning any more. Means do not depend on the scale. Sums and counts are
// multiplied by it.
func ParseWeights(weights, variances []string, digits int) (out []Weight, all bool, err error) {
	const hint = "Write ‹weight› b.cf.parquet=-1, ‹weight› b.cf.parquet=2/3 or ‹variance› b.cf.parquet=0.04."
	if digits < 0 || digits > WeightDigitsMax {
		return nil, false, job.Misuse("It is the digits that the largest weight has.", "‹weight_digits› %d is not between 1 and %d", digits, WeightDigitsMax)
	}
	var fractions []fraction
	for i, list := range [][]string{weights, variances} {
		flag := []string{"‹weight›", "‹variance›"}[i]
		for _, spec := range list {
			at := strings.LastIndexByte(spec, '=')
			var f fraction
			ok := at > 0
			if ok {
				f, ok = parseFraction(spec[at+1:])
			}
			if !ok || flag == "‹variance›" && f.num <= 0 {
				return nil, false, job.Misuse(hint, "%s %s is not FILE=%s", flag, spec, map[string]string{"‹weight›": "NUMBER", "‹variance›": "POSITIVE NUMBER"}[flag])
			}
			if f.num == 0 {
				return nil, false, job.Misuse("Leave the input out.", "weight 0 for %s", spec[:at])
			}
			if flag == "‹variance›" {
				f.num, f.den = f.den, f.num
			}
			out, fractions = append(out, Weight{File: spec[:at]}), append(fractions, f)
		}
	}
	integers, ok := wholeWeights(fractions)
	all = digits > 0 || len(variances) > 0
	for i, f := range fractions { // whole numbers stay as they are
		all = all || f.den != 1 || integers != nil && integers[i] != f.num
	}
	if digits > 0 {
		integers, ok = roundedWeights(fractions, digits), true
	} else if all && ok {
		common := int64(0)
		for _, n := range integers {
			common = gcd(n, common)
		}
		for i := range integers {
			integers[i] /= max(common, 1)
		}
	}
	if !ok {
		return nil, false, job.Misuse("Round them: ‹weight_digits› 3.", "the weights have no common whole multiple up to 2^40")
	}
	for i := range out {
		if out[i].Weight = integers[i]; out[i].Weight == 0 {
			return nil, false, job.Misuse("Allow more digits.", "the weight of %s is 0 when rounded to %d digits", out[i].File, digits)
		}
	}
	return out, all, nil
}

// parseFraction reads an integer, a decimal number or P/Q.
func parseFraction(text string) (fraction, bool) {
	p, q, divided := strings.Cut(text, "/")
	if !divided {
		q = "1"
	}
	num, den, ok := parseDecimal(p)
	if !ok {
		return fraction{}, false
	}
	qNum, qDen, ok := parseDecimal(q)
	if !ok || qNum <= 0 {
		return fraction{}, false
	}
	a, ok1 := times(num, qDen)
	b, ok2 := times(den, qNum)
	if !ok1 || !ok2 {
		return fraction{}, false
	}
	g := gcd(a, b)
	return fraction{a / g, b / g}, true
}

// parseDecimal reads a decimal number as num/den, den a power of ten.
func parseDecimal(text string) (num, den int64, ok bool) {
	decimals := 0
	if i := strings.IndexByte(text, '.'); i >= 0 {
		decimals = len(text) - i - 1
	}
	if decimals > codec.MaxDecimals || strings.ContainsAny(text, "eE") {
		return 0, 0, false
	}
	num, err := codec.ParseDecimal(text, decimals)
	if err != nil || num == math.MinInt64 {
		return 0, 0, false
	}
	den = 1
	for range decimals {
		den *= 10
	}
	return num, den, true
}

func gcd(a, b int64) int64 {
	if a < 0 {
		a = -a
	}
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

// times returns a·b, b positive, if it fits 64 bits.
func times(a, b int64) (int64, bool) {
	negative := a < 0
	if negative {
		a = -a
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int64(lo), true
	}
	return int64(lo), true
}

// wholeWeights returns integers in the proportion of the fractions. It refuses one that is larger than any sum has
// room for.
func wholeWeights(fractions []fraction) ([]int64, bool) {
	common := int64(1) // the least common multiple of the denominators
	for _, f := range fractions {
		var ok bool
		if common, ok = times(common, f.den/gcd(common, f.den)); !ok {
			return nil, false
		}
	}
	out := make([]int64, len(fractions))
	for i, f := range fractions {
		var ok bool
		// Whole numbers stay as given. Whether there is room for them is checked later.
		if out[i], ok = times(f.num, common/f.den); !ok || common > 1 && (out[i] > slots.MaxAddsLimit || out[i] < -slots.MaxAddsLimit) {
			return nil, false
		}
	}
	return out, true
}

// roundedWeights returns integers in nearly the proportion of the fractions, of which the largest is 10^digits.
func roundedWeights(fractions []fraction, digits int) []int64 {
	largest := 0.0
	for _, f := range fractions {
		largest = max(largest, math.Abs(float64(f.num)/float64(f.den)))
	}
	unit := math.Pow10(digits)
	out := make([]int64, len(fractions))
	for i, f := range fractions {
		out[i] = int64(math.RoundToEven(float64(f.num) / float64(f.den) / largest * unit))
	}
	return out
}
