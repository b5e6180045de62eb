package enctable

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Input is one encrypted table of a fusion.
type Input struct {
	File   string // or directory of part files
	Table  *ctfile.Table
	IDs    []arrow.Field // as in the file: lists in blocks
	Set    *Set          // where its rows are
	Weight int64
}

// Adds is how many additions a record of this input counts for.
func (in Input) Adds() int64 {
	w := in.Weight
	if w < 0 {
		w = -w
	}
	return codec.SaturatingMul(w, in.Table.AddsUsed)
}

// PublicKey returns the public key that a table carries, checked against its fingerprint.
func PublicKey(in Input) (*paillier.PublicKey, error) {
	key, err := paillier.ParseKey(in.Table.PublicKey)
	if err != nil {
		return nil, keys.Refuse(in.File, err)
	}
	pk := key.Public()
	if _, secret := key.(*paillier.SecretKey); secret {
		return nil, column.Refuse(in.File, "the footer holds a secret key").WithHint("Destroy this file and make a new key.")
	}
	if pk.Fingerprint() != in.Table.Fingerprint || pk.Bits() != in.Table.Bits || string(pk.Variant()) != in.Table.Variant {
		return nil, column.Refuse(in.File, "the footer's key is not the one it names").WithHint("The footer was changed; encrypt again.")
	}
	return pk, nil
}
