package sums

import (
	"errors"
	"fmt"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Shape is what every key has.
type Shape struct {
	Key   *paillier.PublicKey
	Slots int // sums of a key, at least 1
}

func (s Shape) size() int { return s.Key.CiphertextSize() }

// rowBytes is the largest size of a key of some length with all its sums, in a table or a block of its own.
func (s Shape) rowBytes(key int) int {
	return max(entryBytes(s.Slots, key)+s.Slots*roundUp(s.size()), blockHeader+metaBytes(s.Slots)+key+s.Slots*s.size())
}

// refactorAt is the number of factors from which on a product becomes a ciphertext, of one factor, before it is
// multiplied. It is far below what a product may have, and so large that the conversion costs nothing.
const refactorAt = 1 << 20

// SumError is a ciphertext that was refused.
type SumError struct {
	Slot int
	Row  int // of the rows given
	Err  *paillier.CiphertextError
}

func (e *SumError) Error() string { return fmt.Sprintf("row %d, sum %d: %v", e.Row, e.Slot, e.Err) }
func (e *SumError) Unwrap() error { return e.Err }

// OverError is a key that has more additions than it may have.
type OverError struct {
	Adds   int64 // as many, or more
	Row    int   // with which it went too far: of the rows given, or of a block
	Origin any   // of that block; in use until Merge.Refuse returns
}

func (e *OverError) Error() string { return fmt.Sprintf("a key takes %d additions", e.Adds) }

// ErrDamaged is a run that differs from what was written.
var ErrDamaged = errors.New("a run of partial sums is damaged")
