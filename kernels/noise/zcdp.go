package noise

import (
	"math"
	"math/big"
)

// EpsilonClosed returns an ε such that rho-zCDP implies (ε, delta)-differential privacy: ρ + 2·√(ρ·ln(1/δ)) (Bun and
// Steinke 2016, proposition 1.3). +Inf for delta = 0.
func EpsilonClosed(rho, delta float64) float64 {
	if rho == 0 {
		return 0
	}
	return rho + 2*math.Sqrt(rho*math.Log(1/delta))
}

// conversionSlack is added to what conversions compute in floating point, relatively: far more than they lose.
const conversionSlack = 1e-12

// EpsilonOf returns a smaller such ε: the least over α > 1 of
//
//	α·ρ + ln(1 - 1/α) - (ln δ + ln α)/(α-1)
//
// (Canonne, Kamath and Steinke 2020, proposition 12). Every α gives a valid ε, so a search that stops a little beside
// the best is no risk.
func EpsilonOf(rho, delta float64) float64 {
	switch {
	case rho == 0:
		return 0
	case delta == 0:
		return math.Inf(1)
	}
	at := func(x float64) float64 { // x = ln(α-1)
		a := math.Exp(x)
		return (1+a)*rho - math.Log1p(1/a) - (math.Log(delta)+math.Log1p(a))/a
	}
	best := EpsilonClosed(rho, delta)
	// The best α-1 of the closed form is √(ln(1/δ)/ρ); the search covers a wide range about it.
	center := math.Log(math.Log(1/delta)/rho) / 2
	lo, hi := center-12, center+12
	const golden = 0.6180339887498949
	for range 120 {
		x, y := hi-golden*(hi-lo), lo+golden*(hi-lo)
		fx, fy := at(x), at(y)
		best = min(best, fx, fy)
		if fx < fy {
			hi = y
		} else {
			lo = x
		}
	}
	return max(0, best) * (1 + conversionSlack)
}

// RhoFor returns the largest rho such that rho-zCDP implies (epsilon, delta)-differential privacy by EpsilonOf, less
// 2^-32 of it. Both must be positive and delta below 1. The reduction makes the ε's of several releases, each with
// what rounding adds, stay within their sum. It is a binary fraction of 40 significant bits.
func RhoFor(epsilon, delta *big.Rat) *big.Rat {
	e, d := below(epsilon), below(delta)
	lo, hi := 0.0, e+1
	for EpsilonOf(hi, d) <= e {
		hi *= 2
	}
	for range 200 {
		if mid := lo + (hi-lo)/2; EpsilonOf(mid, d) <= e {
			lo = mid
		} else {
			hi = mid
		}
	}
	mantissa, exponent := math.Frexp(lo * (1 - 0x1p-32))
	const digits = 40
	down := math.Ldexp(math.Floor(math.Ldexp(mantissa, digits)), exponent-digits)
	return new(big.Rat).SetFloat64(down)
}
