package bigmod

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// pairCase is a ring of pairs, with big integers for what they stand for.
type pairCase struct {
	*testing.T
	ring     *generic
	n, n2, r *big.Int
	rInv     *big.Int // modulo n²
	t        []uint64
	what     string
	random   *rand.Rand
}

func bigOf(x []uint64) *big.Int {
	be := make([]byte, 8*len(x))
	BytesFromWords(be, x)
	return new(big.Int).SetBytes(be)
}

func (c *pairCase) number(limit *big.Int) []uint64 {
	x := make([]uint64, c.ring.n/2)
	v := new(big.Int)
	switch k := c.random.IntN(8); k {
	case 0:
	case 1, 2, 3:
		v.Sub(limit, big.NewInt(int64(k)))
	case 4:
		v.Rsh(limit, 1)
	default:
		for i := range x {
			if x[i] = c.random.Uint64(); k == 5 {
				x[i] = -(x[i] & 1)
			}
		}
		v.Mod(bigOf(x), limit)
	}
	WordsFromBytes(x, v.Bytes())
	return x
}

// value is what a pair stands for, x0 - x1·R⁻¹·n; a pair of other numbers fails.
func (c *pairCase) value(x []uint64) *big.Int {
	c.Helper()
	x0, x1 := c.ring.pair.halves(x)
	if bigOf(x0).Cmp(c.n) >= 0 || c.ring.isResidue(x) == 0 {
		c.Fatalf("%s modulo the square of %x: %x is no pair", c.what, c.n, x)
	}
	v := new(big.Int).Mul(bigOf(x1), c.rInv)
	v.Sub(bigOf(x0), v.Mul(v, c.n))
	return v.Mod(v, c.n2)
}

func (c *pairCase) expect(what string, z []uint64, want *big.Int) {
	c.Helper()
	c.what = what
	if got := c.value(z); got.Cmp(want.Mod(want, c.n2)) != 0 {
		c.Fatalf("%s modulo the square of %x is %x, want %x", what, c.n, got, want)
	}
}

// TestPairs compares the arithmetic of pairs with math/big, on pairs of the largest and smallest numbers and others, modulo
// the squares of the smallest, the largest and other moduli.
func TestPairs(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 64))
	for _, h := range []int{1, 2, 3, 8, 16, 17} {
		top := new(big.Int).Lsh(big.NewInt(1), uint(64*h-1))
		full := new(big.Int).Lsh(top, 1)
		moduli := []*big.Int{new(big.Int).Add(top, big.NewInt(1)), new(big.Int).Sub(full, big.NewInt(1))}
		for range 6 {
			w := make([]uint64, h)
			for i := range w {
				w[i] = random.Uint64()
			}
			w[0] |= 1
			w[h-1] |= 1 << 63
			moduli = append(moduli, bigOf(w))
		}
		for _, n := range moduli {
			modulus, err := NewModulus(n.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			ring := Generic().NewSquare(modulus).(*generic)
			if ring.pair == nil {
				t.Fatalf("no pairs modulo the square of %x", n)
			}
			c := &pairCase{T: t, ring: ring, n: n, n2: new(big.Int).Mul(n, n), r: full, t: make([]uint64, MontgomeryScratch*2*h), random: random}
			c.rInv = new(big.Int).ModInverse(full, c.n2)
			for range 150 {
				c.compare()
			}
		}
	}
}

func (c *pairCase) compare() {
	p, h := c.ring.pair, c.ring.n/2
	x, y := append(c.number(c.n), c.number(c.r)...), append(c.number(c.n), c.number(c.r)...)
	c.what = "an operand"
	vx, vy := c.value(x), c.value(y)
	z := make([]uint64, 2*h)
	product := func(a, b *big.Int) *big.Int { w := new(big.Int).Mul(a, b); return w.Mul(w, c.rInv) }
	p.mul(z, x, y, c.t)
	c.expect("a product", z, product(vx, vy))
	p.sqr(z, x, c.t)
	c.expect("a square", z, product(vx, vx))
	p.add(z, x, y)
	c.expect("a sum", z, new(big.Int).Add(vx, vy))
	p.sub(z, x, y)
	c.expect("a difference", z, new(big.Int).Sub(vx, vy))
	for name, f := range map[string]func(z []uint64){
		"a product in the place of a factor": func(z []uint64) { copy(z, x); p.mul(z, z, y, c.t) },
		"a product in the place of another":  func(z []uint64) { copy(z, y); p.mul(z, x, z, c.t) },
		"an encoding in its place":           func(z []uint64) { copy(z, x); p.encode(z, z, c.t) },
	} {
		f(z)
		want := product(vx, vy)
		if name[0:2] == "an" {
			want = new(big.Int).Mul(bigOf(x), c.rInv)
		}
		c.expect(name, z, want)
	}
	p.decode(z, x, c.t)
	want := new(big.Int).Mul(vx, c.r)
	if got := bigOf(z); got.Cmp(want.Mod(want, c.n2)) != 0 {
		c.Fatalf("decoding modulo the square of %x gives %x, want %x", c.n, got, want)
	}
	copy(z, x)
	p.decode(z, z, c.t)
	if got := bigOf(z); got.Cmp(want) != 0 {
		c.Fatalf("decoding in its place modulo the square of %x gives %x, want %x", c.n, got, want)
	}
}

// TestNoPairs: a root that does not fill its words has squares without pairs.
func TestNoPairs(t *testing.T) {
	modulus, err := NewModulus([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if err != nil {
		t.Fatal(err)
	}
	if ring := Generic().NewSquare(modulus).(*generic); ring.pair != nil || ring.n != 2 {
		t.Errorf("pairs %v, %d words", ring.pair != nil, ring.n)
	}
}
