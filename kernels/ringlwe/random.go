package ringlwe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha3"
	"encoding/binary"
	"math/bits"

	"github.com/cipherfold/cipherfold/internal/randstream"
)

// Stream is a stream of secret random words. It serves one goroutine at a time.
type Stream struct {
	source interface{ Uint64() uint64 }
	bulk   cipher.Stream // of many words at a time; nil: they come from source
}

// NewStream begins a stream under fresh keys from the operating system. Where the assembly is used, and so a processor with
// instructions for AES, many words at a time come from AES-256 in counter mode: it is several times faster than ChaCha8.
func NewStream() *Stream {
	s := &Stream{source: randstream.New()}
	if used() {
		var key [32]byte
		rand.Read(key[:]) // never fails: the program ends when the system has no randomness
		block, err := aes.NewCipher(key[:])
		if err != nil {
			panic(err) // the key has the right length
		}
		clear(key[:])
		s.bulk = cipher.NewCTR(block, make([]byte, aes.BlockSize))
	}
	return s
}

// words draws random words.
func (s *Stream) words(dst []uint64) {
	if s.bulk == nil {
		for i := range dst {
			dst[i] = s.source.Uint64()
		}
		return
	}
	keystream(dst, s.bulk)
}

// keystreamGeneric writes words of a key stream, least significant byte first.
func keystreamGeneric(dst []uint64, stream cipher.Stream) {
	var bytes [1024]byte
	for len(dst) > 0 {
		b := bytes[:min(len(bytes), 8*len(dst))]
		clear(b)
		stream.XORKeyStream(b, b)
		for i := 0; i+8 <= len(b); i += 8 {
			dst[i/8] = binary.LittleEndian.Uint64(b[i:])
		}
		dst = dst[len(b)/8:]
	}
}

// ternary draws coefficients uniform in -1, 0, 1, but for 2^-62.
func (s *Stream) ternary(dst []int64) {
	for i := range dst {
		hi, _ := bits.Mul64(s.source.Uint64(), 3)
		dst[i] = int64(hi) - 1
	}
}

// binomial is the difference of the numbers of ones in two halves of 21 bits: centred binomial, |e| <= 21.
func binomial(word uint64) int64 {
	const half = 1<<NoiseBound - 1
	return int64(bits.OnesCount64(word&half)) - int64(bits.OnesCount64(word>>NoiseBound&half))
}

// uniform draws residues below p. What it leaves out is independent of what it keeps, and so is its time.
func (s *Stream) uniform(dst []uint64, p uint64) {
	mask := uint64(1)<<bits.Len64(p) - 1
	for i := range dst {
		x := s.source.Uint64() & mask
		for x >= p {
			x = s.source.Uint64() & mask
		}
		dst[i] = x
	}
}

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

// element writes a_β of a block: Words residues.
func (p *Public) element(dst []uint64, block uint64) {
	n := p.set.Degree
	for k, prime := range p.set.Primes {
		p.residues(dst[k*n:(k+1)*n], prime, uint32(k), block)
	}
}

// residues writes residues of one prime. The time depends on them: they are public.
func (p *Public) residues(dst []uint64, prime uint64, limb uint32, block uint64) {
	// The counter counts blocks of 16 bytes in its last 4 bytes: far more than are ever used.
	var iv [16]byte
	binary.BigEndian.PutUint32(iv[0:], limb)
	binary.BigEndian.PutUint64(iv[4:], block)
	stream := cipher.NewCTR(p.cipher, iv[:])
	mask := uint64(1)<<bits.Len64(prime) - 1
	for done := 0; done < len(dst); {
		rest := dst[done:]
		keystream(rest, stream)
		kept := 0
		for _, x := range rest {
			if x &= mask; x < prime {
				rest[kept] = x
				kept++
			}
		}
		done += kept
	}
}
