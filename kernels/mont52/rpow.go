package mont52

import (
	"math/bits"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/bigmod"
)

// rPowers caches the Montgomery forms of R^(d·256^i), 0 < d < 256, as k limbs each.
type rPowers [4][256]atomic.Pointer[[]uint64]

// MulRPow writes n in base 256 and multiplies once for each digit that is not zero in all of a group: the cache stays
// below 4·255 residues whatever the counts are, and counts below 256 still cost one multiplication.
func (r *ring) MulRPow(z *bigmod.Vec, n []uint32) {
	r.checkVec("MulRPow", z)
	checkLen("MulRPow", len(n), z.Len)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		counts := n[g*lanes : min((g+1)*lanes, len(n))]
		for i := range 4 {
			var any uint32
			for _, v := range counts {
				any |= v >> (8 * i) & 255
			}
			if any == 0 {
				continue
			}
			copy(s.y, r.one)
			for l, v := range counts {
				if d := v >> (8 * i) & 255; d != 0 {
					for j, limb := range r.rPower(i, d) {
						s.y[lanes*j+l] = limb
					}
				}
			}
			zg := r.group(z.Words, g)
			r.mul(zg, zg, s.y, s)
		}
	}
}

// rPower returns the Montgomery form of R^(d·256^i), 0 < d < 256.
func (r *ring) rPower(i int, d uint32) []uint64 {
	cached := &r.powers[i][d]
	if p := cached.Load(); p != nil {
		return *p
	}
	s := r.take()
	defer r.give(s)
	copy(s.x, r.one)
	e := d << (8 * i)
	for bit := bits.Len32(e) - 1; bit >= 0; bit-- {
		r.sqr(s.x, s.x, s)
		if e>>bit&1 == 1 {
			r.mul(s.x, s.x, r.rr, s) // rr is the Montgomery form of R
		}
	}
	p := make([]uint64, r.k)
	for j := range p {
		p[j] = s.x[lanes*j]
	}
	cached.Store(&p)
	return p
}
