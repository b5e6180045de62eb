package lanes

import (
	"math/bits"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/bigmod"
)

// rPowers caches the Montgomery forms of R^(d·256^i), 0 < d < 256, as K words each.
type rPowers [4][256]atomic.Pointer[[]uint64]

// MulRPow writes n in base 256 and multiplies once for each digit that is not zero in all of a group: the cache stays
// below 4·255 residues whatever the counts are, and counts below 256 still cost one multiplication.
func (r *ring) MulRPow(z *bigmod.Vec, n []uint32) {
	r.checkVec("MulRPow", z)
	r.checkLen("MulRPow", len(n), z.Len)
	s := r.take()
	defer r.give(s)
	for g := range r.groups(z.Len) {
		counts := n[g*r.Lanes : min((g+1)*r.Lanes, len(n))]
		for i := range 4 {
			var any uint32
			for _, v := range counts {
				any |= v >> (8 * i) & 255
			}
			if any == 0 {
				continue
			}
			copy(s.y, r.One)
			for l, v := range counts {
				if d := v >> (8 * i) & 255; d != 0 {
					for j, v := range r.rPower(i, d) {
						s.y[r.Lanes*j+l] = v
					}
				}
			}
			zg := r.group(z.Words, g)
			s.Mul(zg, zg, s.y)
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
	copy(s.x, r.One)
	e := d << (8 * i)
	for bit := bits.Len32(e) - 1; bit >= 0; bit-- {
		s.Sqr(s.x, s.x)
		if e>>bit&1 == 1 {
			s.Mul(s.x, s.x, r.R)
		}
	}
	p := make([]uint64, r.K)
	for j := range p {
		p[j] = s.x[r.Lanes*j]
	}
	cached.Store(&p)
	return p
}
