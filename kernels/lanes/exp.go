package lanes

import (
	"encoding/binary"
	"math/bits"

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
	table := s.words(r.Lanes * r.K << w)
	for g := range r.groups(z.Len) {
		r.tabulate(table, r.group(x.Words, g), s)
		acc := s.x
		for j := windows - 1; j >= 0; j-- {
			d := digit(e, j*w, w)
			if j == windows-1 {
				s.Select(acc, table, d, w)
				continue
			}
			for range w {
				s.Sqr(acc, acc)
			}
			s.Select(s.y, table, d, w)
			s.Mul(acc, acc, s.y)
		}
		copy(r.group(z.Words, g), acc)
	}
}

// tabulate sets group d of the table to x^d.
func (r *ring) tabulate(table, x []uint64, s *scratch) {
	copy(r.group(table, 0), r.One)
	copy(r.group(table, 1), x)
	for d := 2; d < len(table)/(r.Lanes*r.K); d++ {
		if d%2 == 0 {
			s.Sqr(r.group(table, d), r.group(table, d/2))
		} else {
			s.Mul(r.group(table, d), r.group(table, d-1), r.group(table, 1))
		}
	}
}

func (r *ring) setOne(z *bigmod.Vec) {
	for g := range r.groups(z.Len) {
		copy(r.group(z.Words, g), r.One)
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
	odd := s.words(r.Lanes * r.K << (w - 1)) // group i is x^(2i+1)
	for g := range r.groups(z.Len) {
		acc := s.x
		copy(r.group(odd, 0), r.group(x.Words, g))
		if w > 1 {
			s.Sqr(s.y, r.group(odd, 0))
		}
		for i := 1; i < 1<<(w-1); i++ {
			s.Mul(r.group(odd, i), r.group(odd, i-1), s.y)
		}
		started := false
		for pos := length - 1; pos >= 0; {
			if digit(e, pos, 1) == 0 {
				s.Sqr(acc, acc)
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
					s.Sqr(acc, acc)
				}
				s.Mul(acc, acc, power)
			}
			pos = low - 1
		}
		copy(r.group(z.Words, g), acc)
	}
}
