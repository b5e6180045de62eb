package noise

import "math/big"

// A Guarantee says what one release, or several together, tell at most about one person.
type Guarantee struct {
	// Rho bounds the loss in zero-concentrated differential privacy (Bun and Steinke, TCC 2016).
	Rho *big.Rat
	// Epsilon bounds it in pure differential privacy; nil where there is no such bound.
	Epsilon *big.Rat
}

// Pure is what a mechanism guarantees that is purely epsilon-differentially private: ε²/2 in zCDP (Bun and Steinke 2016,
// proposition 1.4).
func Pure(epsilon *big.Rat) Guarantee {
	rho := new(big.Rat).Mul(epsilon, epsilon)
	return Guarantee{Rho: rho.Mul(rho, big.NewRat(1, 2)), Epsilon: new(big.Rat).Set(epsilon)}
}

// Concentrated is what a mechanism guarantees that is rho-zCDP.
func Concentrated(rho *big.Rat) Guarantee { return Guarantee{Rho: new(big.Rat).Set(rho)} }

// Compose is what several releases about the same people guarantee together, exactly: rho adds up, and so does epsilon
// where all have one. Of no releases it is nothing at all: rho and epsilon are 0.
func Compose(releases ...Guarantee) Guarantee {
	sum := Guarantee{Rho: new(big.Rat), Epsilon: new(big.Rat)}
	for _, g := range releases {
		sum.Rho.Add(sum.Rho, g.Rho)
		if sum.Epsilon != nil && g.Epsilon != nil {
			sum.Epsilon.Add(sum.Epsilon, g.Epsilon)
		} else {
			sum.Epsilon = nil
		}
	}
	return sum
}

// EpsilonAt returns an ε such that the releases are (ε, delta)-differentially private, 0 <= delta < 1; +Inf when there is
// none, as for noise without a pure guarantee and delta = 0. It is the smaller one of the pure ε and what EpsilonOf makes
// of rho.
func (g Guarantee) EpsilonAt(delta float64) float64 {
	e := EpsilonOf(above(g.Rho), delta)
	if g.Epsilon != nil {
		e = min(e, above(g.Epsilon))
	}
	return e
}

// A Limit is how much may be lost in all: either Rho in zCDP, or (Epsilon, Delta). Delta = 0 allows pure guarantees only.
type Limit struct {
	Rho            *big.Rat // nil for the other kind
	Epsilon, Delta *big.Rat
}

// Allows reports whether a composed guarantee is within the limit. Sums of rho and of pure epsilons are compared exactly.
func (l Limit) Allows(g Guarantee) bool {
	if l.Rho != nil {
		return g.Rho.Cmp(l.Rho) <= 0
	}
	if g.Epsilon != nil && g.Epsilon.Cmp(l.Epsilon) <= 0 {
		return true
	}
	return EpsilonOf(above(g.Rho), below(l.Delta)) <= below(l.Epsilon)
}
