package privacy

import (
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// Noise is the noise of a table: for every quantity (Table.Measures) a distribution to draw from, or none.
type Noise struct {
	Request   Request
	guarantee noise.Guarantee
	delta     *big.Rat // at which an ε is reported; nil: pure
	mechanism string
	Per       []noisy
}

// noisy is the noise of one quantity, in units of its packed integers.
type noisy struct {
	Name         string
	column       string // of the result
	decimals     int
	sensitivity  *big.Int           // of one record of a person
	Distribution noise.Distribution // of one term; nil: none
	Tail         codec.Int          // what a term exceeds with a probability below 2^-tailBits
	Limit        codec.Bound        // of |value + term|, for an encryption
}

// tailBits: for 2^40 draws, the probability that one of them is beyond its tail is below 2^-64.
const tailBits = 104

// NewNoise decides on the noise for the quantities of a table, whose bounds are those of values without noise. weight is
// the largest magnitude of a weight that values were multiplied by.
func NewNoise(p Request, measures []ctfile.Measure, weight int64) (*Noise, error) {
	n := &Noise{Request: p, Per: make([]noisy, len(measures))}
	var err error
	if n.guarantee, n.delta, err = p.promise(); err != nil {
		return nil, err
	}
	n.mechanism = mechanismGaussian
	if n.guarantee.IsPure() {
		n.mechanism = mechanismLaplace
	}
	bounds, decimals := map[string]*big.Int{}, map[string]int{}
	for _, m := range measures {
		if len(m.Given) == 1 && len(m.Terms) == 1 {
			b, ok := new(big.Int).SetString(m.Bound, 10)
			if !ok {
				return nil, errors.New("a bound that is no number")
			}
			bounds[m.Name], decimals[m.Name] = b, m.Decimals
		}
	}
	given, err := p.sensitivities(decimals)
	if err != nil {
		return nil, err
	}
	for name, s := range given {
		if s.Cmp(bounds[name]) > 0 {
			return nil, job.Misuse("Leave it out where a person can change a value by all of it.", "‹sensitivity› of %s is more than its max", column.Quote(name))
		}
	}
	parts := int64(0) // how many numbers of a record get noise
	for q, m := range measures {
		x := &n.Per[q]
		x.Name, x.column, x.decimals = m.Name, columnOf(m), m.Decimals
		if len(m.Terms) == 0 && p.Counts == CountsPublic {
			continue
		}
		parts++
		if x.sensitivity, err = p.sensitivity(m, bounds, given); err != nil {
			return nil, err
		}
	}
	for q := range n.Per {
		x := &n.Per[q]
		if x.sensitivity == nil {
			continue
		}
		if x.Distribution, err = n.calibrate(x.sensitivity, parts, weight); err != nil {
			if errors.Is(err, noise.ErrTooWide) {
				return nil, column.Refuse("", "measure %s: %w", column.Quote(x.Name), err).WithHint("Lower max or decimals, or allow a larger ‹epsilon› or ‹rho›.")
			}
			return nil, err
		}
		x.Tail = x.Distribution.Tail(tailBits)
	}
	return n, nil
}

// sensitivity is the largest change of a quantity by one record of a person. If the person can be in the data or not,
// a record is there or missing: that is the bound of its value, or less where the person is only a part of the value
// (given). For local noise it is the distance of any two values that the record could have.
func (p *Request) sensitivity(m ctfile.Measure, bounds, given map[string]*big.Int) (*big.Int, error) {
	bound, ok := new(big.Int).SetString(m.Bound, 10)
	if !ok {
		return nil, errors.New("a bound that is no number")
	}
	if len(m.Terms) == 0 {
		return big.NewInt(1), nil
	}
	if p.Noise == NoiseLocal {
		if len(m.Terms) == 2 && m.Terms[0] == m.Terms[1] { // squares are not negative
			return bound, nil
		}
		return bound.Lsh(bound, 1), nil
	}
	if slices.ContainsFunc(m.Terms, func(name string) bool { return given[name] == nil }) {
		return bound, nil
	}
	// A person can make a value missing that the number needs and does not contain. Then all of the record is gone
	// from it.
	if p.Counts != CountsPublic && slices.ContainsFunc(m.Given, func(name string) bool { return !slices.Contains(m.Terms, name) }) {
		return bound, nil
	}
	if len(m.Terms) == 1 {
		return given[m.Terms[0]], nil
	}
	// |ab - a'b'| <= |a|·|b-b'| + |b'|·|a-a'|
	a, b := m.Terms[0], m.Terms[1]
	s := new(big.Int).Mul(bounds[a], given[b])
	s.Add(s, new(big.Int).Mul(bounds[b], given[a]))
	most := bound
	if a != b {
		most = new(big.Int).Lsh(bound, 1)
	}
	if s.Cmp(most) > 0 {
		return most, nil
	}
	return s, nil
}

// calibrate chooses the noise of one quantity of sensitivity D, with `parts` of them in a record. All of them together
// then keep the guarantee for a person in K records, whose weight is at most W.
//
// Laplace: with scale b each number costs W·D/b for each record; K records of `parts` numbers cost K·parts times that.
// Gaussian, central: all K records may be in one sum, which the person changes by K·W·D: ρ is parts·(K·W·D)²/(2σ²). Local:
// every record has noise of its own, and ρ is K·parts·D²/(2σ²).
func (n *Noise) calibrate(d *big.Int, parts, weight int64) (noise.Distribution, error) {
	k, w := big.NewInt(n.Request.Records), big.NewInt(max(1, weight))
	change := new(big.Int).Mul(d, w)
	if n.mechanism == mechanismLaplace {
		scale := new(big.Rat).SetInt(change.Mul(change, k).Mul(change, big.NewInt(parts)))
		return noise.NewLaplace(scale.Quo(scale, n.guarantee.Epsilon))
	}
	square := new(big.Int)
	if n.Request.Noise == NoiseLocal {
		square.Mul(change, change).Mul(square, k)
	} else {
		change.Mul(change, k)
		square.Mul(change, change)
	}
	variance := new(big.Rat).SetInt(square.Mul(square, big.NewInt(parts)))
	variance.Quo(variance, new(big.Rat).Add(n.guarantee.Rho, n.guarantee.Rho))
	if n.Request.Noise == NoiseShare {
		return noise.Share(variance, int(n.Request.Honest))
	}
	return noise.NewGaussian(variance)
}

// Tails are what noise adds to the bounds of quantities, by name. Without noise there are none.
func (n *Noise) Tails() map[string]codec.Bound {
	if n == nil {
		return nil
	}
	out := map[string]codec.Bound{}
	for _, x := range n.Per {
		if x.Distribution != nil {
			out[x.Name] = TailBound(x.Tail)
		}
	}
	return out
}

// Note is what the footer says of the noise.
func (n *Noise) Note(groups []string) *ctfile.Noise {
	if n == nil {
		return nil
	}
	p := n.Request
	out := &ctfile.Noise{Place: p.Noise, Mechanism: n.mechanism, Rho: n.guarantee.Rho.RatString(), Records: p.Records, Counts: p.Counts,
		Owners: p.Owners, Honest: p.Honest}
	if n.guarantee.IsPure() {
		out.Epsilon = n.guarantee.Epsilon.RatString()
	}
	if n.delta != nil {
		out.Delta = n.delta.RatString()
	}
	if p.Groups != nil {
		out.Groups = groups
	}
	for _, x := range n.Per {
		if x.Distribution != nil {
			out.Quantities = append(out.Quantities, ctfile.NoisyQuantity{Name: x.Name, Sensitivity: x.sensitivity.String(), Parameter: parameter(x.Distribution), Tail: x.Tail.BigInt().String(), Tables: 1})
		}
	}
	return out
}

// parameter is the exact parameter of a distribution: the scale of Laplace noise, σ² of Gaussian noise.
func parameter(d noise.Distribution) string {
	switch d := d.(type) {
	case noise.Laplace:
		return d.Scale().RatString()
	case noise.Gaussian:
		return d.Parameter().RatString()
	}
	panic("job: a distribution without a parameter")
}

// distribution is the inverse of parameter.
func distribution(mechanism, text string) (noise.Distribution, error) {
	x, ok := exact(text)
	if !ok {
		return nil, errors.New("a parameter that is no positive number")
	}
	if mechanism == mechanismLaplace {
		return noise.NewLaplace(x)
	}
	return noise.NewGaussian(x)
}

// exact reads a positive number as a file has it: a decimal or a fraction, at most numberBytesMax long.
func exact(text string) (*big.Rat, bool) {
	if len(text) > numberBytesMax || strings.Trim(text, "0123456789./") != "" {
		return nil, false
	}
	x, ok := new(big.Rat).SetString(text)
	return x, ok && x.Sign() > 0
}

const numberBytesMax = 200

// ByQuantity returns the noise on each quantity that has some, by name.
func ByQuantity(n *ctfile.Noise) map[string]*ctfile.NoisyQuantity {
	out := make(map[string]*ctfile.NoisyQuantity, len(n.Quantities))
	for i := range n.Quantities {
		out[n.Quantities[i].Name] = &n.Quantities[i]
	}
	return out
}
