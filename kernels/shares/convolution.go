package shares

import (
	"fmt"
	"math/bits"
)

// Bounds of the statistical security of masks, in bits: what a mask hides can be told from anything else of its range
// with probability 2^-sigma at most.
const (
	SigmaDefault = 40
	SigmaMax     = 64
)

// Convolution is a layout for inner products under an additively homomorphic key: a ciphertext holds several records in
// slots, in rising order, and is raised to the power of several records in falling order. Then the middle slot of the
// product is the inner product of the two, and all others are noise that masks hide.
//
// The middle slot of a product sum is below 2n·2^128 for n records: two products of shares for each. The layout has
// room for this and a mask with sigma bits more, below a plaintext of one bit less than the modulus. So nothing carries
// into the next slot and nothing wraps.
type Convolution struct {
	SlotBits int // w: 128 + ceil(log2(2n)) + sigma + 1
	Records  int // s: records of a ciphertext
}

// NewConvolution lays out sums over at most the given number of records for a modulus of keyBits bits. sigma is
// SigmaDefault to SigmaMax, 0 means SigmaDefault. It returns an error when not even one record fits.
func NewConvolution(keyBits int, records int64, sigma int) (Convolution, error) {
	if sigma == 0 {
		sigma = SigmaDefault
	}
	if sigma < SigmaDefault || sigma > SigmaMax {
		return Convolution{}, fmt.Errorf("a statistical security of %d bits: it can be %d to %d", sigma, SigmaDefault, SigmaMax)
	}
	if records < 1 || records > 1<<48 {
		return Convolution{}, fmt.Errorf("%d records: there can be 1 to 2^48", records)
	}
	w := 128 + max(1, bits.Len64(uint64(2*records-1))) + sigma + 1
	s := ((keyBits-1)/w + 1) / 2
	if s < 1 {
		return Convolution{}, fmt.Errorf("a key of %d bits has no room for a slot of %d", keyBits, w)
	}
	return Convolution{SlotBits: w, Records: s}, nil
}

// Ciphertexts is the number of ciphertexts that hold n records.
func (c Convolution) Ciphertexts(n int) int { return (n + c.Records - 1) / c.Records }

// Pack writes the plaintexts of records u: in plaintext b, slot i is u[b*Records+i]. There are Ciphertexts(len(u)) rows of
// limbs words; slots without a record are 0.
func (c Convolution) Pack(m []uint64, limbs int, u []uint64) {
	checkLen("words of plaintexts", len(m), c.Ciphertexts(len(u))*limbs)
	clear(m)
	for i, x := range u {
		row := i / c.Records * limbs
		addAt(m[row:row+limbs], i%c.Records*c.SlotBits, x)
	}
}

// Digits writes slot i of each block of v: dst[b] = v[b*Records+i], 0 behind the end. These are the digits of the
// exponents with the weight 2^(SlotBits·(Records-1-i)).
func (c Convolution) Digits(dst, v []uint64, i int) {
	checkLen("digits", len(dst), c.Ciphertexts(len(v)))
	clear(dst)
	for b := range dst {
		if at := b*c.Records + i; at < len(v) {
			dst[b] = v[at]
		}
	}
}

// MaskWords is the number of words of a mask.
func (c Convolution) MaskWords() int { return (c.SlotBits - 1 + 63) / 64 }

// Masks is the number of masks of a plaintext: one for each slot of a product.
func (c Convolution) Masks() int { return 2*c.Records - 1 }

// DrawMasks fills Masks() masks, uniform below 2^(SlotBits-1), of MaskWords() words each.
func (c Convolution) DrawMasks(masks []uint64, random *Stream) {
	words := c.MaskWords()
	checkLen("words of masks", len(masks), c.Masks()*words)
	random.Words(masks)
	if spare := 64*words - (c.SlotBits - 1); spare > 0 {
		for i := words - 1; i < len(masks); i += words {
			masks[i] >>= spare
		}
	}
}

// PackMasks writes the plaintext of masks and returns the middle one modulo 2^64.
func (c Convolution) PackMasks(m, masks []uint64) (middle uint64) {
	words := c.MaskWords()
	checkLen("words of masks", len(masks), c.Masks()*words)
	clear(m)
	for i, x := range masks {
		addAt(m, i/words*c.SlotBits+i%words*64, x)
	}
	return masks[(c.Records-1)*words]
}

// Middle reads the middle slot of a plaintext, modulo 2^64.
func (c Convolution) Middle(m []uint64) uint64 { return wordAt(m, (c.Records-1)*c.SlotBits) }

// addAt ORs x into bits pos to pos+63 of m, which are zero. Bits above the end of m must be zero too.
func addAt(m []uint64, pos int, x uint64) {
	m[pos/64] |= x << (pos % 64)
	if pos%64 > 0 && pos/64+1 < len(m) {
		m[pos/64+1] |= x >> (64 - pos%64)
	}
}

// wordAt reads bits pos to pos+63 of m, zeros behind its end.
func wordAt(m []uint64, pos int) uint64 {
	x := m[pos/64] >> (pos % 64)
	if pos%64 > 0 && pos/64+1 < len(m) {
		x |= m[pos/64+1] << (64 - pos%64)
	}
	return x
}
