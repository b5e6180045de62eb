package mont52

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/bigmod"
)

// digit returns bits pos to pos+width-1 of the big-endian e, zeros above its end. width <= 9. Constant time in e.
func digit(e []byte, pos, width int) uint64 {
	end := len(e) - pos/8
	var v uint64
	if end >= 2 {
		v = uint64(binary.BigEndian.Uint16(e[end-2:]))
	} else if end == 1 {
		v = uint64(e[0])
	}
	return v >> (pos % 8) & (1<<width - 1)
}

// expWindow is the width of the windows for a variable base and exponents of the given length.
func expWindow(bits int) int {
	switch {
	case bits <= 8:
		return 2
	case bits <= 80:
		return 3
	case bits <= 240:
		return 4
	default:
		return 5
	}
}

// Exp is the fixed-window method (Handbook of Applied Cryptography, algorithm 14.82) with masked table reads, one group
// after the other, so that its table stays in the second-level cache.
func (r *ring) Exp(z, x *bigmod.Vec, e []byte) {
	r.check("Exp", z.Len, z, x)
	if len(e) == 0 {
		r.setOne(z)
		return
	}
	s := r.take()
	defer r.give(s)
	w := expWindow(8 * len(e))
	windows := (8*len(e) + w - 1) / w
	table := s.words(lanes * r.k << w)
	for g := range groups(z.Len) {
		r.tabulate(table, r.group(x.Words, g), s)
		acc := s.x
		for j := windows - 1; j >= 0; j-- {
			d := digit(e, j*w, w)
			if j == windows-1 {
				r.selectGroup(acc, table, d, w)
				continue
			}
			for range w {
				r.sqr(acc, acc, s)
			}
			r.selectGroup(s.y, table, d, w)
			r.mul(acc, acc, s.y, s)
		}
		copy(r.group(z.Words, g), acc)
	}
}

// tabulate sets group d of the table to x^d, lazily reduced.
func (r *ring) tabulate(table, x []uint64, s *scratch) {
	copy(r.group(table, 0), r.one)
	copy(r.group(table, 1), x)
	for d := 2; d < len(table)/(lanes*r.k); d++ {
		if d%2 == 0 {
			r.sqr(r.group(table, d), r.group(table, d/2), s)
		} else {
			r.mul(r.group(table, d), r.group(table, d-1), r.group(table, 1), s)
		}
	}
}

func (r *ring) setOne(z *bigmod.Vec) {
	for g := range groups(z.Len) {
		copy(r.group(z.Words, g), r.one)
	}
}

// ExpVarTime is the sliding-window method (Handbook of Applied Cryptography, algorithm 14.85). It leaks e.
func (r *ring) ExpVarTime(z, x *bigmod.Vec, e []byte) {
	r.check("ExpVarTime", z.Len, z, x)
	for len(e) > 0 && e[0] == 0 {
		e = e[1:]
	}
	if len(e) == 0 {
		r.setOne(z)
		return
	}
	s := r.take()
	defer r.give(s)
	length := 8*(len(e)-1) + bits.Len8(e[0])
	w := expWindow(length)
	if length <= 4 {
		w = 1
	}
	odd := s.words(lanes * r.k << (w - 1)) // group i is x^(2i+1)
	for g := range groups(z.Len) {
		acc := s.x
		copy(r.group(odd, 0), r.group(x.Words, g))
		if w > 1 {
			r.sqr(s.y, r.group(odd, 0), s)
		}
		for i := 1; i < 1<<(w-1); i++ {
			r.mul(r.group(odd, i), r.group(odd, i-1), s.y, s)
		}
		started := false
		for pos := length - 1; pos >= 0; {
			if digit(e, pos, 1) == 0 {
				r.sqr(acc, acc, s)
				pos--
				continue
			}
			low := max(0, pos-w+1) // the window is pos..low, made to end in a one
			for digit(e, low, 1) == 0 {
				low++
			}
			power := r.group(odd, int(digit(e, low, pos-low+1)/2))
			if !started {
				copy(acc, power)
				started = true
			} else {
				for range pos - low + 1 {
					r.sqr(acc, acc, s)
				}
				r.mul(acc, acc, power, s)
			}
			pos = low - 1
		}
		copy(r.group(z.Words, g), acc)
	}
}

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
