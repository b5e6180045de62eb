package paillier

import (
	"context"
	"io"
	"math/big"
	"sync"
)

// primalityRounds is the number of Miller-Rabin rounds; math/big adds a Baillie-PSW test.
const primalityRounds = 20

// sieveLimit bounds the primes that candidates are divided by before the costly tests.
const sieveLimit = 1 << 15

// sieveLength is the number of consecutive candidates searched from one random starting point. Short against the
// number of starting points, so that primes after long gaps are favoured only slightly (Brandt and Damgard, On
// generation of probable primes by incremental search, CRYPTO '92).
const sieveLength = 1 << 13

// smallPrimes lists the odd primes below sieveLimit.
var smallPrimes = sync.OnceValue(func() []uint64 {
	composite := make([]bool, sieveLimit)
	var primes []uint64
	for i := uint64(3); i < sieveLimit; i += 2 {
		if composite[i] {
			continue
		}
		primes = append(primes, i)
		for j := i * i; j < sieveLimit; j += i {
			composite[j] = true
		}
	}
	return primes
})

func isPrime(x *big.Int) bool { return x.ProbablyPrime(primalityRounds) }

// randomInt returns a uniform integer of at most the given number of bits.
func randomInt(random io.Reader, bits int) (*big.Int, error) {
	buf := make([]byte, (bits+7)/8)
	if _, err := io.ReadFull(random, buf); err != nil {
		return nil, err
	}
	if bits%8 != 0 {
		buf[0] &= 1<<(bits%8) - 1
	}
	return new(big.Int).SetBytes(buf), nil
}

// randomBelow returns a uniform integer x, 0 < x < limit.
func randomBelow(random io.Reader, limit *big.Int) (*big.Int, error) {
	for {
		x, err := randomInt(random, limit.BitLen())
		if err != nil {
			return nil, err
		}
		if x.Sign() > 0 && x.Cmp(limit) < 0 {
			return x, nil
		}
	}
}

// randomPrime returns a prime of exactly the given length with its two top bits set, so that the product of two has
// exactly twice the length. It is 1 modulo divisor and 3 modulo 4 when blum is set; divisor is odd.
func randomPrime(ctx context.Context, random io.Reader, bits int, divisor *big.Int, blum bool) (*big.Int, error) {
	// Candidates are start + i·step; step is even, a multiple of the divisor, and of 4 for Blum primes.
	step := new(big.Int).Lsh(divisor, 1)
	if blum {
		step.Lsh(divisor, 2)
	}
	for {
		start, err := randomInt(random, bits)
		if err != nil {
			return nil, err
		}
		start.SetBit(start, bits-1, 1).SetBit(start, bits-2, 1)
		// Move start down to the residue 1 modulo 2·divisor; then up to 3 modulo 4, as 2·divisor is 2 modulo 4.
		twice := new(big.Int).Lsh(divisor, 1)
		start.Sub(start, new(big.Int).Mod(start, twice)).Add(start, big.NewInt(1))
		if blum && start.Bit(1) == 0 {
			start.Add(start, twice)
		}
		p, err := firstPrime(ctx, start, step)
		if err != nil {
			return nil, err
		}
		if p != nil && p.BitLen() == bits && p.Bit(bits-2) == 1 {
			return p, nil
		}
	}
}

// firstPrime returns the first prime among start + i·step, 0 <= i < sieveLength, or nil.
func firstPrime(ctx context.Context, start, step *big.Int) (*big.Int, error) {
	composite := make([]bool, sieveLength)
	var m, r big.Int
	for _, s := range smallPrimes() {
		m.SetUint64(s)
		a := r.Mod(start, &m).Uint64()
		if r.Mod(step, &m).Sign() == 0 {
			continue // s is the divisor, modulo which every candidate is 1
		}
		i := (s - a) % s * r.ModInverse(&r, &m).Uint64() % s // the first with a + i·step = 0 modulo s
		for ; i < sieveLength; i += s {
			composite[i] = true
		}
	}
	for i, c := range composite {
		if c {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := new(big.Int).Mul(step, big.NewInt(int64(i)))
		if p.Add(p, start); isPrime(p) {
			return p, nil
		}
	}
	return nil, nil
}
