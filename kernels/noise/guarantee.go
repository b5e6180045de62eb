package noise

import "math/big"

// A Guarantee bounds what one release, or several together, reveal about one person.
type Guarantee struct {
	// Rho bounds the loss in zero-concentrated differential privacy (Bun and Steinke, TCC 2016).
	Rho *big.Rat
	// Epsilon bounds the loss of the releases that are purely differentially private, and Rest, in zCDP, that of the
	// others. Either is 0 if there are none.
	Epsilon, Rest *big.Rat
}

// Pure is the guarantee of a mechanism that is purely epsilon-differentially private: ε²/2 in zCDP (Bun and Steinke
// 2016, proposition 1.4).
func Pure(epsilon *big.Rat) Guarantee {
	rho := new(big.Rat).Mul(epsilon, epsilon)
	return Guarantee{Rho: rho.Mul(rho, big.NewRat(1, 2)), Epsilon: new(big.Rat).Set(epsilon), Rest: new(big.Rat)}
}

// Concentrated is the guarantee of a mechanism that is rho-zCDP.
func Concentrated(rho *big.Rat) Guarantee {
	return Guarantee{Rho: new(big.Rat).Set(rho), Epsilon: new(big.Rat), Rest: new(big.Rat).Set(rho)}
}

// IsPure reports whether Epsilon bounds everything.
func (g Guarantee) IsPure() bool { return g.Rest.Sign() == 0 }

// Compose is what several releases about the same people guarantee together: all three numbers add up. For no releases all
// are 0.
//
// It is exact while the fractions' denominators have at most 4096 bits. Longer ones, which no honest releases lead to and
// which would take hours to add up, are rounded up by less than 2^-1024.
func Compose(releases ...Guarantee) Guarantee {
	if n := len(releases); n > 2 { // in halves, because a sum of fractions may have as many digits as all of them
		releases = []Guarantee{Compose(releases[:n/2]...), Compose(releases[n/2:]...)}
	}
	sum := Guarantee{Rho: new(big.Rat), Epsilon: new(big.Rat), Rest: new(big.Rat)}
	for _, g := range releases {
		sum.Rho.Add(sum.Rho, g.Rho)
		sum.Epsilon.Add(sum.Epsilon, g.Epsilon)
		sum.Rest.Add(sum.Rest, g.Rest)
	}
	for _, x := range []*big.Rat{sum.Rho, sum.Epsilon, sum.Rest} {
		shorten(x)
	}
	return sum
}

const (
	exactBits   = 4096 // of a denominator that stays as it is
	roundedBits = 1024 // of the power of two that takes the place of a longer one
)

// shorten rounds a fraction with a long denominator up.
func shorten(x *big.Rat) {
	if x.Denom().BitLen() > exactBits {
		one := new(big.Int).Lsh(big.NewInt(1), roundedBits)
		x.SetFrac(ceil(new(big.Rat).Mul(x, new(big.Rat).SetInt(one))), one)
	}
}

// EpsilonAt returns an ε such that the releases are (ε, delta)-differentially private, 0 <= delta < 1. It is +Inf when
// there is none, as for noise without a pure guarantee and delta = 0. It is the smaller of two values: EpsilonOf of
// Rho, and Epsilon plus EpsilonOf of Rest, as an ε of pure releases adds to that of others.
func (g Guarantee) EpsilonAt(delta float64) float64 {
	apart := above(g.Epsilon)
	if !g.IsPure() {
		apart = (apart + EpsilonOf(above(g.Rest), delta)) * (1 + conversionSlack)
	}
	return min(EpsilonOf(above(g.Rho), delta), apart)
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
	if g.IsPure() && g.Epsilon.Cmp(l.Epsilon) <= 0 {
		return true
	}
	return g.EpsilonAt(below(l.Delta)) <= below(l.Epsilon)
}
