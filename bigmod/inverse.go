package bigmod

import "math/bits"

// InverseVarTime chains Montgomery products p_k = x_0·...·x_k·R^-k, inverts the last, and peels: with
// u_k = p_k⁻¹, the inverse of x_k is u_k·p_(k-1)·R⁻¹ and u_(k-1) is u_k·x_k·R⁻¹, so that no conversion is needed.
// What it leaks is the index of the error.
func (r *generic) InverseVarTime(z, x *Vec) error {
	r.check("InverseVarTime", z.Len, z, x)
	if z.Len == 0 {
		return nil
	}
	n, last := r.n, z.Len-1
	s := r.take((z.Len + 2) * n)
	defer r.give(s)
	prefix := func(k int) []uint64 { return s.more[k*n : (k+1)*n] }
	u, next := prefix(z.Len), prefix(z.Len+1)
	copy(prefix(0), r.at(x, 0))
	for k := 1; k <= last; k++ {
		r.mul(prefix(k), prefix(k-1), r.at(x, k), s.mont)
	}
	invert := func(k int) uint64 {
		copy(u, prefix(k))
		r.decode(u, s.mont)
		return inverse(u, u, r.m, r.modulus.bits)
	}
	if invert(last) == 0 {
		// Prefix products have inverses up to the first offender and none from there.
		good, bad := -1, last
		for bad-good > 1 {
			if mid := good + (bad-good)/2; invert(mid) == 0 {
				bad = mid
			} else {
				good = mid
			}
		}
		return &NotInvertibleError{Index: bad}
	}
	r.encode(u, s.mont)
	for k := last; k > 0; k-- {
		copy(next, r.at(x, k)) // z may be x
		r.mul(r.at(z, k), u, prefix(k-1), s.mont)
		r.mul(u, u, next, s.mont)
	}
	copy(r.at(z, 0), u)
	return nil
}

// Limbs of the extended gcd: value = sum of limb[i]·2^(62i), limbs in [0, 2^62) but for the last, which has the sign.
const (
	gcdBits = 62
	gcdMask = 1<<gcdBits - 1
)

// inverse sets z = x⁻¹ mod m and returns all ones, or returns 0 and leaves z unspecified when gcd(x, m) != 1.
// x < m, m odd and of the given length in bits, all slices of equal length; z may be x. Constant time in x and m.
//
// It is the divstep iteration of Bernstein and Yang, "Fast constant-time gcd computation and modular inversion",
// TCHES 2019(3), with the number of steps of theorem 11.2, in batches of 62 steps on words as in section 2 of
// libsecp256k1's doc/safegcd_implementation.md (Wuille, 2021), which also bounds d and e between -2m and m.
func inverse(z, x, m []uint64, bitLen int) (ok uint64) {
	k := (bitLen+2)/gcdBits + 1 // two bits for the range of d and e, and at least one for the sign
	buf := make([]int64, 5*k)
	f, g, d, e, mod := buf[:k], buf[k:2*k], buf[2*k:3*k], buf[3*k:4*k], buf[4*k:]
	toGCD(mod, m)
	copy(f, mod)
	toGCD(g, x)
	e[0] = 1
	inv := -negInverse(m[0]) & gcdMask

	steps := (49*bitLen + 57) / 17
	if bitLen < 46 {
		steps = (49*bitLen + 80) / 17
	}
	delta := int64(1)
	for range (steps + gcdBits - 1) / gcdBits {
		var t transition
		delta, t = divsteps(delta, f[0], g[0])
		t.applyMod(d, e, mod, inv)
		t.apply(f, g)
	}

	// Now g = 0, f = ±gcd and d·x = f mod m. f is ±1 when its absolute value is 1.
	negate := f[k-1] >> 63
	addGCD(f, f, 0, negate)
	diff := uint64(f[0] ^ 1)
	for _, v := range f[1:] {
		diff |= uint64(v)
	}
	addGCD(d, mod, d[k-1]>>63, 0) // from (-2m, m) to (-m, m)
	addGCD(d, mod, 0, negate)
	addGCD(d, mod, d[k-1]>>63, 0)
	fromGCD(z, d)
	return zeroMask(diff)
}

// addGCD adds m when add is all ones, then negates x when negate is all ones, and carries. Each mask is 0 or -1.
func addGCD(x, m []int64, add, negate int64) {
	var carry int64
	for i := range x {
		v := x[i] + m[i]&add
		carry += v ^ negate - negate
		if i == len(x)-1 {
			x[i] = carry
			return
		}
		x[i] = carry & gcdMask
		carry >>= gcdBits
	}
}

func toGCD(z []int64, x []uint64) {
	for i := range z {
		z[i] = int64(bitsAt(x, i*gcdBits) & gcdMask)
	}
}

// bitsAt returns 64 bits of x from bit pos, zeros beyond the end.
func bitsAt(x []uint64, pos int) uint64 {
	i, s := pos/64, pos%64
	var v uint64
	if i < len(x) {
		v = x[i] >> s
	}
	if i+1 < len(x) && s > 0 {
		v |= x[i+1] << (64 - s)
	}
	return v
}

func fromGCD(z []uint64, x []int64) {
	clear(z)
	for i, v := range x {
		pos := i * gcdBits
		j, s := pos/64, pos%64
		if j < len(z) {
			z[j] |= uint64(v) << s
		}
		if j+1 < len(z) && s > 0 {
			z[j+1] |= uint64(v) >> (64 - s)
		}
	}
}

// transition is the product of 62 divstep matrices times 2^62: f' = (u·f + v·g)/2^62 and g' = (q·f + r·g)/2^62,
// |u|+|v| <= 2^62 and |q|+|r| <= 2^62.
type transition struct{ u, v, q, r int64 }

// divsteps does 62 steps on the low words of f and g.
func divsteps(delta, f, g int64) (int64, transition) {
	t := transition{u: 1, r: 1}
	for range gcdBits {
		odd := -(g & 1)
		swap := odd & (-delta >> 63) // delta > 0 and g odd
		// (f, g) becomes (g, -f), and the rows of the matrix with them
		f, g = f^swap&(f^g), g^swap&(g^-f)
		t.u, t.q = t.u^swap&(t.u^t.q), t.q^swap&(t.q^-t.u)
		t.v, t.r = t.v^swap&(t.v^t.r), t.r^swap&(t.r^-t.v)
		delta = delta ^ swap&(delta^-delta) + 1
		g = (g + f&odd) >> 1
		t.q += t.u & odd
		t.r += t.v & odd
		t.u <<= 1
		t.v <<= 1
	}
	return delta, t
}

// apply sets (f, g) to t·(f, g)/2^62; the division is exact.
func (t *transition) apply(f, g []int64) {
	var cf, cg sum128
	for i := range f {
		cf.addMul(t.u, f[i])
		cf.addMul(t.v, g[i])
		cg.addMul(t.q, f[i])
		cg.addMul(t.r, g[i])
		a, b := cf.shift(), cg.shift()
		if i > 0 {
			f[i-1], g[i-1] = a, b
		}
	}
	f[len(f)-1], g[len(g)-1] = int64(cf.lo), int64(cg.lo)
}

// applyMod sets (d, e) to t·(d, e)/2^62 mod m, in the range -2m to m for inputs of that range. inv = m⁻¹ mod 2^62.
func (t *transition) applyMod(d, e, m []int64, inv uint64) {
	k := len(d)
	ds, es := d[k-1]>>63, e[k-1]>>63
	// Multiples of m: one for each negative input, and what makes the low 62 bits vanish.
	md, me := t.u&ds+t.v&es, t.q&ds+t.r&es
	md -= int64((inv*uint64(t.u*d[0]+t.v*e[0]) + uint64(md)) & gcdMask)
	me -= int64((inv*uint64(t.q*d[0]+t.r*e[0]) + uint64(me)) & gcdMask)
	var cd, ce sum128
	for i := range d {
		cd.addMul(t.u, d[i])
		cd.addMul(t.v, e[i])
		cd.addMul(md, m[i])
		ce.addMul(t.q, d[i])
		ce.addMul(t.r, e[i])
		ce.addMul(me, m[i])
		a, b := cd.shift(), ce.shift()
		if i > 0 {
			d[i-1], e[i-1] = a, b
		}
	}
	d[k-1], e[k-1] = int64(cd.lo), int64(ce.lo)
}

// sum128 is a signed 128-bit accumulator.
type sum128 struct {
	lo, hi uint64
}

func (s *sum128) addMul(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	hi -= uint64(a>>63&b + b>>63&a) // from the unsigned to the signed product
	var c uint64
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.hi, _ = bits.Add64(s.hi, hi, c)
}

// shift takes the low 62 bits off.
func (s *sum128) shift() int64 {
	low := int64(s.lo & gcdMask)
	s.lo = s.lo>>gcdBits | s.hi<<(64-gcdBits)
	s.hi = uint64(int64(s.hi) >> gcdBits)
	return low
}
