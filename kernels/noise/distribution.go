package noise

import "errors"

// A Distribution is symmetric noise over the integers. Both Laplace and Gaussian are read-only and safe for concurrent
// use.
type Distribution interface {
	// Draw returns one value. Variable time: see the package's documentation.
	Draw(r *Random) Int
	// Variance of a draw.
	Variance() float64
	// MeanAbs is the mean of |sum| of the given number of independent draws, terms >= 1. It is the mean error of a
	// number with that much noise, correct to a relative error of 1e-6.
	MeanAbs(terms int64) float64
	// Tail is an integer that |draw| exceeds with a probability of at most 2^-bits, bits >= 0.
	Tail(bits int) Int
	// String names the distribution and its parameter.
	String() string
}

// ErrTooWide says that noise would be too large for exact 128-bit integers to hold what is computed from it.
var ErrTooWide = errors.New("the noise is too large")

// scaleBits bounds scale and standard deviation: both are below 2^scaleBits.
const scaleBits = 62
