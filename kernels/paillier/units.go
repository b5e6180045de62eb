package paillier

import (
	"errors"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Reasons of a CiphertextError.
const (
	reasonZero    = "is 0"
	reasonRange   = "is not below N²"
	reasonFactor  = "shares a factor with N"
	reasonForeign = "its randomizer is not in the group of this MHL key: it was made or re-randomized with another variant"
)

// unitTest tells whether ciphertexts are units modulo N, by one gcd for all of them.
type unitTest struct {
	square  bigmod.Ring // modulo N²
	ringN   bigmod.Ring // modulo N
	product *product
	n       *bigmod.Vec // one residue modulo N
	words   []uint64
}

// newUnitTest prepares for vectors of square, a ring modulo N².
func newUnitTest(rings *publicRings, square bigmod.Ring) *unitTest {
	return &unitTest{
		square: square, ringN: rings.n, product: newProduct(square), n: rings.n.NewVec(1),
		words: make([]uint64, len(rings.n2Words)),
	}
}

// add takes note of a piece of ciphertexts, in Montgomery form or not: R is a unit.
func (t *unitTest) add(x *bigmod.Vec, class int) { t.product.add(x, class) }

// passed says whether all ciphertexts since the last call were units.
func (t *unitTest) passed() bool {
	x := t.product.result()
	return x == nil || t.isUnit(x)
}

// isUnit tests one residue modulo N².
func (t *unitTest) isUnit(x *bigmod.Vec) bool {
	t.square.Words(t.words, x)
	t.ringN.SetWide(t.n, t.words, len(t.words))
	err := t.ringN.InverseVarTime(t.n, t.n)
	var bad *bigmod.NotInvertibleError
	return !errors.As(err, &bad)
}

// rangeError turns the error of SetBytes for a piece that starts at row first into a CiphertextError.
func rangeError(err error, batch, first int) error {
	var bad *bigmod.RangeError
	if errors.As(err, &bad) {
		return &CiphertextError{batch, first + bad.Index, reasonRange}
	}
	return err
}

// firstNonUnit returns the index of the first of n ciphertexts, all below N², that is not a unit, by bisection; skip
// leaves some out and may be nil. It returns n when there is none.
func (e *Evaluator) firstNonUnit(ct []byte, skip func(int) bool) int {
	size := e.pk.CiphertextSize()
	n := len(ct) / size
	lo, hi := 0, n
	if e.allUnits(ct, skip, 0, n) {
		return n
	}
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; e.allUnits(ct, skip, lo, mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// allUnits tests the ciphertexts lo to hi-1.
func (e *Evaluator) allUnits(ct []byte, skip func(int) bool, lo, hi int) bool {
	size := e.pk.CiphertextSize()
	x := e.x.get(0)
	for i := lo; i < hi; i++ {
		if skip != nil && skip(i) {
			continue
		}
		if e.rings.square.SetBytes(x, ct[i*size:(i+1)*size]) != nil {
			return false
		}
		e.units.add(x, 0)
	}
	return e.units.passed()
}

// nonUnitError describes ciphertext i of a batch, which is not a unit.
func (e *Evaluator) nonUnitError(ct []byte, batch, i int) error {
	size := e.pk.CiphertextSize()
	for _, b := range ct[i*size : (i+1)*size] {
		if b != 0 {
			return &CiphertextError{batch, i, reasonFactor}
		}
	}
	return &CiphertextError{batch, i, reasonZero}
}

// checkUnits returns an error when the ciphertexts noted with units.add were not all units, naming the first of ct
// that is not one.
func (e *Evaluator) checkUnits(ct []byte, batch int, skip func(int) bool) error {
	if e.units.passed() {
		return nil
	}
	return e.nonUnitError(ct, batch, e.firstNonUnit(ct, skip))
}
