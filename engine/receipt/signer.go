package receipt

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// PublicKey checks signatures.
type PublicKey struct{ key ed25519.PublicKey }

// ID is the SHA-256 of the key's SubjectPublicKeyInfo, 64 hex digits: what
//
//	openssl pkey -pubin -in receipt.key.pub -outform DER | sha256sum
//
// prints.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.der())
	return hex.EncodeToString(sum[:])
}

func (k PublicKey) der() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		panic(fmt.Sprintf("receipt: %v", err)) // there is no such Ed25519 key
	}
	return der
}

func (k PublicKey) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der()})
}

func parsePublicDER(der []byte) (PublicKey, error) {
	any, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, err
	}
	key, ok := any.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, errors.New("not an Ed25519 key")
	}
	return PublicKey{key}, nil
}

// Signer signs receipts.
type Signer struct {
	key     ed25519.PrivateKey
	File    string // where the key is kept
	Created bool   // the key was made just now
}

// Public is the key that checks the signer's signatures.
func (s *Signer) Public() PublicKey { return PublicKey{s.key.Public().(ed25519.PublicKey)} }

// DefaultKeyFile is where a user's key is kept unless another is given.
func DefaultKeyFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "cipherfold", "receipt.key"), nil
}

// PublicSuffix is added to the name of a key's file to name that of its public part.
const PublicSuffix = ".pub"

// LoadOrCreateSigner reads the signing key of a file (PKCS #8, PEM). If there is no such file it makes a key: path,
// with mode 0600, and beside it path + PublicSuffix for those who check its signatures. If several programs do so at
// the same time, one makes the key and all use it.
func LoadOrCreateSigner(ctx context.Context, path string) (*Signer, error) {
	s, err := loadSigner(ctx, path)
	if !errors.Is(err, blob.ErrNotFound) {
		return s, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	disk := blob.Local{}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, &blob.Error{Path: path, Kind: blob.ErrPermission, Err: err, What: fmt.Sprintf("cannot make a key for receipts: %v", err), Hint: hintKey}
	}
	err = writeFile(ctx, disk, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), blob.CreateOptions{Private: true})
	if errors.Is(err, blob.ErrExists) { // another program was faster
		return loadSigner(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	s = &Signer{key: key, File: path, Created: true}
	// An existing public part belongs to a key that is gone.
	return s, writeFile(ctx, disk, path+PublicSuffix, s.Public().pem(), blob.CreateOptions{Overwrite: true})
}

const hintKey = "Name a file for it with ‹receipt_key›."

func writeFile(ctx context.Context, fs blob.FS, name string, data []byte, o blob.CreateOptions) error {
	u, err := fs.Create(ctx, name, o)
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.Write(data); err != nil {
		return err
	}
	return u.Commit(ctx)
}

func loadSigner(ctx context.Context, path string) (*Signer, error) {
	block, err := readPEM(ctx, blob.Local{}, path)
	if err != nil {
		return nil, err
	}
	refuse := func(format string, args ...any) error {
		return column.Refuse(path, format, args...).WithHint("Make one by: openssl genpkey -algorithm ed25519 -out FILE. Or name a file that is not there, and it is made.")
	}
	if block.Type != "PRIVATE KEY" {
		return nil, refuse("not a signing key but PEM of type %s", column.Quote(block.Type))
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, refuse("damaged signing key: %w", err)
	}
	key, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, refuse("not an Ed25519 key")
	}
	return &Signer{key: key, File: path}, nil
}

// ReadPublicKey reads a public key (SubjectPublicKeyInfo, PEM).
func ReadPublicKey(ctx context.Context, fs blob.FS, path string) (*PublicKey, error) {
	block, err := readPEM(ctx, fs, path)
	if err != nil {
		return nil, err
	}
	if block.Type == "PRIVATE KEY" {
		return nil, column.Refuse(path, "this is a signing key, which nobody else may have").WithHint("Give its public part, %s%s.", path, PublicSuffix)
	}
	k, err := parsePublicDER(block.Bytes)
	if block.Type != "PUBLIC KEY" || err != nil {
		return nil, column.Refuse(path, "not an Ed25519 public key").WithHint("Give the .pub file beside the signer's key.")
	}
	return &k, nil
}

// keyBytesMax is well above the size of any key file.
const keyBytesMax = 64 << 10

func readPEM(ctx context.Context, fs blob.FS, path string) (*pem.Block, error) {
	data, err := job.ReadFile(ctx, fs, path, keyBytesMax)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, column.Refuse(path, "not a key file: there is no PEM in it").WithHint("Keys of receipts are PEM files, which begin with five dashes.")
	}
	return block, nil
}

// BytesMax is the size of the largest receipt.
const BytesMax = bytesMax
