package fma47

import "math/bits"

// A field is w bits of a number that is not negative, in a word. Numbers come and go in fields; those of moduli are made
// here, in constant time.

// fieldsOf returns the n fields of a value in little-endian words, which fits.
func fieldsOf(words []uint64, n, w int) []uint64 {
	f := make([]uint64, n)
	for j := range f {
		i, shift := w*j/64, w*j%64
		if i >= len(words) {
			break
		}
		f[j] = words[i] >> shift
		if shift > 64-w && i+1 < len(words) {
			f[j] |= words[i+1] << (64 - shift)
		}
		f[j] &= 1<<w - 1
	}
	return f
}

// digitsOf returns a number as balanced digits: the value of fields x, plus sign times that of fields y (or nothing).
func digitsOf(x, y []uint64, sign int64, w int) []float64 {
	d := make([]float64, len(x))
	var carry int64
	for j := range d {
		v := int64(x[j]) + carry
		if y != nil {
			v += sign * int64(y[j])
		}
		if j < len(d)-1 {
			carry = (v + 1<<(w-1)) >> w
			v -= carry << w
		}
		d[j] = float64(v)
	}
	return d
}

// negInverse returns -m0⁻¹ mod 2^w for odd m0, by Newton's iteration.
func negInverse(m0 uint64, w int) uint64 {
	x := m0 // right in the low 3 bits
	for range 5 {
		x *= 2 - m0*x
	}
	return -x & (1<<w - 1)
}

// leadMultiple returns (u·m+1)/2^(w·lag) in as many fields as m, and the fields of u = -m⁻¹ mod 2^(w·lag): it adds the
// multiples of m to 1 that clear its lowest fields.
func leadMultiple(m []uint64, w, lag int) (multiple, u []uint64) {
	inv := negInverse(m[0], w)
	mask := uint64(1)<<w - 1
	u = make([]uint64, lag)
	t := make([]uint64, len(m)+lag+1)
	t[0] = 1
	for i := range lag {
		q := t[i] * inv & mask
		u[i] = q
		var carry uint64
		for j, v := range m {
			hi, lo := bits.Mul64(v, q)
			lo, c := bits.Add64(lo, t[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			t[i+j] = lo & mask
			carry = hi<<(64-w) | lo>>w
		}
		for j := i + len(m); j < len(t); j++ {
			s := t[j] + carry
			t[j] = s & mask
			carry = s >> w
		}
	}
	return t[lag : lag+len(m)], u
}

// doubleMod sets x = 2x mod m for x < m < 2^(w·len(m)-1).
func doubleMod(x, m []uint64, w int) {
	mask := uint64(1)<<w - 1
	var carry, borrow uint64
	for j, v := range x {
		v = v<<1 | carry
		carry = v >> w
		x[j] = v & mask
		borrow = (x[j] - m[j] - borrow) >> 63
	}
	keep := -borrow
	borrow = 0
	for j, v := range x {
		v -= m[j]&^keep + borrow
		borrow = v >> 63
		x[j] = v & mask
	}
}

// powerOfTwo returns 2^e mod m in fields, for e of at least m's length in bits less 1.
func powerOfTwo(m []uint64, e, w int) []uint64 {
	top := len(m) - 1
	for m[top] == 0 {
		top--
	}
	at := w*top + bits.Len64(m[top]) - 1 // 2^at < m, as m is odd
	x := make([]uint64, len(m))
	x[at/w] = 1 << (at % w)
	for range e - at {
		doubleMod(x, m, w)
	}
	return x
}
