package noise

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// seeded is a stream that depends on the name of the test only.
func seeded(t testing.TB) *Random {
	var seed [32]byte
	copy(seed[:], t.Name())
	return NewSeeded(seed)
}

func rational(t testing.TB, text string) *big.Rat {
	t.Helper()
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return x
}

func newLaplace(t testing.TB, scale string) Laplace {
	t.Helper()
	l, err := NewLaplace(rational(t, scale))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newGaussian(t testing.TB, variance string) Gaussian {
	t.Helper()
	g, err := NewGaussian(rational(t, variance))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// draws is the number of values that a distribution is judged by.
var draws = thoroughtest.Pick(200_000, 1_000_000)

// significance is the p-value below which a test fails.
const significance = 1e-4

// bins cut the integers into intervals: edges[i-1] <= x < edges[i].
type bins struct {
	edges       []float64
	probability []float64 // len(edges)+1
}

// integerBins makes a bin of every integer that is expected at least 20 times, and two of the rest.
func integerBins(p func(x int) float64) bins {
	last := 0
	for float64(draws)*p(last+1) >= 20 {
		last++
	}
	b := bins{probability: []float64{0}}
	for x := -last; x <= last; x++ {
		b.edges = append(b.edges, float64(x))
		b.probability = append(b.probability, p(x))
	}
	b.edges = append(b.edges, float64(last+1))
	b.probability = append(b.probability, 0)
	tail := 1.0
	for _, x := range b.probability {
		tail -= x
	}
	b.probability[0], b.probability[len(b.probability)-1] = tail/2, tail/2
	return b
}

// quantileBins cuts at integers near the quantiles 1/n, 2/n and so on of a distribution that is wide: below(x) is the
// probability of values below the integer x.
func quantileBins(n int, scale float64, below func(x float64) float64) bins {
	var b bins
	last := 0.0
	for i := range n - 1 {
		target := float64(i+1) / float64(n)
		lo, hi := -100*scale, 100*scale
		for range 200 {
			if mid := (lo + hi) / 2; below(mid) < target {
				lo = mid
			} else {
				hi = mid
			}
		}
		edge := math.Floor(lo)
		b.edges = append(b.edges, edge)
		b.probability = append(b.probability, below(edge)-last)
		last = below(edge)
	}
	b.probability = append(b.probability, 1-last)
	return b
}

// chiSquare counts draws in bins and returns how probable a fit that bad or worse is.
func chiSquare(b bins, draw func() float64) (p float64, statistic float64) {
	counts := make([]int, len(b.probability))
	for range draws {
		x := draw()
		lo, hi := 0, len(b.edges)
		for lo < hi {
			if mid := (lo + hi) / 2; b.edges[mid] <= x {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		counts[lo]++
	}
	used := -1
	for i, n := range counts {
		expected := float64(draws) * b.probability[i]
		if expected < 1e-3 {
			if n > 0 {
				return 0, math.Inf(1)
			}
			continue
		}
		statistic += (float64(n) - expected) * (float64(n) - expected) / expected
		used++
	}
	return distuv.ChiSquared{K: float64(used)}.Survival(statistic), statistic
}

// judge draws from a distribution: chi-square against exact probabilities, and the mean error against what is stated.
func judge(t *testing.T, d Distribution, b bins) {
	t.Helper()
	r := seeded(t)
	sum := 0.0
	p, statistic := chiSquare(b, func() float64 {
		x := d.Draw(r).ToFloat64(0)
		sum += math.Abs(x)
		return x
	})
	mean, want := sum/float64(draws), d.MeanAbs(1)
	report := fmt.Sprintf("%v: %d bins, chi² %.1f, p = %.3g; mean |x| %.6g, stated %.6g", d, len(b.probability), statistic, p, mean, want)
	t.Log(report)
	if p < significance || math.IsNaN(p) {
		t.Error("does not fit: " + report)
	}
	if math.Abs(mean-want) > 0.05*want {
		t.Error("mean error more than 5% off: " + report)
	}
}

// gaussianProbabilities returns exact probabilities of a discrete Gaussian of a small σ².
func gaussianProbabilities(variance float64) func(x int) float64 {
	norm := 1.0
	for x := 1.0; x*x < 2*variance*800; x++ {
		norm += 2 * math.Exp(-x*x/(2*variance))
	}
	return func(x int) float64 { return math.Exp(-float64(x)*float64(x)/(2*variance)) / norm }
}

// pmf is a distribution on -len/2 .. len/2.
type pmf []float64

func (p pmf) at(x int) float64 {
	if i := x + len(p)/2; i >= 0 && i < len(p) {
		return p[i]
	}
	return 0
}

func tabulate(half int, p func(x int) float64) pmf {
	out := make(pmf, 2*half+1)
	for i := range out {
		out[i] = p(i - half)
	}
	return out
}

// convolve is the distribution of the sum of two independent integers.
func (p pmf) convolve(q pmf) pmf {
	out := make(pmf, len(p)+len(q)-1)
	for i, x := range p {
		for j, y := range q {
			out[i+j] += x * y
		}
	}
	return out
}
