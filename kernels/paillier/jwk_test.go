package paillier

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
)

func TestJWKRoundTrip(t *testing.T) {
	for _, variant := range []Variant{Textbook, DJN, MHL} {
		sk := testKey(t, variant, testBits)
		key, err := ParseJWK(sk.MarshalJWK(`a "quoted" näme`), true)
		ok(t, err)
		got, isSecret := key.(*SecretKey)
		if !isSecret || got.p.Cmp(sk.p) != 0 || got.q.Cmp(sk.q) != 0 || got.Public().Variant() != Textbook {
			t.Fatal("the private key does not come back")
		}
		public, err := ParseJWK(sk.Public().MarshalJWK("id"), true)
		ok(t, err)
		if public.Public().Fingerprint() != got.Public().Fingerprint() {
			t.Error("public and private fingerprints differ")
		}
		if (variant == Textbook) != (got.Public().Fingerprint() == sk.Public().Fingerprint()) {
			t.Error("the fingerprint does not tell the variants apart")
		}
		// The imported key encrypts for the exporter.
		o := newOracle(sk)
		ct, m := o.room(1), make([]uint64, sk.Public().PlaintextLimbs())
		ok(t, public.NewEncryptor().Encrypt(ct, o.plain(big.NewInt(-77))))
		ok(t, sk.NewDecryptor().DecryptFull(m, ct))
		equal(t, "plaintext", o.fromPlain(m), []*big.Int{new(big.Int).Sub(o.n, big.NewInt(77))})
	}
}

// The layout of python-paillier's own files: members, order, encoding of integers.
func TestJWKLayout(t *testing.T) {
	sk := testKey(t, Textbook, 512)
	enc := func(x *big.Int) string { return base64.RawURLEncoding.EncodeToString(x.Bytes()) }
	public := fmt.Sprintf(`{"kty":"DAJ","alg":"PAI-GN1","key_ops":["encrypt"],"n":"%s","kid":"id"}`, enc(sk.public.n))
	for _, c := range []struct {
		data []byte
		want string
	}{
		{sk.Public().MarshalJWK("id"), public},
		{sk.MarshalJWK("id"), fmt.Sprintf(`{"kty":"DAJ","key_ops":["decrypt"],"p":"%s","q":"%s","pub":%s,"kid":"id"}`, enc(sk.p), enc(sk.q), public)},
	} {
		var compact strings.Builder
		for _, line := range strings.Split(string(c.data), "\n") {
			compact.WriteString(strings.Replace(strings.TrimSpace(line), `": `, `":`, 1))
		}
		if compact.String() != c.want {
			t.Errorf("got %s\nwant %s", compact.String(), c.want)
		}
	}
}

// Keys in testdata are in the two forms of python-paillier's private keys: with p and q, and with lambda and mu.
func TestJWKFiles(t *testing.T) {
	var fingerprints []string
	for _, file := range []string{"testdata/phe-private.json", "testdata/phe-private-2016.json", "testdata/phe-public.json"} {
		data, err := os.ReadFile(file)
		ok(t, err)
		key, err := ParseJWK(data, true)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		fingerprints = append(fingerprints, key.Public().Fingerprint())
		if _, err := ParseJWK(data, false); !errors.Is(err, ErrKeySize) {
			t.Errorf("%s: a short key is imported: %v", file, err)
		}
		if _, isSecret := key.(*SecretKey); isSecret != strings.Contains(file, "private") {
			t.Errorf("%s: public for private", file)
		}
	}
	for _, f := range fingerprints {
		if f != fingerprints[0] {
			t.Errorf("the same key has fingerprints %v", fingerprints)
		}
	}
}

func TestBadJWK(t *testing.T) {
	sk, other := testKey(t, Textbook, 1024), testKey(t, DJN, 1024)
	enc := func(x *big.Int) string { return base64.RawURLEncoding.EncodeToString(x.Bytes()) }
	var pub map[string]any
	ok(t, json.Unmarshal(sk.Public().MarshalJWK("id"), &pub))
	change := func(m map[string]any, field string, value any) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			out[k] = v
		}
		out[field] = value
		if value == nil {
			delete(out, field)
		}
		return out
	}
	lambda := new(big.Int).Mul(new(big.Int).Sub(sk.p, one), new(big.Int).Sub(sk.q, one))
	mu := new(big.Int).ModInverse(lambda, sk.public.n)
	wrong := new(big.Int).Add(lambda, two)
	private := map[string]any{"kty": "DAJ", "key_ops": []string{"decrypt"}, "p": enc(sk.p), "q": enc(sk.q), "kid": "x", "pub": pub}
	old := change(change(change(change(private, "p", nil), "q", nil), "lambda", enc(lambda)), "mu", enc(mu))

	for name, m := range map[string]map[string]any{"private": private, "old": old, "public": pub} {
		data, err := json.Marshal(m)
		ok(t, err)
		if _, err := ParseJWK(data, true); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		m     map[string]any
		field string
		value any
		kind  error
	}{
		{pub, "kty", "RSA", ErrKeySyntax}, {pub, "kty", nil, ErrKeySyntax}, {pub, "kty", 5, ErrKeySyntax},
		{pub, "alg", "RS256", ErrKeySyntax}, {pub, "alg", nil, ErrKeySyntax}, {pub, "key_ops", []string{"decrypt"}, ErrKeySyntax},
		{pub, "key_ops", "encrypt", ErrKeySyntax}, {pub, "key_ops", []int{1}, ErrKeySyntax}, {pub, "key_ops", nil, ErrKeySyntax},
		{pub, "n", nil, ErrKeySyntax}, {pub, "n", 5, ErrKeySyntax}, {pub, "n", "", ErrKeySyntax}, {pub, "n", "!!", ErrKeySyntax},
		{pub, "n", enc(sk.public.n) + "==", ErrKeySyntax}, {pub, "n", "AAA" + enc(sk.public.n), ErrKeySyntax},
		{pub, "n", enc(sk.public.n)[:80] + "\n" + enc(sk.public.n)[80:], ErrKeySyntax},
		{pub, "n", enc(new(big.Int).Add(sk.public.n, one)), ErrKeyModulus}, {pub, "n", enc(sk.p), ErrKeyModulus},
		{pub, "n", enc(new(big.Int).Rsh(sk.public.n, 1)), ErrKeySize},
		{pub, "n", enc(new(big.Int).Lsh(one, 5000)), ErrKeySyntax}, {pub, "x", "y", ErrKeySyntax}, {pub, "kid", 5, ErrKeySyntax},
		{private, "pub", "text", ErrKeySyntax}, {private, "pub", change(pub, "alg", "x"), ErrKeySyntax}, {private, "key_ops", []string{"encrypt"}, ErrKeySyntax},
		{private, "p", nil, ErrKeySyntax}, {private, "q", nil, ErrKeySyntax}, {private, "p", enc(other.p), ErrKeyModulus},
		{private, "p", enc(new(big.Int).Add(sk.p, two)), ErrKeyPrime}, {private, "e", "AQAB", ErrKeySyntax}, {private, "kty", "EC", ErrKeySyntax},
		{old, "lambda", enc(wrong), ErrKeyModulus}, {old, "mu", enc(wrong), ErrKeyModulus}, {old, "mu", nil, ErrKeySyntax},
		{old, "lambda", "", ErrKeySyntax}, {old, "p", enc(sk.p), ErrKeySyntax},
		{change(old, "mu", enc(new(big.Int).ModInverse(wrong, sk.public.n))), "lambda", enc(wrong), ErrKeyModulus},
		{change(old, "mu", "AQ"), "lambda", "AQ", ErrKeyModulus},
		{change(old, "mu", enc(new(big.Int).ModInverse(two, sk.public.n))), "lambda", enc(new(big.Int).Add(sk.public.n, two)), ErrKeyModulus},
	} {
		data, err := json.Marshal(change(c.m, c.field, c.value))
		ok(t, err)
		key, err := ParseJWK(data, true)
		var bad *KeyError
		if key != nil || !errors.Is(err, c.kind) || !errors.As(err, &bad) {
			t.Errorf("%s=%.30v: want %v, got %v", c.field, c.value, c.kind, err)
		}
	}
	for _, data := range [][]byte{nil, []byte("[]"), []byte("{"), []byte(strings.Repeat(" ", 1<<17)), sk.MarshalSecret()} {
		if _, err := ParseJWK(data, true); !errors.Is(err, ErrKeySyntax) {
			t.Errorf("%.20q: %v", data, err)
		}
	}
}

func FuzzParseJWK(f *testing.F) {
	sk := testKey(f, Textbook, 512)
	f.Add(sk.MarshalJWK("x"))
	f.Add(sk.Public().MarshalJWK("x"))
	for _, file := range []string{"testdata/phe-private.json", "testdata/phe-private-2016.json"} {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"pub":{},"kty":"DAJ"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseJWK(data, true)
		var bad *KeyError
		if err != nil {
			if !errors.As(err, &bad) || key != nil {
				t.Fatalf("not a KeyError: %v", err)
			}
			return
		}
		again := key.Public().MarshalJWK("x")
		if sk, ok := key.(*SecretKey); ok {
			again = sk.MarshalJWK("x")
		}
		if _, err := ParseJWK(again, true); err != nil {
			t.Fatalf("an accepted key does not come back: %v", err)
		}
	})
}
