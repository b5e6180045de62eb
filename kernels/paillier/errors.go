package paillier

import (
	"errors"
	"fmt"
)

// What a KeyError is about; compare with errors.Is.
var (
	ErrKeySyntax      = errors.New("not a valid key file")
	ErrKeyVersion     = errors.New("unknown key file version")
	ErrKeySize        = errors.New("key size not allowed")
	ErrKeyModulus     = errors.New("bad modulus")
	ErrKeyPrime       = errors.New("bad prime")
	ErrKeyBase        = errors.New("bad randomizer base")
	ErrKeyFingerprint = errors.New("wrong fingerprint")
	ErrKeyKernel      = errors.New("arithmetic kernel not available")
)

// KeyError says why a key is refused.
type KeyError struct {
	Kind   error  // one of the ErrKey values
	Field  string // of the key file; "" when no single field is to blame
	Reason string // what is wrong
	Hint   string // what to do about it; may be ""
}

func (e *KeyError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("paillier key: %v: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("paillier key: %v: field %q: %s", e.Kind, e.Field, e.Reason)
}

func (e *KeyError) Unwrap() error { return e.Kind }

// CiphertextError names the first ciphertext of a call that is refused.
type CiphertextError struct {
	Batch  int // which of several batches, from 0; 0 where a call takes one
	Index  int // within the batch, from 0
	Reason string
}

func (e *CiphertextError) Error() string {
	return fmt.Sprintf("ciphertext %d of batch %d: %s", e.Index, e.Batch, e.Reason)
}

// PlaintextError names a plaintext that is not a residue modulo N.
type PlaintextError struct {
	Index int // within the batch, from 0
}

func (e *PlaintextError) Error() string {
	return fmt.Sprintf("plaintext %d is not below the modulus N", e.Index)
}
