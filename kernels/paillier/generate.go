package paillier

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
)

// GenerateKey makes a key with a modulus of the given number of bits: 2048, 3072 or 4096, which give about 112, 128 and
// 150 bits of security. With insecureTestKey it also makes shorter keys, any multiple of 128 bits from 512, which are
// marked wherever they go. random is the source of the primes and of h; nil means crypto/rand. The work takes a second
// or so at 3072 bits; ctx ends it early with ctx.Err(). Not constant time.
//
// The primes have their two top bits set and pass 20 rounds of Miller-Rabin and a Baillie-PSW test. Those of DJN and
// MHL keys are 3 modulo 4 with gcd(p-1, q-1) = 2; see the package comment for h.
func GenerateKey(ctx context.Context, random io.Reader, variant Variant, bits int, insecureTestKey bool) (*SecretKey, error) {
	if _, err := ParseVariant(string(variant)); err != nil {
		return nil, err
	}
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	if bits >= bitsSecure && bits%1024 != 0 {
		return nil, &KeyError{ErrKeySize, "bits", fmt.Sprintf("%d bits are not a size for new keys", bits), "use 2048, 3072 or 4096"}
	}
	if err := checkTest(bits, insecureTestKey); err != nil {
		return nil, err
	}
	if random == nil {
		random = rand.Reader
	}
	for {
		sk, err := generate(ctx, random, variant, bits)
		if err != nil || sk != nil {
			return sk, err
		}
	}
}

// generate makes one attempt; it returns nil when the primes do not suit each other.
func generate(ctx context.Context, random io.Reader, variant Variant, bits int) (*SecretKey, error) {
	rbits := randomBits(variant, bits)
	var p, pa [2]*big.Int
	for i := range p {
		divisor, err := one, error(nil)
		if variant == MHL {
			if pa[i], err = randomPrime(ctx, random, rbits/2, one, false); err != nil {
				return nil, fmt.Errorf("paillier: generating a short prime: %w", err)
			}
			divisor = pa[i]
		}
		if p[i], err = randomPrime(ctx, random, bits/2, divisor, variant != Textbook); err != nil {
			return nil, fmt.Errorf("paillier: generating a prime: %w", err)
		}
	}
	// The one check of checkFactors and checkShortPrimes that fails by bad luck, and often (about one pair in five).
	if variant != Textbook {
		x, y := new(big.Int).Sub(p[0], one), new(big.Int).Sub(p[1], one)
		if x.GCD(nil, nil, x, y).Cmp(two) != 0 {
			return nil, nil
		}
	}
	n := new(big.Int).Mul(p[0], p[1])
	var h *big.Int
	if variant != Textbook {
		y, err := randomBelow(random, n)
		if err != nil {
			return nil, fmt.Errorf("paillier: generating h: %w", err)
		}
		h = baseOf(variant, p, pa, n, y)
	}
	public, err := newPublicKey(variant, bits, n, h, rbits)
	if err != nil {
		return nil, fmt.Errorf("paillier: new key does not pass its own checks: %w", err)
	}
	sk, err := newSecretKey(public, p[0], p[1], pa[0], pa[1])
	if err != nil {
		return nil, fmt.Errorf("paillier: new key does not pass its own checks: %w", err)
	}
	return sk, nil
}

// baseOf returns h = -y² mod N for DJN and h = -y^(2β) mod N, β = (p-1)(q-1)/(4·pa·qa), for MHL.
func baseOf(variant Variant, p, pa [2]*big.Int, n, y *big.Int) *big.Int {
	e := new(big.Int).Set(two)
	if variant == MHL {
		for i := range p {
			twice := new(big.Int).Lsh(pa[i], 1)
			e.Mul(e, twice.Div(new(big.Int).Sub(p[i], one), twice))
		}
	}
	h := new(big.Int).Exp(y, e, n)
	return h.Sub(n, h)
}
