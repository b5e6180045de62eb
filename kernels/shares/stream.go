package shares

import (
	crand "crypto/rand"
	"math/rand/v2"
)

// Stream is a stream of secret random words: ChaCha8 under a 256-bit key from crypto/rand. It is math/rand/v2.ChaCha8,
// which erases its key about every kilobyte: its state tells nothing about earlier output. It serves one goroutine at a
// time.
type Stream struct{ chacha *rand.ChaCha8 }

// NewStream starts a stream with a fresh key.
func NewStream() *Stream {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: the program ends when the system has no randomness
	return NewSeeded(seed)
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
