package innerproduct

import (
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Owner encrypts shares and opens responses under its own key. Both are constant time in shares and key. It serves one
// goroutine at a time.
type Owner struct {
	layout    shares.Convolution
	limbs     int
	size      int
	encryptor *paillier.Encryptor
	decryptor *paillier.Decryptor
	m         []uint64
}

// NewOwner makes a worker. The layout is for keys of this size.
func NewOwner(sk *paillier.SecretKey, layout shares.Convolution) *Owner {
	pk := sk.Public()
	return &Owner{layout: layout, limbs: pk.PlaintextLimbs(), size: pk.CiphertextSize(), encryptor: sk.NewEncryptor(), decryptor: sk.NewDecryptor()}
}

// Encrypt encrypts shares of consecutive records of a column into layout.Ciphertexts(len(u)) ciphertexts. It panics when
// dst does not have that length.
func (o *Owner) Encrypt(dst []byte, u []uint64) error {
	m := o.plaintexts(o.layout.Ciphertexts(len(u)))
	o.layout.Pack(m, o.limbs, u)
	return o.encryptor.Encrypt(dst, m)
}

// Open decrypts responses into this server's shares of the sums, one for each. It returns a *paillier.CiphertextError for
// what is no ciphertext under this key.
func (o *Owner) Open(dst []uint64, responses []byte) error {
	m := o.plaintexts(len(dst))
	if err := o.decryptor.Decrypt(m, responses); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = o.layout.Middle(m[i*o.limbs : (i+1)*o.limbs])
	}
	return nil
}

// plaintexts is scratch for n plaintexts.
func (o *Owner) plaintexts(n int) []uint64 {
	if cap(o.m) < n*o.limbs {
		o.m = make([]uint64, n*o.limbs)
	}
	return o.m[:n*o.limbs]
}
