package keys

import (
	"bytes"
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
