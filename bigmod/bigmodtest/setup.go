package bigmodtest

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// setup is a ring with its modulus as a big integer, the oracle's view of its Montgomery form, and test values.
type setup struct {
	ring bigmod.Ring
	m    *big.Int
	r    *big.Int // R mod m
	rInv *big.Int // R⁻¹ mod m
	rand *rand.Rand
}

func newRand(seed int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), 0x6269676d6f64))
}

// newSetup makes the ring that impl makes of m, an odd number from 3 to 2^MaxBits.
func newSetup(t testing.TB, impl bigmod.Implementation, m *big.Int) *setup {
	t.Helper()
	modulus, err := bigmod.NewModulus(m.Bytes())
	if err != nil {
		t.Fatalf("NewModulus of %s: %v", short(m), err)
	}
	ring := impl.New(modulus)
	m = new(big.Int).SetBytes(ring.Modulus().Bytes()) // its square, in TestSquares
	s := &setup{ring: ring, m: m, rand: newRand(m.BitLen())}
	one := s.vec(big.NewInt(1))
	s.ring.FromMont(one, one)
	s.rInv = s.get(one)[0]
	if s.r = new(big.Int).ModInverse(s.rInv, m); s.r == nil {
		t.Fatalf("FromMont of 1 modulo %s is %x: not an inverse", short(m), s.rInv)
	}
	return s
}

// long says that the oracle takes its time, so that what does not depend on the length of the modulus, such as how an
// exponent is cut into windows, is tested in fewer cases.
func (s *setup) long() bool { return s.m.BitLen() > thoroughtest.Pick(1024, 2048) }

// fill sets b to random bytes.
func (s *setup) fill(b []byte) {
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
}

// randomBits is uniform below 2^bits.
func randomBits(r *rand.Rand, bits int) *big.Int {
	b := make([]byte, (bits+7)/8)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	x := new(big.Int).SetBytes(b)
	return x.Rsh(x, uint(8*len(b)-bits))
}

// randomModulus is odd and has exactly the given number of bits, at least 2.
func randomModulus(r *rand.Rand, bits int) *big.Int {
	m := randomBits(r, bits)
	m.SetBit(m, 0, 1)
	return m.SetBit(m, bits-1, 1)
}

func pow2(k int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(k)) }

// modulus is a number with a name.
type modulus struct {
	name  string
	value *big.Int
}

// moduli returns odd moduli of exactly the given number of bits, at least 2: random ones and those at which carries are
// longest.
func moduli(bits int) []modulus {
	highest := new(big.Int).Sub(pow2(bits), big.NewInt(1))
	ms := []modulus{{"random", randomModulus(newRand(bits), bits)}, {"2^k-1", highest}}
	if bits == 2 {
		return ms
	}
	lowest := new(big.Int).Add(pow2(bits-1), big.NewInt(1))
	ms = append(ms, modulus{"2^(k-1)+1", lowest})
	if bits > 65 {
		// -m⁻¹ mod 2^64 is 1, and 2^64-1
		ms = append(ms,
			modulus{"2^k-2^64-1", new(big.Int).Sub(highest, pow2(64))},
			modulus{"2^(k-1)+2^64+1", new(big.Int).Add(lowest, pow2(64))})
	}
	return ms
}

// residues returns n residues, nearly uniform.
func (s *setup) residues(n int) []*big.Int {
	xs := make([]*big.Int, n)
	for i := range xs {
		xs[i] = randomBits(s.rand, s.m.BitLen()+64)
		xs[i].Mod(xs[i], s.m)
	}
	return xs
}

// edges returns residues at which a wrong carry, borrow or comparison is likely to show: around 0 and m, around
// powers of the word sizes 2^64 and 2^52 at both ends, with words of all ones, with Montgomery forms of small numbers.
func (s *setup) edges() []*big.Int {
	var xs []*big.Int
	seen := map[string]bool{}
	add := func(x *big.Int) {
		x = new(big.Int).Mod(x, s.m)
		if key := string(x.Bytes()); !seen[key] {
			seen[key] = true
			xs = append(xs, x)
		}
	}
	both := func(x *big.Int) {
		add(x)
		add(new(big.Int).Neg(x))
	}
	for i := range 3 {
		both(big.NewInt(int64(i)))
	}
	bits := s.m.BitLen()
	for _, word := range []int{52, 64} {
		for _, k := range []int{word, (bits / 2) / word * word, (bits - 1) / word * word} {
			both(pow2(k))
			both(new(big.Int).Sub(pow2(k), big.NewInt(1)))
		}
		// every other word all ones
		x := new(big.Int)
		for k := 0; k < bits; k += 2 * word {
			x.Or(x, new(big.Int).Lsh(new(big.Int).Sub(pow2(word), big.NewInt(1)), uint(k)))
		}
		both(x)
	}
	both(new(big.Int).Rsh(s.m, 1))
	both(pow2(bits - 1))
	both(s.r)
	both(s.rInv)
	both(new(big.Int).Mul(s.r, s.r))
	return append(xs, s.residues(2)...)
}

// units returns n residues that have inverses.
func (s *setup) units(n int) []*big.Int {
	var xs []*big.Int
	for len(xs) < n {
		if x := s.residues(1)[0]; new(big.Int).GCD(nil, nil, x, s.m).Cmp(big.NewInt(1)) == 0 {
			xs = append(xs, x)
		}
	}
	return xs
}

// vec makes a vector of canonical residues.
func (s *setup) vec(xs ...*big.Int) *bigmod.Vec {
	v := s.ring.NewVec(len(xs))
	if err := s.ring.SetBytes(v, s.bytes(xs)); err != nil {
		panic(err) // residues are below the modulus
	}
	return v
}

// bytes writes xs in the interchange form.
func (s *setup) bytes(xs []*big.Int) []byte {
	size := s.ring.Modulus().Size()
	be := make([]byte, len(xs)*size)
	for i, x := range xs {
		x.FillBytes(be[i*size : (i+1)*size])
	}
	return be
}

// words writes xs as words of the given number each.
func words(xs []*big.Int, limbs int) []uint64 {
	w := make([]uint64, len(xs)*limbs)
	for i, x := range xs {
		bigmod.WordsFromBytes(w[i*limbs:(i+1)*limbs], x.Bytes())
	}
	return w
}

// get reads the residues of v.
func (s *setup) get(v *bigmod.Vec) []*big.Int {
	size := s.ring.Modulus().Size()
	be := make([]byte, v.Len*size)
	s.ring.Bytes(be, v)
	xs := make([]*big.Int, v.Len)
	for i := range xs {
		xs[i] = new(big.Int).SetBytes(be[i*size : (i+1)*size])
	}
	return xs
}

// expect compares z with want, one function of the index.
func (s *setup) expect(t testing.TB, what string, z *bigmod.Vec, want func(i int) *big.Int) {
	t.Helper()
	for i, got := range s.get(z) {
		if w := new(big.Int).Mod(want(i), s.m); got.Cmp(w) != 0 {
			t.Fatalf("%s: modulus %s: element %d of %d is\n  %x, want\n  %x", what, short(s.m), i, z.Len, got, w)
		}
	}
}

// short names a number by its length and its ends.
func short(x *big.Int) string {
	h := fmt.Sprintf("%x", x)
	if len(h) > 40 {
		h = h[:18] + "..." + h[len(h)-18:]
	}
	return fmt.Sprintf("0x%s (%d bits)", h, x.BitLen())
}

// mont is x·R mod m, product is x·y·R⁻¹ mod m.
func (s *setup) mont(x *big.Int) *big.Int { return mulMod(x, s.r, s.m) }

func (s *setup) product(x, y *big.Int) *big.Int { return mulMod(mulMod(x, y, s.m), s.rInv, s.m) }

func mulMod(x, y, m *big.Int) *big.Int {
	z := new(big.Int).Mul(x, y)
	return z.Mod(z, m)
}
