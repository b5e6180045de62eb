package mont52

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
	last := groups(x.Len) - 1
	buf := s.words((last + 5) * lanes * r.k)
	u, padded, ratio, prefix := r.group(buf, 0), r.group(buf, 1), r.group(buf, 2), buf[4*lanes*r.k:]
	factor := func(g int) []uint64 {
		if g == last {
			return padded
		}
		return r.group(x.Words, g)
	}
	copy(padded, r.group(x.Words, last))
	for l := (x.Len-1)%lanes + 1; l < lanes; l++ {
		for j := range r.k {
			padded[lanes*j+l] = 0
			if r.pair != nil {
				padded[lanes*j+l] = r.pair.plainOne[lanes*j+l]
			} else if j == 0 {
				padded[l] = 1
			}
		}
	}
	copy(r.group(prefix, 0), factor(0))
	for g := 1; g <= last; g++ {
		r.mul(r.group(prefix, g), r.group(prefix, g-1), factor(g), s)
	}

	// ratio: the product of all lanes but one, times R^-6; with that one, R^-7.
	p := r.group(prefix, last)
	r.others(ratio, p, r.group(buf, 3), s)
	r.mul(u, ratio, p, s)
	if !r.invertLanes(u, s) {
		return r.notInvertible(x)
	}
	r.mul(u, u, ratio, s)

	for g := last; g > 0; g-- {
		r.mul(s.x, u, r.group(prefix, g-1), s)
		r.mul(u, u, factor(g), s)
		copy(r.group(z.Words, g), s.x)
	}
	copy(r.group(z.Words, 0), u)
	return nil
}

// others sets each lane of z to the product of the 7 other lanes of x, times R^-6. t is another group.
func (r *ring) others(z, x, t []uint64, s *scratch) {
	rotate := func(x []uint64, by int32) []uint64 {
		var at [lanes]int32
		for l := range at {
			at[l] = (int32(l) + by) % lanes
		}
		r.gather(s.y, x, &at)
		return s.y
	}
	// For lane l: t is the product of lanes l+1 and l+2, then z that of l+1...l+4, of l+1...l+6, and of l+1...l+7.
	copy(t, rotate(x, 1))
	r.mul(t, t, rotate(x, 2), s)
	r.mul(z, t, rotate(t, 2), s)
	r.mul(z, z, rotate(t, 4), s)
	r.mul(z, z, rotate(x, 7), s)
}

// invertLanes inverts a group with the same value in all lanes, or returns false.
func (r *ring) invertLanes(x []uint64, s *scratch) bool {
	n := r.modulus.Limbs()
	portable := r.portable()
	v := portable.NewVec(1)
	w := make([]uint64, lanes*n)
	r.toWords(w, r.plain(x, s), n)
	portable.SetWords(v, w[:n])
	if portable.InverseVarTime(v, v) != nil {
		return false
	}
	portable.Words(w[:n], v)
	limbs := s.x[:r.k]
	limbsFromWords(limbs, w[:n])
	spread(x, limbs)
	if r.pair != nil {
		r.pair.split(x, x, s)
	}
	return true
}

// notInvertible finds the first element that shares a factor with m, of which there is one.
func (r *ring) notInvertible(x *bigmod.Vec) error {
	w := make([]uint64, x.Len*r.modulus.Limbs())
	r.Words(w, x)
	portable := r.portable()
	v := portable.NewVec(x.Len)
	portable.SetWords(v, w)
	err := portable.InverseVarTime(v, v)
	if err == nil {
		panic("mont52: a product of invertible elements has no inverse")
	}
	return err
}
