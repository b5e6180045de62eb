package paillier

import (
	"errors"
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// strausPieceMax is the number of rows of a weighted fold that are computed at a time: fewer than elsewhere, as every
// batch brings a table of powers of its rows.
const strausPieceMax = 32

// strausWindowMax is the widest window of bits of a weight.
const strausWindowMax = 5

// straus is the plan and scratch of a weighted fold: products of powers with exponents that all rows share, all batches
// being squared together (Straus, Addition chains of vectors, Amer. Math. Monthly 71, 1964), with sliding windows and
// odd powers only.
type straus struct {
	signs [2]strausSign // positive, negative weights
	zeros []int         // batches whose weight is 0
	odd   [][]pieceVec  // odd[batch][k] holds x^(2k+1), Montgomery form
}

// strausSign is the part with weights of one sign.
type strausSign struct {
	bits   int            // of the longest weight; 0 when there is none
	digits [][]strausTerm // digits[b]: what to multiply by at bit b
	acc    pieceVec
}

// strausTerm is the odd power 2k+1 of a batch.
type strausTerm struct{ batch, k int }

// bytes is the memory held.
func (s *straus) bytes() int64 {
	n := s.signs[0].acc.bytes() + s.signs[1].acc.bytes()
	for _, powers := range s.odd {
		for i := range powers {
			n += powers[i].bytes()
		}
	}
	return n
}

// strausWindow returns the window that needs the fewest multiplications for a weight of that many bits: 2^(w-1) for the
// odd powers and their ratio, and about bits/(w+1) for the digits.
func strausWindow(length int) int {
	best, cost := 1, float64(length)/2
	for w := 2; w <= strausWindowMax; w++ {
		if c := float64(int(1)<<(w-1)) + float64(length)/float64(w+1); c < cost {
			best, cost = w, c
		}
	}
	return best
}

// plan lays out the digits of the weights and returns how many odd powers each batch needs.
func (s *straus) plan(weights []int64) []int {
	s.zeros = s.zeros[:0]
	powers := make([]int, len(weights))
	for i := range s.signs {
		s.signs[i].bits, s.signs[i].digits = 0, nil
	}
	for batch, weight := range weights {
		v := magnitude(weight)
		if v == 0 {
			s.zeros = append(s.zeros, batch)
			continue
		}
		sign := &s.signs[0]
		if weight < 0 {
			sign = &s.signs[1]
		}
		length := bits.Len64(v)
		sign.bits = max(sign.bits, length)
		for len(sign.digits) < length {
			sign.digits = append(sign.digits, nil)
		}
		w := strausWindow(length)
		for pos := 0; v>>pos != 0; pos++ {
			if v>>pos&1 == 0 {
				continue
			}
			k := int(v >> pos & (1<<w - 1) / 2)
			sign.digits[pos] = append(sign.digits[pos], strausTerm{batch, k})
			powers[batch] = max(powers[batch], k+1)
			pos += w - 1
		}
	}
	return powers
}

// WeightedFold multiplies powers of equally long batches element by element: dst[i] = ∏ cts[j][i]^weights[j] encrypts the
// weighted sum of the plaintexts. Batches with negative weights are multiplied apart and inverted together, one
// inversion for 32 rows. Of batches with weight 0 only the range of the ciphertexts is checked. The error's Batch and
// Index name the offending ciphertext. Whoever knows the inputs' plaintexts can find out small weights from the result;
// Rerandomize hides them.
func (e *Evaluator) WeightedFold(dst []byte, weights []int64, cts ...[]byte) error {
	for _, ct := range cts {
		checkLen("ciphertexts", len(ct), len(dst))
	}
	checkLen("weights", len(weights), len(cts))
	checkAtLeastOne("batches", len(cts))
	if e.straus == nil {
		e.straus = new(straus)
		for i := range e.straus.signs {
			e.straus.signs[i].acc.ring = e.rings.square
		}
	}
	s := e.straus
	powers := s.plan(weights)
	for len(s.odd) < len(cts) {
		s.odd = append(s.odd, nil)
	}
	err := pieces(e.rows(dst), strausPieceMax, func(first, rows, class int) error {
		for _, batch := range s.zeros {
			if err := e.load(e.x.get(class), cts[batch], batch, first); err != nil {
				return err
			}
		}
		for batch, n := range powers {
			if n == 0 {
				continue
			}
			if err := e.oddPowers(cts[batch], batch, n, first, class); err != nil {
				return err
			}
		}
		result, err := e.strausPiece(class)
		var bad *bigmod.NotInvertibleError
		if errors.As(err, &bad) {
			return e.foldCulprit(first+bad.Index, dst, weights, cts)
		}
		if err != nil {
			return err
		}
		e.units.add(result, class)
		e.store(dst, first, result)
		return nil
	})
	if err != nil {
		e.units.product.reset()
		return err
	}
	if e.units.passed() {
		return nil
	}
	return e.foldCulprit(e.firstNonUnit(dst, nil), dst, weights, cts)
}

// oddPowers sets s.odd[batch][k] = x^(2k+1), k < n, for the piece of ct at row first, in Montgomery form.
func (e *Evaluator) oddPowers(ct []byte, batch, n, first, class int) error {
	s, ring := e.straus, e.rings.square
	for len(s.odd[batch]) < n {
		s.odd[batch] = append(s.odd[batch], pieceVec{ring: ring})
	}
	odd := s.odd[batch]
	x := odd[0].get(class)
	if err := e.load(x, ct, batch, first); err != nil {
		return err
	}
	ring.ToMont(x, x)
	if n == 1 {
		return nil
	}
	square := e.y.get(class)
	ring.Sqr(square, x)
	for k := 1; k < n; k++ {
		ring.Mul(odd[k].get(class), odd[k-1].get(class), square)
	}
	return nil
}

// strausPiece returns the weighted products of a piece. The error is that of InverseVarTime.
func (e *Evaluator) strausPiece(class int) (*bigmod.Vec, error) {
	ring := e.rings.square
	var parts [2]*bigmod.Vec // not in Montgomery form
	for i := range e.straus.signs {
		sign := &e.straus.signs[i]
		for b := sign.bits - 1; b >= 0; b-- {
			if parts[i] != nil {
				ring.Sqr(parts[i], parts[i])
			}
			for _, term := range sign.digits[b] {
				power := e.straus.odd[term.batch][term.k].get(class)
				if parts[i] == nil {
					parts[i] = sign.acc.get(class)
					ring.CopyAt(parts[i], iota32[:power.Len], power, iota32[:power.Len])
				} else {
					ring.Mul(parts[i], parts[i], power)
				}
			}
		}
		if parts[i] != nil {
			ring.FromMont(parts[i], parts[i])
		}
	}
	positive, negative := parts[0], parts[1]
	if negative == nil {
		if positive == nil {
			positive = e.x.get(class)
			e.setOne(positive)
		}
		return positive, nil
	}
	if err := ring.InverseVarTime(negative, negative); err != nil {
		return nil, err
	}
	if positive == nil {
		return negative, nil
	}
	ring.ToMont(negative, negative)
	ring.Mul(positive, positive, negative)
	return positive, nil
}
