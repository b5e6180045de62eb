package mont52

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
)

// MulAt gathers 8 elements of each operand into groups and scatters the products, unless they are groups as they are.
func (r *ring) MulAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("MulAt", z)
	r.checkVec("MulAt", x)
	checkLen("MulAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	for len(zi) > 0 {
		n := min(lanes, len(zi))
		zat, xat := indices(zi[:n], z.Len), indices(xi[:n], x.Len)
		zg, xg := r.elements(s.x, z.Words, &zat), r.elements(s.y, x.Words, &xat)
		r.mul(zg, zg, xg, s)
		if &zg[0] == &s.x[0] {
			r.scatter(z.Words, &zat, n, zg)
		}
		zi, xi = zi[n:], xi[n:]
	}
}

func (r *ring) CopyAt(z *bigmod.Vec, zi []int32, x *bigmod.Vec, xi []int32) {
	r.checkVec("CopyAt", z)
	r.checkVec("CopyAt", x)
	checkLen("CopyAt", len(xi), len(zi))
	s := r.take()
	defer r.give(s)
	for len(zi) > 0 {
		n := min(lanes, len(zi))
		zat, xat := indices(zi[:n], z.Len), indices(xi[:n], x.Len)
		r.scatter(z.Words, &zat, n, r.elements(s.x, x.Words, &xat))
		zi, xi = zi[n:], xi[n:]
	}
}

// elements returns the elements at 8 indices of the groups x as one group: the one that they are, or buf.
func (r *ring) elements(buf, x []uint64, at *[lanes]int32) []uint64 {
	whole := at[0]%lanes == 0
	for l, i := range at {
		whole = whole && i == at[0]+int32(l)
	}
	if whole {
		return r.group(x, int(at[0]/lanes))
	}
	r.gather(buf, x, at)
	return buf
}

// indices copies 1 to 8 indices below n, and repeats the first of them up to 8.
func indices(i []int32, n int) (at [lanes]int32) {
	for l := range at {
		at[l] = i[0]
		if l < len(i) {
			at[l] = i[l]
		}
		if at[l] < 0 || int(at[l]) >= n {
			panic(fmt.Sprintf("mont52: index %d of a vector of %d elements", at[l], n))
		}
	}
	return at
}
