package mont52

import (
	"encoding/binary"
	"math/bits"
)

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

// fromBytesGeneric sets a group to 8 big-endian values of size bytes each, one after the other in be, which fit k limbs.
func fromBytesGeneric(z []uint64, be []byte, size, k int) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		for j := range k {
			z[lanes*j+l] = limbOfBytes(row, j)
		}
	}
}

// limbOfBytes returns limb j of a big-endian value.
func limbOfBytes(be []byte, j int) uint64 {
	first, shift := limbBits*j/8, limbBits*j%8 // counted from the end
	end := len(be) - first
	if end <= 0 {
		return 0
	}
	var v uint64
	if end >= 8 {
		v = binary.BigEndian.Uint64(be[end-8:])
	} else {
		for _, b := range be[:end] {
			v = v<<8 | uint64(b)
		}
	}
	return v >> shift & limbMask
}

// toBytesGeneric is the inverse of fromBytesGeneric. The values fit size bytes.
func toBytesGeneric(be []byte, x []uint64, size, k int) {
	for l := range lanes {
		row := be[l*size : (l+1)*size]
		var v uint64
		have, next := 0, 0
		for i := size - 1; i >= 0; i-- {
			if have < 8 {
				if next < k {
					v |= x[lanes*next+l] << have
				}
				next++
				have += limbBits
			}
			row[i] = byte(v)
			v >>= 8
			have -= 8
		}
	}
}

// fromWordsGeneric sets a group to 8 values of n little-endian words each, one after the other in w, which fit k limbs.
func fromWordsGeneric(z, w []uint64, n, k int) {
	for l := range lanes {
		row := w[l*n : (l+1)*n]
		for j := range k {
			z[lanes*j+l] = limbOfWords(row, j)
		}
	}
}

// toWordsGeneric is the inverse of fromWordsGeneric. The values fit n words.
func toWordsGeneric(w, x []uint64, n, k int) {
	for l := range lanes {
		row := w[l*n : (l+1)*n]
		clear(row)
		for j := range k {
			v := x[lanes*j+l]
			i, shift := limbBits*j/64, limbBits*j%64
			if i < n {
				row[i] |= v << shift
			}
			if shift > 64-limbBits && i+1 < n {
				row[i+1] |= v >> (64 - shift)
			}
		}
	}
}

// gatherGeneric sets lane l of a group to the element at[l] of the groups x.
func gatherGeneric(z, x []uint64, at *[lanes]int32, k int) {
	for l, i := range at {
		from := x[int(i)/lanes*lanes*k:]
		lane := int(i) % lanes
		for j := range k {
			z[lanes*j+l] = from[lanes*j+lane]
		}
	}
}

// scatterGeneric sets the element at[l] of the groups z to lane l of the group x, for l < n.
func scatterGeneric(z []uint64, at *[lanes]int32, n int, x []uint64, k int) {
	for l, i := range at[:n] {
		to := z[int(i)/lanes*lanes*k:]
		lane := int(i) % lanes
		for j := range k {
			to[lanes*j+lane] = x[lanes*j+l]
		}
	}
}

// selectGeneric sets the group z to group d of the table, reading all 1<<width of them: constant time in d.
func selectGeneric(z, table []uint64, d uint64, width, k int) {
	n := lanes * k
	clear(z[:n])
	for row := range uint64(1) << width {
		mask := zeroMask(row ^ d)
		for i, v := range table[int(row)*n:][:n] {
			z[i] |= v & mask
		}
	}
}

// lookupLimbs is how many limbs of a table are interleaved; see entryAt.
const lookupLimbs = 4

// entryAt is where limb j of entries d...d+15 (16 divides d) begins in a table of 1<<width single residues. The
// assembly reads such tables from front to end: blocks of 4 limbs (of 1 limb at the end of k), in these 16 entries
// after the other.
func entryAt(j, d, width, k int) int {
	n := lookupLimbs
	if j >= k&^(lookupLimbs-1) {
		n = 1
	}
	return j/n*n<<width + d*n + 16*(j%n)
}

// lookupGeneric sets lane l of the group z to the entry d[l] < 1<<width of a table of single residues in the layout of
// entryAt. It reads all entries for every lane: constant time in d. width >= 4.
func lookupGeneric(z, table []uint64, d []uint64, width, k int) {
	for j := range k {
		out := vector(z, j)
		clear(out)
		for row := 0; row < 1<<width; row += 16 {
			for i, v := range table[entryAt(j, row, width, k):][:16] {
				for l := range out {
					out[l] |= v & zeroMask(uint64(row+i)^d[l])
				}
			}
		}
	}
}

// zeroMask returns all ones when v = 0 and 0 otherwise, in constant time.
func zeroMask(v uint64) uint64 {
	return uint64(int64(^v&(v-1)) >> 63)
}
