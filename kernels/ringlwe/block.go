package ringlwe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// A block has BlockValues slots. Slot j is field j/n of coefficient j mod n; a coefficient is Σ field·2^(FieldBits·i), with
// fields of either sign. The first slots of every block are its head:
//
//	slot 0: the member's weight D
//	slot 1: the check, which is the largest magnitude L of a value times 1
//
// So every block that is opened tells the sum of the weights, and whether it was opened rightly: the check of weights α is
// L·Σα. Noise that is too large, a member too few or another round's randomness change all slots of a block.
const (
	slotWeight = iota
	slotCheck
	headSlots
)

// Capacity is how many values of a vector a block holds.
func (s *Set) Capacity() int { return s.BlockValues() - headSlots }

// Blocks is the number of blocks that hold so many values.
func (s *Set) Blocks(values int64) int64 {
	c := int64(s.Capacity())
	return (values + c - 1) / c
}

// Head is what a block says about its member.
type Head struct {
	Weight int64 // D, at least 1
	Check  int64 // L, the same for all members of a round
}

// encode writes the plaintext of a block, with noise, as residues: Words of them. slots are the head and the values; missing
// ones are 0. They are changed. noise are words of random bits, n of them.
func (s *Set) encode(dst []uint64, slots []int64, noise []uint64) {
	n, f := s.Degree, s.FieldBits()
	low, high := s.split()
	if high == 0 {
		values := slots[:n:n]
		for i := 1; i < low; i++ {
			for j, x := range slots[i*n : (i+1)*n] {
				values[j] += x << (i * f)
			}
		}
		s.rings[0].encode(dst[:n], values, noise[:n], s.LogT)
		return
	}
	for j := range n {
		var lo, hi int64
		for i := low - 1; i >= 0; i-- {
			lo = lo<<f + slots[i*n+j]
		}
		for i := high - 1; i >= 0; i-- {
			hi = hi<<f + slots[(low+i)*n+j]
		}
		hi += binomial(noise[j]) << (s.LogT - low*f)
		for k, r := range s.rings {
			dst[k*n+j] = r.once(r.mul(r.lift(hi), s.shift[k]) + r.lift(lo))
		}
	}
}

// encodeGeneric writes values + noise·2^shift as residues.
func (r *ring) encodeGeneric(dst []uint64, values []int64, noise []uint64, shift int) {
	values, noise = values[:len(dst)], noise[:len(dst)]
	for j := range dst {
		dst[j] = r.lift(values[j] + binomial(noise[j])<<shift)
	}
}

// split is how many fields are in the low word of a coefficient, and how many in the high one. Coefficients with noise fit one
// word, below 2^50, when there is one prime.
func (s *Set) split() (low, high int) {
	if len(s.Primes) == 1 {
		return s.Fields, 0
	}
	return s.Fields / 2, s.Fields / 2
}

// decode reads the slots of an opened block, whose residues are coefficients, not in the domain of the transform.
func (s *Set) decode(slots []int64, residues []uint64) {
	n, f := s.Degree, s.FieldBits()
	for j := range n {
		var hi, lo uint64
		if len(s.rings) == 1 {
			lo = uint64(s.rings[0].centre(residues[j]))
			hi = uint64(int64(lo) >> 63)
		} else {
			hi, lo = s.crt.centre(residues[j], residues[n+j])
		}
		// Fields from the lowest: the centred remainder modulo 2^f, which is then subtracted before the shift.
		for i := range s.Fields {
			x := int64(lo<<(64-f)) >> (64 - f)
			slots[i*n+j] = x
			low, borrow := bits.Sub64(lo, uint64(x), 0)
			hi, _ = bits.Sub64(hi, uint64(x>>63), borrow)
			lo, hi = low>>f|hi<<(64-f), uint64(int64(hi)>>f)
		}
	}
}

// pack writes residues of size bits: 50 or 40.
func pack(dst []byte, residues []uint64, size int) {
	checkLen("bytes of residues", len(dst), len(residues)*size/8)
	le := binary.LittleEndian
	if size == 40 {
		for len(residues) >= 8 {
			x := residues[:8:8]
			d := dst[:40:40]
			le.PutUint64(d, x[0]|x[1]<<40)
			le.PutUint64(d[8:], x[1]>>24|x[2]<<16|x[3]<<56)
			le.PutUint64(d[16:], x[3]>>8|x[4]<<32)
			le.PutUint64(d[24:], x[4]>>32|x[5]<<8|x[6]<<48)
			le.PutUint64(d[32:], x[6]>>16|x[7]<<24)
			residues, dst = residues[8:], dst[40:]
		}
		return
	}
	for len(residues) >= 4 {
		x := residues[:4:4]
		d := dst[:25:25]
		le.PutUint64(d, x[0]|x[1]<<50)
		le.PutUint64(d[8:], x[1]>>14|x[2]<<36)
		le.PutUint64(d[16:], x[2]>>28|x[3]<<22)
		d[24] = byte(x[3] >> 42)
		residues, dst = residues[4:], dst[25:]
	}
}

// addPacked adds weight times each packed residue to a word of sums. It returns whether all residues are below p, without
// which the sums mean nothing.
func addPacked(sums []uint64, src []byte, size int, p, weight uint64) bool {
	checkLen("bytes of residues", len(src), len(sums)*size/8)
	le := binary.LittleEndian
	var above uint64
	if size == 40 {
		const mask = 1<<40 - 1
		for len(sums) >= 8 {
			s := sums[:8:8]
			d := src[:40:40]
			x := [8]uint64{le.Uint64(d) & mask, le.Uint64(d[5:]) & mask, le.Uint64(d[10:]) & mask, le.Uint64(d[15:]) & mask,
				le.Uint64(d[20:]) & mask, le.Uint64(d[25:]) & mask, le.Uint64(d[30:]) & mask, le.Uint64(d[32:]) >> 24}
			for i, x := range x {
				above |= p - 1 - x
				s[i] += weight * x
			}
			sums, src = sums[8:], src[40:]
		}
		return int64(above) >= 0
	}
	const mask = 1<<50 - 1
	for len(sums) >= 4 {
		s := sums[:4:4]
		d := src[:25:25]
		x0, x1, x2, x3 := le.Uint64(d)&mask, le.Uint64(d[6:])>>2&mask, le.Uint64(d[12:])>>4&mask, le.Uint64(d[17:])>>14
		above |= (p - 1 - x0) | (p - 1 - x1) | (p - 1 - x2) | (p - 1 - x3)
		s[0] += weight * x0
		s[1] += weight * x1
		s[2] += weight * x2
		s[3] += weight * x3
		sums, src = sums[4:], src[25:]
	}
	return int64(above) >= 0
}

// ErrResidue says that bytes are no residues of a set's primes.
var ErrResidue = errors.New("a residue is not below its modulus")

// WeightsMax is the largest sum of weights of ciphertexts: sums of words stay below 2^64.
const WeightsMax = 1<<13 - 1

// Sum is a weighted sum of ciphertexts of one block.
type Sum struct {
	set     *Set
	words   []uint64
	weights uint64
}

// NewSum returns an empty sum.
func (s *Set) NewSum() *Sum { return &Sum{set: s.ready(), words: make([]uint64, s.Words())} }

// Reset empties the sum.
func (a *Sum) Reset() {
	clear(a.words)
	a.weights = 0
}

// Add adds weight times a packed block. The sum of all weights is WeightsMax at most. After an error the sum means nothing.
func (a *Sum) Add(block []byte, weight uint64) error {
	s := a.set
	checkLen("bytes of a block", len(block), s.BlockBytes())
	if weight == 0 || weight > WeightsMax || a.weights+weight > WeightsMax {
		return fmt.Errorf("weight %d: the weights of a sum must be positive and %d at most in all", weight, WeightsMax)
	}
	a.weights += weight
	size, n := s.residueBits(), s.Degree
	for k, p := range s.Primes {
		if !addPacked(a.words[k*n:(k+1)*n], block[k*n*size/8:(k+1)*n*size/8], size, p, weight) {
			return ErrResidue
		}
	}
	return nil
}

// Bytes writes the sum as a packed block.
func (a *Sum) Bytes(dst []byte) {
	s := a.set
	checkLen("bytes of a block", len(dst), s.BlockBytes())
	size, n := s.residueBits(), s.Degree
	for k, r := range s.rings {
		w := a.words[k*n : (k+1)*n]
		for i := range w {
			w[i] = r.reduce(w[i])
		}
		pack(dst[k*n*size/8:(k+1)*n*size/8], w, size)
	}
}
