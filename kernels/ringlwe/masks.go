package ringlwe

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// Masks are the pairwise masks of a member: the other way to add up vectors, to compare with (Bonawitz et al. 2017). Members i
// and j share a seed; the one with the lower number adds what it expands to, the other subtracts it, modulo 2^32. In the sum of
// all members the masks cancel. A missing member leaves its masks in the sum, until the others tell its seeds.
type Masks struct {
	streams []cipher.Stream
	minus   []bool
	buffer  []byte
}

// NewMasks begins the masks of member `own` for one vector. seeds[j] is the seed that it shares with member j; its own is
// not used. Seeds are for one vector only.
func NewMasks(own int, seeds [][16]byte) (*Masks, error) {
	if own < 0 || own >= len(seeds) {
		return nil, fmt.Errorf("member %d of %d", own, len(seeds))
	}
	m := &Masks{buffer: make([]byte, 4096)}
	for j, seed := range seeds {
		if j == own {
			continue
		}
		block, err := aes.NewCipher(seed[:])
		if err != nil {
			panic(err) // the key has the right length
		}
		m.streams = append(m.streams, cipher.NewCTR(block, make([]byte, aes.BlockSize)))
		m.minus = append(m.minus, j < own)
	}
	return m, nil
}

// Mask adds the next masks to values, modulo 2^32.
func (m *Masks) Mask(values []uint32) {
	for len(values) > 0 {
		part := values[:min(len(values), len(m.buffer)/4)]
		for i, stream := range m.streams {
			b := m.buffer[:4*len(part)]
			clear(b)
			stream.XORKeyStream(b, b)
			sign := uint32(1)
			if m.minus[i] {
				sign = ^uint32(0)
			}
			for j := range part {
				part[j] += sign * binary.LittleEndian.Uint32(b[4*j:])
			}
		}
		values = values[len(part):]
	}
}
