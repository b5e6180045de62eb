package mont52

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// pairing is the arithmetic modulo a square n², on pairs of numbers as long as n. Let R = 2^(52k) >= 16n for the k limbs of
// n. The pair (x0, x1) with 0 <= x0 < 2n and 0 <= x1 < 0.9·R stands for
//
//	x0 - x1·R⁻¹·n  modulo n².
//
// Montgomery's reduction of T modulo n finds a quotient q with T + q·n = t·R, so that T·R⁻¹ = t - q·R⁻¹·n modulo n²: the
// pair (t, q). It brings any T < n·R/2 into this form (split). The product of two pairs, times R⁻¹, is
//
//	x0·y0·R⁻¹ - (x0·y1 + x1·y0)·R⁻²·n = t - (q + (x0·y1 + x1·y0)·R⁻¹)·R⁻¹·n
//
// with t and q from the reduction of x0·y0, and the other reduction modulo n only. So a multiplication takes three
// products and two reductions of k limbs, 10k² multiply-add instructions, where one of numbers as long as n² takes 16k²; and
// a squaring 7k² instead of 12k².
//
// A Vec holds a residue v as the pair of v·R⁻¹, x0 before x1 in each group. What bigmod.Ring calls R is R² here: then
// the product of two pairs is what Ring.Mul promises.
//
// About the ranges: x0·y0 < 4n² gives t < 2n (see reduceGeneric). The quotient is below R·(1+2^-51); where its bit
// 52k-1 is set, reduceQuotient takes R/2 mod n instead of that bit, which leaves less than R/2 + n + R·2^-51. The other
// reduction gives less than 2·2n·0.9·R/R + n·(1+2^-51) < 4.7n, together less than R/2 + 5.8n < 0.9·R.
type pairing struct {
	root        *ring    // modulo n
	longDigits  []uint64 // -n⁻¹ mod 2^(52·longLag), in limbs
	shortDigits []uint64 // -n⁻¹ mod 2^(52·shortLag)
	half        []uint64 // R/2 mod n, k limbs
	plainOne    []uint64 // the residue 1, in every lane of a group; likewise the next ones
	minus       []uint64 // the Montgomery form of -1
	shift       []uint64 // the Montgomery form of 2^(52·partLimbs)
	partLimbs   int      // of which a number is below n·R/2
	n, r1, rr   []uint64 // n, R mod n, R² mod n, one group of k limbs each
	ratio       []uint64 // -floor(R²/n) mod n
}

// newSquareRing makes the ring modulo root².
func newSquareRing(root *bigmod.Modulus, ifma bool) *ring {
	k := limbsOf(root)
	modulus, err := root.Square()
	if err != nil {
		panic("mont52: " + err.Error())
	}
	p := &pairing{root: newRing(root, ifma), partLimbs: (root.BitLen() + limbBits*k - 2) / limbBits}
	r := layout(modulus, 2*k, ifma)
	r.pair = p
	_, p.longDigits = leadMultiple(p.root.m, p.root.inv, longLag)
	_, p.shortDigits = leadMultiple(p.root.m, p.root.inv, shortLag)
	p.n, p.r1, p.rr = p.root.newGroups(1), p.root.one, p.root.rr
	spread(p.n, p.root.m)
	p.half, p.ratio = p.halfAndRatio()

	s := r.take()
	defer r.give(s)
	constant := func(x []uint64) []uint64 {
		z := r.newGroups(1)
		spread(z, x)
		p.split(z, z, s)
		return z
	}
	x := make([]uint64, 2*k)
	x[0] = 1
	p.plainOne = constant(x)
	// The form of x is the pair of x·R.
	x = powerOfTwo(r.m, limbBits*2*k)
	r.one = constant(x)
	p.minus = constant(negate(x, r.m))
	doubleMod(x, r.m, 0)
	two := constant(x)
	power := func(e int) []uint64 { // the form of 2^e
		z := r.newGroups(1)
		copy(z, r.one)
		for i := bits.Len(uint(e)) - 1; i >= 0; i-- {
			r.sqr(z, z, s)
			if e>>i&1 == 1 {
				r.mul(z, z, two, s)
			}
		}
		return z
	}
	p.shift = power(limbBits * p.partLimbs)
	r.rr = power(limbBits * 2 * k)
	return r
}

// negate returns m-x for 0 <= x <= m.
func negate(x, m []uint64) []uint64 {
	z := make([]uint64, len(m))
	var borrow uint64
	for j := range z {
		v := m[j] - x[j] - borrow
		borrow = v >> 63
		z[j] = v & limbMask
	}
	return z
}

// halfAndRatio returns R/2 mod n, in limbs, and a group of -floor(R²/n) mod n, by long division: bit by bit, doubling the
// rest and the quotient so far, this modulo n.
func (p *pairing) halfAndRatio() (half, ratio []uint64) {
	m := p.root.m
	half = powerOfTwo(m, limbBits*p.root.k-1)
	rest, quotient := make([]uint64, len(m)), make([]uint64, len(m))
	at := p.root.modulus.BitLen() - 1 // n is odd, so 2^at < n
	rest[at/limbBits] = 1 << (at % limbBits)
	for range limbBits*2*p.root.k - at {
		doubleMod(quotient, m, doubleMod(rest, m, 0))
	}
	ratio = p.root.newGroups(1)
	spread(ratio, negate(quotient, m))
	return half, ratio
}

// halves are the numbers of a pair.
func (p *pairing) halves(x []uint64) (x0, x1 []uint64) {
	n := lanes * p.root.k
	return x[:n:n], x[n : 2*n : 2*n]
}

// sums are the column sums for x0·y0 and for x0·y1 + x1·y0.
func (p *pairing) sums(s *scratch) (s0, s1 []uint64) {
	n := lanes * (2*p.root.k + tailSums)
	return s.sums[:n:n], s.sums[n : 2*n : 2*n]
}

// mul sets the pairs z = x·y·R⁻¹ and prefetches 2k vectors.
func (p *pairing) mul(z, x, y []uint64, s *scratch, ahead []uint64) {
	s0, s1 := p.sums(s)
	x0, x1 := p.halves(x)
	y0, y1 := p.halves(y)
	p.root.product(s1, x0, y1, &ahead[0])
	p.root.productAdd(s1, x1, y0)
	p.root.product(s0, x0, y0, &ahead[lanes*p.root.k])
	p.reduce(z, s0, s1)
}

// sqr sets the pairs z = x²·R⁻¹.
func (p *pairing) sqr(z, x []uint64, s *scratch) {
	s0, s1 := p.sums(s)
	x0, x1 := p.halves(x)
	twice := s.x2[:lanes*p.root.k]
	p.root.double(twice, x0)
	p.root.product(s1, twice, x1, &x1[0])
	p.root.square(s0, x0)
	p.reduce(z, s0, s1)
}

// reduce sets the pairs z from the column sums of the products.
func (p *pairing) reduce(z, s0, s1 []uint64) {
	z0, z1 := p.halves(z)
	p.reduceQuotient(z0, s1[lanes*p.root.k:], s0)
	p.root.reduce(z1, s1)
}

// combine sets the pairs z = x·c + y·d, for Montgomery forms c and d made by constant.
func (p *pairing) combine(z, x, c, y, d []uint64, s *scratch) {
	s0, s1 := p.sums(s)
	x0, x1 := p.halves(x)
	c0, c1 := p.halves(c)
	y0, y1 := p.halves(y)
	d0, d1 := p.halves(d)
	p.root.product(s0, x0, c0, &x0[0])
	p.root.productAdd(s0, y0, d0)
	p.root.product(s1, x0, c1, &x0[0])
	p.root.productAdd(s1, x1, c0)
	p.root.productAdd(s1, y0, d1)
	p.root.productAdd(s1, y1, d0)
	p.reduce(z, s0, s1)
}

// split sets the pairs z to those of T·R⁻¹, for numbers T < n·R/2 of 2k limbs below 2^52. z may be t.
func (p *pairing) split(z, t []uint64, s *scratch) {
	s0, s1 := p.sums(s)
	clear(s0[copy(s0, t):])
	p.splitSums(z, s0, s1)
}

// splitSums is split for the column sums s0. It uses s1.
func (p *pairing) splitSums(z, s0, s1 []uint64) {
	z0, z1 := p.halves(z)
	clear(s1[:lanes*p.root.k])
	p.reduceQuotient(z0, s1, s0)
	p.root.normalize(z1, s1, p.root.k)
}

// mulAdd sets the pairs z = z·c·R⁻¹ + T·R⁻¹, for numbers T < n·R/2 of 2k limbs.
func (p *pairing) mulAdd(z, c, t []uint64, s *scratch) {
	s0, s1 := p.sums(s)
	z0, z1 := p.halves(z)
	c0, c1 := p.halves(c)
	p.root.product(s1, z0, c1, &z0[0])
	p.root.productAdd(s1, z1, c0)
	p.root.product(s0, z0, c0, &z0[0])
	for i, v := range t {
		s0[i] += v
	}
	p.reduce(z, s0, s1)
}

// join sets t, 2k limbs, to the residues whose pairs are x, the numbers x0·R - x1·n mod n². From R² = f·n + rr and
// x0·rr + q·n = t·R follows x0·R = t - (q - x0·f)·R⁻¹·n, so that the residue is t - w·n with
// w = (q - x0·f + x1·R)·R⁻¹ mod n.
func (p *pairing) join(t, x []uint64, s *scratch) {
	s0, s1 := p.sums(s)
	x0, x1 := p.halves(x)
	t0, t1 := p.halves(t)
	w := s.x2[:lanes*p.root.k]
	p.root.product(s1, x0, p.ratio, &x0[0])
	p.root.productAdd(s1, x1, p.r1)
	p.root.product(s0, x0, p.rr, &x0[0])
	p.reduceQuotient(t0, s1, s0)
	p.root.reduce(w, s1)
	// Below (2n² + n·R + R)/R + n·(1+2^-51) < 2.2n: subtract n twice.
	p.root.canonical(w, w)
	p.root.canonical(w, w)
	// t0 in [n, 2n) is t0-n and n: one less of w, modulo n.
	below := p.root.below(t0)
	p.root.canonical(t0, t0)
	for l := range lanes {
		t1[l] = ^below >> l & 1
	}
	clear(t1[lanes:])
	p.root.sub(w, t1, w)
	p.root.product(s0, w, p.n, &w[0])
	for i, v := range t0 {
		s0[i] += v
	}
	p.root.normalize(t, s0, 2*p.root.k)
}

// setWide is Ring.SetWide. Numbers too long for split are cut into parts, most significant first, and combined by
// Horner's rule.
func (p *pairing) setWide(z *bigmod.Vec, w []uint64, limbs int, r *ring, s *scratch) {
	parts, length := 1, min(2*p.root.k, ceilDiv(64*limbs, limbBits))
	if 64*limbs > p.root.modulus.BitLen()+limbBits*p.root.k-2 {
		parts, length = ceilDiv(64*limbs, limbBits*p.partLimbs), p.partLimbs
	}
	buf := s.words(lanes * (parts*length + limbs))
	x, tail := buf[:lanes*parts*length], buf[lanes*parts*length:]
	for g := range groups(z.Len) {
		rows := w[g*lanes*limbs:]
		if len(rows) < lanes*limbs {
			clear(tail[copy(tail, rows):])
			rows = tail
		}
		p.root.fromWords(x, rows, limbs, parts*length)
		zg := r.group(z.Words, g)
		part := func(i int) []uint64 { return x[lanes*length*i : lanes*length*(i+1)] }
		p.split(zg, part(parts-1), s)
		for i := parts - 2; i >= 0; i-- {
			p.mulAdd(zg, p.shift, part(i), s)
		}
	}
}
