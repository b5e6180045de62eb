package receipt

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// A Vault encrypts what the files of a job say of tables in the clear, such as their digests. Its key is in a file of its
// own, which only the owner may read. The other files can then be handed out. It is safe for concurrent use.
//
// It is AES-256-GCM with a random nonce of 12 bytes, which stands before the ciphertext; all in base64.
type Vault struct{ aead cipher.AEAD }

// ReadVault reads the key of a vault; nil when there is no such file.
func ReadVault(ctx context.Context, fs blob.FS, name string) (*Vault, error) {
	data, err := job.ReadFile(ctx, fs, name, keyBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(trimLine(data)))
	if err != nil || len(key) != 32 {
		return nil, column.Refuse(name, "not 64 hex digits").WithHint("Put the file back as it was.")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Vault{aead}, err
}

// MakeVault makes a vault with a new key, unless there is one of that name; then it reads that.
func MakeVault(ctx context.Context, fs blob.FS, name string) (*Vault, error) {
	if v, err := ReadVault(ctx, fs, name); v != nil || err != nil {
		return v, err
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	u, err := fs.Create(ctx, name, blob.CreateOptions{Private: true})
	if err == nil {
		defer u.Abort()
		if _, err = u.Write([]byte(hex.EncodeToString(key[:]) + "\n")); err == nil {
			err = u.Commit(ctx)
		}
	}
	if err != nil && !errors.Is(err, blob.ErrExists) { // then another program was faster
		return nil, err
	}
	return ReadVault(ctx, fs, name)
}

// Seal encrypts a text. what says what the text is, and must be said again to open it.
func (v *Vault) Seal(what string, text []byte) string {
	nonce := make([]byte, v.aead.NonceSize(), v.aead.NonceSize()+len(text)+v.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(v.aead.Seal(nonce, nonce, text, []byte(what)))
}

// Open is the inverse of Seal. It refuses what this vault did not seal.
func (v *Vault) Open(what, sealed string) ([]byte, error) {
	if v == nil {
		return nil, errors.New("the key of what is sealed in it is gone")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(sealed)
	if err != nil || len(data) < v.aead.NonceSize() {
		return nil, errors.New("what is sealed in it is damaged")
	}
	text, err := v.aead.Open(nil, data[:v.aead.NonceSize()], data[v.aead.NonceSize():], []byte(what))
	if err != nil {
		return nil, errors.New("what is sealed in it was changed, or sealed under another key")
	}
	return text, nil
}
