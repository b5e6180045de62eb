package lanes

import "github.com/cipherfold/cipherfold/bigmod"

// InverseVarTime chains Montgomery products p_g = x_0·...·x_g·R^-g of groups, lane by lane, inverts the last, and peels: with
// u_g = p_g⁻¹, the inverses of x_g are u_g·p_(g-1)·R⁻¹ and u_(g-1) is u_g·x_g·R⁻¹ (Montgomery, Speeding the Pollard and
// elliptic curve methods of factorization, 1987, section 10.3.1). The one inversion is that of bigmod's portable ring.
func (r *ring) InverseVarTime(z, x *bigmod.Vec) error {
	r.check("InverseVarTime", z.Len, z, x)
	if x.Len == 0 {
		return nil
	}
	s := r.take()
	defer r.give(s)
	last := r.groups(x.Len) - 1
	buf := s.words((last + 5) * r.Lanes * r.K)
	u, padded, ratio, prefix := r.group(buf, 0), r.group(buf, 1), r.group(buf, 2), buf[4*r.Lanes*r.K:]
	factor := func(g int) []uint64 {
		if g == last {
			return padded
		}
		return r.group(x.Words, g)
	}
	copy(padded, r.group(x.Words, last))
	for l := (x.Len-1)%r.Lanes + 1; l < r.Lanes; l++ {
		for j := range r.K {
			padded[r.Lanes*j+l] = r.Plain[r.Lanes*j+l]
		}
	}
	copy(r.group(prefix, 0), factor(0))
	for g := 1; g <= last; g++ {
		s.Mul(r.group(prefix, g), r.group(prefix, g-1), factor(g))
	}

	// ratio: the product of all lanes but one, times a power of R⁻¹; with that one, R^-(lanes-1) in all.
	p := r.group(prefix, last)
	r.others(ratio, p, r.group(buf, 3), s)
	s.Mul(u, ratio, p)
	if !r.invertLanes(u, s) {
		return r.notInvertible(x)
	}
	s.Mul(u, u, ratio)

	for g := last; g > 0; g-- {
		s.Mul(s.x, u, r.group(prefix, g-1))
		s.Mul(u, u, factor(g))
		copy(r.group(z.Words, g), s.x)
	}
	copy(r.group(z.Words, 0), u)
	return nil
}

// others sets each lane of z to the product of the other lanes of x, times R^-(lanes-2). t is another group.
func (r *ring) others(z, x, t []uint64, s *scratch) {
	rotate := func(x []uint64, by int) []uint64 {
		var at places
		for l := range r.Lanes {
			at[l] = int32((l + by) % r.Lanes)
		}
		r.gather(s.y, x, &at)
		return s.y
	}
	// z is the product of the lanes l+1...l+n-1 for n = 2, 4, ..., and t that of l...l+n-1.
	copy(z, rotate(x, 1))
	s.Mul(t, x, z)
	for n := 2; n < r.Lanes; n *= 2 {
		y := rotate(t, n)
		s.Mul(z, z, y)
		s.Mul(t, t, y)
	}
}

// invertLanes inverts a group with the same value in all lanes, or returns false.
func (r *ring) invertLanes(x []uint64, s *scratch) bool {
	n := r.Modulus().Limbs()
	portable := r.portable()
	v := portable.NewVec(1)
	w := make([]uint64, r.Lanes*n)
	s.Words(w, x)
	portable.SetWords(v, w[:n])
	if portable.InverseVarTime(v, v) != nil {
		return false
	}
	portable.Words(w[:n], v)
	for l := 1; l < r.Lanes; l++ {
		copy(w[l*n:(l+1)*n], w[:n])
	}
	s.FromWords(x, w)
	return true
}

// notInvertible finds the first element that shares a factor with m, of which there is one.
func (r *ring) notInvertible(x *bigmod.Vec) error {
	w := make([]uint64, x.Len*r.Modulus().Limbs())
	r.Words(w, x)
	portable := r.portable()
	v := portable.NewVec(x.Len)
	portable.SetWords(v, w)
	err := portable.InverseVarTime(v, v)
	if err == nil {
		panic("lanes: a product of invertible elements has no inverse")
	}
	return err
}
