package paper2

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"time"
)

// Attack is a published protocol broken in this run.
type Attack struct {
	Name    string  `json:"name"`
	Knows   string  `json:"knows"` // what the attacker has
	Bits    int     `json:"bits"`  // of N; 0 where there is no key
	Tried   int     `json:"tried"` // secrets
	Found   int     `json:"found"` // of them, exactly
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

// attackAlgorithm4 opens what is on the wire from public values alone: N, g and the public keys. It compares with the
// secrets afterwards.
func attackAlgorithm4(b *broken, seen pair, r *readings) (Attack, error) {
	start := time.Now()
	one := big.NewInt(1)
	n, g, pks := b.n, b.g, b.pks // public
	t := new(big.Int).Sub(g, one)
	t.Div(t, n)
	p := new(big.Int).GCD(nil, nil, t, n) // g = 1+tN, and p divides t
	if p.Cmp(one) == 0 || p.Cmp(n) == 0 {
		return Attack{}, fmt.Errorf("the attack on algorithm 4 finds no factor")
	}
	q := new(big.Int).Div(n, p)
	inverse := new(big.Int).ModInverse(new(big.Int).Div(t, p), q)
	sum := new(big.Int)
	var keys []*big.Int
	for _, pk := range pks {
		sk := new(big.Int).Sub(pk, one)
		sk.Div(sk, n).Div(sk, p).Mul(sk, inverse).Mod(sk, q)
		keys = append(keys, sk)
		sum.Add(sum, sk)
	}
	size := b.size
	values := make([]*big.Int, len(seen.a)/size)
	half := new(big.Int).Rsh(q, 1)
	for i := range values {
		a, c := new(big.Int).SetBytes(seen.a[i*size:(i+1)*size]), new(big.Int).SetBytes(seen.b[i*size:(i+1)*size])
		a.Sub(a, one).Div(a, n).Mul(a, sum)
		c.Sub(c, one).Div(c, n).Sub(c, a).Mod(c, n)
		c.Div(c, p).Mod(c, q)
		if c.Cmp(half) > 0 {
			c.Sub(c, q)
		}
		values[i] = c
	}
	out := Attack{
		Name: "Algorithm 4, from public values", Knows: "N, g, the public keys, and what the servers send each other", Bits: n.BitLen(),
		Seconds: time.Since(start).Seconds(),
	}
	for i, sk := range keys {
		out.Tried++
		if sk.Cmp(b.sk[i]) == 0 {
			out.Found++
		}
	}
	secretKeys := out.Found
	for i, v := range values {
		out.Tried++
		if v.Cmp(big.NewInt(r.x[i])) == 0 {
			out.Found++
		}
	}
	out.Detail = fmt.Sprintf("N is factored by one gcd; %d of %d secret keys and %d of %d readings are recovered", secretKeys, len(keys), out.Found-secretKeys, len(values))
	return out, nil
}

// attackAlgorithm3 is the user, who has the key, with one server, who sees the encryption of every reading.
func attackAlgorithm3(l *literal, seen []byte, r *readings) (Attack, error) {
	start := time.Now()
	limbs := l.sk.Public().PlaintextLimbs()
	m := make([]uint64, len(seen)/l.size*limbs)
	if err := l.decryptor.Decrypt(m, seen); err != nil {
		return Attack{}, err
	}
	out := Attack{
		Name: "Algorithm 3, the user with one server", Knows: "the user's key, and what any server is sent", Bits: l.sk.Public().Bits(),
		Tried: len(r.x), Seconds: time.Since(start).Seconds(),
	}
	for i, x := range r.x {
		if centred(m[i*limbs:(i+1)*limbs], l.sk.Public().N()).Cmp(big.NewInt(x)) == 0 {
			out.Found++
		}
	}
	out.Detail = fmt.Sprintf("%d of %d readings are opened; the paper wants the user to learn the sum only", out.Found, out.Tried)
	return out, nil
}

// attackShares is what two servers see of a reading that stays the same: α+γ = ρ-β, with β of 32 bits and a sign. Each
// sending narrows what ρ can be. It returns one attack for each number of sendings, the last of which has the most.
func attackShares(sendings []int) []Attack {
	const secret = 367 // a temperature in tenths of a degree
	const bound = 1<<32 - 1
	var out []Attack
	r := rand.New(rand.NewPCG(9, 2015))
	low, high := int64(-1<<62), int64(1<<62)
	start, sent := time.Now(), 0
	for _, n := range sendings {
		for ; sent < n; sent++ {
			seen := secret - printedShare(r)
			low, high = max(low, seen-bound), min(high, seen+bound)
		}
		a := Attack{Name: fmt.Sprintf("Shares without a modulus, %d sendings", n), Knows: "the shares of servers 1 and 3 of a reading that is sent again and again", Tried: 1, Seconds: time.Since(start).Seconds()}
		if low == high {
			a.Found = 1
		}
		a.Detail = fmt.Sprintf("the reading is one of %d consecutive numbers; shares modulo 2^64 leave all of them, however often it is sent", high-low+1)
		if secret < low || secret > high {
			a.Detail = "the interval misses the reading"
		}
		out = append(out, a)
	}
	return out
}
