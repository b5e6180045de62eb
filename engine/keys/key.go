// Package keys reads and writes key files. It also prepares a key's tables of powers for a job, from a cache where
// that saves time.
//
// A secret key is a file of its owner alone, encrypted under a passphrase unless asked otherwise. Caches of tables are
// authenticated: see docs/file-format.md.
package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"filippo.io/age"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Key is a key as read from a file: a public key, and the secret one when the file had it.
type Key struct {
	Public *paillier.PublicKey
	Secret *paillier.SecretKey // nil for a public key
	File   string
}

// Of returns a key that did not come from a file.
func Of(k paillier.Key) Key {
	secret, _ := k.(*paillier.SecretKey)
	return Key{Public: k.Public(), Secret: secret}
}

// Encryptor makes one worker's encryptor: by CRT when the secret key is there.
func (k Key) Encryptor() *paillier.Encryptor {
	if k.Secret != nil {
		return k.Secret.NewEncryptor()
	}
	return k.Public.NewEncryptor()
}

// UseKernel chooses the arithmetic; "" leaves the best available.
func (k Key) UseKernel(name string) error {
	if k.Secret != nil {
		return k.Secret.UseKernel(name)
	}
	return k.Public.UseKernel(name)
}

const damagedKey = "Copy the key file again from where it is kept."

// ageMagic starts a file encrypted by age.
const ageMagic = "age-encryption.org/v1"

// Read reads a key file of ours or a JWK of python-paillier, encrypted under a passphrase or not. passphrase is called
// only when the file needs one.
func Read(ctx context.Context, fs blob.FS, name string, insecureTestKey bool, passphrase func() ([]byte, error)) (Key, error) {
	f, err := fs.Open(ctx, name)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	if f.Size() > job.KeyFileBytesMax {
		return Key{}, column.Refuse(name, "not a key file: it has %d bytes", f.Size())
	}
	data := make([]byte, f.Size())
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size()), data); err != nil {
		return Key{}, column.Refuse(name, "cannot read the key: %w", err)
	}
	if bytes.HasPrefix(data, []byte(ageMagic)) {
		if data, err = openAge(name, data, passphrase); err != nil {
			return Key{}, err
		}
	}
	key, err := parseAnyKey(data, insecureTestKey)
	if err != nil {
		e := Refuse(name, err)
		if errors.Is(err, paillier.ErrKeySize) && !insecureTestKey {
			e.Hint = "Use 2048 bits or more; ‹insecure_test_key› allows fewer, for tests without real data."
		}
		return Key{}, e
	}
	k := Of(key)
	k.File = name
	return k, nil
}

// parseAnyKey distinguishes the two forms of key file: a JWK has a key type.
func parseAnyKey(data []byte, insecureTestKey bool) (paillier.Key, error) {
	if bytes.Contains(data, []byte(`"kty"`)) {
		return paillier.ParseJWK(data, insecureTestKey)
	}
	return paillier.ParseKey(data)
}

// Refuse gives a key's error its file.
func Refuse(name string, err error) *column.InputError {
	e := column.Refuse(name, "%w", err).WithHint("The key is damaged, or was not made by cipherfold.")
	var key *paillier.KeyError
	switch {
	case !errors.As(err, &key):
	case errors.Is(err, paillier.ErrKeySyntax) && key.Field == "":
		e.Hint = "Give a key file as keygen wrote it, or a JWK of python-paillier."
	case key.Hint != "":
		e.Hint = sentence(key.Hint)
	}
	return e
}

// sentence begins a hint with a capital and ends it with a full stop, as ours do.
func sentence(hint string) string {
	return strings.ToUpper(hint[:1]) + strings.TrimSuffix(hint[1:], ".") + "."
}

func openAge(name string, data []byte, passphrase func() ([]byte, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, column.Refuse(name, "the key is encrypted under a passphrase").WithHint("Give ‹passphrase_file›.")
	}
	secret, err := passphrase()
	if err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(string(secret))
	if err != nil {
		return nil, column.Refuse(name, "passphrase refused: %w", err)
	}
	r, err := age.Decrypt(bytes.NewReader(data), identity)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, column.Refuse(name, "the passphrase is wrong").WithHint("The key file was encrypted under another passphrase.")
	}
	if err != nil {
		return nil, column.Refuse(name, "damaged key file: %w", err).WithHint(damagedKey)
	}
	out, err := io.ReadAll(io.LimitReader(r, job.KeyFileBytesMax))
	if err != nil {
		return nil, column.Refuse(name, "damaged key file: %w", err).WithHint(damagedKey)
	}
	return out, nil
}

// Write writes a key into dir: public.json and, for a secret key, secret.age, encrypted under the passphrase (scrypt),
// or secret.json when there is none, both with mode 0600. It returns their names, "" for a secret file that is not there.
func Write(ctx context.Context, o job.Options, dir string, key paillier.Key, passphrase []byte) (public, secret string, err error) {
	o = o.WithDefaults()
	public = path.Join(dir, "public.json")
	files := []blob.Whole{{Name: public, Data: key.Public().MarshalPublic()}}
	if sk, ok := key.(*paillier.SecretKey); ok {
		data := sk.MarshalSecret()
		secret = path.Join(dir, "secret.json")
		if passphrase != nil {
			secret = path.Join(dir, "secret.age")
			if data, err = sealAge(data, passphrase); err != nil {
				return "", "", err
			}
		}
		files = append(files, blob.Whole{Name: secret, Data: data, Private: true})
	}
	return public, secret, blob.WriteAll(ctx, o.FS, o.Overwrite, files...)
}

func sealAge(data, passphrase []byte) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// WarnOfTestKey says that a table under a key below 2048 bits protects nothing.
func WarnOfTestKey(o job.Options, test bool) {
	if test {
		o.Log.Warn("test key: below 2048 bits, it protects nothing")
	}
}
