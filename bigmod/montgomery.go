package bigmod

import "math/bits"

// addMulWord sets z += x·y and returns the word that carries out. len(x) >= len(z).
func addMulWord(z, x []uint64, y uint64) (carry uint64) {
	x = x[:len(z)]
	for i := range z {
		hi, lo := bits.Mul64(x[i], y)
		lo, c := bits.Add64(lo, z[i], 0)
		hi, _ = bits.Add64(hi, 0, c)
		lo, c = bits.Add64(lo, carry, 0)
		carry, _ = bits.Add64(hi, 0, c)
		z[i] = lo
	}
	return carry
}

// negInverse returns -m0⁻¹ mod 2^64 for odd m0, by Newton's iteration.
func negInverse(m0 uint64) uint64 {
	x := m0 // right in the low 3 bits
	for range 5 {
		x *= 2 - m0*x
	}
	return -x
}

// montMul sets z = x·y·R⁻¹ mod m.
func montMul(z, x, y, m []uint64, inv uint64, t []uint64) {
	n := len(m)
	t = t[:2*n]
	clear(t)
	for i, v := range y {
		t[i+n] = addMulWord(t[i:i+n], x, v)
	}
	montReduce(z, m, inv, t)
}

func montSqr(z, x, m []uint64, inv uint64, t []uint64) {
	montMul(z, x, x, m, inv, t)
}

// montReduce sets z = t·R⁻¹ mod m for t < m·R. It overwrites t.
func montReduce(z, m []uint64, inv uint64, t []uint64) {
	n := len(m)
	t = t[:2*n]
	var carry, c uint64
	for i := range n {
		hi := addMulWord(t[i:i+n], m, t[i]*inv)
		t[i+n], c = bits.Add64(t[i+n], carry, 0)
		t[i+n], carry = bits.Add64(t[i+n], hi, 0)
		carry += c
	}
	reduceOnce(z, t[n:], carry, m)
}

// reduceOnce sets z = x + carry·2^(64n) - m if that is not negative, else z = x. z may be x but not overlap it otherwise.
func reduceOnce(z, x []uint64, carry uint64, m []uint64) {
	var borrow uint64
	for i := range m {
		_, borrow = bits.Sub64(x[i], m[i], borrow)
	}
	mask := -(carry | (borrow ^ 1)) // carry implies borrow
	borrow = 0
	for i := range m {
		z[i], borrow = bits.Sub64(x[i], mask&m[i], borrow)
	}
}
