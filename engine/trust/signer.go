package trust

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"path"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Signer signs tables and sums. Its secret key never leaves it.
type Signer struct{ key ed25519.PrivateKey }

// Names of the files that WriteSigner makes in a directory.
const (
	PublicFile    = "signer.pub" // SubjectPublicKeyInfo, PEM
	SecretFile    = "signer.age" // PKCS #8, PEM, encrypted under a passphrase
	SecretPlain   = "signer.key" // the same, not encrypted
	publicType    = "PUBLIC KEY"
	secretType    = "PRIVATE KEY"
	signerDamaged = "Copy the key file again from where it is kept, or make a new one by «keygen ‹signer›»."
)

// NewSigner makes a key.
func NewSigner() (*Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key that signs: %w", err)
	}
	return &Signer{key}, nil
}

// Fingerprint names the signer: see the function of that name.
func (s *Signer) Fingerprint() string { return Fingerprint(s.key.Public().(ed25519.PublicKey)) }

// Fingerprint is the SHA-256 of a key's SubjectPublicKeyInfo, 64 hex digits: what
//
//	openssl pkey -pubin -in signer.pub -outform DER | sha256sum
//
// prints.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(publicDER(key))
	return hex.EncodeToString(sum[:])
}

func publicDER(key ed25519.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(fmt.Sprintf("trust: %v", err)) // there is no such Ed25519 key
	}
	return der
}

// WriteSigner writes a signer into dir: PublicFile, and SecretFile under the passphrase, or SecretPlain when there is
// none, with mode 0600. It returns their names.
func WriteSigner(ctx context.Context, o job.Options, dir string, s *Signer, passphrase []byte) (public, secret string, err error) {
	o = o.WithDefaults()
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return "", "", fmt.Errorf("writing a key that signs: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: secretType, Bytes: der})
	public, secret = path.Join(dir, PublicFile), path.Join(dir, SecretPlain)
	if passphrase != nil {
		secret = path.Join(dir, SecretFile)
		if data, err = keys.Seal(data, passphrase); err != nil {
			return "", "", err
		}
	}
	return public, secret, blob.WriteAll(ctx, o.FS, o.Overwrite, blob.Whole{Name: secret, Data: data, Private: true},
		blob.Whole{Name: public, Data: pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: publicDER(s.key.Public().(ed25519.PublicKey))})})
}

// ReadSigner reads the secret key of a signer, encrypted or not. passphrase is called only when the file needs one.
func ReadSigner(ctx context.Context, fs blob.FS, name string, passphrase func() ([]byte, error)) (*Signer, error) {
	data, err := job.ReadFile(ctx, fs, name, job.KeyFileBytesMax)
	if err != nil {
		return nil, err
	}
	if data, err = keys.Unseal(name, data, passphrase); err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil || len(rest) > 0:
		return nil, column.Refuse(name, "not a key that signs: it is not PEM").WithHint(signerDamaged)
	case block.Type == publicType:
		return nil, column.Refuse(name, "this is the public part of a key, and signing needs the secret one").WithHint("Give the %s or %s that keygen wrote beside it.", SecretFile, SecretPlain)
	case block.Type != secretType:
		return nil, column.Refuse(name, "not a key that signs but PEM of type %s", column.Quote(block.Type)).WithHint(signerDamaged)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, column.Refuse(name, "the key is damaged").WithHint(signerDamaged)
	}
	key, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, column.Refuse(name, "not an Ed25519 key").WithHint(signerDamaged)
	}
	return &Signer{key}, nil
}
