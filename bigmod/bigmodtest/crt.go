package bigmodtest

import (
	"errors"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// testCRT combines residues modulo pairs of moduli of equal and of different lengths, whose products may or may not need
// the top word.
func testCRT(t *testing.T, impl bigmod.Implementation) {
	for _, length := range [][2]int{
		{2, 3}, {3, 64}, {64, 3}, {64, 64}, {65, 63}, {128, 65}, {65, 128}, {512, 512}, {1000, 1024}, {1024, 1024}, {2048, 2048},
		{2049, 2000}, {3072, 1536}, {1536, 3072}, {4096, 4096},
	} {
		r := newRand(length[0]*10000 + length[1])
		p, q := randomModulus(r, length[0]), randomModulus(r, length[1])
		for new(big.Int).GCD(nil, nil, p, q).Cmp(big.NewInt(1)) != 0 {
			p, q = randomModulus(r, length[0]), randomModulus(r, length[1])
		}
		checkCRT(t, newSetup(t, impl, p), newSetup(t, impl, q))
	}
	// the longest and the shortest product of two lengths
	near := func(k int, d int64) *setup { return newSetup(t, impl, new(big.Int).Add(pow2(k), big.NewInt(d))) }
	checkCRT(t, near(256, -1), near(255, -19))
	checkCRT(t, near(255, 1), near(256, 1))

	s := func(m int64) bigmod.Ring { return newSetup(t, impl, big.NewInt(m)).ring }
	if _, err := bigmod.NewCRT(s(15), s(21)); !errors.Is(err, bigmod.ErrNotCoprime) {
		t.Errorf("NewCRT(15, 21): %v", err)
	}
	if _, err := bigmod.NewCRT(s(15), s(15)); !errors.Is(err, bigmod.ErrNotCoprime) {
		t.Errorf("NewCRT(15, 15): %v", err)
	}
	long := newSetup(t, impl, new(big.Int).Add(pow2(200), big.NewInt(3))).ring
	if _, err := bigmod.NewCRT(long, s(7)); err == nil {
		t.Error("NewCRT of 201 and 3 bits: no error")
	}
}

func checkCRT(t *testing.T, p, q *setup) {
	t.Helper()
	c, err := bigmod.NewCRT(p.ring, q.ring)
	if err != nil {
		t.Fatalf("NewCRT of %s and %s: %v", short(p.m), short(q.m), err)
	}
	pq := mul(p.m, q.m)
	if want := (pq.BitLen() + 63) / 64; c.Limbs() != want {
		t.Fatalf("CRT of %s and %s has values of %d words, want %d", short(p.m), short(q.m), c.Limbs(), want)
	}
	var xs []*big.Int
	for _, i := range []int64{0, 1, 2} {
		xs = append(xs, new(big.Int).Mod(big.NewInt(i), pq), new(big.Int).Mod(big.NewInt(-i), pq))
	}
	for _, m := range []*big.Int{p.m, q.m} { // 0 on one side, and -1
		for _, k := range []*big.Int{m, new(big.Int).Neg(m), new(big.Int).Sub(m, big.NewInt(1))} {
			xs = append(xs, new(big.Int).Mod(k, pq))
		}
	}
	for range 140 { // more than one batch
		xs = append(xs, new(big.Int).Mod(randomBits(p.rand, pq.BitLen()+64), pq))
	}
	xp, xq := make([]*big.Int, len(xs)), make([]*big.Int, len(xs))
	for i, x := range xs {
		xp[i], xq[i] = new(big.Int).Mod(x, p.m), new(big.Int).Mod(x, q.m)
	}
	pl, ql := p.ring.Modulus().Limbs(), q.ring.Modulus().Limbs()
	wp, wq, want := words(xp, pl), words(xq, ql), words(xs, c.Limbs())
	for _, n := range append([]int{len(xs), 64, 65, 128}, batches...) {
		z := make([]uint64, n*c.Limbs())
		c.Combine(z, n, wp[:n*pl], wq[:n*ql])
		for i := range z {
			if z[i] != want[i] {
				t.Fatalf("CRT of %s and %s: value %d of %d is wrong", short(p.m), short(q.m), i/c.Limbs(), n)
			}
		}
	}
}
