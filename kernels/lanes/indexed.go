package lanes

import "github.com/cipherfold/cipherfold/bigmod"

// lanesMax bounds the lanes of a group.
const lanesMax = 64

// places are indices of elements, one for each lane.
type places [lanesMax]int32

// MulAt gathers as many elements of each operand as there are lanes into groups and scatters the products, unless they are
// groups as they are.
func (r *ring) MulAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("MulAt", z)
	r.checkVec("MulAt", x)
	r.checkLen("MulAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	var zat, xat places
	for len(zi) > 0 {
		n := min(r.Lanes, len(zi))
		r.indices(&zat, zi[:n], z.Len)
		r.indices(&xat, xi[:n], x.Len)
		zg, xg := r.elements(s.x, z.Words, &zat), r.elements(s.y, x.Words, &xat)
		s.Mul(zg, zg, xg)
		if &zg[0] == &s.x[0] {
			r.scatter(z.Words, &zat, n, zg)
		}
		zi, xi = zi[n:], xi[n:]
	}
}

func (r *ring) CopyAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("CopyAt", z)
	r.checkVec("CopyAt", x)
	r.checkLen("CopyAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	var zat, xat places
	for len(zi) > 0 {
		n := min(r.Lanes, len(zi))
		r.indices(&zat, zi[:n], z.Len)
		r.indices(&xat, xi[:n], x.Len)
		r.scatter(z.Words, &zat, n, r.elements(s.x, x.Words, &xat))
		zi, xi = zi[n:], xi[n:]
	}
}

// elements returns elements of the groups x as one group: the one that they are, or buf.
func (r *ring) elements(buf, x []uint64, at *places) []uint64 {
	first := int(at[0])
	whole := first%r.Lanes == 0
	for l := range r.Lanes {
		whole = whole && int(at[l]) == first+l
	}
	if whole {
		return r.group(x, first/r.Lanes)
	}
	r.gather(buf, x, at)
	return buf
}

// indices copies 1 to Lanes indices below n, and repeats the first of them up to Lanes.
func (r *ring) indices(at *places, i []int32, n int) {
	for l := range r.Lanes {
		at[l] = i[0]
		if l < len(i) {
			at[l] = i[l]
		}
		if at[l] < 0 || int(at[l]) >= n {
			r.panicf("index %d of a vector of %d elements", at[l], n)
		}
	}
}

// gather sets lane l of the group z to element at[l] of the groups x.
func (r *ring) gather(z, x []uint64, at *places) {
	for l, i := range at[:r.Lanes] {
		from := r.group(x, int(i)/r.Lanes)[int(i)%r.Lanes:]
		to := z[l:]
		for j := 0; j < len(from) && j < len(to); j += r.Lanes {
			to[j] = from[j]
		}
	}
}

// scatter sets element at[l] of the groups z to lane l of the group x, for l < n.
func (r *ring) scatter(z []uint64, at *places, n int, x []uint64) {
	for l, i := range at[:n] {
		to := r.group(z, int(i)/r.Lanes)[int(i)%r.Lanes:]
		from := x[l:]
		for j := 0; j < len(from) && j < len(to); j += r.Lanes {
			to[j] = from[j]
		}
	}
}
