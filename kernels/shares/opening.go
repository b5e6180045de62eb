package shares

import (
	"fmt"
	"math/bits"
)

// Opening is a layout for shares that a user adds up under a key of his own. Each server packs its shares with a random
// multiple of 2^64 on top, and the plaintexts of all servers are added. The user reads each sum modulo 2^64. The multiples
// hide how often the sum of the shares wraps, which would tell something about single shares.
type Opening struct {
	SlotBits int // 64 + sigma + ceil(log2(servers))
	Values   int // of a plaintext
	sigma    int
}

// NewOpening lays out sums of the plaintexts of servers for a modulus of keyBits bits. sigma is as for NewConvolution.
func NewOpening(keyBits, servers, sigma int) (Opening, error) {
	if sigma == 0 {
		sigma = SigmaDefault
	}
	if sigma < SigmaDefault || sigma > SigmaMax {
		return Opening{}, fmt.Errorf("a statistical security of %d bits: it can be %d to %d", sigma, SigmaDefault, SigmaMax)
	}
	if servers < 2 {
		return Opening{}, fmt.Errorf("%d servers: there must be 2 at least", servers)
	}
	o := Opening{SlotBits: 64 + sigma + bits.Len(uint(servers-1)), sigma: sigma}
	if o.Values = (keyBits - 1) / o.SlotBits; o.Values < 1 {
		return Opening{}, fmt.Errorf("a key of %d bits has no room for a slot of %d", keyBits, o.SlotBits)
	}
	return o, nil
}

// Ciphertexts is the number of ciphertexts that hold n values.
func (o Opening) Ciphertexts(n int) int { return (n + o.Values - 1) / o.Values }

// Pack writes the plaintexts of one server's shares: Ciphertexts(len(shares)) rows of limbs words.
func (o Opening) Pack(m []uint64, limbs int, shares []uint64, random *Stream) {
	checkLen("words of plaintexts", len(m), o.Ciphertexts(len(shares))*limbs)
	clear(m)
	var top [1]uint64
	for i, x := range shares {
		row, pos := m[i/o.Values*limbs:][:limbs], i%o.Values*o.SlotBits
		addAt(row, pos, x)
		random.Words(top[:])
		addAt(row, pos+64, top[0]>>(64-o.sigma))
	}
}

// Unpack reads len(values) values from the sums of the servers' plaintexts.
func (o Opening) Unpack(values, m []uint64, limbs int) {
	checkLen("words of plaintexts", len(m), o.Ciphertexts(len(values))*limbs)
	for i := range values {
		values[i] = wordAt(m[i/o.Values*limbs:][:limbs], i%o.Values*o.SlotBits)
	}
}
