package receipt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
)

// A key that is not there is made: private, with its public part beside it, and found again.
func TestSignerIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config", "cipherfold", "receipt.key")
	var wg sync.WaitGroup
	signers := make([]*receipt.Signer, 8)
	for i := range signers {
		wg.Go(func() {
			var err error
			if signers[i], err = receipt.LoadOrCreateSigner(ctx, name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	made := 0
	for _, s := range signers {
		if s.Created {
			made++
		}
		if s.Public().ID() != signers[0].Public().ID() {
			t.Error("two keys")
		}
	}
	if made != 1 {
		t.Errorf("%d keys were made", made)
	}
	for file, mode := range map[string]os.FileMode{name: 0o600, filepath.Dir(name): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	public, err := receipt.ReadPublicKey(ctx, blob.Local{}, name+receipt.PublicSuffix)
	if err != nil || public.ID() != signers[0].Public().ID() || len(public.ID()) != 64 {
		t.Errorf("public part: %v", err)
	}
}

func pemFile(t *testing.T, kind string, key any) string {
	t.Helper()
	var der []byte
	var err error
	if kind == "PUBLIC KEY" {
		der, err = x509.MarshalPKIXPublicKey(key)
	} else {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// cut is a PEM file without its key's last byte.
func cut(text string) string {
	b, _ := pem.Decode([]byte(text))
	b.Bytes = b.Bytes[:len(b.Bytes)-1]
	return string(pem.EncodeToMemory(b))
}

// What is no key of the right kind is refused, the two parts of a key taken for each other in particular.
func TestKeyFiles(t *testing.T) {
	p := newPlace(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"private": pemFile(t, "PRIVATE KEY", private), "public": pemFile(t, "PUBLIC KEY", public),
		"ecdsa": pemFile(t, "PRIVATE KEY", other), "ecdsa.pub": pemFile(t, "PUBLIC KEY", other.Public()),
		"text": "no key", "empty": "", "damaged": cut(pemFile(t, "PRIVATE KEY", private)),
		"damaged.pub": cut(pemFile(t, "PUBLIC KEY", public)), "large": strings.Repeat("-", 1<<20),
	} {
		p.write(name, text)
	}
	if s, err := receipt.LoadOrCreateSigner(ctx, p.path("private")); err != nil || s.Created {
		t.Errorf("a key made elsewhere: %v", err)
	}
	if _, err := receipt.ReadPublicKey(ctx, blob.Local{}, p.path("public")); err != nil {
		t.Errorf("a public key made elsewhere: %v", err)
	}
	for name, want := range map[string]string{
		"public": "not a signing key", "ecdsa": "not an Ed25519 key", "text": "there is no PEM in it", "empty": "there is no PEM in it", "damaged": "damaged signing key",
		"large": "too many",
	} {
		_, err := receipt.LoadOrCreateSigner(ctx, p.path(name))
		refused(t, err, p.path(name), want)
	}
	for name, want := range map[string]string{
		"private": "this is a signing key", "ecdsa.pub": "not an Ed25519 public key", "text": "there is no PEM in it", "damaged.pub": "not an Ed25519 public key",
	} {
		_, err := receipt.ReadPublicKey(ctx, blob.Local{}, p.path(name))
		refused(t, err, p.path(name), want)
	}
}
