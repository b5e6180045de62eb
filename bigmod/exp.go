package bigmod

import "math/bits"

// digit returns bits pos to pos+width-1 of the big-endian e, zeros above its end. width <= 8. Constant time in e.
func digit(e []byte, pos, width int) uint64 {
	i := len(e) - 1 - pos/8
	if i < 0 {
		return 0
	}
	v := uint64(e[i])
	if i > 0 {
		v |= uint64(e[i-1]) << 8
	}
	return v >> (pos % 8) & (1<<width - 1)
}

// selectRow sets z to row d of a table with an even number of rows of len(z) words, reading all of it: constant time in d
// and the table. Two rows at a time halve the traffic of z; more do not fit the registers.
func selectRow(z, table []uint64, d uint64) {
	n := len(z)
	clear(z)
	for row := uint64(0); len(table) >= 2*n; row += 2 {
		m0, m1 := zeroMask(row^d), zeroMask((row+1)^d)
		z, r0, r1 := z, table[:n], table[n:2*n]
		table = table[2*n:]
		for len(z) >= 4 && len(r0) >= 4 && len(r1) >= 4 {
			z[0] |= r0[0]&m0 | r1[0]&m1
			z[1] |= r0[1]&m0 | r1[1]&m1
			z[2] |= r0[2]&m0 | r1[2]&m1
			z[3] |= r0[3]&m0 | r1[3]&m1
			z, r0, r1 = z[4:], r0[4:], r1[4:]
		}
		for i := range z {
			z[i] |= r0[i]&m0 | r1[i]&m1
		}
	}
}

// expWindow is the width of Exp's windows for exponents of the given length, by measurement. A wider window saves
// multiplications and costs a longer table to fill, and to scan at every window.
func expWindow(bits int) int {
	switch {
	case bits <= 24:
		return 2
	case bits <= 48:
		return 3
	case bits <= 512:
		return 4
	case bits <= 2048:
		return 5
	default:
		return 6
	}
}

// slidingWindow is the greatest width of ExpVarTime's windows for exponents of the given length: where length/(w+1)
// multiplications for the windows and 2^(w-1) for the table are fewest.
func slidingWindow(bits int) int {
	switch {
	case bits <= 6:
		return 1
	case bits <= 24:
		return 2
	case bits <= 80:
		return 3
	case bits <= 240:
		return 4
	case bits <= 672:
		return 5
	default:
		return 6
	}
}

// Exp is the fixed-window method (Handbook of Applied Cryptography, algorithm 14.82) with masked table reads. Each
// element runs alone, so that its table stays in the first-level cache.
func (r *generic) Exp(z, x *Vec, e []byte) {
	r.check("Exp", z.Len, z, x)
	n, w := r.n, expWindow(8*len(e))
	s := r.take((1<<w + 1) * n)
	defer r.give(s)
	table, row := s.more[:n<<w], s.more[n<<w:n<<w+n]
	windows := (8*len(e) + w - 1) / w
	for i := range z.Len {
		r.powers(table, r.at(x, i), s.mont)
		acc := r.at(z, i)
		copy(acc, r.one)
		for j := windows - 1; j >= 0; j-- {
			d := digit(e, j*w, w)
			if j == windows-1 {
				r.mont.Select(acc, table, d)
				continue
			}
			for range w {
				r.sqr(acc, acc, s.mont)
			}
			r.mont.Select(row, table, d)
			r.mul(acc, acc, row, s.mont)
		}
	}
}

// powers sets row d of the table to x^d.
func (r *generic) powers(table, x, t []uint64) {
	n := r.n
	copy(table[:n], r.one)
	copy(table[n:2*n], x)
	for d := 2; d < len(table)/n; d++ {
		if row := table[d*n : (d+1)*n]; d%2 == 0 {
			r.sqr(row, table[d/2*n:(d/2+1)*n], t)
		} else {
			r.mul(row, table[(d-1)*n:d*n], table[n:2*n], t)
		}
	}
}

// ExpVarTime is the sliding-window method (Handbook of Applied Cryptography, algorithm 14.85). It leaks e.
func (r *generic) ExpVarTime(z, x *Vec, e []byte) {
	r.check("ExpVarTime", z.Len, z, x)
	for len(e) > 0 && e[0] == 0 {
		e = e[1:]
	}
	if len(e) == 0 {
		for i := range z.Len {
			copy(r.at(z, i), r.one)
		}
		return
	}
	length := 8*(len(e)-1) + bits.Len8(e[0])
	n, w := r.n, slidingWindow(length)
	s := r.take(n<<(w-1) + n)
	defer r.give(s)
	odd, square := s.more[:n<<(w-1)], s.more[n<<(w-1):n<<(w-1)+n] // odd[k] = x^(2k+1)
	for i := range z.Len {
		copy(odd[:n], r.at(x, i))
		if w > 1 {
			r.sqr(square, odd[:n], s.mont)
		}
		for k := n; k < len(odd); k += n {
			r.mul(odd[k:k+n], odd[k-n:k], square, s.mont)
		}
		acc, started := r.at(z, i), false
		for pos := length - 1; pos >= 0; {
			if digit(e, pos, 1) == 0 {
				r.sqr(acc, acc, s.mont)
				pos--
				continue
			}
			low := max(0, pos-w+1) // the window is pos..low, made to end in a one
			for digit(e, low, 1) == 0 {
				low++
			}
			d := int(digit(e, low, pos-low+1)) / 2
			if !started {
				copy(acc, odd[d*n:(d+1)*n])
				started = true
			} else {
				for range pos - low + 1 {
					r.sqr(acc, acc, s.mont)
				}
				r.mul(acc, acc, odd[d*n:(d+1)*n], s.mont)
			}
			pos = low - 1
		}
	}
}
