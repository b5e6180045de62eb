package paillier

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// keyFileVersion is the version of key files that this program writes and reads.
const keyFileVersion = 1

// keyFileSizeMax bounds what is parsed as a key, in bytes.
const keyFileSizeMax = 1 << 16

// keyFile is the JSON form of a key. Numbers are lower-case hexadecimal without leading zeros.
type keyFile struct {
	Version     int     `json:"cipherfold.version"`
	Kind        string  `json:"kind"` // "public" or "secret"
	Scheme      string  `json:"scheme"`
	Variant     Variant `json:"variant"`
	Bits        int     `json:"bits"`
	TestKey     bool    `json:"test_key,omitempty"` // bits below 2048
	Fingerprint string  `json:"fingerprint"`
	N           string  `json:"n"`
	H           string  `json:"h,omitempty"`     // DJN, MHL
	RBits       int     `json:"rbits,omitempty"` // DJN, MHL
	P           string  `json:"p,omitempty"`     // secret
	Q           string  `json:"q,omitempty"`     // secret
	PA          string  `json:"pa,omitempty"`    // secret, MHL
	QA          string  `json:"qa,omitempty"`    // secret, MHL
}

const schemeName = "paillier"

func (pk *PublicKey) file() keyFile {
	f := keyFile{
		Version: keyFileVersion, Kind: "public", Scheme: schemeName, Variant: pk.variant, Bits: pk.bits,
		TestKey: pk.Test(), Fingerprint: pk.Fingerprint(), N: pk.n.Text(16),
	}
	if pk.variant != Textbook {
		f.H, f.RBits = pk.h.Text(16), pk.rbits
	}
	return f
}

// MarshalPublic writes the key as a public key file: one JSON object.
func (pk *PublicKey) MarshalPublic() []byte { return marshal(pk.file()) }

// MarshalSecret writes the key as a secret key file: one JSON object, not encrypted.
func (sk *SecretKey) MarshalSecret() []byte {
	f := sk.public.file()
	f.Kind, f.P, f.Q = "secret", sk.p.Text(16), sk.q.Text(16)
	if sk.public.variant == MHL {
		f.PA, f.QA = sk.pa.Text(16), sk.qa.Text(16)
	}
	return marshal(f)
}

func marshal(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("paillier: marshalling a struct of strings and numbers: %v", err))
	}
	return append(data, '\n')
}

// ParseKey reads a key file and makes all checks of key generation that the file allows: for a secret key primality and
// form of p, q, pa and qa and the order of h, for a public key the size and form of N and h; the fingerprint for both.
// Errors are *KeyError. It takes up to half a second for a secret key; not constant time.
func ParseKey(data []byte) (Key, error) {
	if len(data) > keyFileSizeMax {
		return nil, &KeyError{ErrKeySyntax, "", fmt.Sprintf("%d bytes are too many for a key file", len(data)), ""}
	}
	o, err := strictjson.Parse(data)
	if err != nil {
		return nil, syntaxError(err)
	}
	p := &keyFileParser{o: o}
	key, err := p.parse()
	if p.err != nil { // a field that is missing or malformed explains any other trouble
		return nil, p.err
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// syntaxError makes a KeyError of an error of strictjson.
func syntaxError(err error) error {
	var e *strictjson.Error
	if !errors.As(err, &e) {
		return &KeyError{ErrKeySyntax, "", err.Error(), ""}
	}
	hint := ""
	if e.Path == "" {
		hint = "an encrypted secret key must be decrypted first"
	}
	return &KeyError{ErrKeySyntax, e.Path, e.Reason, hint}
}

// keyFileParser takes fields one after the other and keeps the first error.
type keyFileParser struct {
	o   *strictjson.Object
	err error
}

func (p *keyFileParser) text(name string) string {
	s, err := p.o.Text(name)
	p.fail(err)
	return s
}

func (p *keyFileParser) int(name string) int {
	i, err := p.o.Int(name)
	p.fail(err)
	return int(i)
}

func (p *keyFileParser) fail(err error) {
	if err != nil && p.err == nil {
		p.err = syntaxError(err)
	}
}

// number takes a canonical hexadecimal number.
func (p *keyFileParser) number(name string) *big.Int {
	x, err := parseHex(p.text(name))
	if err != nil && p.err == nil {
		p.err = &KeyError{ErrKeySyntax, name, err.Error(), ""}
	}
	return x
}

// parseHex reads lower-case hexadecimal without leading zeros; the result is never nil.
func parseHex(s string) (*big.Int, error) {
	x := new(big.Int)
	if s == "" || s[0] == '0' && s != "0" || len(s) > bitsMax/4 {
		return x, fmt.Errorf("not a hexadecimal number of at most %d digits without leading zeros", bitsMax/4)
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return x, fmt.Errorf("%q is not a lower-case hexadecimal digit", c)
		}
	}
	x.SetString(s, 16)
	return x, nil
}

func (p *keyFileParser) parse() (Key, error) {
	if p.o.Has("kty") {
		return nil, &KeyError{ErrKeySyntax, "kty", "this is a JSON Web Key", "import keys of python-paillier by keygen first"}
	}
	if v := p.int("cipherfold.version"); v != keyFileVersion && p.err == nil {
		return nil, &KeyError{ErrKeyVersion, "cipherfold.version", fmt.Sprintf("version %d, this program knows %d", v, keyFileVersion),
			"use the version of the program that wrote the file, or a newer one"}
	}
	kind := p.text("kind")
	if kind != "public" && kind != "secret" && p.err == nil {
		return nil, &KeyError{ErrKeySyntax, "kind", fmt.Sprintf("%.40q is neither public nor secret", kind), ""}
	}
	if scheme := p.text("scheme"); scheme != schemeName && p.err == nil {
		return nil, &KeyError{ErrKeySyntax, "scheme", fmt.Sprintf("unknown scheme %.40q", scheme), "this program knows " + schemeName}
	}
	variant, err := ParseVariant(p.text("variant"))
	if err != nil {
		return nil, err
	}
	public, err := p.public(variant)
	if err != nil {
		return nil, err
	}
	if kind == "public" {
		if p.o.Has("p") || p.o.Has("q") || p.o.Has("pa") || p.o.Has("qa") {
			return nil, &KeyError{ErrKeySyntax, "kind", "a public key file that holds secret numbers",
				"do not pass this file on; if it has been, everything encrypted with the key is disclosed"}
		}
		return public, p.done()
	}
	factors := [4]*big.Int{p.number("p"), p.number("q")}
	if variant == MHL {
		factors[2], factors[3] = p.number("pa"), p.number("qa")
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	return newSecretKey(public, factors[0], factors[1], factors[2], factors[3])
}

// public takes the fields of a public key.
func (p *keyFileParser) public(variant Variant) (*PublicKey, error) {
	bits, n := p.int("bits"), p.number("n")
	var h *big.Int
	rbits := 0
	if variant != Textbook {
		h, rbits = p.number("h"), p.int("rbits")
	}
	want := p.text("fingerprint")
	test := false
	if p.o.Has("test_key") {
		var err error
		test, err = p.o.Bool("test_key")
		p.fail(err)
	}
	if p.err != nil {
		return nil, p.err
	}
	public, err := newPublicKey(variant, bits, n, h, rbits)
	if err != nil {
		return nil, err
	}
	if test != public.Test() {
		return nil, &KeyError{ErrKeySize, "test_key", fmt.Sprintf("%v does not agree with %d bits", test, bits),
			fmt.Sprintf("keys below %d bits are test keys, and only those", bitsSecure)}
	}
	if got := public.Fingerprint(); got != want {
		return nil, &KeyError{ErrKeyFingerprint, "fingerprint", fmt.Sprintf("the file says %.64q, the key has %s", want, got), hintDamaged}
	}
	return public, nil
}

// done refuses fields that were not taken.
func (p *keyFileParser) done() error {
	p.fail(p.o.Done())
	return p.err
}
