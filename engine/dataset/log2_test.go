package dataset

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactLog2 is the binary logarithm to about 250 bits: the exponent, and ln m / ln 2 by the series of the inverse hyperbolic
// tangent.
func exactLog2(x float64) *big.Float {
	ln := func(v *big.Float) *big.Float { // 2 artanh((v-1)/(v+1))
		one := number(1)
		z := new(big.Float).Quo(new(big.Float).Sub(v, one), new(big.Float).Add(v, one))
		square, power, sum := new(big.Float).Mul(z, z), new(big.Float).Copy(z), new(big.Float).Copy(z)
		for k := 3; k < 180; k += 2 { // z is at most 1/3: below 3^-180
			power.Mul(power, square)
			sum.Add(sum, new(big.Float).Quo(power, number(float64(k))))
		}
		return sum.Mul(sum, number(2))
	}
	fraction, exponent := math.Frexp(x)
	log := new(big.Float).Quo(ln(number(2*fraction)), ln(number(2)))
	return log.Add(log, number(float64(exponent-1)))
}

func number(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }

// The logarithm is the double nearest to a number within 2^-60 of the true one.
func TestLog2(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	values := []float64{1, 2, 4, 0.5, 1.5, 3, 10, 1e-300, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Nextafter(1, 2), math.Nextafter(1, 0), math.Nextafter(2, 1), math.Nextafter(2, 3), math.Nextafter(0.5, 1)}
	for range 600 {
		values = append(values, 1+rng.Float64(), 1+rng.Float64()/(1<<20), 1-rng.Float64()/(1<<20), rng.Float64(), 1e6*rng.Float64(), math.Ldexp(1+rng.Float64(), rng.IntN(2000)-1000))
	}
	bound := number(math.Ldexp(1, -60))
	for _, x := range values {
		exact := exactLog2(x)
		low, _ := new(big.Float).Sub(exact, bound).Float64()
		high, _ := new(big.Float).Add(exact, bound).Float64()
		if got := log2(x); got < low || got > high {
			t.Errorf("log2(%v) = %v, want %v to %v", x, got, low, high)
		}
	}
}

// Fixed-point numbers are rounded once.
func TestFromFixed(t *testing.T) {
	for _, c := range []struct {
		whole    int64
		fraction uint64
		want     float64
	}{
		{0, 0, 0}, {0, 1, 0x1p-64}, {-1, 0, -1}, {-1, math.MaxUint64, -0x1p-64}, {-1, 1 << 63, -0.5}, {7, 1 << 63, 7.5}, {-8, 1 << 62, -7.75}, {1023, math.MaxUint64, 1024},
		{1, 1 << 11, 1}, {1, 1<<11 + 1, 1 + 0x1p-52}, {1, 3 << 11, 1 + 0x1p-51}, {-2, math.MaxUint64 - 1<<11, -1 - 0x1p-52}, {0, 1<<63 + 1<<10, 0.5}, {0, 1<<63 + 1<<10 + 1, 0.5 + 0x1p-53},
	} {
		if got := fromFixed(c.whole, c.fraction); got != c.want {
			t.Errorf("%d + %d/2^64 = %x, want %x", c.whole, c.fraction, got, c.want)
		}
	}
}
