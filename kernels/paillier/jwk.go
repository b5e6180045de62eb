package paillier

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"

	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// The JSON Web Key form of python-paillier (its command pheutil; docs/serialisation.rst): integers are minimally
// big-endian in base64url without padding. A private key holds its public key as "pub", beside "p" and "q" since 2017
// and "lambda" = (p-1)(q-1) and "mu" before.
const (
	jwkType      = "DAJ"
	jwkAlgorithm = "PAI-GN1"
)

// jwkPublic and jwkPrivate list the members in python-paillier's order.
type jwkPublic struct {
	Type       string   `json:"kty"`
	Algorithm  string   `json:"alg"`
	Operations []string `json:"key_ops"`
	N          string   `json:"n"`
	ID         string   `json:"kid"`
}

type jwkPrivate struct {
	Type       string    `json:"kty"`
	Operations []string  `json:"key_ops"`
	P          string    `json:"p"`
	Q          string    `json:"q"`
	Public     jwkPublic `json:"pub"`
	ID         string    `json:"kid"`
}

// MarshalJWK writes the modulus as a python-paillier public key with the given free text as its identifier. That
// library knows the textbook variant only: what it encrypts for a DJN or MHL key is for a textbook key of the same
// modulus and has another fingerprint here; an MHL secret key opens it with DecryptFull.
func (pk *PublicKey) MarshalJWK(id string) []byte { return marshal(pk.jwk(id)) }

func (pk *PublicKey) jwk(id string) jwkPublic {
	return jwkPublic{jwkType, jwkAlgorithm, []string{"encrypt"}, jwkNumber(pk.n), id}
}

// MarshalJWK writes the key as a python-paillier private key, not encrypted, with the given free text as its
// identifier. With it python-paillier opens ciphertexts of any variant.
func (sk *SecretKey) MarshalJWK(id string) []byte {
	return marshal(jwkPrivate{jwkType, []string{"decrypt"}, jwkNumber(sk.p), jwkNumber(sk.q), sk.public.jwk(id), id})
}

func jwkNumber(x *big.Int) string { return base64.RawURLEncoding.EncodeToString(x.Bytes()) }

// ParseJWK reads a public or private key of python-paillier as a textbook key, with the checks of ParseKey. A modulus
// below 2048 bits is refused unless insecureTestKey is set. Errors are *KeyError.
func ParseJWK(data []byte, insecureTestKey bool) (Key, error) {
	if len(data) > keyFileSizeMax {
		return nil, &KeyError{ErrKeySyntax, "", fmt.Sprintf("%d bytes are too many for a key file", len(data)), ""}
	}
	o, err := strictjson.ParseAnyText(data)
	if err != nil {
		return nil, syntaxError(err)
	}
	if !o.Has("pub") {
		public, err := parseJWKPublic(o, "", insecureTestKey)
		if err != nil {
			return nil, err // not a Key that holds a nil *PublicKey
		}
		return public, nil
	}
	pub, err := o.Object("pub")
	if err != nil {
		return nil, syntaxError(err)
	}
	public, err := parseJWKPublic(pub, "pub.", insecureTestKey)
	if err != nil {
		return nil, err
	}
	if err := jwkHeader(o, "", "decrypt"); err != nil {
		return nil, err
	}
	p, q, err := jwkFactors(o, public.n)
	if err != nil {
		return nil, err
	}
	if err := o.Done(); err != nil {
		return nil, syntaxError(err)
	}
	sk, err := newSecretKey(public, p, q, nil, nil)
	if err != nil {
		return nil, err
	}
	return sk, nil
}

func parseJWKPublic(o *strictjson.Object, prefix string, insecureTestKey bool) (*PublicKey, error) {
	if err := jwkHeader(o, prefix, "encrypt"); err != nil {
		return nil, err
	}
	if !o.Has("alg") {
		return nil, &KeyError{ErrKeySyntax, prefix + "alg", "missing", ""}
	}
	n, err := jwkInteger(o, "n")
	if err != nil {
		return nil, err
	}
	if err := o.Done(); err != nil {
		return nil, syntaxError(err)
	}
	if err := checkBits(n.BitLen()); err != nil {
		return nil, err
	}
	if err := checkTest(n.BitLen(), insecureTestKey); err != nil {
		return nil, err
	}
	return newPublicKey(Textbook, n.BitLen(), n, nil, 0)
}

// jwkHeader takes kty, key_ops and, where they stand, alg and kid. prefix names the object for errors.
func jwkHeader(o *strictjson.Object, prefix, operation string) error {
	for _, f := range []struct {
		name, want string
		optional   bool
	}{{"kty", jwkType, false}, {"alg", jwkAlgorithm, true}, {"kid", "", true}} {
		if f.optional && !o.Has(f.name) {
			continue
		}
		s, err := o.Text(f.name)
		if err != nil {
			return syntaxError(err)
		}
		if f.want != "" && s != f.want {
			return &KeyError{ErrKeySyntax, prefix + f.name, fmt.Sprintf("%.40q, not %q", s, f.want), "only keys of python-paillier can be imported"}
		}
	}
	list, err := o.Array("key_ops")
	if err != nil {
		return syntaxError(err)
	}
	var names []string
	for _, v := range list {
		name, err := v.Text()
		if err != nil {
			return syntaxError(err)
		}
		names = append(names, name)
	}
	if !slices.Contains(names, operation) {
		return &KeyError{ErrKeySyntax, prefix + "key_ops", fmt.Sprintf("does not allow %q", operation), ""}
	}
	return nil
}

// jwkFactors takes p and q, or lambda = (p-1)(q-1) and mu = lambda⁻¹ mod N.
func jwkFactors(o *strictjson.Object, n *big.Int) (p, q *big.Int, err error) {
	if !o.Has("lambda") {
		if p, err = jwkInteger(o, "p"); err != nil {
			return nil, nil, err
		}
		q, err = jwkInteger(o, "q")
		return p, q, err
	}
	lambda, err := jwkInteger(o, "lambda")
	if err != nil {
		return nil, nil, err
	}
	mu, err := jwkInteger(o, "mu")
	if err != nil {
		return nil, nil, err
	}
	product := new(big.Int).Mul(lambda, mu)
	if product.Mod(product, n).Cmp(one) != 0 {
		return nil, nil, &KeyError{ErrKeyModulus, "mu", "mu is not the inverse of lambda modulo N", hintDamaged}
	}
	// p+q = N+1-lambda; p and q are the roots of x² - (p+q)x + N.
	sum := new(big.Int).Sub(n, lambda)
	sum.Add(sum, one)
	square := new(big.Int).Mul(sum, sum)
	square.Sub(square, new(big.Int).Lsh(n, 2))
	if sum.Sign() > 0 && square.Sign() >= 0 {
		root := new(big.Int).Sqrt(square)
		q = new(big.Int).Add(sum, root)
		q.Rsh(q, 1)
		p = new(big.Int).Sub(sum, q)
		if new(big.Int).Mul(p, q).Cmp(n) == 0 {
			return p, q, nil
		}
	}
	return nil, nil, &KeyError{ErrKeyModulus, "lambda", "lambda is not (p-1)(q-1) of the factors of N", hintDamaged}
}

// jwkInteger takes a positive integer in minimal base64url.
func jwkInteger(o *strictjson.Object, name string) (*big.Int, error) {
	v, err := o.Take(name)
	if err != nil {
		return nil, syntaxError(err)
	}
	s, err := v.Text()
	if err != nil {
		return nil, syntaxError(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	x := new(big.Int).SetBytes(b)
	// Writing it again finds leading zeros, line breaks and stray bits.
	if err != nil || len(b) == 0 || len(b) > bitsMax/8 || jwkNumber(x) != s {
		return nil, &KeyError{ErrKeySyntax, v.Path(), fmt.Sprintf("not an integer of at most %d bits in base64url without padding", bitsMax), ""}
	}
	return x, nil
}
