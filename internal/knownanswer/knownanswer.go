// Package knownanswer encrypts with randomness that the caller chooses, for known answers and for measurements of
// timing. It is not a public API: the randomness of a ciphertext reveals its plaintext.
//
// The functions belong to package paillier and innerproduct below it, which set them when they are loaded. They are variables, and take its workers
// as any, because this package cannot import it.
package knownanswer

import "fmt"

var (
	// RandomSize is the length in bytes of one random number of a *paillier.PublicKey, big-endian: r below N for textbook
	// keys, below 2^RBits() otherwise.
	RandomSize func(publicKey any) int

	// Encrypt is Encrypt of a *paillier.Encryptor with the randomness r[i*RandomSize:]. r is a unit below N for textbook
	// keys and below 2^RBits() otherwise, else it returns a *RandomnessError. For textbook keys it is not constant time in r.
	Encrypt func(encryptor any, dst []byte, m []uint64, r []byte) error

	// EncryptWithRoots is Encrypt of the owner's *paillier.Encryptor of a textbook key with explicit ρp, 0 < ρp < p, and ρq,
	// in Bits()/16 bytes big-endian each: the ciphertext is (1+mN)·ρp^p mod p² and (1+mN)·ρq^q mod q². It returns an error
	// for other keys and without the secret key.
	EncryptWithRoots func(encryptor any, dst []byte, m []uint64, rhoP, rhoQ []byte) error

	// Rerandomize multiplies each ciphertext by the randomizer of an explicit r, as Encrypt uses it. The evaluator is a
	// *paillier.Evaluator.
	Rerandomize func(evaluator any, dst, ct, r []byte) error

	// RerandomizeRoots multiplies each ciphertext by r^N with explicit units r below N, in Bits()/8 bytes each, as
	// Rerandomize of a *paillier.Evaluator does for textbook and DJN keys. It takes keys of every variant.
	RerandomizeRoots func(evaluator any, dst, ct, r []byte) error

	// Respond is Respond of an *innerproduct.Peer with explicit masks, and with randomizers as for RerandomizeRoots.
	Respond func(peer any, dst []byte, shares, masks []uint64, r []byte) error
)

// RandomnessError names explicit randomness outside its range.
type RandomnessError struct {
	Index  int // within the batch, from 0
	Reason string
}

func (e *RandomnessError) Error() string {
	return fmt.Sprintf("randomness %d: %s", e.Index, e.Reason)
}
