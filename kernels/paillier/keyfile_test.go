package paillier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// edit parses a key file, changes fields and writes it again; a nil value removes the field.
func edit(t testing.TB, data []byte, changes map[string]any) []byte {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	for k, v := range changes {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// forge writes a key file for numbers that no generation would give, with the fingerprint that belongs to them. When N
// changes h is 4, which no check can tell from a base without the factors.
func forge(t testing.TB, sk *SecretKey, changes map[string]*big.Int) []byte {
	t.Helper()
	get := func(name string, old *big.Int) *big.Int {
		if v, ok := changes[name]; ok {
			return v
		}
		return old
	}
	p, q := get("p", sk.p), get("q", sk.q)
	n := get("n", new(big.Int).Mul(p, q))
	fields := map[string]any{"n": n.Text(16), "p": p.Text(16), "q": q.Text(16)}
	h := sk.public.h
	if h != nil {
		if n.Cmp(sk.public.n) != 0 {
			h = big.NewInt(4)
		}
		h = get("h", h)
		fields["h"] = h.Text(16)
	}
	if sk.pa != nil {
		fields["pa"], fields["qa"] = get("pa", sk.pa).Text(16), get("qa", sk.qa).Text(16)
	}
	fields["fingerprint"] = fmt.Sprintf("%x", fingerprint(sk.public.variant, n, h, sk.public.rbits))
	return edit(t, sk.MarshalSecret(), fields)
}

// nextPrime returns the least prime above x of an odd residue class modulo 4.
func nextPrime(x *big.Int, mod4 int64) *big.Int {
	residue := int64(x.Bit(1)<<1 | x.Bit(0))
	start := new(big.Int).Add(x, big.NewInt((mod4-residue+3)%4+1))
	return primeFrom(start, big.NewInt(4))
}

// primeFrom returns the first prime among start + i·step.
func primeFrom(start, step *big.Int) *big.Int {
	for {
		p, err := firstPrime(context.Background(), start, step)
		if err != nil {
			panic(err)
		}
		if p != nil {
			return p
		}
		start = new(big.Int).Add(start, new(big.Int).Mul(step, big.NewInt(sieveLength)))
	}
}

// refused checks that a key file is refused for the right reason.
func refused(t *testing.T, name string, data []byte, kind error, field string) {
	t.Helper()
	key, err := ParseKey(data)
	var bad *KeyError
	if key != nil || !errors.As(err, &bad) || !errors.Is(err, kind) || bad.Reason == "" {
		t.Errorf("%s: want %v, got %v", name, kind, err)
		return
	}
	if bad.Field != field {
		t.Errorf("%s: blames field %q, want %q: %v", name, bad.Field, field, err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	for _, variant := range []Variant{Textbook, DJN, MHL} {
		t.Run(string(variant), func(t *testing.T) {
			sk := testKey(t, variant, testBits)
			secret, public := sk.MarshalSecret(), sk.Public().MarshalPublic()
			for _, data := range [][]byte{secret, public} {
				for _, c := range []struct {
					field string
					value any
					kind  error
					blame string
				}{
					{"cipherfold.version", 2, ErrKeyVersion, "cipherfold.version"},
					{"cipherfold.version", "1", ErrKeySyntax, "cipherfold.version"},
					{"cipherfold.version", nil, ErrKeySyntax, "cipherfold.version"},
					{"kind", "private", ErrKeySyntax, "kind"},
					{"scheme", "elgamal", ErrKeySyntax, "scheme"},
					{"variant", "rsa", ErrKeySyntax, "variant"},
					{"variant", nil, ErrKeySyntax, "variant"},
					{"bits", 1152, ErrKeyModulus, "n"},
					{"bits", 1000, ErrKeySize, "bits"},
					{"bits", 1 << 40, ErrKeySize, "bits"},
					{"bits", "1024", ErrKeySyntax, "bits"},
					{"test_key", nil, ErrKeySize, "test_key"},
					{"test_key", false, ErrKeySize, "test_key"},
					{"test_key", "yes", ErrKeySyntax, "test_key"},
					{"n", nil, ErrKeySyntax, "n"},
					{"n", "0" + sk.public.n.Text(16), ErrKeySyntax, "n"},
					{"n", strings.ToUpper(sk.public.n.Text(16)), ErrKeySyntax, "n"},
					{"n", "", ErrKeySyntax, "n"},
					{"n", "-5", ErrKeySyntax, "n"},
					{"n", strings.Repeat("f", 1025), ErrKeySyntax, "n"},
					{"n", new(big.Int).Add(sk.public.n, one).Text(16), ErrKeyModulus, "n"},
					{"fingerprint", strings.Repeat("0", 64), ErrKeyFingerprint, "fingerprint"},
					{"fingerprint", strings.ToUpper(sk.Public().Fingerprint()), ErrKeyFingerprint, "fingerprint"},
					{"fingerprint", nil, ErrKeySyntax, "fingerprint"},
					{"comment", "hello", ErrKeySyntax, "comment"},
					{"N", "5", ErrKeySyntax, "N"},
				} {
					refused(t, fmt.Sprintf("%s=%.20v", c.field, c.value), edit(t, data, map[string]any{c.field: c.value}), c.kind, c.blame)
				}
				text := string(data)
				refused(t, "a field twice", []byte(strings.Replace(text, `"bits"`, `"bits": 1024, "bits"`, 1)), ErrKeySyntax, "bits")
				refused(t, "an escape", []byte(strings.Replace(text, `"kind"`, `"k\u0069nd"`, 1)), ErrKeySyntax, "")
				refused(t, "text at the end", []byte(text+"x"), ErrKeySyntax, "")
				refused(t, "cut off", []byte(text[:len(text)/2]), ErrKeySyntax, "")
				refused(t, "empty", nil, ErrKeySyntax, "")
				refused(t, "too long", []byte(strings.Repeat(" ", 1<<17)), ErrKeySyntax, "")
				refused(t, "an array", []byte("["+text+"]"), ErrKeySyntax, "")
			}
			for _, secretField := range []string{"p", "q", "pa", "qa"} {
				refused(t, "public with "+secretField, edit(t, public, map[string]any{secretField: "5"}), ErrKeySyntax, "kind")
			}
			for _, field := range []string{"p", "q"} {
				refused(t, "secret without "+field, edit(t, secret, map[string]any{field: nil}), ErrKeySyntax, field)
			}
			badFactors(t, sk)
			if variant == Textbook {
				for _, field := range []string{"h", "rbits", "pa"} {
					refused(t, "textbook with "+field, edit(t, secret, map[string]any{field: 5}), ErrKeySyntax, field)
				}
				return
			}
			badBase(t, sk)
			if variant == MHL {
				badShortPrimes(t, sk)
			}
		})
	}
}

// badFactors: moduli whose factors are not fit.
func badFactors(t *testing.T, sk *SecretKey) {
	half := uint(sk.public.bits / 2)
	// above is the least suitable prime above x·2^(length-bits of x).
	above := func(x int64, length uint, mod4 int64) *big.Int {
		v := big.NewInt(x)
		return nextPrime(v.Lsh(v, length-uint(v.BitLen())), mod4)
	}
	factors := func(p, q *big.Int) []byte { return forge(t, sk, map[string]*big.Int{"p": p, "q": q}) }
	p, q := sk.p, sk.q

	composite := new(big.Int).Mul(above(7, half/2, 3), above(7, half/2, 1))
	refused(t, "composite p", factors(composite, q), ErrKeyPrime, "p")
	refused(t, "composite q", factors(p, composite), ErrKeyPrime, "q")
	refused(t, "p = q", factors(p, p), ErrKeyModulus, "n")
	refused(t, "p close to q", factors(p, nextPrime(new(big.Int).Add(p, big.NewInt(1<<40)), 3)), ErrKeyPrime, "q")
	short, long := above(15, half-20, 3), above(15, half+20, 3)
	refused(t, "p shorter than q", factors(short, long), ErrKeyPrime, "p")
	refused(t, "p longer than q", factors(long, short), ErrKeyPrime, "p")
	refused(t, "p for another N", edit(t, sk.MarshalSecret(), map[string]any{"p": nextPrime(p, 3).Text(16)}), ErrKeyModulus, "n")
	refused(t, "p damaged", edit(t, sk.MarshalSecret(), map[string]any{"p": new(big.Int).Add(p, two).Text(16)}), ErrKeyPrime, "p")

	modulus := func(n *big.Int) []byte { return forge(t, sk, map[string]*big.Int{"n": n}) }
	refused(t, "even N", modulus(new(big.Int).Add(sk.public.n, one)), ErrKeyModulus, "n")
	refused(t, "prime N", modulus(above(13, 2*half, 1)), ErrKeyModulus, "n")
	refused(t, "N with a small factor", modulus(new(big.Int).Mul(above(15, 2*half-13, 1), big.NewInt(10007))), ErrKeyModulus, "n")
	refused(t, "short N", modulus(new(big.Int).Mul(above(7, half, 1), above(7, half-1, 3))), ErrKeyModulus, "n")
	if sk.public.variant == Textbook {
		return
	}
	refused(t, "p = 1 mod 4", factors(above(7, half, 1), q), ErrKeyPrime, "p")
	// p-1 and q-1 share the factor 2·r.
	r := above(7, 40, 3)
	share := func(x int64) *big.Int {
		step := new(big.Int).Lsh(r, 2)
		v := big.NewInt(x)
		v.Lsh(v, half-4)
		v.Sub(v, new(big.Int).Mod(v, step)).Add(v, new(big.Int).Lsh(r, 1)).Add(v, one)
		return primeFrom(v, step)
	}
	refused(t, "gcd(p-1, q-1) > 2", factors(share(13), share(15)), ErrKeyPrime, "q")
}

// badBase: h that is not a base of randomizers.
func badBase(t *testing.T, sk *SecretKey) {
	n := sk.public.n
	base := func(h *big.Int) []byte { return forge(t, sk, map[string]*big.Int{"h": h}) }
	minus := func(x *big.Int) *big.Int { return new(big.Int).Sub(n, x) }
	for name, h := range map[string]*big.Int{
		"h = 0": new(big.Int), "h = 1": one, "h = -1": minus(one), "h = N": n, "h = p": sk.p, "h beyond N": new(big.Int).Add(n, big.NewInt(4)),
		"h a square": big.NewInt(4), // of order dividing α for MHL, and not -y² for DJN
	} {
		refused(t, name, base(h), ErrKeyBase, "h")
	}
	x := big.NewInt(2)
	for big.Jacobi(x, n) != -1 {
		x.Add(x, one)
	}
	refused(t, "Jacobi symbol -1", base(x), ErrKeyBase, "h")
	for _, rbits := range []int{0, 2, 319, 321, sk.public.bits, sk.public.rbits - 2, sk.public.rbits + 1} {
		data := edit(t, sk.MarshalSecret(), map[string]any{"rbits": rbits,
			"fingerprint": fmt.Sprintf("%x", fingerprint(sk.public.variant, n, sk.public.h, rbits))})
		refused(t, fmt.Sprintf("exponents of %d bits", rbits), data, ErrKeyBase, "rbits")
	}
	refused(t, "no h", edit(t, sk.MarshalSecret(), map[string]any{"h": nil}), ErrKeySyntax, "h")
	refused(t, "no rbits", edit(t, sk.MarshalSecret(), map[string]any{"rbits": nil}), ErrKeySyntax, "rbits")
	if sk.public.variant == MHL {
		// -4 generates a group of the wrong order, h³ one of the right order that does not matter, h^pa one that is too small.
		refused(t, "h of the wrong order", base(minus(big.NewInt(4))), ErrKeyBase, "h")
		refused(t, "h of order 2·qa", base(new(big.Int).Exp(sk.public.h, sk.pa, n)), ErrKeyBase, "h")
		refused(t, "h of order 2·pa", base(new(big.Int).Exp(sk.public.h, sk.qa, n)), ErrKeyBase, "h")
	} else {
		refused(t, "pa with DJN", edit(t, sk.MarshalSecret(), map[string]any{"pa": "5"}), ErrKeySyntax, "pa")
	}
}

// badShortPrimes: pa and qa that do not belong to the key.
func badShortPrimes(t *testing.T, sk *SecretKey) {
	short := func(pa, qa *big.Int) []byte { return forge(t, sk, map[string]*big.Int{"pa": pa, "qa": qa}) }
	refused(t, "pa = qa", short(sk.pa, sk.pa), ErrKeyPrime, "pa")
	refused(t, "pa and qa swapped", short(sk.qa, sk.pa), ErrKeyPrime, "pa")
	refused(t, "other pa", short(nextPrime(sk.pa, 3), sk.qa), ErrKeyPrime, "pa")
	refused(t, "composite qa", short(sk.pa, new(big.Int).Add(sk.qa, two)), ErrKeyPrime, "qa")
	refused(t, "pa too short", short(big.NewInt(3), sk.qa), ErrKeyPrime, "pa")
	refused(t, "lopsided", short(new(big.Int).Rsh(sk.pa, 4), new(big.Int).Lsh(sk.qa, 4)), ErrKeyPrime, "pa")
	refused(t, "no qa", edit(t, sk.MarshalSecret(), map[string]any{"qa": nil}), ErrKeySyntax, "qa")
}

// pa divides q-1 as well: gcd(α, β) is not 1.
func TestSharedShortPrime(t *testing.T) {
	sk := testKey(t, MHL, 512)
	half := uint(256)
	// q = 1 modulo 2·pa·qa and 3 modulo 4.
	step := new(big.Int).Mul(sk.pa, sk.qa)
	q := new(big.Int).Lsh(big.NewInt(13), half-4)
	q.Sub(q, new(big.Int).Mod(q, step.Lsh(step, 1))).Add(q, one)
	if q.Bit(1) == 0 {
		q.Add(q, step)
	}
	q = primeFrom(q, step.Lsh(step, 1))
	public, err := newPublicKey(MHL, 512, new(big.Int).Mul(sk.p, q), big.NewInt(4), 160)
	ok(t, err)
	public.h = sk.public.h
	if _, err := newSecretKey(public, sk.p, q, sk.pa, sk.qa); !errors.Is(err, ErrKeyBase) && !errors.Is(err, ErrKeyPrime) {
		t.Errorf("pa divides both p-1 and q-1: %v", err)
	}
}

func TestHints(t *testing.T) {
	sk := testKey(t, DJN, testBits)
	var bad *KeyError
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"encrypted": {[]byte("age-encryption.org/v1\n"), "decrypted first"},
		"newer":     {edit(t, sk.MarshalSecret(), map[string]any{"cipherfold.version": 2}), "version"},
		"leak":      {edit(t, sk.MarshalSecret(), map[string]any{"kind": "public"}), "disclosed"},
		"jwk":       {sk.MarshalJWK("x"), "import"},
	} {
		if _, err := ParseKey(c.data); !errors.As(err, &bad) || !strings.Contains(bad.Hint, c.want) {
			t.Errorf("%s: hint %q lacks %q", name, bad.Hint, c.want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, variant := range []Variant{Textbook, DJN, MHL} {
		sk := testKey(f, variant, 512)
		f.Add(sk.MarshalSecret())
		f.Add(sk.Public().MarshalPublic())
		f.Add(sk.MarshalJWK("x"))
	}
	f.Add([]byte("{}"))
	f.Add([]byte(`{"cipherfold.version":1,"kind":"public","scheme":"paillier","variant":"textbook","bits":512,"n":"0","fingerprint":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKey(data)
		var bad *KeyError
		if err != nil {
			if !errors.As(err, &bad) || key != nil {
				t.Fatalf("not a KeyError: %v", err)
			}
			return
		}
		// What is accepted comes back, and works.
		again := key.Public().MarshalPublic()
		if sk, ok := key.(*SecretKey); ok {
			again = sk.MarshalSecret()
		}
		second, err := ParseKey(again)
		if err != nil || second.Public().Fingerprint() != key.Public().Fingerprint() {
			t.Fatalf("an accepted key does not come back: %v", err)
		}
	})
}
