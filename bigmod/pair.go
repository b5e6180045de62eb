package bigmod

import "math/bits"

// pairing is the arithmetic modulo a square n², on pairs of numbers of the h words of n, where R = 2^(64h) <= 2n. The pair
// (x0, x1) with 0 <= x0 < n and 0 <= x1 < R stands for
//
//	x0 - x1·R⁻¹·n  modulo n².
//
// Montgomery's reduction of T modulo n finds q with T + q·n = t·R, so that T·R⁻¹ = t - q·R⁻¹·n modulo n²: the pair (t, q).
// Where t is not below n, t-n takes its place and q-R that of q, as n = R·R⁻¹·n. The product of two pairs, times R⁻¹, is
//
//	x0·y0·R⁻¹ - (x0·y1 + x1·y0)·R⁻²·n = t - (q + (x0·y1 + x1·y0)·R⁻¹)·R⁻¹·n
//
// with t and q from the reduction of x0·y0, and the other reduction modulo n only. So a multiplication takes three products
// and two reductions of h words, 5h² products of words, where one of numbers as long as n² takes 8h². A squaring takes a
// square, a product and two reductions.
//
// An element of a Vec that stands for v is the pair of v·R⁻¹. What Ring calls R is R² here: then the product of two pairs
// is what Ring.Mul promises.
type pairing struct {
	n     []uint64
	half  Montgomery // modulo n
	rr    []uint64   // R² mod n
	ratio []uint64   // -floor(R²/n) mod n, or n
	one   []uint64   // the pair of the residue 1
}

// canPair says whether a modulus of that many words has squares that are computed by pairs: R <= 2n.
func canPair(root *Modulus, words int) bool { return root.bits == 64*words }

// newPairing takes the ring modulo n and R² mod n², of 2h words.
func newPairing(half *generic, square []uint64) *pairing {
	h := half.n
	p := &pairing{n: half.m, half: half.mont, rr: half.rr, ratio: make([]uint64, h), one: make([]uint64, 2*h)}
	// R² mod n² = (R² mod n) + n·(floor(R²/n) mod n)
	multiple := append([]uint64(nil), square...)
	var borrow uint64
	for i := range multiple {
		var v uint64
		if i < h {
			v = p.rr[i]
		}
		multiple[i], borrow = bits.Sub64(multiple[i], v, borrow)
	}
	if NewExactDivisor(p.n).Div(p.ratio, multiple) == 0 {
		panic("bigmod: R² modulo a square is not what it is modulo the root")
	}
	SubWords(p.ratio, p.n, p.ratio)
	one := make([]uint64, 2*h)
	one[0] = 1
	p.encode(p.one, one, make([]uint64, MontgomeryScratch*2*h))
	return p
}

// halves are the numbers of a pair.
func (p *pairing) halves(x []uint64) (x0, x1 []uint64) {
	h := len(p.n)
	return x[:h:h], x[h : 2*h : 2*h]
}

// products are room for three products, and scratch.
func (p *pairing) products(t []uint64) (s0, s1, s2, s []uint64) {
	n := 2 * len(p.n)
	return t[:n:n], t[n : 2*n : 2*n], t[2*n : 3*n : 3*n], t[3*n : 4*n]
}

// mul sets the pair z = x·y·R⁻¹.
func (p *pairing) mul(z, x, y, t []uint64) {
	s0, s1, s2, s := p.products(t)
	x0, x1 := p.halves(x)
	y0, y1 := p.halves(y)
	p.half.Product(s1, x0, y1, s)
	p.half.Product(s2, x1, y0, s)
	p.half.Product(s0, x0, y0, s)
	p.reduce(z, s0, s1, s2)
}

// sqr sets the pair z = x²·R⁻¹.
func (p *pairing) sqr(z, x, t []uint64) {
	s0, s1, _, s := p.products(t)
	x0, x1 := p.halves(x)
	p.half.Product(s1, x0, x1, s)
	p.half.Square(s0, x0, s)
	p.reduce(z, s0, s1, s1)
}

// reduce sets the pair z from the products s0 = x0·y0, s1 = x0·y1 and s2 = x1·y0. It overwrites s0 and s1, which may be s2.
func (p *pairing) reduce(z, s0, s1, s2 []uint64) {
	z0, z1 := p.halves(z)
	h := len(p.n)
	over := p.half.Reduce(z0, s0)
	// The upper half H of s1 + s2 + (q - over·R)·R, where q is now in s0, is above -n and below R+n. Let x0 = a·n, y0 = b·n,
	// so that s1 + s2 < (a+b)·n·R and over = 0 just when q < R - a·b·n. Then H < R + (a+b-a·b)·n <= R+n, as (1-a)·(1-b) >= 0;
	// else H >= -a·b·n > -n.
	top := AddWords(s1, s1, s2)
	top += AddWords(s1[h:], s1[h:], s0[:h]) - over
	p.settle(s1[h:], top, 1)
	p.half.Reduce(z1, s1)
}

// settle brings x + top·R into the range 0 to R-1 by adding or subtracting n, at most so many times: one that is enough.
func (p *pairing) settle(x []uint64, top uint64, times int) {
	for range times {
		negative := uint64(int64(top) >> 63)
		positive := uint64(int64(-top)>>63) &^ negative
		// + n, or + (R-1-n) + 1 - R
		carry := positive & 1
		top -= carry
		for i, v := range p.n {
			x[i], carry = bits.Add64(x[i], v&negative|^v&positive, carry)
		}
		top += carry
	}
}

// encode sets the pair z to that of the residue x mod n², for x of 2h words. z may be x.
func (p *pairing) encode(z, x, t []uint64) {
	z0, z1 := p.halves(z)
	h := len(p.n)
	s := t[:2*h]
	copy(s, x)
	above := LessWords(s[h:], p.n) + 1 // x less n·R, to be below it
	reduceOnce(s[h:], s[h:], 0, p.n)
	over := p.half.Reduce(z0, s)
	copy(z1, s[:h])
	p.settle(z1, -over-above, 4)
}

// decode sets z to the residue whose pair is x, x0·R - x1·n mod n². From R² = f·n + rr and x0·rr + q·n = t·R follows
// x0·R = t - (q - x0·f)·R⁻¹·n, so that the residue is t - w·n with w = (q - x0·f + x1·R)·R⁻¹ mod n. z may be x.
func (p *pairing) decode(z, x, t []uint64) {
	s0, s1, s2, s := p.products(t)
	x0, x1 := p.halves(x)
	h := len(p.n)
	p.half.Product(s1, x0, p.ratio, s)
	p.half.Product(s0, x0, p.rr, s)
	rest, w := s2[:h], s2[h:]
	over := p.half.Reduce(rest, s0)
	carry := AddWords(s1[:h], s1[:h], s0[:h])
	for i, v := range x1 {
		s1[h+i], carry = bits.Add64(s1[h+i], v, carry)
	}
	var borrow uint64
	for i := range h {
		s1[h+i], borrow = bits.Sub64(s1[h+i], over, borrow)
		over = 0
	}
	p.settle(s1[h:], carry-borrow, 1) // it is from -1 to R+n-1
	p.half.Reduce(w, s1)
	reduceOnce(w, w, 0, p.n)
	SubWords(w, p.n, w)
	reduceOnce(w, w, 0, p.n) // n is 0
	p.half.Product(s0, w, p.n, s)
	carry = 0
	for i := range s0 {
		var v uint64
		if i < h {
			v = rest[i]
		}
		z[i], carry = bits.Add64(s0[i], v, carry)
	}
}

// add sets the pair z = x+y. z may be x or y.
func (p *pairing) add(z, x, y []uint64) {
	z0, z1 := p.halves(z)
	x0, x1 := p.halves(x)
	y0, y1 := p.halves(y)
	carry := AddWords(z0, x0, y0)
	over := carry | (LessWords(z0, p.n)+1)&1
	reduceOnce(z0, z0, carry, p.n)
	p.settle(z1, AddWords(z1, x1, y1)-over, 2)
}

// sub sets the pair z = x-y. z may be x or y.
func (p *pairing) sub(z, x, y []uint64) {
	z0, z1 := p.halves(z)
	x0, x1 := p.halves(x)
	y0, y1 := p.halves(y)
	under := SubWords(z0, x0, y0)
	p.settle(z0, -under, 1)
	p.settle(z1, under-SubWords(z1, x1, y1), 2)
}

// isPair returns all ones when x is a pair, and 0 for other words.
func (p *pairing) isPair(x []uint64) uint64 { return LessWords(x[:len(p.n)], p.n) }
