package ringlwe

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/internal/randstream"
)

// Stream is a stream of secret random words. It serves one goroutine at a time.
type Stream struct{ source interface{ Uint64() uint64 } }

// NewStream begins a stream under a fresh key from the operating system.
func NewStream() *Stream { return &Stream{randstream.New()} }

// ternary draws coefficients uniform in -1, 0, 1, but for 2^-62.
func (s *Stream) ternary(dst []int64) {
	for i := range dst {
		hi, _ := bits.Mul64(s.source.Uint64(), 3)
		dst[i] = int64(hi) - 1
	}
}

// binomial is the difference of the numbers of ones in two halves of 21 bits: centred binomial, |e| <= 21.
func binomial(word uint64) int64 {
	const half = 1<<NoiseBound - 1
	return int64(bits.OnesCount64(word&half)) - int64(bits.OnesCount64(word>>NoiseBound&half))
}

// uniform draws residues below p. What it leaves out is independent of what it keeps, and so is its time.
func (s *Stream) uniform(dst []uint64, p uint64) {
	mask := uint64(1)<<bits.Len64(p) - 1
	for i := range dst {
		x := s.source.Uint64() & mask
		for x >= p {
			x = s.source.Uint64() & mask
		}
		dst[i] = x
	}
}
