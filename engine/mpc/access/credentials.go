package access

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files name what a party of the system has. They are the keys of configuration files.
type Files struct {
	Authority   string `toml:"authority"`   // certificates of the authorities, PEM
	Revoked     string `toml:"revoked"`     // lists of revoked certificates, PEM; may be missing
	Certificate string `toml:"certificate"` // for TLS
	Key         string `toml:"key"`
	Signing     string `toml:"signing_certificate"` // for queries; physicians and researchers only
	SigningKey  string `toml:"signing_key"`
}

// Credentials are what a party of the system has.
type Credentials struct {
	TLS      tls.Certificate
	Identity Identity
	Roots    *x509.CertPool

	authorities []*x509.Certificate
	signing     *x509.Certificate
	signer      ed25519.PrivateKey

	revokedFile string
	mu          sync.Mutex
	read        time.Time // modification time of the list that was read
	size        int64
	lists       []*x509.RevocationList
}

// Read reads the files and checks that they belong together.
func (f Files) Read() (*Credentials, error) {
	c := &Credentials{Roots: x509.NewCertPool(), revokedFile: f.Revoked}
	data, err := os.ReadFile(f.Authority)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Authority, err)
		}
		c.authorities = append(c.authorities, cert)
		c.Roots.AddCert(cert)
	}
	if len(c.authorities) == 0 {
		return nil, fmt.Errorf("%s: no certificate in the file", f.Authority)
	}
	if c.TLS, err = tls.LoadX509KeyPair(f.Certificate, f.Key); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Certificate, err)
	}
	if c.TLS.Leaf == nil {
		return nil, fmt.Errorf("%s: no certificate in the file", f.Certificate)
	}
	if c.Identity, err = IdentityOf(c.TLS.Leaf); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Certificate, err)
	}
	if f.Signing != "" {
		if c.signing, err = readCertificate(f.Signing); err != nil {
			return nil, err
		}
		key, err := readKey(f.SigningKey)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%s: the key of queries is an Ed25519 key, not a %T", f.SigningKey, key)
		}
		if !signer.Public().(ed25519.PublicKey).Equal(c.signing.PublicKey) {
			return nil, fmt.Errorf("%s: the key is not that of %s", f.SigningKey, f.Signing)
		}
		c.signer = signer
	}
	_, err = c.revocations()
	return c, err
}

// revocations are the lists of revoked certificates, read again when the file has changed.
func (c *Credentials) revocations() ([]*x509.RevocationList, error) {
	if c.revokedFile == "" {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.revokedFile)
	if err != nil {
		return nil, err
	}
	if c.lists != nil && info.ModTime().Equal(c.read) && info.Size() == c.size {
		return c.lists, nil
	}
	data, err := os.ReadFile(c.revokedFile)
	if err != nil {
		return nil, err
	}
	var lists []*x509.RevocationList
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.revokedFile, err)
		}
		err = errors.New("no authority")
		for _, a := range c.authorities {
			if err == nil {
				break
			}
			err = list.CheckSignatureFrom(a)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: none of the authorities signed the list: %w", c.revokedFile, err)
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s: no list of revoked certificates in the file", c.revokedFile)
	}
	c.lists, c.read, c.size = lists, info.ModTime(), info.Size()
	return lists, nil
}

// RevokedError says that a certificate was revoked.
type RevokedError struct{ Who Identity }

func (e *RevokedError) Error() string { return fmt.Sprintf("the certificate of %s is revoked", e.Who) }

// Check refuses a certificate that is revoked or names no role. A list that cannot be read refuses all.
func (c *Credentials) Check(leaf *x509.Certificate) error {
	who, err := IdentityOf(leaf)
	if err != nil {
		return err
	}
	lists, err := c.revocations()
	if err != nil {
		return err
	}
	for _, list := range lists {
		if string(list.RawIssuer) == string(leaf.RawIssuer) && revoked(list, leaf) {
			return &RevokedError{who}
		}
	}
	return nil
}

// CheckServer is Check, and refuses certificates of others than servers.
func (c *Credentials) CheckServer(leaf *x509.Certificate) error {
	if who, err := IdentityOf(leaf); err == nil && who.Role != Server {
		return fmt.Errorf("the certificate is for %s, not for a server", who)
	}
	return c.Check(leaf)
}
