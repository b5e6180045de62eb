package paillier

import "fmt"

// Variant is the way ciphertexts are randomized; see the package comment.
type Variant string

// The variants.
const (
	Textbook Variant = "textbook"
	DJN      Variant = "djn"
	MHL      Variant = "mhl"
)

// Randomizers says what is known of the randomizers of ciphertexts, which decides how they are made fresh.
type Randomizers string

const (
	// AnyRandomizers is the zero value: nothing is known, they may be any N-th residues. It is right for all ciphertexts.
	AnyRandomizers Randomizers = ""
	// OwnRandomizers are powers of hs, as DJN and MHL keys define it: those of Encryptor's ciphertexts, and of whatever
	// was computed from such ciphertexts only, with OwnRandomizers where it was made fresh. Textbook keys have no hs; with
	// them it says nothing.
	OwnRandomizers Randomizers = "hs"
)

// Randomizers says what is known of the randomizers that encryption with this key makes.
func (pk *PublicKey) Randomizers() Randomizers {
	if pk.variant == Textbook {
		return AnyRandomizers
	}
	return OwnRandomizers
}

// And is what is known of products and powers of ciphertexts of both kinds.
func (a Randomizers) And(b Randomizers) Randomizers {
	if a == OwnRandomizers && b == OwnRandomizers {
		return OwnRandomizers
	}
	return AnyRandomizers
}

// Sizes of the modulus N in bits.
const (
	bitsMin    = 512  // of test keys
	bitsSecure = 2048 // of others; 112-bit security
	bitsMax    = 4096
	bitsStep   = 128 // so that N, p and p² fill whole 64-bit words
)

// ParseVariant reads the name of a variant.
func ParseVariant(name string) (Variant, error) {
	switch v := Variant(name); v {
	case Textbook, DJN, MHL:
		return v, nil
	}
	return "", &KeyError{ErrKeySyntax, "variant", fmt.Sprintf("%.40q is not a variant of this scheme", name),
		"the variants are textbook, djn and mhl"}
}

// checkBits refuses lengths of N that the program does not compute with.
func checkBits(bits int) error {
	if bits < bitsMin || bits > bitsMax || bits%bitsStep != 0 {
		return &KeyError{ErrKeySize, "bits",
			fmt.Sprintf("%d bits, not a multiple of %d from %d to %d", bits, bitsStep, bitsMin, bitsMax),
			"use 2048, 3072 or 4096"}
	}
	return nil
}

// checkTest refuses keys that are short unless the caller has asked for insecure test keys.
func checkTest(bits int, insecureTestKey bool) error {
	if bits < bitsSecure && !insecureTestKey {
		return &KeyError{ErrKeySize, "bits", fmt.Sprintf("%d bits protect nothing", bits),
			"use 2048, 3072 or 4096; for a test that holds no real data ask for an insecure test key"}
	}
	return nil
}

// randomBits is the length of the exponents r: half of N for DJN; for MHL four times the security level.
func randomBits(v Variant, bits int) int {
	switch {
	case v == Textbook:
		return 0
	case v == DJN:
		return bits / 2
	case bits < bitsSecure:
		return bits / 16 * 5
	case bits < 3072:
		return 448
	case bits < 4096:
		return 512
	default:
		return 640
	}
}
