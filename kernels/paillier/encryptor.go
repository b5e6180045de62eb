package paillier

import (
	"fmt"
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Encryptor encrypts batches. Made by a PublicKey it computes modulo N², made by a SecretKey modulo p² and q², which takes
// about a third of the time for textbook keys, two fifths for MHL and two thirds for DJN keys; for the same randomness both give the
// same ciphertext. It is constant time in plaintexts, randomness and secret key. It serves one goroutine at a time.
type Encryptor struct {
	pk      *PublicKey
	rings   *publicRings
	owner   *ownerRandomizer  // nil without the secret key
	anyone  *publicRandomizer // nil with it
	message pieceVec          // 1+mN modulo N²; without the secret key
	wide    []uint64          // 1+mN of a piece
}

// randomness is where the randomizers of a piece come from.
type randomness struct {
	fresh bool
	r     []byte    // explicit numbers of the rows of the piece
	roots [2][]byte // explicit ρp and ρq; with the secret key of a textbook key
}

// piece is the part of an explicit randomness that belongs to rows first to first+rows-1, of size bytes each.
func (from randomness) piece(first, rows, size int) randomness {
	if from.r != nil {
		from.r = from.r[first*size : (first+rows)*size]
	}
	for i, root := range from.roots {
		if root != nil {
			from.roots[i] = root[first*size : (first+rows)*size]
		}
	}
	return from
}

// NewEncryptor makes a worker that needs no secret. The first one of a DJN or MHL key computes a table of powers unless it
// was installed (see PlanTables), which takes some milliseconds to a second.
func (pk *PublicKey) NewEncryptor() *Encryptor {
	e := newEncryptor(pk)
	e.anyone = newPublicRandomizer(pk, e.rings)
	if pk.variant != Textbook {
		e.anyone.powers()
	}
	return e
}

// NewEncryptor makes a worker of the key's owner. The first one of a DJN or MHL key computes tables of powers unless they
// were installed.
func (sk *SecretKey) NewEncryptor() *Encryptor {
	e := newEncryptor(sk.public)
	e.owner = newOwnerRandomizer(sk)
	return e
}

func newEncryptor(pk *PublicKey) *Encryptor {
	rings := pk.rings.get()
	return &Encryptor{
		pk: pk, rings: rings, message: pieceVec{ring: rings.square},
		wide: make([]uint64, pieceMax*2*pk.PlaintextLimbs()),
	}
}

// Bytes is the memory held by this worker, without the tables that it shares (see Key.TableBytes).
func (e *Encryptor) Bytes() int64 {
	n := 8*int64(len(e.wide)) + e.message.bytes()
	if e.owner != nil {
		return n + e.owner.bytes()
	}
	return n + e.anyone.bytes()
}

// Encrypt encrypts n plaintexts, m[i*PlaintextLimbs():], into n ciphertexts, dst[i*CiphertextSize():], with fresh
// randomness. It returns a *PlaintextError for a plaintext that is not below N; dst is then unspecified. It panics when
// the lengths do not agree.
func (e *Encryptor) Encrypt(dst []byte, m []uint64) error {
	return e.encrypt(dst, m, randomness{fresh: true}, 0)
}

// encrypt encrypts with randomness of size bytes per row.
func (e *Encryptor) encrypt(dst []byte, m []uint64, from randomness, size int) error {
	limbs, cipher := e.pk.PlaintextLimbs(), e.pk.CiphertextSize()
	n := len(m) / limbs
	checkLen("plaintexts", len(m), n*limbs)
	checkLen("ciphertexts", len(dst), n*cipher)
	if i := firstNotBelow(m, e.rings.nWords); i >= 0 {
		return &PlaintextError{i}
	}
	return pieces(n, pieceMax, func(first, rows, class int) error {
		part := from.piece(first, rows, size)
		wide := e.wide[:rows*2*limbs]
		e.rings.messageFactor(wide, m[first*limbs:(first+rows)*limbs])
		out := dst[first*cipher : (first+rows)*cipher]
		if e.owner != nil {
			e.owner.encrypt(out, wide, part, class)
			return nil
		}
		c := e.message.get(class)
		e.rings.square.SetWords(c, wide)
		e.rings.square.Mul(c, c, e.anyone.randomizers(part, rows, class))
		e.rings.square.Bytes(out, c)
		return nil
	})
}

// messageFactor sets wide to 1+mN for each m, which is below N².
func (r *publicRings) messageFactor(wide, m []uint64) {
	limbs := len(r.nWords)
	for i := range len(m) / limbs {
		z := wide[i*2*limbs : (i+1)*2*limbs]
		bigmod.MulWords(z, m[i*limbs:(i+1)*limbs], r.nWords)
		increment(z)
	}
}

// increment adds 1 in constant time.
func increment(z []uint64) {
	carry := uint64(1)
	for i, v := range z {
		z[i], carry = bits.Add64(v, 0, carry)
	}
}

// firstNotBelow returns the index of the first value of len(limit) words that is not below limit, or -1. Only that
// index leaks.
func firstNotBelow(m, limit []uint64) int {
	limbs := len(limit)
	for i := range len(m) / limbs {
		if bigmod.LessWords(m[i*limbs:(i+1)*limbs], limit) == 0 {
			return i
		}
	}
	return -1
}

// checkLen panics when a caller's buffers do not agree: a programmer's error.
func checkLen(what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("paillier: %s of length %d, want %d", what, got, want))
	}
}
