package mont52

import "math/bits"

// This file holds the Go twins of the assembly. Groups and column sums are [..][lanes]uint64, flat.

// tailSums is how many columns the kernels may clear beyond the 2·k of a product.
const tailSums = longRowsMax

// mul52 returns the halves of a product of the low 52 bits of x and y: x·y = hi·2^52 + lo.
func mul52(x, y uint64) (hi, lo uint64) {
	const spare = 64 - limbBits
	hi, lo = bits.Mul64(x<<spare, y&limbMask)
	return hi, lo >> spare
}

// addMul adds x·y to the sums of columns c and c+1, for all lanes.
func addMul(sums []uint64, c int, x, y []uint64) {
	s := (*[2 * lanes]uint64)(sums[lanes*c:])
	xs, ys := (*[lanes]uint64)(x), (*[lanes]uint64)(y)
	for l := range lanes {
		hi, lo := mul52(xs[l], ys[l])
		s[l] += lo
		s[lanes+l] += hi
	}
}

// addMulWord is addMul for one y.
func addMulWord(sums []uint64, c int, x []uint64, y uint64) {
	s := (*[2 * lanes]uint64)(sums[lanes*c:])
	xs := (*[lanes]uint64)(x)
	for l := range lanes {
		hi, lo := mul52(xs[l], y)
		s[l] += lo
		s[lanes+l] += hi
	}
}

// vector is vector j of a group or of column sums.
func vector(x []uint64, j int) []uint64 { return x[lanes*j:][:lanes:lanes] }

// productGeneric sets columns 0...2k-1 of sums to those of x·y. Limbs of x and y are below 2^52; k >= 16. sums has
// 2k+tailSums columns and overlaps neither operand.
func productGeneric(sums, x, y []uint64, k int) {
	clear(sums[:lanes*(2*k+tailSums)])
	productAddGeneric(sums, x, y, k)
}

// productAddGeneric adds those columns of x·y to sums.
func productAddGeneric(sums, x, y []uint64, k int) {
	for i := range k {
		for j := range k {
			addMul(sums, i+j, vector(x, j), vector(y, i))
		}
	}
}

// squareGeneric is productGeneric for x = y.
func squareGeneric(sums, x []uint64, k int) {
	clear(sums[:lanes*(2*k+tailSums)])
	for i := range k {
		for j := i + 1; j < k; j++ {
			addMul(sums, i+j, vector(x, i), vector(x, j))
		}
	}
	for i := range sums[:lanes*2*k] {
		sums[i] *= 2
	}
	for i := range k {
		addMul(sums, 2*i, vector(x, i), vector(x, i))
	}
}

// Lags of the multiples of the modulus that clear columns, and the number of columns that the modulus itself clears;
// see reduceGeneric.
const (
	longLag  = 13
	shortLag = 7
	lastRows = 8
)

// reduceGeneric sets z = T·R⁻¹ mod m, R = 2^(52k), for T the value of columns 0...2k-1 of sums, each below 2^63. It
// spoils sums. The limbs of z are below 2^52; z overlaps sums nowhere. k >= 16.
//
// Montgomery's method adds to T the multiple of m that clears T's lowest column, and so on k times. To find each
// multiple takes products that depend on the multiple before. Following the idea of Orup (Simplifying quotient
// determination in high-radix modular multiplication, ARITH-12, 1995), the first columns are cleared by multiples of
// M = m·(-m⁻¹ mod 2^(52·lag)) instead: M = -1 modulo 2^(52·lag), so the multiplier is the column itself, and
// T + c·M = (T-c) + c·2^(52·lag)·N with the integer N = (M+1)/2^(52·lag) <= m, which has k limbs again. A whole pass of
// lag columns knows its multipliers at once.
//
// The price is that these columns leave less than M < 2^(52·lag)·m instead of m beside T·2^(-52·columns). So the last
// columns are cleared in passes of the shorter lag, and the very last by multiples of m itself: with at least
// longLag-lastRows+1 = 6 columns of the short lag after those of the long, the result is less than
// T/R + m·(1+2^-51). With m <= R/16 and for T = x·y,
//
//	x, y < 2m      gives  z < 2m
//	x < R, y < m   gives  z < 2m + m/2^51
//
// so that residues stay below 2m from one multiplication to the next.
func reduceGeneric(z, sums, m, long, short []uint64, inv uint64, k int) {
	clearColumns(sums, nil, m, long, short, nil, nil, inv, k)
	normalizeGeneric(z, sums[lanes*k:], k)
}

// reduceQuotientGeneric is reduceGeneric, and adds to the columns 0...k-1 of quotient the q with
// T + q·m = z·R, with half = R/2 mod m, in words, in the place of q's bit 52k-1. The multiple of m that clears a column c
// is c times longDigits or shortDigits, -m⁻¹ modulo 2^(52·longLag) and 2^(52·shortLag), or that of the last columns.
func reduceQuotientGeneric(z, quotient, sums, m, long, short, longDigits, shortDigits, half []uint64, inv uint64, k int) {
	last := clearColumns(sums, quotient, m, long, short, longDigits, shortDigits, inv, k)
	for l, q := range last {
		const bit = limbBits - 1
		quotient[lanes*(k-1)+l] -= q & (1 << bit)
		for j, h := range half[:k] {
			quotient[lanes*j+l] += h & -(q >> bit)
		}
	}
	normalizeGeneric(z, sums[lanes*k:], k)
}

// clearColumns adds the multiple of m to sums that makes columns 0...k-1 zero, apart from their carries into the next
// columns, and its quotient by m to quotient unless that is nil. It returns the last multiplier.
func clearColumns(sums, quotient, m, long, short, longDigits, shortDigits []uint64, inv uint64, k int) (q [lanes]uint64) {
	longRows, _ := reduceRows(k)
	for i := range k {
		c := vector(sums, i)
		next := vector(sums, i+1)
		if i < k-lastRows {
			for l, v := range c {
				next[l] += v >> limbBits
			}
			multiple, digits, lag := long, longDigits, longLag
			if i >= longRows {
				multiple, digits, lag = short, shortDigits, shortLag
			}
			for j, n := range multiple[:k] {
				addMulWord(sums, i+lag+j, c, n)
			}
			if quotient != nil {
				for j, n := range digits {
					addMulWord(quotient, i+j, c, n)
				}
			}
			continue
		}
		for l, v := range c {
			q[l] = v * inv & limbMask
		}
		for j, n := range m[:k] {
			addMulWord(sums, i+j, q[:], n)
		}
		for l, v := range c {
			next[l] += v >> limbBits
		}
		if quotient != nil {
			for l, v := range q {
				quotient[lanes*i+l] += v
			}
		}
	}
	return q
}

// normalizeGeneric sets z to the value of k columns of sums, each below 2^63, in limbs below 2^52, modulo R. z is sums or
// overlaps it nowhere.
func normalizeGeneric(z, sums []uint64, k int) {
	var carry [lanes]uint64
	for j := range k {
		for l, v := range vector(sums, j) {
			v += carry[l]
			carry[l] = v >> limbBits
			z[lanes*j+l] = v & limbMask
		}
	}
}

// doubleGeneric sets z = 2x for x < R/2.
func doubleGeneric(z, x []uint64, k int) {
	var carry [lanes]uint64
	for j := range k {
		for l, v := range vector(x, j) {
			z[lanes*j+l] = v<<1&limbMask | carry[l]
			carry[l] = v >> (limbBits - 1)
		}
	}
}

// canonicalGeneric sets z to the value T < 2m of k columns of sums, each below 2^63, or to T-m if that is not negative.
// The limbs of z are below 2^52. z is sums or overlaps it nowhere. (The assembly wants limbs below 2^52 in sums too.)
func canonicalGeneric(z, sums, m []uint64, k int) {
	var carry, borrow [lanes]uint64
	for j := range k {
		for l, v := range vector(sums, j) {
			v += carry[l]
			carry[l] = v >> limbBits
			v &= limbMask
			z[lanes*j+l] = v
			borrow[l] = (v - m[j] - borrow[l]) >> 63
		}
	}
	var keep [lanes]uint64 // all ones where T < m
	for l := range lanes {
		keep[l] = -borrow[l]
	}
	clear(borrow[:])
	for j := range k {
		for l := range lanes {
			v := z[lanes*j+l] - m[j]&^keep[l] - borrow[l]
			borrow[l] = v >> 63
			z[lanes*j+l] = v & limbMask
		}
	}
}

// addGeneric sets z = x+y mod m for x, y < m. z may be x or y.
func addGeneric(z, x, y, m []uint64, k int) {
	for i := range z[:lanes*k] {
		z[i] = x[i] + y[i]
	}
	canonicalGeneric(z, z, m, k)
}

// subGeneric sets z = x-y mod m for x, y < m. z may be x or y.
func subGeneric(z, x, y, m []uint64, k int) {
	var borrow, carry [lanes]uint64
	for j := range k {
		for l := range lanes {
			v := x[lanes*j+l] - y[lanes*j+l] - borrow[l]
			borrow[l] = v >> 63
			z[lanes*j+l] = v & limbMask
		}
	}
	for j := range k {
		for l := range lanes {
			v := z[lanes*j+l] + m[j]&-borrow[l] + carry[l]
			carry[l] = v >> limbBits
			z[lanes*j+l] = v & limbMask
		}
	}
}

// belowGeneric returns the set of lanes (bit l) where x < m.
func belowGeneric(x, m []uint64, k int) uint64 {
	var borrow [lanes]uint64
	for j := range k {
		for l := range lanes {
			borrow[l] = (x[lanes*j+l] - m[j] - borrow[l]) >> 63
		}
	}
	var below uint64
	for l, b := range borrow {
		below |= b << l
	}
	return below
}
