package bigmod

import "math/bits"

// negInverse returns -m0⁻¹ mod 2^64 for odd m0, by Newton's iteration.
func negInverse(m0 uint64) uint64 {
	x := m0 // right in the low 3 bits
	for range 5 {
		x *= 2 - m0*x
	}
	return -x
}

// Montgomery is what a ring of [NewWordRing] or [NewSquareWordRing] multiplies with, modulo one odd m in n little-endian
// words of 64 bits each, R = 2^(64n): nearly all the time of a ring is spent in it. Slices have n words unless stated
// otherwise. All of it is constant time in all values and safe for concurrent use.
type Montgomery interface {
	// Product sets the 2n words t = x·y. s is scratch of 2n words; nothing overlaps but x and y.
	Product(t, x, y, s []uint64)
	// Square sets the 2n words t = x·x, likewise.
	Square(t, x, s []uint64)
	// Reduce sets z = v·R⁻¹ mod m for the 2n words v = t, by Montgomery's method: it finds q < R with v + q·m = u·R and
	// leaves q in the first n words of t. z is u less over·m, where over is 1 when u is not below m, and 0 otherwise: below
	// m for v < m·R, and below R in any case.
	Reduce(z, t []uint64) (over uint64)
	// Select sets z to row d of a table of rows of len(z) words, n or 2n, of which there is an even number, reading all of it.
	Select(z, table []uint64, d uint64)
}

// MontgomeryScratch is the room that products and their reduction take, in residues.
const MontgomeryScratch = 4

// Portable is the Montgomery of [Generic]. m is odd and kept, inv = -m⁻¹ mod 2^64.
func Portable(m []uint64, inv uint64) Montgomery { return &portable{m, inv} }

type portable struct {
	m   []uint64
	inv uint64
}

func (p *portable) Product(t, x, y, _ []uint64) { mulRows(t, x, y) }

func (p *portable) Square(t, x, _ []uint64) { sqrRows(t, x) }

func (p *portable) Reduce(z, t []uint64) uint64 { return montReduce(z, p.m, p.inv, t) }

func (p *portable) Select(z, table []uint64, d uint64) { selectRow(z, table, d) }

// montReduce is Reduce (Montgomery, "Modular multiplication without trial division", 1985).
func montReduce(z, m []uint64, inv uint64, t []uint64) (over uint64) {
	n := len(m)
	var carry, c uint64
	for i := range n {
		q := t[i] * inv
		hi := addMulWord(t[i:i+n], m, q)
		t[i] = q // in the place of 0
		t[i+n], c = bits.Add64(t[i+n], carry, 0)
		t[i+n], carry = bits.Add64(t[i+n], hi, 0)
		carry += c
	}
	return reduceOnce(z, t[n:], carry, m)
}

// reduceOnce sets z = v mod m for v = x + carry·2^(64·len(m)) < 2m, and returns 1 when v is not below m and 0 otherwise. For
// other v below m + 2^(64·len(m)) it subtracts m once as well. z may be x or start below it.
func reduceOnce(z, x []uint64, carry uint64, m []uint64) (over uint64) {
	x, z = x[:len(m)], z[:len(m)]
	var borrow uint64
	for i := range m {
		_, borrow = bits.Sub64(x[i], m[i], borrow)
	}
	over = carry | (borrow ^ 1) // v >= m; a carry comes with a borrow
	mask := -over
	borrow = 0
	for i := range m {
		z[i], borrow = bits.Sub64(x[i], mask&m[i], borrow)
	}
	return over
}

// mulRows sets t = x·y, len(t) = len(x)+len(y), without aliasing.
func mulRows(t, x, y []uint64) {
	clear(t[:len(x)])
	for i, v := range y {
		t[i+len(x)] = addMulWord(t[i:i+len(x)], x, v)
	}
}

// sqrRows sets t = x·x, len(t) = 2·len(x), without aliasing: the products of different words once, then doubled, and
// the squares of the words.
func sqrRows(t, x []uint64) {
	n := len(x)
	clear(t[:n])
	for i, v := range x {
		t[i+n] = addMulWord(t[2*i+1:i+n], x[i+1:], v)
	}
	var carry, top uint64
	for _, v := range x {
		hi, lo := bits.Mul64(v, v)
		t0, t1 := t[0], t[1]
		t[0], carry = bits.Add64(lo, t0<<1|top, carry)
		t[1], carry = bits.Add64(hi, t1<<1|t0>>63, carry)
		top = t1 >> 63
		t = t[2:]
	}
}

// addMulWord sets z += x·y and returns the word that carries out. len(x) >= len(z).
//
// This loop is nearly all the time of the package. Rows of products with two carry chains per four words were as fast
// as any other order tried in Go (columns, two or four rows at a time), because the compiler computes the products of
// a basic block before their sums and spills what does not fit the registers. Pointers to arrays made the loop a seventh
// faster than slices that shrink.
func addMulWord(z, x []uint64, y uint64) (carry uint64) {
	x = x[:len(z)]
	var c uint64
	i := 0
	for ; i < len(z)%4; i++ {
		hi, lo := bits.Mul64(x[i], y)
		lo, c = bits.Add64(lo, carry, 0)
		hi, _ = bits.Add64(hi, 0, c)
		z[i], c = bits.Add64(z[i], lo, 0)
		carry, _ = bits.Add64(hi, 0, c)
	}
	if len(z)%8 >= 4 {
		z, x := (*[4]uint64)(z[i:]), (*[4]uint64)(x[i:])
		h0, l0 := bits.Mul64(x[0], y)
		h1, l1 := bits.Mul64(x[1], y)
		h2, l2 := bits.Mul64(x[2], y)
		h3, l3 := bits.Mul64(x[3], y)
		l0, c = bits.Add64(l0, carry, 0)
		l1, c = bits.Add64(l1, h0, c)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		carry, _ = bits.Add64(h3, 0, c)
		z[0], c = bits.Add64(z[0], l0, 0)
		z[1], c = bits.Add64(z[1], l1, c)
		z[2], c = bits.Add64(z[2], l2, c)
		z[3], c = bits.Add64(z[3], l3, c)
		carry, _ = bits.Add64(carry, 0, c)
		i += 4
	}
	for ; i <= len(z)-8; i += 8 {
		z, x := (*[8]uint64)(z[i:]), (*[8]uint64)(x[i:])
		h0, l0 := bits.Mul64(x[0], y)
		h1, l1 := bits.Mul64(x[1], y)
		h2, l2 := bits.Mul64(x[2], y)
		h3, l3 := bits.Mul64(x[3], y)
		l0, c = bits.Add64(l0, carry, 0)
		l1, c = bits.Add64(l1, h0, c)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		carry, _ = bits.Add64(h3, 0, c)
		z[0], c = bits.Add64(z[0], l0, 0)
		z[1], c = bits.Add64(z[1], l1, c)
		z[2], c = bits.Add64(z[2], l2, c)
		z[3], c = bits.Add64(z[3], l3, c)
		carry, _ = bits.Add64(carry, 0, c)

		h0, l0 = bits.Mul64(x[4], y)
		h1, l1 = bits.Mul64(x[5], y)
		h2, l2 = bits.Mul64(x[6], y)
		h3, l3 = bits.Mul64(x[7], y)
		l0, c = bits.Add64(l0, carry, 0)
		l1, c = bits.Add64(l1, h0, c)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		carry, _ = bits.Add64(h3, 0, c)
		z[4], c = bits.Add64(z[4], l0, 0)
		z[5], c = bits.Add64(z[5], l1, c)
		z[6], c = bits.Add64(z[6], l2, c)
		z[7], c = bits.Add64(z[7], l3, c)
		carry, _ = bits.Add64(carry, 0, c)
	}
	return carry
}
