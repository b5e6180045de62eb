package paillier

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Key is a *PublicKey or a *SecretKey: whatever can encrypt.
type Key interface {
	// Public returns the public key, which may be the key itself.
	Public() *PublicKey
	// NewEncryptor makes a worker; the owner of the secret key gets the faster one.
	NewEncryptor() *Encryptor
	// UseKernel chooses the arithmetic of workers made from now on by its name in Kernels.
	UseKernel(name string) error
	// TableBytes is the memory held by the tables of powers that the key's workers share, as far as they exist.
	TableBytes() int64
	isKey()
}

// PublicKey is a modulus N and, for DJN and MHL, a base h of randomizers. It does not change and is safe for
// concurrent use.
type PublicKey struct {
	variant     Variant
	bits        int
	n, h        *big.Int // h is nil for textbook keys
	rbits       int
	fingerprint [sha256.Size]byte
	rings       kernelChoice[publicRings]
}

// newPublicKey checks what can be checked without the factors of N; h is nil and rbits 0 for textbook keys.
func newPublicKey(variant Variant, bits int, n, h *big.Int, rbits int) (*PublicKey, error) {
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	if err := checkModulus(bits, n); err != nil {
		return nil, err
	}
	if variant != Textbook {
		if err := checkBase(variant, bits, n, h, rbits); err != nil {
			return nil, err
		}
	}
	pk := &PublicKey{variant: variant, bits: bits, n: n, h: h, rbits: rbits}
	pk.fingerprint = fingerprint(variant, n, h, rbits)
	pk.rings.build = func(impl bigmod.Implementation) *publicRings { return newPublicRings(pk, impl) }
	return pk, nil
}

func checkModulus(bits int, n *big.Int) error {
	bad := func(reason string) error {
		return &KeyError{ErrKeyModulus, "n", reason, hintDamaged}
	}
	if n.Bit(0) == 0 {
		return bad("N is even")
	}
	if n.BitLen() != bits {
		return bad(fmt.Sprintf("N has %d bits, the key says %d", n.BitLen(), bits))
	}
	var m, r big.Int
	for _, s := range smallPrimes() {
		if r.Mod(n, m.SetUint64(s)).Sign() == 0 {
			return bad(fmt.Sprintf("N is divisible by %d", s))
		}
	}
	if r.Sqrt(n); m.Mul(&r, &r).Cmp(n) == 0 {
		return bad("N is a square")
	}
	if n.ProbablyPrime(0) {
		return bad("N is prime")
	}
	return nil
}

// checkBase refuses a base h that is plainly not one: out of range, of order 1 or 2, or of Jacobi symbol -1, while
// h = -y² has symbol 1 as both primes are 3 modulo 4.
func checkBase(variant Variant, bits int, n, h *big.Int, rbits int) error {
	if rbits%2 != 0 || rbits < randomBits(variant, bits) || rbits > bits/2 {
		return &KeyError{ErrKeyBase, "rbits", fmt.Sprintf("exponents of %d bits do not suit %s with N of %d bits", rbits, variant, bits),
			fmt.Sprintf("this variant needs %d", randomBits(variant, bits))}
	}
	bad := func(reason string) error {
		return &KeyError{ErrKeyBase, "h", reason, hintDamaged}
	}
	top := new(big.Int).Sub(n, big.NewInt(1))
	if h.Cmp(big.NewInt(1)) <= 0 || h.Cmp(top) >= 0 {
		return bad("h is not in the range 2..N-2")
	}
	switch big.Jacobi(h, n) {
	case 0:
		return bad("h shares a factor with N")
	case -1:
		return bad("h has Jacobi symbol -1")
	}
	return nil
}

// fingerprint is SHA-256 of "PAILLIER-KEY-v1" 00, then the variant with its length in one byte, N and h minimally
// big-endian with their lengths in four bytes, and the exponent length in four bytes.
func fingerprint(variant Variant, n, h *big.Int, rbits int) [sha256.Size]byte {
	b := append([]byte("PAILLIER-KEY-v1\x00"), byte(len(variant)))
	b = append(b, variant...)
	var base []byte
	if h != nil {
		base = h.Bytes()
	}
	for _, v := range [][]byte{n.Bytes(), base} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return sha256.Sum256(binary.BigEndian.AppendUint32(b, uint32(rbits)))
}

// Variant is how the key randomizes.
func (pk *PublicKey) Variant() Variant { return pk.variant }

// Bits is the length of N in bits, a multiple of 128.
func (pk *PublicKey) Bits() int { return pk.bits }

// N is the modulus, big-endian in Bits()/8 bytes.
func (pk *PublicKey) N() []byte { return pk.n.FillBytes(make([]byte, pk.bits/8)) }

// NWords is the modulus in PlaintextLimbs() little-endian words.
func (pk *PublicKey) NWords() []uint64 { return wordsOf(pk.n, pk.PlaintextLimbs()) }

// H is the base of the randomizers, big-endian in Bits()/8 bytes; nil for textbook keys.
func (pk *PublicKey) H() []byte {
	if pk.h == nil {
		return nil
	}
	return pk.h.FillBytes(make([]byte, pk.bits/8))
}

// RBits is the length in bits of the exponents that randomize; 0 for textbook keys.
func (pk *PublicKey) RBits() int { return pk.rbits }

// Test says that the key is too short to protect anything.
func (pk *PublicKey) Test() bool { return pk.bits < bitsSecure }

// Fingerprint identifies the public key: 64 lower-case hexadecimal digits.
func (pk *PublicKey) Fingerprint() string { return hex.EncodeToString(pk.fingerprint[:]) }

// CiphertextSize is the length of a ciphertext in bytes.
func (pk *PublicKey) CiphertextSize() int { return 2 * pk.bits / 8 }

// PlaintextLimbs is the length of a plaintext residue in 64-bit words.
func (pk *PublicKey) PlaintextLimbs() int { return pk.bits / 64 }

// Public returns pk.
func (pk *PublicKey) Public() *PublicKey { return pk }

func (pk *PublicKey) isKey() {}

// wordsOf writes a non-negative x into little-endian words, which it must fit.
func wordsOf(x *big.Int, limbs int) []uint64 {
	w := make([]uint64, limbs)
	bigmod.WordsFromBytes(w, x.Bytes())
	return w
}
