package papers

import (
	"crypto/rand"
	"fmt"
	"math/big"
)

// These are the paper's equations as printed. Nothing here protects or even computes anything; it is run to show that.

// insecureLiteralKey is a key as Table 3 has one: L and M random integers of 128 and 126 bits, not primes.
type insecureLiteralKey struct{ n, gen, lambda, mu *big.Int }

func newInsecureLiteralKey() insecureLiteralKey {
	l, m := randomBits(128), randomBits(126)
	k := insecureLiteralKey{n: new(big.Int).Mul(l, m), lambda: lcm(minusOne(l), minusOne(m))}
	k.gen = below(k.n)
	// (v) μ = (gen mod N²)^-1 mod N, where it exists
	k.mu = new(big.Int).ModInverse(k.gen, k.n)
	return k
}

// insecureLiteralEncrypt is equation (vi): CYP = gen·randm mod N. The feature does not occur in it.
func (k insecureLiteralKey) insecureLiteralEncrypt(_ int64) *big.Int {
	c := new(big.Int).Mul(k.gen, below(k.n))
	return c.Mod(c, k.n)
}

// insecureLiteralFuse is equation (vii): the sum of the ciphertexts.
func insecureLiteralFuse(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }

// insecureLiteralDecrypt is equation (viii): L(CYP·λ mod N²)·μ mod N, with L(v) = v^-1 mod N as the text defines it.
func (k insecureLiteralKey) insecureLiteralDecrypt(c *big.Int) (*big.Int, bool) {
	v := new(big.Int).Mul(c, k.lambda)
	v.Mod(v, new(big.Int).Mul(k.n, k.n))
	inverse := new(big.Int).ModInverse(v, k.n)
	if inverse == nil || k.mu == nil {
		return nil, false
	}
	return inverse.Mul(inverse, k.mu).Mod(inverse, k.n), true
}

// runLiteral fuses the rows of Table 1 as printed, under keys as printed, and counts right results.
func runLiteral(tries int) Check {
	right, undefined, total := 0, 0, 0
	for range tries {
		k := newInsecureLiteralKey()
		for _, row := range printedTable1 {
			total++
			fused := insecureLiteralFuse(k.insecureLiteralEncrypt(row.Source1), k.insecureLiteralEncrypt(row.Source2))
			got, ok := k.insecureLiteralDecrypt(fused)
			switch {
			case !ok:
				undefined++
			case got.Cmp(big.NewInt(row.Paillier)) == 0:
				right++
			}
		}
	}
	return Check{
		Claim: "equations (v) to (viii) as printed, with keys made as those of Table 3 were, give the sums of Table 1",
		Found: fmt.Sprintf("of %d sums under %d such keys %d are right; for %d an inverse that the equations need does not exist", total, tries, right, undefined),
		Holds: right == total,
	}
}

// textbook is Paillier's scheme as it should have been printed, in math/big, one ciphertext for each value: c =
// gen^f·r^N mod N², fused c₁·c₂ mod N², f = L(c^λ mod N²)·μ mod N with L(v) = (v-1)/N. Variable time. With the paper's
// 253 bits it is insecure, with 3072 it is only slow.
type textbook struct{ n, n2, gen, lambda, mu *big.Int }

// newTextbook makes the keys from two primes, with a random generator as the paper has it.
func newTextbook(p, q *big.Int) textbook {
	t := textbook{n: new(big.Int).Mul(p, q), lambda: lcm(minusOne(p), minusOne(q))}
	t.n2 = new(big.Int).Mul(t.n, t.n)
	for t.mu == nil {
		t.gen = below(t.n2)
		if gcd(t.gen, t.n).Cmp(one) == 0 {
			t.mu = new(big.Int).ModInverse(t.part(t.gen), t.n)
		}
	}
	return t
}

// generateTextbook makes a key of so many bits. Fewer than 2048 are insecure.
func generateTextbook(bits int) (textbook, error) {
	for {
		p, err := rand.Prime(rand.Reader, (bits+1)/2)
		if err != nil {
			return textbook{}, err
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			return textbook{}, err
		}
		if n := new(big.Int).Mul(p, q); n.BitLen() == bits && gcd(n, new(big.Int).Mul(minusOne(p), minusOne(q))).Cmp(one) == 0 {
			return newTextbook(p, q), nil
		}
	}
}

// part is L(x^λ mod N²).
func (t textbook) part(x *big.Int) *big.Int {
	u := new(big.Int).Exp(x, t.lambda, t.n2)
	return u.Quo(minusOne(u), t.n)
}

func (t textbook) encrypt(feature int64) *big.Int {
	r := below(t.n)
	for gcd(r, t.n).Cmp(one) != 0 {
		r = below(t.n)
	}
	c := new(big.Int).Exp(t.gen, big.NewInt(feature), t.n2)
	c.Mul(c, r.Exp(r, t.n, t.n2))
	return c.Mod(c, t.n2)
}

func (t textbook) fuse(a, b *big.Int) *big.Int {
	c := new(big.Int).Mul(a, b)
	return c.Mod(c, t.n2)
}

func (t textbook) decrypt(c *big.Int) *big.Int {
	m := t.part(c)
	m.Mul(m, t.mu)
	return m.Mod(m, t.n)
}

// below returns a uniform integer 0 < x < n.
func below(n *big.Int) *big.Int {
	for {
		x, err := rand.Int(rand.Reader, n)
		if err != nil {
			panic(fmt.Sprintf("papers: no randomness: %v", err)) // crypto/rand never fails
		}
		if x.Sign() > 0 {
			return x
		}
	}
}

// randomBits returns a random integer of exactly n bits.
func randomBits(n int) *big.Int {
	x := below(new(big.Int).Lsh(one, uint(n-1)))
	return x.SetBit(x, n-1, 1)
}
