package noise

import (
	"fmt"
	"math"
	"math/big"
)

// shareExcessBits says how close the sum of shares is to a discrete Gaussian: the two differ by a factor within
// exp(±2^-shareExcessBits) everywhere.
const shareExcessBits = 80

// Share returns the noise that each of several owners adds. The sum of any `honest` of their shares then protects as
// much as one discrete Gaussian of the given σ²: variance is D²/(2ρ) for a sensitivity D and a guarantee ρ.
//
// A sum of discrete Gaussians is not quite a discrete Gaussian. Theorem 1 of Kairouz, Liu and Steinke ("The
// Distributed Discrete Gaussian Mechanism", ICML 2021) gives ½(D/(√n·σ) + τ)²-zCDP for the sum of n shares of
// parameter σ. Here τ = 10·Σ_{k<n} exp(-2π²σ²·k/(k+1)). For a vector, Δ/σ is the norm of what a person changes and
// τ·√d takes τ's place, d being the numbers changed. Share makes σ² larger by the factor 1 + 2^-20, and large enough
// for τ <= 2^-80. So the guarantee ρ itself holds for the sum, for ρ >= 2^-70 and up to d = 2^40. docs/privacy.md has
// the calculation, and an elementary proof for (ε, δ).
//
// More shares than `honest` take nothing away, nor does anything that dishonest owners add without knowing the honest
// ones' noise: adding an independent number is post-processing.
func Share(variance *big.Rat, honest int) (Gaussian, error) {
	if honest < 1 {
		return Gaussian{}, fmt.Errorf("%d honest owners", honest)
	}
	v := new(big.Rat).Mul(variance, big.NewRat(1<<20+1, 1<<20))
	v.Quo(v, big.NewRat(int64(honest), 1))
	if honest > 1 {
		// k/(k+1) >= 1/2, so τ <= 10·n·exp(-π²σ²).
		least := (shareExcessBits*math.Ln2 + math.Log(10*float64(honest))) / (math.Pi * math.Pi)
		if floor := new(big.Rat).SetInt64(int64(math.Ceil(least))); v.Cmp(floor) < 0 {
			v = floor
		}
	}
	return NewGaussian(v)
}
