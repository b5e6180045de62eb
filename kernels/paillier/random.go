package paillier

import (
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/randstream"
)

// Random is a stream of secret random bytes for one worker: see randstream.New. It is not safe for concurrent use.
type Random struct {
	stream *rand.ChaCha8
}

// NewRandom starts a stream.
func NewRandom() *Random {
	return &Random{randstream.New()}
}

func newRandom(seed [32]byte) *Random { return &Random{rand.NewChaCha8(seed)} }

// Read fills b. It never fails.
func (r *Random) Read(b []byte) (int, error) { return r.stream.Read(b) }

// exponents fills dst with big-endian values of ceil(bits/8) bytes each, uniform below 2^bits.
func (r *Random) exponents(dst []byte, bits int) {
	r.stream.Read(dst)
	if bits%8 == 0 {
		return
	}
	for i := 0; i < len(dst); i += (bits + 7) / 8 {
		dst[i] &= 1<<(bits%8) - 1
	}
}

// units fills dst with big-endian values x, uniform in 0 < x < limit, of size bytes each. limit is the product of one
// or two large primes, so that a value shares a factor with it about as often as someone guesses the factor. By
// rejection: how many draws were rejected leaks, which tells nothing about those that were not, and of limit, over very
// many draws, the leading bits: log2(√draws) of them. scratch has the length of limit.
func (r *Random) units(dst []byte, limit, scratch []uint64, size int) {
	top := byte(limit[(size-1)/8] >> (8 * ((size - 1) % 8)))
	mask := byte(1)
	for mask < top {
		mask = mask<<1 | 1
	}
	for ; len(dst) > 0; dst = dst[size:] {
		for {
			r.stream.Read(dst[:size])
			dst[0] &= mask
			bigmod.WordsFromBytes(scratch, dst[:size])
			if bigmod.LessWords(scratch, limit)&^isZero(scratch) != 0 {
				break
			}
		}
	}
}

// isZero returns all ones when x = 0 and 0 otherwise. Constant time.
func isZero(x []uint64) uint64 {
	var v uint64
	for _, w := range x {
		v |= w
	}
	return uint64(int64(^v&(v-1)) >> 63)
}
