package peers

import (
	"crypto/rand"
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// peerRows is the number of different operands of a peer.
const peerRows = 32

// RandomRows are random operands; A encrypts M under our own kernel.
func RandomRows(sk *paillier.SecretKey) (Rows, error) {
	pk := sk.Public()
	n := new(big.Int).SetBytes(pk.N())
	var rows Rows
	limbs, size := pk.PlaintextLimbs(), pk.CiphertextSize()
	m, ct := make([]uint64, peerRows*limbs), make([]byte, 2*peerRows*size)
	for i := range peerRows {
		for _, x := range []struct {
			list  *[]*big.Int
			limit *big.Int
		}{{&rows.M, n}, {&rows.R, n}, {&rows.E, power(pk.RBits())}, {&rows.S, power(64)}} {
			v, err := rand.Int(rand.Reader, x.limit)
			if err != nil {
				return rows, err
			}
			*x.list = append(*x.list, v)
		}
		bigmod.WordsFromBytes(m[i*limbs:(i+1)*limbs], rows.M[i].Bytes())
	}
	encryptor := sk.NewEncryptor()
	if err := encryptor.Encrypt(ct[:peerRows*size], m); err != nil {
		return rows, err
	}
	if err := encryptor.Encrypt(ct[peerRows*size:], m); err != nil {
		return rows, err
	}
	for i := range peerRows {
		rows.A = append(rows.A, new(big.Int).SetBytes(ct[i*size:(i+1)*size]))
		rows.B = append(rows.B, new(big.Int).SetBytes(ct[(peerRows+i)*size:(peerRows+i+1)*size]))
	}
	return rows, nil
}

func power(bits int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(bits)) }
