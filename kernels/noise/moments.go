package noise

import "math"

// meanAbs is the mean of |sum| of independent integers with a common symmetric distribution. logPhi is the logarithm of
// its characteristic function, given sin²(θ/2).
//
// For an integer n, |n| is the integral of (1 - cos nθ)/(1 - cos θ) over 0..π, divided by π (Fejér). Taking the mean
// turns the numerator into 1 - φ(θ)^terms. Next to 0 the integrand is terms·variance, and it falls off from about
// 1/√(terms·variance) on. It is integrated over octaves by Simpson's rule.
func meanAbs(terms int64, variance float64, logPhi func(sine2 float64) float64) float64 {
	k := float64(terms)
	integrand := func(theta float64) float64 {
		s := math.Sin(theta / 2)
		if s == 0 {
			return k * variance
		}
		return -math.Expm1(k*logPhi(s*s)) / (2 * s * s)
	}
	const first, steps = 1e-3, 64
	sum, from := 0.0, 0.0
	to := math.Min(math.Pi, first/math.Sqrt(math.Max(k*variance, first)))
	for {
		h := (to - from) / steps
		part := integrand(from) + integrand(to)
		for i := 1; i < steps; i++ {
			part += float64(2+2*(i%2)) * integrand(from+float64(i)*h)
		}
		sum += part * h / 3
		if to >= math.Pi {
			return sum / math.Pi
		}
		from, to = to, math.Min(math.Pi, 2*to)
	}
}
