package codec

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Bound is a non-negative integer of any size in little-endian words: an upper limit on the magnitude of values.
// Operations carry it along, so that an overflow is refused before it is computed. Bounds are public.
type Bound []uint64

// ErrHeadroom says that a result could exceed what its slot or the plaintext space holds.
var ErrHeadroom = errors.New("no headroom")

// ParseBound reads a decimal number without sign.
func ParseBound(text string) (Bound, error) {
	if text == "" || len(text) > 4096 {
		return nil, fmt.Errorf("%q is not a decimal number", text)
	}
	var b Bound
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("%q is not a decimal number", text)
		}
		b = b.mulAdd(10, uint64(c-'0'))
	}
	return b, nil
}

func (b Bound) mulAdd(f, add uint64) Bound {
	for i := range b {
		hi, lo := bits.Mul64(b[i], f)
		var carry uint64
		b[i], carry = bits.Add64(lo, add, 0)
		add = hi + carry
	}
	if add != 0 {
		b = append(b, add)
	}
	return b
}

// BoundOf returns v as a bound.
func BoundOf(v uint64) Bound { return Bound{v} }

// PowerOfTen returns 10^n.
func PowerOfTen(n int) Bound {
	b := Bound{1}
	for range n {
		b = b.mulAdd(10, 0)
	}
	return b
}

// Times returns b·f: the bound on f equal additions, or on a multiplication by a factor of magnitude f.
func (b Bound) Times(f Bound) Bound {
	z := make(Bound, len(b)+len(f))
	bigmod.MulWords(z, b, f)
	return z
}

// Plus returns b+x.
func (b Bound) Plus(x Bound) Bound {
	n := max(len(b), len(x)) + 1
	z, y := make(Bound, n), make(Bound, n)
	copy(z, b)
	copy(y, x)
	bigmod.AddWords(z, z, y)
	return z
}

// BitLen is the length of b in bits; 0 for 0.
func (b Bound) BitLen() int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return 64*i + bits.Len64(b[i])
		}
	}
	return 0
}

// Cmp compares b and x: -1, 0 or 1.
func (b Bound) Cmp(x Bound) int {
	for i := max(len(b), len(x)) - 1; i >= 0; i-- {
		v, w := b.word(i), x.word(i)
		if v != w {
			if v < w {
				return -1
			}
			return 1
		}
	}
	return 0
}

func (b Bound) word(i int) uint64 {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// FitsResidue reports b <= (N-1)/2, the largest magnitude that a residue modulo N (little-endian words) can represent.
func (b Bound) FitsResidue(n []uint64) bool { return b.Cmp(shiftRight1(n)) <= 0 }

// String returns b in decimal.
func (b Bound) String() string {
	rest := append(Bound(nil), b...)
	var digits []byte
	for {
		var rem uint64
		for i := len(rest) - 1; i >= 0; i-- {
			rest[i], rem = bits.Div64(rem, rest[i], 10)
		}
		digits = append(digits, byte('0'+rem))
		if rest.BitLen() == 0 {
			break
		}
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits)
}

// EncodeSigned sets m to ±magnitude modulo N, or refuses with ErrHeadroom when the magnitude exceeds (N-1)/2.
func EncodeSigned(m []uint64, n []uint64, magnitude Bound, negative bool) error {
	if !magnitude.FitsResidue(n) {
		return fmt.Errorf("%w: |v| exceeds (N-1)/2", ErrHeadroom)
	}
	for i := range m {
		m[i] = magnitude.word(i)
	}
	if negative && magnitude.BitLen() > 0 {
		bigmod.SubWords(m, n, m)
	}
	return nil
}

// DecodeSigned is the inverse of EncodeSigned for any m < N.
func DecodeSigned(m []uint64, n []uint64) (magnitude Bound, negative bool) {
	magnitude = append(Bound(nil), m...)
	if bigmod.LessWords(shiftRight1(n), m) != 0 {
		bigmod.SubWords(magnitude, n, m)
		return magnitude, true
	}
	return magnitude, false
}
