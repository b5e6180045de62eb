package papers

import (
	"fmt"
	"math/big"
)

// A Check is a statement about printed numbers that must hold if they are right, and what is the case.
type Check struct {
	Claim string `json:"claim"` // what must hold
	Found string `json:"found"`
	Holds bool   `json:"holds"`
}

// checkPrintedKey examines Table 3 from its printed numbers alone.
func checkPrintedKey() []Check {
	n, gen, lambda, mu := printedN, printedGenerator, printedLambda, printedMu
	n2 := new(big.Int).Mul(n, n)
	var checks []Check
	add := func(holds bool, claim, format string, args ...any) {
		checks = append(checks, Check{claim, fmt.Sprintf(format, args...), holds})
	}
	add(n.Bit(0) == 1, "N is the product of two large primes, hence odd", "N has %d bits and is %s; the generator is %s and μ is %s",
		n.BitLen(), parity(n), parity(gen), parity(mu))
	add(gcd(gen, n).Cmp(one) == 0, "the generator is a unit: gcd(gen, N) = 1", "gcd(gen, N) = %s", gcd(gen, n))
	add(gcd(mu, n).Cmp(one) == 0, "μ is an inverse modulo N: gcd(μ, N) = 1", "gcd(μ, N) = %s", gcd(mu, n))
	l, m, k := factorByLambda(n, lambda)
	if l != nil {
		add(l.ProbablyPrime(20) && m.ProbablyPrime(20), "L and M, the factors of N, are prime",
			"%d·λ = (L-1)·(M-1) gives them: L = %s is %s, M = %s is %s; that these are the authors' is confirmed by lcm(L-1, M-1), which is the printed λ (%t)",
			k, l, primality(l), m, primality(m), lcm(minusOne(l), minusOne(m)).Cmp(lambda) == 0)
	}
	u := new(big.Int).Exp(gen, lambda, n2)
	rest := new(big.Int).Mod(minusOne(u), n)
	add(rest.Sign() == 0, "gen^λ mod N² is 1 modulo N, so that L(gen^λ) = (gen^λ - 1)/N is an integer", "(gen^λ - 1) mod N = %s", abbreviate(rest))
	x := new(big.Int).Mul(mu, new(big.Int).Quo(minusOne(u), n))
	x.Mod(x, n)
	add(x.Cmp(one) == 0, "μ·L(gen^λ mod N²) = 1 modulo N, rounding the division down", "it is %s", abbreviate(x))
	add(gcd(printedEncrypted, n).Cmp(one) == 0, "a ciphertext is a unit: gcd(c, N) = 1", "gcd is %s for the encrypted feature, %s for ciphertext 1, %s for ciphertext 2",
		gcd(printedEncrypted, n), gcd(printedC1, n), gcd(printedC2, n))
	d := decryptAs(printedEncrypted, n, lambda, mu)
	add(d.Cmp(big.NewInt(printedFeature)) == 0, "the encrypted feature decrypts to 10", "by equation (viii) it gives %s; the table itself prints %s as the decrypted feature",
		abbreviate(d), abbreviate(printedDecrypted))
	product := new(big.Int).Mul(printedC1, printedC2)
	product.Mod(product, n2)
	add(printedFused.Cmp(product) == 0, "the fused ciphertext is the product c₁·c₂ mod N², which decrypts to the sum",
		"it is c₁ + c₂ as integers (%t), equation (vii) taken literally: adding ciphertexts adds nothing that is inside", printedFused.Cmp(new(big.Int).Add(printedC1, printedC2)) == 0)
	return append(checks, openPrinted(product)...)
}

// primesOfPrintedN are the odd prime factors of the printed N; the rest of it is 4.
var primesOfPrintedN = func() []*big.Int {
	var out []*big.Int
	for _, p := range []string{"11", "79", "157", "2017", "2287", "4919", "403369", "2568403", "1696651945433847991649", "546451028670552826524647393"} {
		out = append(out, integer(p))
	}
	return out
}()

// openPrinted reads the printed ciphertexts without the private key. For an odd prime l that divides N, c^(l-1) mod l²
// equals gen^(m·(l-1)). The power N of the random number vanishes, as N is a multiple of l. So m mod l is a quotient
// of two numbers that anybody can compute.
func openPrinted(product *big.Int) []Check {
	all := big.NewInt(4)
	for _, p := range primesOfPrintedN {
		all.Mul(all, p)
	}
	complete := all.Cmp(printedN) == 0
	for _, p := range primesOfPrintedN {
		complete = complete && p.ProbablyPrime(20)
	}
	open := func(c *big.Int) (residues []*big.Int) {
		for _, p := range primesOfPrintedN {
			residues = append(residues, openModulo(c, p))
		}
		return residues
	}
	adds := func(fused *big.Int) bool {
		a, b, f := open(printedC1), open(printedC2), open(fused)
		for i, p := range primesOfPrintedN {
			sum := new(big.Int).Add(a[i], b[i])
			if sum.Sub(sum, f[i]).Mod(sum, p).Sign() != 0 {
				return false
			}
		}
		return true
	}
	m := remainderTheorem(open(printedEncrypted))
	return []Check{
		{"the plaintexts cannot be read from what is printed", fmt.Sprintf("N factors completely, into 4·11·79·157·2017·2287·4919·… (%t): every printed ciphertext opens modulo N/4 without the private key", complete), !complete},
		{"so opened, the encrypted feature is 10", fmt.Sprintf("its plaintext modulo N/4 is %s", abbreviate(m)), m.Cmp(big.NewInt(printedFeature)) == 0},
		{"so opened, the plaintexts of c₁ and c₂ add up to that of the printed fused ciphertext", fmt.Sprintf("they do not; they do add up to that of c₁·c₂ mod N² (%t)", adds(product)), adds(printedFused)},
	}
}

// openModulo returns the plaintext of c modulo an odd prime p that divides the printed N.
func openModulo(c, p *big.Int) *big.Int {
	p2 := new(big.Int).Mul(p, p)
	part := func(x *big.Int) *big.Int {
		u := new(big.Int).Exp(x, minusOne(p), p2)
		return u.Quo(minusOne(u), p)
	}
	m := part(c)
	m.Mul(m, new(big.Int).ModInverse(part(printedGenerator), p))
	return m.Mod(m, p)
}

// remainderTheorem returns the number below N/4 with the given residues, by the Chinese remainder theorem.
func remainderTheorem(residues []*big.Int) *big.Int {
	x, m := new(big.Int), big.NewInt(1)
	for i, p := range primesOfPrintedN {
		t := new(big.Int).Sub(residues[i], x)
		t.Mul(t, new(big.Int).ModInverse(m, p)).Mod(t, p)
		x.Add(x, t.Mul(t, m))
		m.Mul(m, p)
	}
	return x
}

// factorByLambda factors N = L·M when k·λ = (L-1)·(M-1) for a small k: then L+M = N+1-k·λ, and L and M are the roots of a
// quadratic equation.
func factorByLambda(n, lambda *big.Int) (l, m *big.Int, k int64) {
	for k = 1; k < 400; k++ {
		s := new(big.Int).Add(n, one)
		s.Sub(s, new(big.Int).Mul(big.NewInt(k), lambda))
		if s.Sign() <= 0 {
			break
		}
		d := new(big.Int).Mul(s, s)
		d.Sub(d, new(big.Int).Lsh(n, 2))
		if d.Sign() < 0 {
			continue
		}
		l = new(big.Int).Add(s, new(big.Int).Sqrt(d))
		l.Rsh(l, 1)
		if l.Sign() > 0 && new(big.Int).Mod(n, l).Sign() == 0 {
			return l, new(big.Int).Quo(n, l), k
		}
	}
	return nil, nil, 0
}

// decryptAs is equation (viii) with L(v) = floor((v-1)/N).
func decryptAs(c, n, lambda, mu *big.Int) *big.Int {
	u := new(big.Int).Exp(c, lambda, new(big.Int).Mul(n, n))
	u.Quo(minusOne(u), n).Mul(u, mu)
	return u.Mod(u, n)
}

var one = big.NewInt(1)

func minusOne(x *big.Int) *big.Int { return new(big.Int).Sub(x, one) }

func gcd(x, y *big.Int) *big.Int { return new(big.Int).GCD(nil, nil, x, y) }

func lcm(x, y *big.Int) *big.Int {
	z := new(big.Int).Mul(x, y)
	return z.Quo(z, gcd(x, y))
}

func parity(x *big.Int) string {
	if x.Bit(0) == 0 {
		return "even"
	}
	return "odd"
}

func primality(x *big.Int) string {
	if x.ProbablyPrime(20) {
		return "prime"
	}
	return "composite"
}

// abbreviate shortens a number of more than 40 digits and says how many it has.
func abbreviate(x *big.Int) string {
	s := x.String()
	if short := shortened(s); short != s {
		return fmt.Sprintf("%s (%d digits)", short, len(s))
	}
	return s
}

// shortened leaves out the middle of a number of more than 40 digits.
func shortened(digits string) string {
	if len(digits) <= 40 {
		return digits
	}
	return digits[:16] + "…" + digits[len(digits)-16:]
}
