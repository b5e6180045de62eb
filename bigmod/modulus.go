package bigmod

import (
	"errors"
	"fmt"
	"math/bits"
)

// MaxBits is the length of the longest modulus, in bits.
const MaxBits = 8192

// Errors of NewModulus.
var (
	ErrModulusEven  = errors.New("bigmod: modulus is even")
	ErrModulusSmall = errors.New("bigmod: modulus is below 3")
	ErrModulusLong  = fmt.Errorf("bigmod: modulus has more than %d bits", MaxBits)
)

// Modulus is an odd modulus of 2 to MaxBits bits. It may be secret, such as the square of a prime: operations leak
// its length in bits and nothing else. A Modulus is read-only and safe for concurrent use.
type Modulus struct {
	words []uint64 // little-endian, Limbs() words, the top one not zero
	bits  int
}

// NewModulus reads a big-endian modulus, leading zeros allowed. The errors are ErrModulusEven, ErrModulusSmall and
// ErrModulusLong; whether and which one it is leaks, besides the length of the value in bits.
func NewModulus(be []byte) (*Modulus, error) {
	for len(be) > 0 && be[0] == 0 {
		be = be[1:]
	}
	if len(be) == 0 || len(be) == 1 && be[0] < 3 {
		return nil, ErrModulusSmall
	}
	n := 8*(len(be)-1) + bits.Len8(be[0])
	if n > MaxBits {
		return nil, ErrModulusLong
	}
	if be[len(be)-1]&1 == 0 {
		return nil, ErrModulusEven
	}
	m := &Modulus{words: make([]uint64, (n+63)/64), bits: n}
	WordsFromBytes(m.words, be)
	return m, nil
}

// BitLen is the length of the modulus in bits.
func (m *Modulus) BitLen() int { return m.bits }

// Size is the length of a residue in bytes: ceil(BitLen()/8).
func (m *Modulus) Size() int { return (m.bits + 7) / 8 }

// Limbs is the length of a residue in 64-bit words: ceil(BitLen()/64).
func (m *Modulus) Limbs() int { return len(m.words) }

// Bytes is the modulus, big-endian, in Size() bytes.
func (m *Modulus) Bytes() []byte {
	be := make([]byte, m.Size())
	BytesFromWords(be, m.words)
	return be
}

// Words is a copy of the modulus in Limbs() little-endian words.
func (m *Modulus) Words() []uint64 {
	return append([]uint64(nil), m.words...)
}

// Square returns the modulus m². It fails when that is longer than MaxBits.
func (m *Modulus) Square() (*Modulus, error) {
	w := m.Words()
	square := make([]uint64, 2*len(w))
	MulWords(square, w, w)
	be := make([]byte, 8*len(square))
	BytesFromWords(be, square)
	return NewModulus(be)
}
