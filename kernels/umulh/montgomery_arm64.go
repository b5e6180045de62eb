//go:build !purego

package umulh

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

func supported() (bool, string) { return true, what }

// montgomery is the bigmod.Montgomery of the assembly.
type montgomery struct {
	bigmod.Montgomery // the portable one: Select
	m                 []uint64
	inv               uint64
}

func newMontgomery(m []uint64, inv uint64) bigmod.Montgomery {
	return &montgomery{bigmod.Portable(m, inv), m, inv}
}

func (a *montgomery) Product(t, x, y, _ []uint64) {
	n := len(a.m)
	t, x, y = t[:2*n], x[:n], y[:n]
	raceRead(x)
	raceRead(y)
	raceWrite(t)
	clear(t[:n])
	for b := 0; b < n; b += blockWords {
		multiplyBlock(&t[b], &x[0], &y[b], n)
	}
}

// Square computes the products of different blocks once and doubles them, and adds the squares of the blocks.
func (a *montgomery) Square(t, x, s []uint64) {
	n := len(a.m)
	t, x, s = t[:2*n], x[:n], s[:2*n]
	raceRead(x)
	raceWrite(t)
	raceWrite(s)
	clear(t)
	for b := 0; b < n-blockWords; b += blockWords {
		multiplyBlock(&t[2*b+blockWords], &x[b+blockWords], &x[b], n-b-blockWords)
	}
	clear(s)
	for b := 0; b < n; b += blockWords {
		multiplyBlock(&s[2*b], &x[b], &x[b], blockWords)
	}
	var carry, top uint64
	for len(t) >= 4 && len(s) >= 4 {
		t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
		t[0], carry = bits.Add64(t0<<1|top, s[0], carry)
		t[1], carry = bits.Add64(t1<<1|t0>>63, s[1], carry)
		t[2], carry = bits.Add64(t2<<1|t1>>63, s[2], carry)
		t[3], carry = bits.Add64(t3<<1|t2>>63, s[3], carry)
		top = t3 >> 63
		t, s = t[4:], s[4:]
	}
}

func (a *montgomery) Reduce(z, t []uint64) (over uint64) {
	n := len(a.m)
	z, t = z[:n], t[:2*n]
	raceWrite(t)
	var carry uint64
	for b := 0; b < n; b += blockWords {
		carry = reduceBlock(&t[b], &a.m[0], a.inv, n, carry)
	}
	// What is left is below 2m, or at least below m+R: a carry comes with a borrow.
	u := t[n:]
	over = carry | (bigmod.SubWords(z, u, a.m) ^ 1)
	bigmod.SelectWords(z, -over, z, u)
	return over
}
