package ringlwe

import "math/bits"

// modulus is a prime p below 2^50. Words have fourteen bits more, so that sums of residues need no reduction for long.
type modulus struct {
	p     uint64
	recip uint64 // floor(2^64/p)
}

func newModulus(p uint64) modulus {
	q, _ := bits.Div64(1, 0, p)
	return modulus{p, q}
}

// reduce reduces any word. The result is between 0 and p-1.
func (m modulus) reduce(x uint64) uint64 {
	q, _ := bits.Mul64(x, m.recip)
	return m.once(x - q*m.p)
}

// once subtracts p from x < 2p if that leaves no negative number. The result is between 0 and p-1.
func (m modulus) once(x uint64) uint64 {
	x -= m.p
	return x + m.p&uint64(int64(x)>>63)
}

// lift is the residue of x with |x| < p. The result is between 0 and p-1.
func (m modulus) lift(x int64) uint64 { return uint64(x + int64(m.p)&(x>>63)) }

// centre is the residue x < p as a number between -(p-1)/2 and (p-1)/2.
func (m modulus) centre(x uint64) int64 {
	above := (int64(m.p/2) - int64(x)) >> 63 // all ones when x > p/2
	return int64(x) - int64(m.p)&above
}

// factor is a constant to multiply with: w < p and floor(w·2^64/p), as Shoup has it (NTL; Harvey 2014).
type factor struct{ w, ratio uint64 }

func (m modulus) factor(w uint64) factor {
	// Long division, a bit at a time, in the same time for all w.
	var q uint64
	r := w
	for range 64 {
		r <<= 1
		d := r - m.p
		below := uint64(int64(d) >> 63)
		r = d + m.p&below
		q = q<<1 | (1 + below) // 1 + all ones = 0
	}
	return factor{w, q}
}

// factors are constants, each an element of both.
type factors struct{ w, ratio []uint64 }

func (f factors) at(i int) factor { return factor{f.w[i], f.ratio[i]} }

// erase forgets them.
func (f factors) erase() {
	clear(f.w)
	clear(f.ratio)
}

// mulLazy multiplies any word x by f. The result is between 0 and 2p-1.
func (m modulus) mulLazy(x uint64, f factor) uint64 {
	q, _ := bits.Mul64(x, f.ratio)
	return x*f.w - q*m.p
}

// mul multiplies any word x by f. The result is between 0 and p-1.
func (m modulus) mul(x uint64, f factor) uint64 { return m.once(m.mulLazy(x, f)) }

// mulVarTime multiplies two residues. It divides, so its time depends on them: for public numbers.
func (m modulus) mulVarTime(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	_, r := bits.Div64(hi, lo, m.p)
	return r
}

// powVarTime is x^e mod p. Its time depends on e and x: for public numbers.
func (m modulus) powVarTime(x, e uint64) uint64 {
	y := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			y = m.mulVarTime(y, x)
		}
		x = m.mulVarTime(x, x)
	}
	return y
}

// inverseVarTime is 1/x mod p, for public x other than 0.
func (m modulus) inverseVarTime(x uint64) uint64 { return m.powVarTime(x, m.p-2) }

// crt puts residues of two primes together.
type crt struct {
	first, second modulus
	inverse       factor // of the first prime modulo the second
	hi, lo        uint64 // the product of the primes
}

func newCRT(a, b *ring) crt {
	c := crt{first: a.modulus, second: b.modulus}
	c.inverse = c.second.factor(c.second.inverseVarTime(c.first.p % c.second.p))
	c.hi, c.lo = bits.Mul64(c.first.p, c.second.p)
	return c
}

// centre returns the number with residues x and y that is between minus and plus half the product of the primes, in two's
// complement of 128 bits.
func (c crt) centre(x, y uint64) (hi, lo uint64) {
	// x + p·((y-x)/p mod p'), as Garner has it. The first prime is the larger, below twice the second.
	d := c.second.mul(y+2*c.second.p-x, c.inverse)
	hi, lo = bits.Mul64(d, c.first.p)
	lo, carry := bits.Add64(lo, x, 0)
	hi += carry
	// Subtract the product when the number is above half of it: 2·number > product.
	_, borrow := bits.Sub64(c.lo, lo<<1, 0)
	_, borrow = bits.Sub64(c.hi, hi<<1|lo>>63, borrow)
	lo, b := bits.Sub64(lo, c.lo&-borrow, 0)
	hi, _ = bits.Sub64(hi, c.hi&-borrow, b)
	return hi, lo
}
