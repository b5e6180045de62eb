package paillier

import (
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
)

// SecretKey is a public key with the factors p and q of N and, for MHL, the short primes pa and qa dividing p-1 and
// q-1. It does not change and is safe for concurrent use.
type SecretKey struct {
	public *PublicKey
	p, q   *big.Int
	pa, qa *big.Int // nil unless MHL
	rings  kernelChoice[secretRings]
}

var one, two = big.NewInt(1), big.NewInt(2)

// newSecretKey makes all the checks that a secret key allows. pa and qa are nil unless the variant is MHL.
func newSecretKey(public *PublicKey, p, q, pa, qa *big.Int) (*SecretKey, error) {
	if err := checkFactors(public, p, q); err != nil {
		return nil, err
	}
	switch public.variant {
	case DJN:
		// h = -y²: as p and q are 3 modulo 4, h is a non-residue modulo both.
		if big.Jacobi(public.h, p) != -1 || big.Jacobi(public.h, q) != -1 {
			return nil, &KeyError{ErrKeyBase, "h", "h is not of the form -y² modulo N", hintDamaged}
		}
	case MHL:
		if err := checkShortPrimes(public, p, q, pa, qa); err != nil {
			return nil, err
		}
	}
	sk := &SecretKey{public: public, p: p, q: q, pa: pa, qa: qa}
	sk.rings.build = func(impl bigmod.Implementation) *secretRings { return newSecretRings(sk, impl) }
	return sk, nil
}

const hintDamaged = "the key is damaged or was not made by a proper key generation"

// checkFactors refuses p and q that do not make a sound modulus.
func checkFactors(public *PublicKey, p, q *big.Int) error {
	half := public.bits / 2
	for _, f := range []struct {
		name string
		p    *big.Int
	}{{"p", p}, {"q", q}} {
		if f.p.BitLen() != half {
			return &KeyError{ErrKeyPrime, f.name, fmt.Sprintf("%d bits, not half of N's %d", f.p.BitLen(), public.bits), hintDamaged}
		}
		if !isPrime(f.p) {
			return &KeyError{ErrKeyPrime, f.name, "not a prime", hintDamaged}
		}
		if public.variant != Textbook && f.p.Bit(1) == 0 {
			return &KeyError{ErrKeyPrime, f.name, fmt.Sprintf("not 3 modulo 4, as %s needs", public.variant), hintDamaged}
		}
	}
	var x, y big.Int
	if x.Mul(p, q).Cmp(public.n) != 0 {
		return &KeyError{ErrKeyModulus, "n", "N is not the product of p and q", hintDamaged}
	}
	// FIPS 186-5, A.1.3: far enough apart for Fermat's factoring method.
	if x.Sub(p, q).BitLen() <= half-100 {
		return &KeyError{ErrKeyPrime, "q", "p and q are too close to each other", hintDamaged}
	}
	x.Sub(p, one)
	y.Sub(q, one)
	if public.variant != Textbook && new(big.Int).GCD(nil, nil, &x, &y).Cmp(two) != 0 {
		return &KeyError{ErrKeyPrime, "q", "p-1 and q-1 share a factor beside 2", hintDamaged}
	}
	if x.GCD(nil, nil, x.Mul(&x, &y), public.n).Cmp(one) != 0 {
		return &KeyError{ErrKeyModulus, "n", "N shares a factor with (p-1)(q-1)", hintDamaged}
	}
	return nil
}

// checkShortPrimes checks pa, qa and the order of h, which must be 2·pa modulo p and 2·qa modulo q.
func checkShortPrimes(public *PublicKey, p, q, pa, qa *big.Int) error {
	alpha := new(big.Int).Mul(pa, qa)
	if pa.Cmp(qa) == 0 || alpha.BitLen() != public.rbits {
		return &KeyError{ErrKeyPrime, "pa", fmt.Sprintf("pa·qa has %d bits or is a square; the exponents have %d", alpha.BitLen(), public.rbits), hintDamaged}
	}
	beta := new(big.Int).Set(one)
	for _, f := range []struct {
		name  string
		p, pa *big.Int
	}{{"pa", p, pa}, {"qa", q, qa}} {
		if f.pa.BitLen() != public.rbits/2 {
			return &KeyError{ErrKeyPrime, f.name, fmt.Sprintf("%d bits, not half of the exponents' %d", f.pa.BitLen(), public.rbits), hintDamaged}
		}
		if !isPrime(f.pa) {
			return &KeyError{ErrKeyPrime, f.name, "not a prime", hintDamaged}
		}
		cofactor, rest := new(big.Int).DivMod(new(big.Int).Sub(f.p, one), new(big.Int).Lsh(f.pa, 1), new(big.Int))
		if rest.Sign() != 0 {
			return &KeyError{ErrKeyPrime, f.name, "does not divide its prime less one", hintDamaged}
		}
		beta.Mul(beta, cofactor)
		if !hasOrderTwice(public.h, f.pa, f.p) {
			return &KeyError{ErrKeyBase, "h", fmt.Sprintf("the order of h modulo one prime is not 2·%s", f.name), hintDamaged}
		}
	}
	if new(big.Int).GCD(nil, nil, alpha, beta).Cmp(one) != 0 {
		return &KeyError{ErrKeyPrime, "pa", "pa·qa shares a factor with (p-1)(q-1)/(4·pa·qa)", hintDamaged}
	}
	return nil
}

// hasOrderTwice says whether h has order 2·pa modulo p, pa being an odd prime: h^pa = -1 and h is not -1 itself.
func hasOrderTwice(h, pa, p *big.Int) bool {
	minusOne := new(big.Int).Sub(p, one)
	x := new(big.Int).Mod(h, p)
	return x.Cmp(minusOne) != 0 && x.Exp(x, pa, p).Cmp(minusOne) == 0
}

// Public returns the public key.
func (sk *SecretKey) Public() *PublicKey { return sk.public }

func (sk *SecretKey) isKey() {}
