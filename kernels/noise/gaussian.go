package noise

import (
	"fmt"
	"math"
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Gaussian is discrete Gaussian noise: x has a probability proportional to exp(-x²/(2σ²)). The parameter σ² is an
// exact rational. The variance is σ², with a difference below 1e-7 of it for σ² >= 1. Added to an integer of
// sensitivity D, the noise is D²/(2σ²)-zero-concentrated differentially private (Canonne, Kamath and Steinke 2020,
// theorem 4).
type Gaussian struct {
	a  [2]uint64 // σ² = a/b, little-endian words, 0 < a < 2^124·b
	b  uint64    // 0 < b < 2^62
	t  uint64    // floor(σ) + 1
	bt [2]uint64 // b·t
	// y = 2ab·t², the denominator of the exponents
	y [wideWords]uint64
}

// wideWords holds the exponents' numerators: with |Y| < 2^128, b < 2^62 and t < 2^63 the square of Y·b·t - a has fewer
// than 8·64 bits.
const wideWords = 8

// NewGaussian returns noise of at least the given σ², which must be positive and below 2^124. It is exactly that σ²
// when its numerator has at most 126 bits and its denominator at most 62. Otherwise it is the next larger one that can
// be written so.
func NewGaussian(variance *big.Rat) (Gaussian, error) {
	if variance.Sign() <= 0 {
		return Gaussian{}, fmt.Errorf("a variance of %s is not positive", variance.RatString())
	}
	num, den := upward(variance, 2*scaleBits+2, scaleBits)
	whole := new(big.Int).Quo(num, den)
	if whole.BitLen() > 2*scaleBits || num.BitLen() > 2*scaleBits+2 {
		return Gaussian{}, fmt.Errorf("%w: its standard deviation of %.3g is not below 2^%d", ErrTooWide, math.Sqrt(ratFloat(variance)), scaleBits)
	}
	t := whole.Sqrt(whole)
	t.Add(t, big.NewInt(1))
	g := Gaussian{b: den.Uint64(), t: t.Uint64()}
	bt := new(big.Int).Mul(den, t)
	y := new(big.Int).Mul(num, den)
	y.Mul(y, t).Mul(y, t).Lsh(y, 1)
	setWords(g.a[:], num)
	setWords(g.bt[:], bt)
	setWords(g.y[:], y)
	return g, nil
}

// Draw returns one value (Canonne, Kamath and Steinke 2020, algorithm 3): discrete Laplace noise y of scale t, accepted
// with probability exp(-(|y| - σ²/t)²/(2σ²)). With σ² = a/b that exponent is (|y|·bt - a)²/(2ab·t²).
func (g Gaussian) Draw(r *Random) Int {
	proposals := Laplace{t: g.t, s: 1}
	var d, a [wideWords / 2]uint64
	var x, scratch [wideWords]uint64
	copy(a[:], g.a[:])
	for {
		y := proposals.Draw(r)
		abs := y.Abs()
		bigmod.MulWords(d[:], []uint64{abs.LowBits(), uint64(abs.HighBits())}, g.bt[:])
		if less(d[:], a[:]) {
			bigmod.SubWords(d[:], a[:], d[:])
		} else {
			bigmod.SubWords(d[:], d[:], a[:])
		}
		bigmod.MulWords(x[:], d[:], d[:])
		if r.bernoulliExpWords(x[:], g.y[:], scratch[:]) {
			return y
		}
	}
}

// Parameter is σ², exactly.
func (g Gaussian) Parameter() *big.Rat {
	return new(big.Rat).SetFrac(fromWords(g.a[:]), new(big.Int).SetUint64(g.b))
}

func (g Gaussian) parameter() float64 { return ratFloat(g.Parameter()) }

// seriesBelow is the σ² below which the sums over the integers are added up. Above it they differ from the integrals
// by less than 2·exp(-2π²σ²), far below the precision of a float64.
const seriesBelow = 16

// Variance of a draw: σ² or a little less.
func (g Gaussian) Variance() float64 {
	v := g.parameter()
	if v >= seriesBelow {
		return v
	}
	sum, norm := 0.0, 1.0
	for x := 1.0; x*x < 2*v*800; x++ {
		p := 2 * math.Exp(-x*x/(2*v))
		sum += p * x * x
		norm += p
	}
	return sum / norm
}

// MeanAbs for one draw is about σ·√(2/π).
func (g Gaussian) MeanAbs(terms int64) float64 {
	v := g.parameter()
	if v < seriesBelow {
		norm := 0.0
		var weights []float64
		for x := 0.0; x == 0 || x*x < 2*v*800; x++ {
			p := math.Exp(-x * x / (2 * v))
			if x > 0 {
				p *= 2
			}
			weights = append(weights, p)
			norm += p
		}
		return meanAbs(terms, g.Variance(), func(sine2 float64) float64 {
			theta, sum := 2*math.Asin(math.Sqrt(sine2)), 0.0
			for x, p := range weights { // 1 - cos without cancellation
				s := math.Sin(float64(x) * theta / 2)
				sum += p * 2 * s * s
			}
			return math.Log1p(-math.Min(sum/norm, 1-0x1p-53))
		})
	}
	// By Poisson summation the characteristic function is the sum of exp(-σ²(θ+2πj)²/2) over all j, normalised.
	// Between -π and π the terms except that of j = 0 are below exp(-σ²π²/2).
	return meanAbs(terms, v, func(sine2 float64) float64 {
		theta := 2 * math.Asin(math.Sqrt(sine2))
		return -v * theta * theta / 2
	})
}

// Tail follows from P(|x| >= T) <= 2·exp(-T²/(2σ²)): discrete Gaussians are subgaussian (Canonne, Kamath and Steinke 2020).
func (g Gaussian) Tail(bits int) Int {
	square := new(big.Rat).Mul(g.Parameter(), natural(2*(bits+1)))
	root := ceil(square)
	root.Sqrt(root).Add(root, big.NewInt(1))
	return intOf(root)
}

func (g Gaussian) String() string {
	return fmt.Sprintf("discrete Gaussian noise of σ² = %s", shortRat(g.Parameter()))
}
