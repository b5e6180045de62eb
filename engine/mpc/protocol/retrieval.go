package protocol

import (
	"fmt"

	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Retrieval passes values to a user under the user's key (Yi et al., "Privacy Protection for Wireless Medical Sensor Data",
// algorithms 1 and 2): each server encrypts its shares and multiplies them into what the server before it has. The user
// opens the values; no server sees one. Several values travel in a ciphertext.
//
// For a sum, such as that of an average, each server gives the sum of its shares as the only value. It is constant time
// in shares, and serves one goroutine at a time.
type Retrieval struct {
	layout    shares.Opening
	pk        *paillier.PublicKey
	encryptor *paillier.Encryptor
	evaluator *paillier.Evaluator
	random    *shares.Stream
}

// NewRetrieval makes a server's worker for the key of a user.
func NewRetrieval(user *paillier.PublicKey, servers int) (*Retrieval, error) {
	layout, err := shares.NewOpening(user.Bits(), servers, 0)
	if err != nil {
		return nil, err
	}
	return &Retrieval{layout: layout, pk: user, encryptor: user.NewEncryptor(), evaluator: user.NewEvaluator(), random: shares.NewStream()}, nil
}

// Size is the length in bytes of the message for n values.
func (r *Retrieval) Size(n int) int { return r.layout.Ciphertexts(n) * r.pk.CiphertextSize() }

// Add returns the message of this server for the next one, or of the last one for the user. before is the message of the
// server before it, nil for the first one. It returns an error for a message that is none.
func (r *Retrieval) Add(before []byte, s []uint64) ([]byte, error) {
	m := make([]uint64, r.layout.Ciphertexts(len(s))*r.pk.PlaintextLimbs())
	r.layout.Pack(m, r.pk.PlaintextLimbs(), s, r.random)
	out := make([]byte, r.Size(len(s)))
	if err := r.encryptor.Encrypt(out, m); err != nil {
		return nil, err
	}
	if before == nil {
		return out, nil
	}
	if len(before) != len(out) {
		return nil, fmt.Errorf("a message of %d bytes for %d values, not of %d", len(before), len(s), len(out))
	}
	return out, r.evaluator.Fold(out, out, before)
}

// Retrieve opens the message of the last server: n values.
func Retrieve(sk *paillier.SecretKey, servers, n int, message []byte) ([]int64, error) {
	layout, err := shares.NewOpening(sk.Public().Bits(), servers, 0)
	if err != nil {
		return nil, err
	}
	pk := sk.Public()
	if want := layout.Ciphertexts(n) * pk.CiphertextSize(); len(message) != want {
		return nil, fmt.Errorf("a message of %d bytes for %d values, not of %d", len(message), n, want)
	}
	m := make([]uint64, layout.Ciphertexts(n)*pk.PlaintextLimbs())
	if err := sk.NewDecryptor().Decrypt(m, message); err != nil {
		return nil, err
	}
	words, values := make([]uint64, n), make([]int64, n)
	layout.Unpack(words, m, pk.PlaintextLimbs())
	for i, w := range words {
		values[i] = int64(w)
	}
	return values, nil
}
