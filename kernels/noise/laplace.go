package noise

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// Laplace is discrete Laplace (two-sided geometric) noise: x has a probability proportional to exp(-|x|·s/t). Its scale
// t/s is exact. Added to an integer of sensitivity D it is pure (D·s/t)-differentially private.
type Laplace struct {
	t, s uint64 // 0 < t, s < 2^63
}

// NewLaplace returns noise of at least the given scale, which must be positive and below 2^62. It is exactly that
// scale when its numerator and denominator have at most 62 bits. Otherwise it is the next larger one that can be
// written so.
func NewLaplace(scale *big.Rat) (Laplace, error) {
	if scale.Sign() <= 0 {
		return Laplace{}, fmt.Errorf("a scale of %s is not positive", scale.RatString())
	}
	num, den := upward(scale, scaleBits, scaleBits)
	if num.BitLen() > scaleBits {
		return Laplace{}, fmt.Errorf("%w: its scale of %.3g is not below 2^%d", ErrTooWide, ratFloat(scale), scaleBits)
	}
	return Laplace{t: num.Uint64(), s: den.Uint64()}, nil
}

// Draw returns one value (Canonne, Kamath and Steinke 2020, algorithm 2).
func (l Laplace) Draw(r *Random) Int {
	for {
		// x = u + t·v has a probability proportional to exp(-x/t), with u below t and v the number of whole t.
		u := r.below(l.t)
		if !r.bernoulliExp(u, l.t) {
			continue
		}
		v := uint64(0)
		for r.bernoulliInverseE() {
			v++
		}
		hi, lo := bits.Mul64(l.t, v)
		lo, carry := bits.Add64(lo, u, 0)
		hi += carry
		// y = floor(x/s) one proportional to exp(-y·s/t).
		rest := hi % l.s
		hi /= l.s
		lo, _ = bits.Div64(rest, lo, l.s)
		y := decimal128.New(int64(hi), lo)
		if r.below(2) == 0 {
			return y
		}
		if hi|lo != 0 { // 0 has no sign and must not count twice
			return y.Negate()
		}
	}
}

// rate is s/t.
func (l Laplace) rate() float64 { return float64(l.s) / float64(l.t) }

// Scale is t/s, exactly.
func (l Laplace) Scale() *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(l.t), new(big.Int).SetUint64(l.s))
}

// Variance is 2q/(1-q)² with q = exp(-s/t).
func (l Laplace) Variance() float64 {
	p := -math.Expm1(-l.rate())
	return 2 * (1 - p) / (p * p)
}

// MeanAbs for one draw is 1/sinh(s/t).
func (l Laplace) MeanAbs(terms int64) float64 {
	if terms == 1 {
		return 1 / math.Sinh(l.rate())
	}
	half := l.Variance() / 2
	return meanAbs(terms, l.Variance(), func(sine2 float64) float64 { return -math.Log1p(4 * half * sine2) })
}

// Tail follows from P(|x| > T) = 2·q^(T+1)/(1+q) <= 2·exp(-T·s/t).
func (l Laplace) Tail(bits int) Int {
	t := new(big.Rat).Mul(l.Scale(), natural(bits+1))
	return intOf(ceil(t))
}

func (l Laplace) String() string {
	return fmt.Sprintf("discrete Laplace noise of scale %s", shortRat(l.Scale()))
}
