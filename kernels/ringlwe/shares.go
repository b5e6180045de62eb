package ringlwe

import (
	"errors"
	"fmt"
)

// MembersMax is the largest number of members of a round.
const MembersMax = 255

// Share splits a key among members: n-fold, coefficient by coefficient, by a polynomial modulo the first prime whose value at 0
// is the coefficient (Shamir 1979). Share h, for the member with number h+1, is the value at h+1, packed to KeyBytes bytes.
// Any `threshold` shares tell the key; fewer tell nothing about it.
//
// Shares of several keys add up to shares of the sum of the keys. That alone is what helpers may tell: see AddShares.
func (k *Key) Share(members, threshold int, random *Stream) ([][]byte, error) {
	if threshold < 1 || threshold > members || members > MembersMax {
		return nil, fmt.Errorf("%d of %d shares: there can be 1 to %d members, and a threshold of so many at most", threshold, members, MembersMax)
	}
	s := k.set
	r, n := s.rings[0], s.Degree
	coefficients := make([]uint64, n*threshold) // those of degree d begin at n·d
	for j, x := range k.coefficients {
		coefficients[j] = r.lift(x)
	}
	random.uniform(coefficients[n:], r.p)
	shares := make([][]byte, members)
	value := make([]uint64, n)
	for h := range shares {
		x := uint64(h + 1) // below 2^8, so products are below 2^58
		copy(value, coefficients[n*(threshold-1):])
		for d := threshold - 2; d >= 0; d-- {
			for j, c := range coefficients[n*d : n*(d+1)] {
				value[j] = r.reduce(value[j]*x + c)
			}
		}
		shares[h] = make([]byte, s.KeyBytes())
		pack(shares[h], value, s.residueBits())
	}
	clear(coefficients)
	clear(value)
	return shares, nil
}

// ShareSum is the weighted sum of one helper's shares of several members' keys.
type ShareSum struct {
	set     *Set
	words   []uint64
	weights uint64
}

// NewShareSum returns an empty sum.
func (s *Set) NewShareSum() *ShareSum {
	return &ShareSum{set: s.ready(), words: make([]uint64, s.Degree)}
}

// Add adds weight times a share. The sum of all weights is WeightsMax at most.
func (a *ShareSum) Add(share []byte, weight uint64) error {
	s := a.set
	if len(share) != s.KeyBytes() {
		return fmt.Errorf("a share of %d bytes, not %d", len(share), s.KeyBytes())
	}
	if weight == 0 || weight > WeightsMax || a.weights+weight > WeightsMax {
		return fmt.Errorf("weight %d: the weights of a sum must be positive and %d at most in all", weight, WeightsMax)
	}
	a.weights += weight
	if !addPacked(a.words, share, s.residueBits(), s.Primes[0], weight) {
		return ErrResidue
	}
	return nil
}

// Answer returns the sum, packed: what a helper tells.
func (a *ShareSum) Answer() []byte {
	r := a.set.rings[0]
	for i := range a.words {
		a.words[i] = r.reduce(a.words[i])
	}
	b := make([]byte, a.set.KeyBytes())
	pack(b, a.words, a.set.residueBits())
	return b
}

// Answer is a helper's sum of shares.
type Answer struct {
	Helper int // number of the member, from 1
	Sum    []byte
}

// ErrAnswers says that answers do not give a sum of keys.
var ErrAnswers = errors.New("the helpers' answers do not give a sum of keys: they are too few, or not all of the same members and weights")

// KeySum interpolates the sum of keys, whose weights are `weights` in all, from at least `threshold` answers of different
// helpers. All answers take part. It returns ErrAnswers when the result is no sum of ternary keys, which is what happens with
// too few answers or a wrong one, but for a probability of (2·weights+1)/p for each coefficient.
func (s *Set) KeySum(answers []Answer, weights uint64) ([]int64, error) {
	s.ready()
	r := s.rings[0]
	total := make([]uint64, s.Degree)
	one := make([]uint64, s.Degree)
	seen := map[int]bool{}
	for _, a := range answers {
		if a.Helper < 1 || a.Helper > MembersMax || seen[a.Helper] {
			return nil, fmt.Errorf("helper %d answers twice, or is none", a.Helper)
		}
		seen[a.Helper] = true
	}
	for _, a := range answers {
		if len(a.Sum) != s.KeyBytes() {
			return nil, fmt.Errorf("an answer of %d bytes, not %d", len(a.Sum), s.KeyBytes())
		}
		clear(one)
		if !addPacked(one, a.Sum, s.residueBits(), r.p, 1) {
			return nil, ErrResidue
		}
		// Lagrange's coefficient at 0; helpers are public.
		above, below := uint64(1), uint64(1)
		for _, b := range answers {
			if b.Helper != a.Helper {
				above = r.mulVarTime(above, uint64(b.Helper))
				below = r.mulVarTime(below, r.lift(int64(b.Helper-a.Helper)))
			}
		}
		f := r.factor(r.mulVarTime(above, r.inverseVarTime(below)))
		for j, x := range one {
			total[j] = r.once(total[j] + r.mul(x, f))
		}
	}
	keys := make([]int64, s.Degree)
	var outside int64
	for j, x := range total {
		keys[j] = r.centre(x)
		outside |= (int64(weights) - keys[j]) | (int64(weights) + keys[j])
	}
	if len(answers) == 0 || outside < 0 {
		return nil, ErrAnswers
	}
	return keys, nil
}
