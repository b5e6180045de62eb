package shares

import "fmt"

// Split makes shares of values: shares[j][i] is server j's share of values[i]. There are at least two servers. All rows
// are as long as values; the last one may be values itself, the others may not overlap it.
func Split(shares [][]uint64, values []uint64, random *Stream) {
	if len(shares) < 2 {
		panic(fmt.Sprintf("shares: %d servers", len(shares)))
	}
	for _, s := range shares {
		checkLen("shares", len(s), len(values))
	}
	last := shares[len(shares)-1]
	copy(last, values)
	for _, s := range shares[:len(shares)-1] {
		random.Words(s)
		for i, w := range s {
			last[i] -= w
		}
	}
}

// Combine adds the shares of all servers: dst[i] = sum over j of shares[j][i]. dst may be one of them.
func Combine(dst []uint64, shares ...[]uint64) {
	for _, s := range shares {
		checkLen("shares", len(s), len(dst))
	}
	for i := range dst {
		var sum uint64
		for _, s := range shares {
			sum += s[i]
		}
		dst[i] = sum
	}
}

// Sum adds shares of one server: a share of the sum of the values.
func Sum(s []uint64) (sum uint64) {
	for _, w := range s {
		sum += w
	}
	return sum
}

// Product is the inner product of two vectors of one server: the part of an inner product that a server computes alone.
func Product(u, v []uint64) (sum uint64) {
	checkLen("shares", len(v), len(u))
	for i, w := range u {
		sum += w * v[i]
	}
	return sum
}
