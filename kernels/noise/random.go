package noise

import (
	"math/bits"
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/internal/randstream"
)

// Random is a stream of secret random words for one worker: see randstream.New. It is not safe for concurrent use.
type Random struct {
	stream *rand.ChaCha8
}

// NewRandom starts a stream.
func NewRandom() *Random {
	return &Random{randstream.New()}
}

// NewSeeded starts a stream that is the same for the same seed, for tests and for the reproduction of experiments on
// public data. Noise with a known seed protects nothing.
func NewSeeded(seed [32]byte) *Random { return &Random{rand.NewChaCha8(seed)} }

// below returns a uniform integer 0 <= u < n, n > 0. By rejection.
func (r *Random) below(n uint64) uint64 {
	mask := ^uint64(0) >> bits.LeadingZeros64(n-1|1)
	for {
		if u := r.stream.Uint64() & mask; u < n {
			return u
		}
	}
}

// belowWords sets z to a uniform integer 0 <= z < n, n > 0, little-endian words; the lengths are equal. By rejection.
func (r *Random) belowWords(z, n []uint64) {
	top := len(n) - 1
	for n[top] == 0 {
		top--
	}
	mask := ^uint64(0) >> bits.LeadingZeros64(n[top])
	clear(z[top+1:])
	for {
		for i := top; ; i-- {
			z[i] = r.stream.Uint64()
			if i == top {
				z[i] &= mask
			}
			if i == 0 {
				break
			}
		}
		if less(z[:top+1], n[:top+1]) {
			return
		}
	}
}
