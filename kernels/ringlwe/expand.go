package ringlwe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"encoding/binary"
	"math/bits"
)

// Public is the public randomness of a round: the a_β. Who knows the name of the network and the number of the round can make
// it. No two rounds may have the same, so a network must not use a number twice: see the tests of attacks.
//
// It is an XOF: SHAKE-128 of the label gives a key, and AES-128 in counter mode expands it, for each prime and block from a
// place of its own, as FrodoKEM expands its matrix. Words whose low 50 (or 40) bits are not below the prime are left out.
// Residues are values in the domain of the transform, where uniform is uniform.
//
// It may be used by several goroutines.
type Public struct {
	set    *Set
	cipher cipher.Block
}

// NewPublic begins the public randomness of a round.
func (s *Set) NewPublic(network string, round uint64) *Public {
	x := sha3.NewSHAKE128()
	label := func(b []byte) {
		x.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		x.Write(b)
	}
	label([]byte("cipherfold ringlwe public 1"))
	label([]byte(s.Name))
	label([]byte(network))
	label(binary.LittleEndian.AppendUint64(nil, round))
	var key [16]byte
	x.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	return &Public{s, block}
}

// expander writes the a_β for one goroutine.
type expander struct {
	public *Public
	bytes  []byte
}

func (p *Public) expander() *expander {
	return &expander{public: p, bytes: make([]byte, 8*p.set.Degree)}
}

// element writes a_β of a block: Words residues.
func (e *expander) element(dst []uint64, block uint64) {
	n := e.public.set.Degree
	for k, p := range e.public.set.Primes {
		e.residues(dst[k*n:(k+1)*n], p, uint32(k), block)
	}
}

// residues writes residues of one prime. The time depends on them: they are public.
func (e *expander) residues(dst []uint64, p uint64, limb uint32, block uint64) {
	// The counter counts blocks of 16 bytes in its last 4 bytes: far more than are ever used.
	var iv [16]byte
	binary.BigEndian.PutUint32(iv[0:], limb)
	binary.BigEndian.PutUint64(iv[4:], block)
	stream := cipher.NewCTR(e.public.cipher, iv[:])
	mask := uint64(1)<<bits.Len64(p) - 1
	for done := 0; done < len(dst); {
		buffer := e.bytes[:8*(len(dst)-done)]
		clear(buffer)
		stream.XORKeyStream(buffer, buffer)
		for ; len(buffer) >= 8; buffer = buffer[8:] {
			if x := binary.LittleEndian.Uint64(buffer) & mask; x < p {
				dst[done] = x
				done++
			}
		}
	}
}
