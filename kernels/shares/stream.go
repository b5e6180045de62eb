package shares

import (
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/internal/randstream"
)

// Stream is a stream of secret random words: see randstream.New. It serves one goroutine at a time.
type Stream struct{ chacha *rand.ChaCha8 }

// NewStream starts a stream with a fresh key.
func NewStream() *Stream {
	return &Stream{randstream.New()}
}

// NewSeeded starts the stream of a given key, for tests and simulations. The same key gives the same words: shares made
// with them protect only as long as nobody else knows the key and nothing else was made with it.
func NewSeeded(seed [32]byte) *Stream { return &Stream{rand.NewChaCha8(seed)} }

// Words fills w with uniform words.
func (s *Stream) Words(w []uint64) {
	for i := range w {
		w[i] = s.chacha.Uint64()
	}
}
