package ids

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// TokenKey is a secret that only the owners share. It turns ids into tokens by HMAC-SHA-256 (RFC 2104). Equal ids
// become equal tokens, so an aggregator without the key joins tables by them and reads nothing.
//
//	token        first 16 bytes of HMAC(key, "cipherfold id v1" 00 field field ...), in hex; a field is an id column's
//	             value as text, its length in 4 bytes big-endian before it
//	sample token first 8 bytes of HMAC(key, "cipherfold sample v1" 00 field), in hex
//	check value  first 8 bytes of HMAC(key, "cipherfold token key check v1" 00), in hex
//
// The text of an id is UTF-8 as it is in the source, after the id's declared preparation. Integers are decimal without
// leading zeros, dates YYYY-MM-DD, booleans true and false. Tables carry the check value, which differs between keys
// and says nothing about the key.
type TokenKey struct {
	key  [tokenKeyBytes]byte
	File string // where it was read from
}

const (
	tokenKeyBytes   = 32
	tokenBytes      = 16
	checkBytes      = 8
	idDomain        = "cipherfold id v1\x00"
	sampleDomain    = "cipherfold sample v1\x00"
	checkDomain     = "cipherfold token key check v1\x00"
	tokenKeyKind    = "token key"
	tokenAlgorithm  = "HMAC-SHA-256"
	tokenKeyVersion = 1
)

// tokenKeyFile is the file's JSON.
type tokenKeyFile struct {
	Version   int    `json:"cipherfold.version"`
	Kind      string `json:"kind"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`   // 64 hex digits
	Check     string `json:"check"` // 16 hex digits
}

// CreateTokenKey makes a new key and writes it, readable by its owner only. It returns the check value.
func CreateTokenKey(ctx context.Context, o job.Options, name string) (check string, err error) {
	o = o.WithDefaults()
	k := &TokenKey{}
	_, _ = rand.Read(k.key[:]) // never fails (crypto/rand)
	text, err := json.MarshalIndent(tokenKeyFile{tokenKeyVersion, tokenKeyKind, tokenAlgorithm, hex.EncodeToString(k.key[:]), k.Check()}, "", "  ")
	if err != nil {
		return "", err
	}
	u, err := o.FS.Create(ctx, name, blob.CreateOptions{Overwrite: o.Overwrite, Private: true})
	if err != nil {
		return "", err
	}
	defer u.Abort()
	if _, err := u.Write(append(text, '\n')); err != nil {
		return "", err
	}
	return k.Check(), u.Commit(ctx)
}

// ReadTokenKey reads a key that WriteTokenKey wrote.
func ReadTokenKey(ctx context.Context, fs blob.FS, name string) (*TokenKey, error) {
	refuse := func(format string, args ...any) error {
		return column.Refuse(name, format, args...).WithHint("Give the file that «keygen ‹token_key›» wrote, as the other owners have it.")
	}
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > job.KeyFileBytesMax {
		return nil, refuse("not a token key: it has %d bytes", f.Size())
	}
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) && err != io.EOF {
		return nil, err
	}
	var x tokenKeyFile
	if err := strictjson.Decode(data, &x); err != nil || x.Kind != tokenKeyKind {
		return nil, refuse("not a token key")
	}
	if x.Version != tokenKeyVersion || x.Algorithm != tokenAlgorithm {
		return nil, refuse("a token key of version %d for %s is not known", x.Version, column.Quote(x.Algorithm))
	}
	key, err := hex.DecodeString(x.Key)
	if err != nil || len(key) != tokenKeyBytes {
		return nil, refuse("the token key is not %d hex digits", 2*tokenKeyBytes)
	}
	k := &TokenKey{key: [tokenKeyBytes]byte(key), File: name}
	if x.Check != k.Check() {
		return nil, refuse("the token key does not match its check value: the file is damaged")
	}
	return k, nil
}

// Check returns the check value, 16 hex digits.
func (k *TokenKey) Check() string {
	m := hmac.New(sha256.New, k.key[:])
	io.WriteString(m, checkDomain)
	return hex.EncodeToString(m.Sum(nil)[:checkBytes])
}

// Tokeniser makes tokens of one kind, one after the other.
type Tokeniser struct {
	mac    hash.Hash
	domain string
	digits int
	field  [4]byte
	out    [sha256.Size]byte
}

func (k *TokenKey) IDs() *Tokeniser {
	return &Tokeniser{mac: hmac.New(sha256.New, k.key[:]), domain: idDomain, digits: 2 * tokenBytes}
}

func (k *TokenKey) Samples() *Tokeniser {
	return &Tokeniser{mac: hmac.New(sha256.New, k.key[:]), domain: sampleDomain, digits: ctfile.SampleDigits}
}

func (t *Tokeniser) begin() {
	t.mac.Reset()
	io.WriteString(t.mac, t.domain)
}

func (t *Tokeniser) add(field string) {
	binary.BigEndian.PutUint32(t.field[:], uint32(len(field)))
	t.mac.Write(t.field[:])
	io.WriteString(t.mac, field)
}

func (t *Tokeniser) end() string {
	return hex.EncodeToString(t.mac.Sum(t.out[:0])[:t.digits/2])
}

func (t *Tokeniser) Of(fields ...string) string {
	t.begin()
	for _, f := range fields {
		t.add(f)
	}
	return t.end()
}

// SampleStep is the step that says under which key the tokens of a table's samples are.
const SampleStep = "samples"

// SampleTokenCheck returns the check value of the key of a table's sample tokens, if it has any.
func SampleTokenCheck(t *ctfile.Table) (string, bool) {
	i := slices.IndexFunc(t.Preparation, func(s ctfile.Step) bool { return s.On == "" && s.Step == SampleStep })
	if i < 0 {
		return "", false
	}
	return t.Preparation[i].Value, true
}
