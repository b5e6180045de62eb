package noise

import "github.com/cipherfold/cipherfold/bigmod"

// bernoulli returns true with probability x/y, 0 <= x <= y, y > 0.
func (r *Random) bernoulli(x, y uint64) bool { return r.below(y) < x }

// bernoulliExp returns true with probability exp(-x/y), y > 0 (Canonne, Kamath and Steinke 2020, algorithm 1). An
// exponent of 1 or more is reduced in steps of one: exp(-x/y) = exp(-1)·exp(-(x-y)/y). That ends soon however large
// x/y is, because every step ends it with probability 1 - 1/e.
func (r *Random) bernoulliExp(x, y uint64) bool {
	for ; x >= y; x -= y {
		if !r.bernoulliInverseE() {
			return false
		}
	}
	return r.alternating(func() bool { return r.bernoulli(x, y) })
}

// bernoulliInverseE returns true with probability 1/e.
func (r *Random) bernoulliInverseE() bool { return r.alternating(func() bool { return true }) }

// bernoulliExpWords is bernoulliExp for x and y of several little-endian words. x and scratch are overwritten. The
// lengths are equal.
func (r *Random) bernoulliExpWords(x, y, scratch []uint64) bool {
	for !less(x, y) {
		if !r.bernoulliInverseE() {
			return false
		}
		bigmod.SubWords(x, x, y)
	}
	return r.alternating(func() bool {
		r.belowWords(scratch, y)
		return less(scratch, x)
	})
}

// alternating returns true with probability exp(-p), where coin returns true with probability p. Let K be the number
// of the first failure among independent trials of probability p/1, p/2, p/3 and so on. K > k has probability p^k/k!,
// so K is odd with probability 1 - p + p²/2! - p³/3! + ... = exp(-p).
func (r *Random) alternating(coin func() bool) bool {
	k := uint64(1)
	for coin() && (k == 1 || r.below(k) == 0) {
		k++
	}
	return k%2 == 1
}

// less reports x < y. The lengths are equal.
func less(x, y []uint64) bool { return bigmod.LessWords(x, y) != 0 }
