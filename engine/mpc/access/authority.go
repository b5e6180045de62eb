package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Files of an authority, in its directory.
const (
	caCertificate = "ca.crt"
	caKey         = "ca.key"
	caRevoked     = "revoked.pem"
)

// Authority is a small certificate authority: a key, and a list of what it revoked. A first try needs no more. The
// certificates of another authority serve as well.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// CreateAuthority makes an authority in a directory.
func CreateAuthority(_ context.Context, dir, name string, valid time.Duration) (*Authority, error) {
	if _, err := os.Lstat(filepath.Join(dir, caKey)); err == nil {
		return nil, job.Misuse("Name another directory.", "%s: there is an authority already", dir)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(valid),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeKey(filepath.Join(dir, caKey), key); err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(dir, caCertificate), 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return nil, err
	}
	a, err := OpenAuthority(dir)
	if err != nil {
		return nil, err
	}
	return a, a.writeRevoked(nil, 1)
}

// OpenAuthority reads an authority.
func OpenAuthority(dir string) (*Authority, error) {
	cert, err := readCertificate(filepath.Join(dir, caCertificate))
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(dir, caKey))
	if err != nil {
		return nil, err
	}
	return &Authority{dir: dir, cert: cert, key: key}, nil
}

// serial is a random serial number of 127 bits.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// Request is what a certificate is to be.
type Request struct {
	Identity Identity
	Hosts    []string // names and addresses of a server
	Valid    time.Duration
}

// Issue makes keys and certificates in a directory: NAME.crt and NAME.key, and for physicians and researchers
// NAME.sign.crt and NAME.sign.key for their queries. It returns the files.
func (a *Authority) Issue(_ context.Context, dir string, r Request) (files []string, err error) {
	if err := r.Identity.check(); err != nil {
		return nil, job.Misuse("Choose another name or role.", "%v", err)
	}
	if r.Valid <= 0 {
		return nil, job.Misuse("Say for how long the certificate is valid.", "a certificate for %v", r.Valid)
	}
	if (r.Identity.Role == Server) != (len(r.Hosts) > 0) {
		return nil, job.Misuse("A server's certificate names its hosts, and no other one does.", "a certificate of a %s with %d hosts", r.Identity.Role, len(r.Hosts))
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if r.Identity.Role == Server {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	base := filepath.Join(dir, r.Identity.Name)
	names := []string{base + ".crt", base + ".key"}
	signs := r.Identity.Role == Physician || r.Identity.Role == Researcher
	if signs {
		names = append(names, base+".sign.crt", base+".sign.key")
	}
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return nil, job.Misuse("Name another directory, or move the file away.", "%s: the file exists", name)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := a.issue(base, key, r, usages); err != nil {
		return nil, err
	}
	if signs {
		_, signer, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if err := a.issue(base+".sign", signer, r, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (a *Authority) issue(base string, key crypto.Signer, r Request, usages []x509.ExtKeyUsage) error {
	uri, err := url.Parse(r.Identity.uri())
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: r.Identity.Name, OrganizationalUnit: []string{string(r.Identity.Role)}},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(r.Valid), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages, URIs: []*url.URL{uri}, BasicConstraintsValid: true}
	for _, h := range r.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writeKey(base+".key", key); err != nil {
		return err
	}
	return writePEM(base+".crt", 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Revoke adds certificates to the list of revoked ones, revoked.pem in the authority's directory.
func (a *Authority) Revoke(_ context.Context, files []string) error {
	list, err := ReadRevoked(filepath.Join(a.dir, caRevoked), a.cert)
	if err != nil {
		return err
	}
	entries := list.RevokedCertificateEntries
	for _, name := range files {
		cert, err := readCertificate(name)
		if err != nil {
			return err
		}
		if err := cert.CheckSignatureFrom(a.cert); err != nil {
			return job.Misuse("Name a certificate that this authority issued.", "%s: %v", name, err)
		}
		if !revoked(list, cert) {
			entries = append(entries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: time.Now()})
		}
	}
	return a.writeRevoked(entries, list.Number.Int64()+1)
}

func (a *Authority) writeRevoked(entries []x509.RevocationListEntry, number int64) error {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: time.Now(), NextUpdate: a.cert.NotAfter,
		RevokedCertificateEntries: entries}, a.cert, a.key)
	if err != nil {
		return err
	}
	name := filepath.Join(a.dir, caRevoked)
	if err := os.Remove(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writePEM(name+".new", 0o644, &pem.Block{Type: "X509 CRL", Bytes: der}); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// ReadRevoked reads a list of revoked certificates, which the authority has signed.
func ReadRevoked(name string, authority *x509.Certificate) (*x509.RevocationList, error) {
	der, err := readPEM(name, "X509 CRL")
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		err = list.CheckSignatureFrom(authority)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: not a list of revoked certificates of this authority: %w", name, err)
	}
	return list, nil
}

func revoked(list *x509.RevocationList, cert *x509.Certificate) bool {
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return true
		}
	}
	return false
}

func writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(name, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// writePEM writes a file that must not exist.
func writePEM(name string, mode os.FileMode, block *pem.Block) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := errors.Join(pem.Encode(f, block), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// readPEM reads the first block of a kind.
func readPEM(name, kind string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, fmt.Errorf("%s: no %s in the file", name, kind)
		}
		if block.Type == kind {
			return block.Bytes, nil
		}
		data = rest
	}
}

func readCertificate(name string) (*x509.Certificate, error) {
	der, err := readPEM(name, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cert, nil
}

func readKey(name string) (crypto.Signer, error) {
	der, err := readPEM(name, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a %T cannot sign", name, key)
	}
	return signer, nil
}
