package round

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Card is the public part of an identity.
type Card struct {
	Name string `json:"name"`
	Sign []byte `json:"sign"` // Ed25519
	Seal []byte `json:"seal"` // HPKE with ML-KEM-768 and X25519: it holds against quantum computers, too
}

// Identity is a member's secret keys.
type Identity struct {
	card Card
	sign ed25519.PrivateKey
	seal hpke.PrivateKey
}

// kem, kdf and aead are the suite of HPKE (RFC 9180) that seals shares.
func kem() hpke.KEM   { return hpke.MLKEM768X25519() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }

// nameMax is the longest name of a member or a network, in bytes.
const nameMax = 100

// checkName refuses names that cannot be shown or are too long.
func checkName(what, name string) error {
	if name == "" || len(name) > nameMax || !utf8.ValidString(name) || printable.Check(name) != nil {
		return fmt.Errorf("the %s is %s: it must be 1 to %d bytes of printable text", what, column.Quote(name), nameMax)
	}
	return nil
}

// NewIdentity makes keys for a member.
func NewIdentity(name string) (*Identity, error) {
	if err := checkName("name", name); err != nil {
		return nil, job.Misuse("Give a short name, such as ward-3.", "%v", err)
	}
	public, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key that signs: %w", err)
	}
	seal, err := kem().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making a key to seal to: %w", err)
	}
	return &Identity{Card{name, public, seal.PublicKey().Bytes()}, sign, seal}, nil
}

// Card is the public part.
func (i *Identity) Card() Card { return i.card }

// Fingerprint names a card: the SHA-256 of its name and keys, 64 hex digits.
func (c Card) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "cipherfold member 1\x00%d\x00%s", len(c.Name), c.Name)
	h.Write(c.Sign)
	h.Write(c.Seal)
	return hex.EncodeToString(h.Sum(nil))
}

// check refuses cards that are none.
func (c Card) check() error {
	if err := checkName("member's name", c.Name); err != nil {
		return err
	}
	if len(c.Sign) != ed25519.PublicKeySize {
		return fmt.Errorf("the key of %s that checks signatures has %d bytes, not %d", column.Quote(c.Name), len(c.Sign), ed25519.PublicKeySize)
	}
	if _, err := kem().NewPublicKey(c.Seal); err != nil {
		return fmt.Errorf("the key of %s to seal to is damaged", column.Quote(c.Name))
	}
	return nil
}

// What a file of keys says that it is.
const (
	cardKind     = "member card 1"
	identityKind = "member key 1"
)

type cardFile struct {
	Cipherfold string `json:"cipherfold"`
	Card
}

type identityFile struct {
	Cipherfold string `json:"cipherfold"`
	Name       string `json:"name"`
	Sign       []byte `json:"sign"` // the seed
	Seal       []byte `json:"seal"`
}

// Endings of the files that Write makes.
const (
	CardExt     = ".card.json"
	SecretExt   = ".key.age"  // under a passphrase
	SecretPlain = ".key.json" // without
)

// Write writes the card and the secret keys into a directory, under a passphrase unless that is nil, and returns the names of
// the files.
func (i *Identity) Write(ctx context.Context, o job.Options, dir string, passphrase []byte) (card, secret string, err error) {
	o = o.WithDefaults()
	seal, err := i.seal.Bytes()
	if err != nil {
		return "", "", fmt.Errorf("writing a key: %w", err)
	}
	data := document(identityFile{identityKind, i.card.Name, i.sign.Seed(), seal})
	files := i.Files(dir)
	card, secret = files[0], files[2]
	if passphrase != nil {
		secret = files[1]
		if data, err = keys.Seal(data, passphrase); err != nil {
			return "", "", err
		}
	}
	return card, secret, blob.WriteAll(ctx, o.FS, o.Overwrite, blob.Whole{Name: secret, Data: data, Private: true},
		blob.Whole{Name: card, Data: document(cardFile{cardKind, i.card})})
}

// Files are the names of the files that Write may make: the card, the secret keys under a passphrase, and those without.
func (i *Identity) Files(dir string) []string {
	file := path.Join(dir, fileName(i.card.Name))
	return []string{file + CardExt, file + SecretExt, file + SecretPlain}
}

// fileName makes a file's name of a member's.
func fileName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !bytes.ContainsRune([]byte("-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), rune(c)) || i == 0 && c == '.' {
			b[i] = '_'
		}
	}
	return string(b)
}

// document is a small JSON file.
func document(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return append(b, '\n')
}

// fileMax is above the size of any small file of a round: descriptions of 255 members, and shares for them.
const fileMax = 32 << 20

// readDocument reads a small JSON file that says it is of the given kind. It returns its bytes.
func readDocument(ctx context.Context, fs blob.FS, name, kind, what string, v any, passphrase func() ([]byte, error)) ([]byte, error) {
	data, err := job.ReadFile(ctx, fs, name, fileMax)
	if err != nil {
		return nil, err
	}
	if passphrase != nil {
		if data, err = keys.Unseal(name, data, passphrase); err != nil {
			return nil, err
		}
	}
	var head struct {
		Cipherfold string `json:"cipherfold"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Cipherfold != kind {
		return nil, column.Refuse(name, "not %s: it does not say that it is of the kind %q", what, kind).WithHint("Check the name of the file.")
	}
	if err := strictjson.Decode(data, v); err != nil {
		return nil, column.Refuse(name, "not %s: %w", what, err).WithHint("The file is damaged. Get it again.")
	}
	return data, nil
}

// ReadCard reads a card.
func ReadCard(ctx context.Context, fs blob.FS, name string) (Card, error) {
	var f cardFile
	if _, err := readDocument(ctx, fs, name, cardKind, "a member's card", &f, nil); err != nil {
		return Card{}, err
	}
	if err := f.check(); err != nil {
		return Card{}, column.Refuse(name, "%w", err).WithHint("The file is damaged. Get it again.")
	}
	return f.Card, nil
}

// ReadIdentity reads a member's secret keys. passphrase is called only when the file needs one.
func ReadIdentity(ctx context.Context, fs blob.FS, name string, passphrase func() ([]byte, error)) (*Identity, error) {
	var f identityFile
	if _, err := readDocument(ctx, fs, name, identityKind, "a member's key", &f, passphrase); err != nil {
		return nil, err
	}
	damaged := func(err error) error {
		return column.Refuse(name, "the key is damaged: %w", err).WithHint("Copy it again from where it is kept, or make a new one («fl keys»).")
	}
	if err := checkName("name", f.Name); err != nil {
		return nil, damaged(err)
	}
	if len(f.Sign) != ed25519.SeedSize {
		return nil, damaged(fmt.Errorf("the part that signs has %d bytes", len(f.Sign)))
	}
	seal, err := kem().NewPrivateKey(f.Seal)
	if err != nil {
		return nil, damaged(err)
	}
	sign := ed25519.NewKeyFromSeed(f.Sign)
	return &Identity{Card{f.Name, []byte(sign.Public().(ed25519.PublicKey)), seal.PublicKey().Bytes()}, sign, seal}, nil
}

// sealTo encrypts data so that only the holder of a card's keys reads it, and only for the same purpose.
func (c Card) sealTo(purpose string, data []byte) ([]byte, error) {
	public, err := kem().NewPublicKey(c.Seal)
	if err != nil {
		return nil, fmt.Errorf("the key of %s to seal to is damaged", column.Quote(c.Name))
	}
	return hpke.Seal(public, kdf(), aead(), []byte(purpose), data)
}

// open undoes sealTo.
func (i *Identity) open(purpose string, data []byte) ([]byte, error) {
	return hpke.Open(i.seal, kdf(), aead(), []byte(purpose), data)
}

// signature signs a statement.
func (i *Identity) signature(purpose string, statement []byte) []byte {
	return ed25519.Sign(i.sign, signed(purpose, statement))
}

// verify says whether a member has signed a statement.
func (c Card) verify(purpose string, statement, signature []byte) bool {
	return ed25519.Verify(c.Sign, signed(purpose, statement), signature)
}

func signed(purpose string, statement []byte) []byte {
	h := sha256.Sum256(statement)
	return append([]byte(purpose+"\x00"), h[:]...)
}
