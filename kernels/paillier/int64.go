package paillier

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
)

// EncryptInt64 encrypts each of the numbers v, of either sign, and returns len(v) ciphertexts of CiphertextSize() bytes
// each. Constant time in v, as Encrypt is.
func (e *Encryptor) EncryptInt64(v []int64) ([]byte, error) {
	n := e.pk.NWords()
	limbs := len(n)
	m, negative := make([]uint64, len(v)*limbs), make([]uint64, limbs)
	for i, x := range v {
		sign := uint64(x >> 63) // all ones when negative
		residue := m[i*limbs : (i+1)*limbs]
		residue[0] = (uint64(x) ^ sign) - sign // |x|
		bigmod.SubWords(negative, n, residue)
		bigmod.SelectWords(residue, sign, negative, residue)
	}
	ct := make([]byte, len(v)*e.pk.CiphertextSize())
	if err := e.Encrypt(ct, m); err != nil {
		return nil, err
	}
	return ct, nil
}

// DecryptInt64 decrypts ciphertexts of CiphertextSize() bytes each to signed numbers. It returns an *Int64Error for a sum
// that 64 bits do not hold, and otherwise the errors of Decrypt. Constant time in the numbers, but for which one is
// refused.
func (d *Decryptor) DecryptInt64(ct []byte) ([]int64, error) {
	n := d.pk.NWords()
	limbs := len(n)
	half := make([]uint64, limbs) // (N-1)/2
	for i := range half {
		half[i] = n[i] >> 1
		if i+1 < limbs {
			half[i] |= n[i+1] << 63
		}
	}
	count := len(ct) / d.pk.CiphertextSize()
	m, magnitude := make([]uint64, count*limbs), make([]uint64, limbs)
	if err := d.Decrypt(m, ct); err != nil {
		return nil, err
	}
	defer clear(m)
	v := make([]int64, count)
	for i := range v {
		residue := m[i*limbs : (i+1)*limbs]
		sign := bigmod.LessWords(half, residue)
		bigmod.SubWords(magnitude, n, residue)
		bigmod.SelectWords(magnitude, sign, magnitude, residue)
		above := (magnitude[0] - sign&1) >> 63 // from 2^63 on, or from 2^63+1 on when negative, which is not 0
		for _, w := range magnitude[1:] {
			above |= w
		}
		if above != 0 {
			return nil, &Int64Error{i}
		}
		v[i] = int64((magnitude[0] ^ sign) - sign)
	}
	clear(magnitude)
	return v, nil
}

// Int64Error names a decrypted number that 64 bits do not hold.
type Int64Error struct {
	Index int // within the batch, from 0
}

func (e *Int64Error) Error() string {
	return fmt.Sprintf("number %d does not fit in 64 bits: a sum has grown too large, or the plaintext is several packed numbers; use Decrypt", e.Index)
}
