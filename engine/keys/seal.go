package keys

import (
	"bytes"
	"context"
	"io"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Seal encrypts the text of a key file under a passphrase (scrypt), as Write does.
func Seal(data, passphrase []byte) ([]byte, error) { return sealAge(data, passphrase) }

// Unseal is the inverse of Seal for a file of that name. What is not encrypted is returned as it is. passphrase is called
// only when the file needs one.
func Unseal(name string, data []byte, passphrase func() ([]byte, error)) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte(ageMagic)) {
		return data, nil
	}
	return openAge(name, data, passphrase)
}

// Sealed reports whether a file is encrypted under a passphrase. It is false when the file cannot be read.
func Sealed(ctx context.Context, fs blob.FS, name string) bool {
	f, err := fs.Open(ctx, name)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, len(ageMagic))
	_, err = io.ReadFull(io.NewSectionReader(f, 0, f.Size()), magic)
	return err == nil && string(magic) == ageMagic
}
