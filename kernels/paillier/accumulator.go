package paillier

import (
	"errors"
	"fmt"
)

// Accumulator sums ciphertexts by group, at one multiplication each. It holds one residue for each group, whatever the
// number of ciphertexts, up to 2^32 in a group. It serves one goroutine at a time; several workers each have their own
// and merge them at the end. The result does not depend on the order.
type Accumulator struct {
	pk     *PublicKey
	rings  *publicRings
	sums   *scatter
	x      pieceVec
	units  *unitTest
	counts []uint32 // of a piece of groups
}

// AccumulatorOverhead is about what a group costs an Accumulator beyond its residue of CiphertextSize() bytes.
const AccumulatorOverhead = 16

// NewAccumulator makes a worker with n groups.
func (pk *PublicKey) NewAccumulator(n int) *Accumulator {
	rings := pk.rings.get()
	return &Accumulator{
		pk: pk, rings: rings, sums: newScatter(rings.square, n), x: pieceVec{ring: rings.square},
		units: newUnitTest(rings, rings.square), counts: make([]uint32, pieceMax),
	}
}

// Bytes is the memory held.
func (a *Accumulator) Bytes() int64 {
	return a.sums.bytes() + a.x.bytes() + a.units.product.acc.bytes() + 4*int64(len(a.counts))
}

// Groups is the number of groups.
func (a *Accumulator) Groups() int { return len(a.sums.counts) }

// Add adds ciphertext i, ct[i*CiphertextSize():], to group groups[i]; groups may repeat. It returns a *CiphertextError
// for a ciphertext that is not below N², after which the sums are not to be used; one that shares a factor with N
// (such as 0) is found by Finish only. It panics when a group is out of range.
func (a *Accumulator) Add(groups []int32, ct []byte) error {
	size := a.pk.CiphertextSize()
	checkLen("ciphertexts", len(ct), len(groups)*size)
	for _, g := range groups {
		if g < 0 || int(g) >= a.Groups() {
			panic(fmt.Sprintf("paillier: group %d of %d", g, a.Groups()))
		}
	}
	return pieces(len(groups), pieceMax, func(first, rows, class int) error {
		x := a.x.get(class)
		if err := a.rings.square.SetBytes(x, ct[first*size:(first+rows)*size]); err != nil {
			return rangeError(err, 0, first)
		}
		return a.sums.add(x, groups[first:first+rows])
	})
}

// Merge adds the sums of b, which stays as it is, to those of a. Both are of the same key and kernel and have the same
// number of groups, else it returns an error.
func (a *Accumulator) Merge(b *Accumulator) error {
	if a.rings != b.rings {
		return errors.New("paillier: accumulators of different keys or kernels cannot be merged")
	}
	if a.Groups() != b.Groups() {
		return fmt.Errorf("paillier: accumulators of %d and %d groups cannot be merged", a.Groups(), b.Groups())
	}
	for g, n := range b.sums.counts {
		if uint64(n)+uint64(a.sums.counts[g]) > scatterCountMax {
			return errCountMax
		}
	}
	zi, xi := a.sums.zi[:0], a.sums.xi[:0]
	for g, n := range b.sums.counts {
		if n != 0 {
			zi, xi = append(zi, int32(g)), append(xi, int32(g))
		}
		if len(zi) == pieceMax || g == b.Groups()-1 {
			a.sums.merge(b.sums.buckets, zi, xi)
			zi, xi = zi[:0], xi[:0]
		}
	}
	for g, n := range b.sums.counts {
		a.sums.counts[g] += n
	}
	return nil
}

// Finish writes one ciphertext for each group, 1 (an encryption of 0) for a group that got none, and empties all groups.
// It returns a *CiphertextError whose Index is the first group that got a ciphertext sharing a factor with N;
// Evaluator.Check on the inputs tells which one that was.
func (a *Accumulator) Finish(dst []byte) error {
	checkLen("sums", len(dst), a.Groups()*a.pk.CiphertextSize())
	err := a.Sums(dst, 0)
	a.sums.reset()
	return err
}

// Sums writes the sums of the groups from first on, as many as dst has room for, as Finish does, and keeps them. The
// error's index counts from first.
func (a *Accumulator) Sums(dst []byte, first int) error {
	size := a.pk.CiphertextSize()
	n := len(dst) / size
	checkLen("sums", len(dst), n*size)
	square := a.rings.square
	// The loop returns no error.
	_ = pieces(n, pieceMax, func(done, rows, class int) error {
		x := a.x.get(class)
		from := a.sums.next[:0]
		for i := range rows {
			from = append(from, int32(first+done+i))
		}
		square.CopyAt(x, iota32[:rows], a.sums.buckets, from)
		empty := a.sums.zi[:0]
		for i := range rows {
			n := a.sums.counts[first+done+i]
			a.counts[i] = n - min(n, 1)
			if n == 0 {
				empty = append(empty, int32(i))
			}
		}
		square.CopyAt(x, empty, a.rings.one, zeros32[:len(empty)])
		a.units.add(x, class)
		square.MulRPow(x, a.counts[:rows])
		square.Bytes(dst[done*size:(done+rows)*size], x)
		return nil
	})
	if a.units.passed() {
		return nil
	}
	e := a.pk.NewEvaluator()
	return &CiphertextError{Index: e.firstNonUnit(dst, nil), Reason: "a ciphertext of this group shares a factor with N"}
}
