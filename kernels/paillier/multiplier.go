package paillier

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Multiplier multiplies ciphertexts that lie anywhere in memory, one row of CiphertextSize() bytes each, for sums whose
// state is not an [Accumulator]'s: in a table too large for one, or on disk.
//
// Products are kept as they come out of the multiplication, which costs no more than that: the product of k ciphertexts
// is the residue c1·...·ck·R^-(k-1) modulo N², with the Montgomery radix R of the kernel. Whoever keeps it keeps k, its
// number of factors (below 2^32), as well, and multiplies it with a Multiplier of the same key and kernel only. Finish makes it a
// ciphertext again; a ciphertext is a product of one factor.
//
// Nothing is secret here. A Multiplier serves one goroutine at a time.
type Multiplier struct {
	pk     *PublicKey
	square bigmod.Ring
	x, y   pieceVec
	buf    []byte // rows of a piece, one after the other
	units  *unitTest
	counts []uint32
}

// NewMultiplier makes a worker.
func (pk *PublicKey) NewMultiplier() *Multiplier {
	rings := pk.rings.get()
	square := rings.direct()
	return &Multiplier{
		pk: pk, square: square, x: pieceVec{ring: square}, y: pieceVec{ring: square},
		buf: make([]byte, pieceMax*pk.CiphertextSize()), units: newUnitTest(rings, square), counts: make([]uint32, pieceMax),
	}
}

// Bytes is the memory held.
func (m *Multiplier) Bytes() int64 {
	return m.x.bytes() + m.y.bytes() + m.units.product.acc.bytes() + int64(len(m.buf)) + 4*int64(len(m.counts))
}

// CheckRange returns a *CiphertextError for the first of the ciphertexts ct, one after the other, that is not below N².
// Common factors with N are found by Finish only.
func (m *Multiplier) CheckRange(ct []byte) error {
	size := m.pk.CiphertextSize()
	checkLen("ciphertexts", len(ct), len(ct)/size*size)
	return pieces(len(ct)/size, pieceMax, func(first, rows, class int) error {
		return rangeError(m.square.SetBytes(m.x.get(class), ct[first*size:(first+rows)*size]), 0, first)
	})
}

// Mul sets dst[i] to the product of a[i] and b[i], whose factors add up. Each is a row of CiphertextSize() bytes; dst[i]
// may be a[i] or b[i] but no other row. It returns a *CiphertextError, of batch 0 for a and 1 for b, for a row that is not
// below N²; rows before it may have been written.
func (m *Multiplier) Mul(dst, a, b [][]byte) error {
	checkLen("products", len(dst), len(a))
	checkLen("products", len(dst), len(b))
	square := m.square
	return pieces(len(dst), pieceMax, func(first, rows, class int) error {
		x, y := m.x.get(class), m.y.get(class)
		if err := square.SetBytes(x, m.gather(a[first:first+rows])); err != nil {
			return rangeError(err, 0, first)
		}
		if err := square.SetBytes(y, m.gather(b[first:first+rows])); err != nil {
			return rangeError(err, 1, first)
		}
		square.Mul(x, x, y)
		size := m.pk.CiphertextSize()
		buf := m.buf[:rows*size]
		square.Bytes(buf, x)
		for i, row := range dst[first : first+rows] {
			copy(row, buf[i*size:(i+1)*size])
		}
		return nil
	})
}

// gather copies rows one after the other.
func (m *Multiplier) gather(rows [][]byte) []byte {
	size := m.pk.CiphertextSize()
	for i, row := range rows {
		if len(row) != size {
			panic(fmt.Sprintf("paillier: a ciphertext of %d bytes, want %d", len(row), size))
		}
		copy(m.buf[i*size:], row)
	}
	return m.buf[:len(rows)*size]
}

// Finish writes the ciphertexts of products, one after the other, to dst: product i has factors[i] factors. Of a product
// without factors, whose row is not read, it is 1, an encryption of 0. It returns a *CiphertextError for a row that is
// not below N² or shares a factor with N, as it does when one of its factors did.
func (m *Multiplier) Finish(dst []byte, products [][]byte, factors []uint32) error {
	size := m.pk.CiphertextSize()
	checkLen("sums", len(dst), len(products)*size)
	checkLen("sums", len(factors), len(products))
	square := m.square
	err := pieces(len(products), pieceMax, func(first, rows, class int) error {
		x, buf := m.x.get(class), m.buf[:rows*size]
		for i := range rows {
			row := buf[i*size : (i+1)*size]
			switch n := factors[first+i]; n {
			case 0:
				clear(row)
				row[size-1] = 1
				m.counts[i] = 0
			default:
				if len(products[first+i]) != size {
					panic(fmt.Sprintf("paillier: a ciphertext of %d bytes, want %d", len(products[first+i]), size))
				}
				copy(row, products[first+i])
				m.counts[i] = n - 1
			}
		}
		if err := square.SetBytes(x, buf); err != nil {
			return rangeError(err, 0, first)
		}
		m.units.add(x, class)
		square.MulRPow(x, m.counts[:rows])
		square.Bytes(dst[first*size:(first+rows)*size], x)
		return nil
	})
	if err != nil {
		m.units.product.reset()
		return err
	}
	if m.units.passed() {
		return nil
	}
	e := m.pk.NewEvaluator()
	return e.nonUnitError(dst, 0, e.firstNonUnit(dst, nil))
}
