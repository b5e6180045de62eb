package papers

import (
	"context"
	"fmt"
	"math/big"
)

// Table3 is the paper's Table 3 with a real key, and what is wrong with the printed one.
type Table3 struct {
	Bits    int     `json:"bits"`
	Entries []Entry `json:"entries"`
	Printed []Check `json:"printed"` // what the printed numbers should satisfy
	Ours    []Check `json:"ours"`    // the same of ours
}

// Entry is one number of Table 3.
type Entry struct {
	Parameter string `json:"parameter"`
	Value     string `json:"value"` // decimal
}

// table3Fused are the plaintexts that ciphertexts 1 and 2 hold.
var table3Fused = [2]int64{4, 9}

// table3 fills the table from a textbook key that this program made. The key is used for nothing else.
func (w *workshop) table3(ctx context.Context) (Table3, error) {
	p, q, err := w.primes(textbookKeys)
	if err != nil {
		return Table3{}, err
	}
	if err := ctx.Err(); err != nil {
		return Table3{}, err
	}
	k := newTextbook(p, q)
	encrypted := k.encrypt(printedFeature)
	c1, c2 := k.encrypt(table3Fused[0]), k.encrypt(table3Fused[1])
	fused := k.fuse(c1, c2)
	t := Table3{Bits: k.n.BitLen(), Printed: checkPrintedKey()}
	for _, e := range []struct {
		name  string
		value *big.Int
	}{
		{"public key N", k.n}, {"public key gen", k.gen}, {"private key λ", k.lambda}, {"private key μ", k.mu},
		{"feature", big.NewInt(printedFeature)}, {"encrypted feature", encrypted}, {"decrypted feature", k.decrypt(encrypted)},
		{fmt.Sprintf("ciphertext 1 (of %d)", table3Fused[0]), c1}, {fmt.Sprintf("ciphertext 2 (of %d)", table3Fused[1]), c2},
		{"fused ciphertext, c₁·c₂ mod N²", fused}, {"decrypted sum", k.decrypt(fused)},
	} {
		t.Entries = append(t.Entries, Entry{e.name, e.value.String()})
	}
	t.Ours = k.checks(p, q, encrypted, c1, c2, fused)
	return t, nil
}

// checks are the statements of checkPrintedKey, of a real key.
func (k textbook) checks(p, q, encrypted, c1, c2, fused *big.Int) []Check {
	units := gcd(encrypted, k.n).Cmp(one) == 0 && gcd(c1, k.n).Cmp(one) == 0 && gcd(c2, k.n).Cmp(one) == 0
	rest := new(big.Int).Mod(minusOne(new(big.Int).Exp(k.gen, k.lambda, k.n2)), k.n)
	product := new(big.Int).Mul(k.mu, k.part(k.gen))
	product.Mod(product, k.n)
	added := k.decrypt(new(big.Int).Add(c1, c2))
	return []Check{
		{"N is odd, and gen, μ and ciphertexts are units modulo N", fmt.Sprintf("N has %d bits and is %s; gcd(gen, N) = %s, gcd(μ, N) = %s", k.n.BitLen(), parity(k.n), gcd(k.gen, k.n), gcd(k.mu, k.n)),
			k.n.Bit(0) == 1 && units && gcd(k.gen, k.n).Cmp(one) == 0 && gcd(k.mu, k.n).Cmp(one) == 0},
		{"the factors of N are prime", fmt.Sprintf("two of %d and %d bits, both %s", p.BitLen(), q.BitLen(), primality(p)), p.ProbablyPrime(20) && q.ProbablyPrime(20)},
		{"gen^λ mod N² is 1 modulo N, and μ·L(gen^λ mod N²) = 1", fmt.Sprintf("remainder %s, product %s", rest, product), rest.Sign() == 0 && product.Cmp(one) == 0},
		{"the encrypted feature decrypts to 10", "it gives " + k.decrypt(encrypted).String(), k.decrypt(encrypted).Cmp(big.NewInt(printedFeature)) == 0},
		{fmt.Sprintf("the fused ciphertext decrypts to %d", table3Fused[0]+table3Fused[1]), fmt.Sprintf("it gives %s; adding the ciphertexts as integers, as printed, would give %s", k.decrypt(fused), abbreviate(added)),
			k.decrypt(fused).Cmp(big.NewInt(table3Fused[0]+table3Fused[1])) == 0},
	}
}
