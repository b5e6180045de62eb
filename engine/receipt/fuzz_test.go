package receipt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// FuzzKeys reads what may be a signing key or a public key. One that is accepted is an Ed25519 key that comes back as it went,
// and what it signs is found right by its public part alone; any other is an InputError with a hint.
func FuzzKeys(f *testing.F) {
	s := testSigner(f)
	f.Add(s.Public().pem())
	dir := f.TempDir()
	for _, name := range []string{"a", "b"} {
		if _, err := LoadOrCreateSigner(context.Background(), filepath.Join(dir, name)); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	file := filepath.Join(dir, "key")
	f.Fuzz(func(t *testing.T, data []byte) {
		refused := func(err error, name string) {
			var bad *column.InputError
			if !errors.As(err, &bad) || bad.File != name || bad.Hint == "" {
				t.Fatalf("%v is no refusal of %s with a hint", err, name)
			}
		}
		disk := &blobtest.Mem{}
		disk.Put("key", data)
		if public, err := ReadPublicKey(context.Background(), disk, "key"); err != nil {
			refused(err, "key")
		} else {
			disk.Put("again", public.pem())
			if again, err := ReadPublicKey(context.Background(), disk, "again"); err != nil || !again.key.Equal(public.key) {
				t.Fatalf("a public key does not come back: %v", err)
			}
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		signer, err := loadSigner(context.Background(), file)
		if err != nil {
			refused(err, file)
			return
		}
		signed, err := sample().sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		public := signer.Public()
		if _, err := Parse("r.json", signed, &public); err != nil {
			t.Fatalf("what the key signed is refused: %v", err)
		}
		if other := testSigner(t).Public(); !other.key.Equal(public.key) {
			if _, err := Parse("r.json", signed, &other); err == nil {
				t.Fatal("what the key signed passes for another one's")
			}
		}
	})
}
