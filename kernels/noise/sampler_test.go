package noise

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestLaplace(t *testing.T) {
	for _, scale := range []string{"1/4", "1", "2/3", "7/2", "20", "1000003/1000"} {
		t.Run(scale, func(t *testing.T) {
			t.Parallel()
			l := newLaplace(t, scale)
			rate := l.rate()
			p0 := math.Tanh(rate / 2)
			if 1/rate < 100 {
				judge(t, l, integerBins(func(x int) float64 { return p0 * math.Exp(-math.Abs(float64(x))*rate) }))
				return
			}
			// P(x < n) for n <= 0 is q^(1-n)/(1+q)
			below := func(n float64) float64 {
				if n <= 0 {
					return math.Exp(-(1-n)*rate) / (1 + math.Exp(-rate))
				}
				return 1 - math.Exp(-n*rate)/(1+math.Exp(-rate))
			}
			judge(t, l, quantileBins(500, 1/rate, below))
		})
	}
}

// Scales as they come with large bounds: numerators and denominators of up to 62 bits, and those that need rounding.
func TestLaplaceWide(t *testing.T) {
	for _, scale := range []string{"4611686018427387903", "123456789012345678901/1000007", "1e18"} {
		t.Run(scale, func(t *testing.T) {
			t.Parallel()
			l := newLaplace(t, scale)
			if l.Scale().Cmp(rational(t, scale)) < 0 {
				t.Fatalf("scale %s", l.Scale())
			}
			rate := l.rate()
			judge(t, l, quantileBins(200, 1/rate, func(n float64) float64 {
				if n <= 0 {
					return math.Exp(n*rate) / 2
				}
				return 1 - math.Exp(-n*rate)/2
			}))
		})
	}
}

func TestGaussian(t *testing.T) {
	for _, variance := range []string{"1/6", "1/2", "1", "7/3", "16", "1234.5"} {
		t.Run(variance, func(t *testing.T) {
			t.Parallel()
			g := newGaussian(t, variance)
			judge(t, g, integerBins(gaussianProbabilities(g.parameter())))
		})
	}
}

func TestGaussianWide(t *testing.T) {
	for _, variance := range []string{"1e12", "123456789012345678901234567.5", "2e37", "10000000000000000000000000/7"} {
		t.Run(variance, func(t *testing.T) {
			t.Parallel()
			g := newGaussian(t, variance)
			if g.Parameter().Cmp(rational(t, variance)) < 0 {
				t.Fatalf("σ² %s", g.Parameter())
			}
			sigma := math.Sqrt(g.parameter())
			judge(t, g, quantileBins(200, sigma, func(n float64) float64 {
				return distuv.Normal{Mu: 0, Sigma: sigma}.CDF(n - 0.5)
			}))
		})
	}
}

// The sum of shares against its exact distribution.
func TestShares(t *testing.T) {
	t.Parallel()
	g, err := Share(rational(t, "40"), 4)
	if err != nil {
		t.Fatal(err)
	}
	one := tabulate(60, gaussianProbabilities(g.parameter()))
	sum := one.convolve(one).convolve(one).convolve(one)
	r := seeded(t)
	abs := 0.0
	p, statistic := chiSquare(integerBins(sum.at), func() float64 {
		x := 0.0
		for range 4 {
			x += g.Draw(r).ToFloat64(0)
		}
		abs += math.Abs(x)
		return x
	})
	if p < significance {
		t.Errorf("sum of shares: chi² %.1f, p = %.3g", statistic, p)
	}
	if mean, want := abs/float64(draws), g.MeanAbs(4); math.Abs(mean-want) > 0.05*want {
		t.Errorf("mean |x| of the sum %v, stated %v", mean, want)
	}
}

// The coins that all draws are made of.
func TestCoins(t *testing.T) {
	for _, c := range []struct {
		name string
		p    float64
		coin func(r *Random) bool
	}{
		{"1/3", 1. / 3, func(r *Random) bool { return r.bernoulli(1, 3) }},
		{"0/5", 0, func(r *Random) bool { return r.bernoulli(0, 5) }},
		{"5/5", 1, func(r *Random) bool { return r.bernoulli(5, 5) }},
		{"large", 0.25, func(r *Random) bool { return r.bernoulli(1<<61, 1<<63) }},
		{"1/e", math.Exp(-1), (*Random).bernoulliInverseE},
		{"exp(0)", 1, func(r *Random) bool { return r.bernoulliExp(0, 7) }},
		{"exp(-2/7)", math.Exp(-2. / 7), func(r *Random) bool { return r.bernoulliExp(2, 7) }},
		{"exp(-1)", math.Exp(-1), func(r *Random) bool { return r.bernoulliExp(7, 7) }},
		{"exp(-23/7)", math.Exp(-23. / 7), func(r *Random) bool { return r.bernoulliExp(23, 7) }},
		{"exp(-large)", 0, func(r *Random) bool { return r.bernoulliExp(math.MaxUint64, 1) }},
		{"words", math.Exp(-1.25), func(r *Random) bool {
			return r.bernoulliExpWords([]uint64{0, 5, 0, 0}, []uint64{0, 4, 0, 0}, make([]uint64, 4))
		}},
		{"words, top bit", math.Exp(-0.5), func(r *Random) bool {
			return r.bernoulliExpWords([]uint64{0, 0, 1 << 62}, []uint64{0, 0, 1 << 63}, make([]uint64, 3))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := seeded(t)
			heads, n := 0.0, float64(draws)
			for range draws {
				if c.coin(r) {
					heads++
				}
			}
			if c.p == 0 || c.p == 1 {
				if heads != n*c.p {
					t.Fatalf("%v of %d", heads, draws)
				}
				return
			}
			z := (heads - n*c.p) / math.Sqrt(n*c.p*(1-c.p))
			if p := math.Erfc(math.Abs(z) / math.Sqrt2); p < significance {
				t.Errorf("%v of %d heads where %v are expected: p = %.3g", heads, draws, n*c.p, p)
			}
		})
	}
}

// Known answers: what the coins and samplers make of the words of one stream. They were computed by an independent program
// in exact fractions (Python) from the algorithms as printed. The order in which randomness is used is part of what makes
// a seeded experiment repeatable.
func TestKnownAnswers(t *testing.T) {
	var seed [32]byte
	copy(seed[:], "cipherfold noise known answers 1")
	text := func(n int, next func(r *Random) string) string {
		r, s := NewSeeded(seed), ""
		for range n {
			s += next(r)
		}
		return s
	}
	bit := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	value := func(d Distribution) func(r *Random) string {
		return func(r *Random) string { return fmt.Sprint(d.Draw(r).BigInt(), " ") }
	}
	for _, c := range []struct {
		name, got, want string
	}{
		{"bernoulli 2/7", text(40, func(r *Random) string { return bit(r.bernoulli(2, 7)) }), "1100110000000000000100101000100101001000"},
		{"bernoulli 1/2^40", text(20, func(r *Random) string { return bit(r.bernoulli(1, 1<<40)) }), "00000000000000000000"},
		{"exp(-2/7)", text(40, func(r *Random) string { return bit(r.bernoulliExp(2, 7)) }), "1011111111111101001101001011011100101000"},
		{"exp(-9/7)", text(40, func(r *Random) string { return bit(r.bernoulliExp(9, 7)) }), "0000110001010000010010100000100000000000"},
		{"Laplace 10/3", text(12, value(newLaplace(t, "10/3"))), "-3 0 -2 -3 -3 -3 1 6 -2 8 2 7 "},
		{"Laplace 1e17", text(4, value(newLaplace(t, "1e17"))), "-122558150633705857 159492199296237146 62156788132242679 136355272517867206 "},
		{"Gaussian 25/4", text(12, value(newGaussian(t, "25/4"))), "-4 2 1 0 1 -2 -2 3 1 2 1 0 "},
		{"Gaussian 1e34", text(4, value(newGaussian(t, "1e34"))), "-122558150633705858 167822207128679688 -70704129213252055 -86594085910125506 "},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	a, b := NewRandom(), NewRandom()
	same := 0
	for range 64 {
		if a.below(1<<32) == b.below(1<<32) {
			same++
		}
	}
	if same > 2 {
		t.Errorf("%d of 64 words of two streams are the same", same)
	}
}

// Tails: never exceeded in as many draws as make an excess improbable, and not far beyond what is needed.
func TestTail(t *testing.T) {
	for _, d := range []Distribution{newLaplace(t, "1/3"), newLaplace(t, "50"), newLaplace(t, "1e15"), newGaussian(t, "1/4"), newGaussian(t, "1e4"), newGaussian(t, "1e30")} {
		r := seeded(t)
		const bits = 12 // 2^-12 of the draws
		tail := d.Tail(bits).ToFloat64(0)
		n, beyond := 1<<16, 0
		for range n {
			if math.Abs(d.Draw(r).ToFloat64(0)) > tail {
				beyond++
			}
		}
		if limit := 2 * (n >> bits); beyond > limit {
			t.Errorf("%v: %d of %d draws beyond the tail %v of 2^-%d", d, beyond, n, tail, bits)
		}
		if far := d.Tail(104).ToFloat64(0); far < tail || far > 110*math.Sqrt(d.Variance())+2 {
			t.Errorf("%v: tail of 2^-104 is %v, of 2^-%d %v", d, far, bits, tail)
		}
	}
}

func TestTooWide(t *testing.T) {
	for _, scale := range []string{"4611686018427387905", "1e19", "1e30"} {
		if _, err := NewLaplace(rational(t, scale)); !errors.Is(err, ErrTooWide) {
			t.Errorf("scale %s: %v", scale, err)
		}
	}
	for _, variance := range []string{"3e37", "1e60"} {
		if _, err := NewGaussian(rational(t, variance)); !errors.Is(err, ErrTooWide) {
			t.Errorf("σ² %s: %v", variance, err)
		}
	}
	if _, err := NewLaplace(new(big.Rat)); err == nil {
		t.Error("scale 0 is accepted")
	}
	if _, err := NewGaussian(big.NewRat(-1, 2)); err == nil {
		t.Error("a negative σ² is accepted")
	}
}

// The mean error that is stated, against sums over exact distributions.
func TestMeanAbs(t *testing.T) {
	for _, variance := range []string{"1/20", "1/3", "2", "15", "17", "100"} {
		g := newGaussian(t, variance)
		one := tabulate(150, gaussianProbabilities(g.parameter()))
		checkMoments(t, g, one)
	}
	for _, scale := range []string{"1/5", "1", "9/2"} {
		l := newLaplace(t, scale)
		p0 := math.Tanh(l.rate() / 2)
		checkMoments(t, l, tabulate(200, func(x int) float64 { return p0 * math.Exp(-math.Abs(float64(x))*l.rate()) }))
	}
	// Wide noise has the moments of its continuous counterpart.
	if got, want := newGaussian(t, "1e20").MeanAbs(1), 1e10*math.Sqrt(2/math.Pi); math.Abs(got-want) > 1e-6*want {
		t.Errorf("Gaussian of σ 1e10: %v, want %v", got, want)
	}
	if got, want := newLaplace(t, "1e9").MeanAbs(1), 1e9; math.Abs(got-want) > 1e-6*want {
		t.Errorf("Laplace of scale 1e9: %v, want %v", got, want)
	}
	// The difference of two Gamma(k) variables has the mean magnitude 2·Γ(k+1/2)/(√π·Γ(k)).
	for _, k := range []int64{2, 7, 50} {
		a, _ := math.Lgamma(float64(k) + 0.5)
		b, _ := math.Lgamma(float64(k))
		want := 1e9 * 2 * math.Exp(a-b) / math.Sqrt(math.Pi)
		if got := newLaplace(t, "1e9").MeanAbs(k); math.Abs(got-want) > 1e-6*want {
			t.Errorf("%d of Laplace of scale 1e9: %v, want %v", k, got, want)
		}
	}
}

func checkMoments(t *testing.T, d Distribution, one pmf) {
	t.Helper()
	sum := one
	for k := int64(1); k <= 4; k++ {
		mean, variance := 0.0, 0.0
		for i, p := range sum {
			x := float64(i - len(sum)/2)
			mean += p * math.Abs(x)
			variance += p * x * x
		}
		if got := d.MeanAbs(k); math.Abs(got-mean) > 1e-6*mean {
			t.Errorf("%v: mean |sum of %d| %v, want %v", d, k, got, mean)
		}
		if k == 1 && math.Abs(d.Variance()-variance) > 1e-6*variance {
			t.Errorf("%v: variance %v, want %v", d, d.Variance(), variance)
		}
		sum = sum.convolve(one)
	}
}
