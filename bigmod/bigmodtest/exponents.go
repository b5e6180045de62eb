package bigmodtest

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// exponents returns short exponents in bytes: none, zero, with leading zeros, and those with windows of zeros and ones.
func (s *setup) exponents() [][]byte {
	es := [][]byte{
		nil, {0}, {0, 0, 0}, {1}, {0, 1}, {2}, {3}, {5}, {0x80}, {0xff}, {0, 0, 0xff}, {1, 0}, {0xff, 0xff}, {0x80, 0, 0},
		{1, 0, 0, 0, 0, 1}, {0x84, 0x21, 0x08, 0x42, 0x10}, bytes.Repeat([]byte{0xff}, 9),
	}
	for _, n := range []int{1, 2, 3, 8, 11} {
		e := make([]byte, n)
		s.fill(e)
		es = append(es, e)
	}
	if s.long() {
		return [][]byte{nil, {0}, {1}, {0, 0, 0xff}, es[len(es)-2]}
	}
	return es
}

func (s *setup) power(x *big.Int, e []byte) *big.Int {
	return new(big.Int).Exp(x, new(big.Int).SetBytes(e), s.m)
}

func (s *setup) testExp(t *testing.T) {
	xs := []*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(s.m, big.NewInt(1)), big.NewInt(2)}
	xs[3].Mod(xs[3], s.m)
	xs = append(xs, s.residues(5)...)
	x := s.vec(xs...)
	s.ring.ToMont(x, x)
	for _, e := range s.exponents() {
		powers := make([]*big.Int, len(xs))
		for i, x := range xs {
			powers[i] = s.mont(s.power(x, e))
		}
		want := func(i int) *big.Int { return powers[i] }
		z := s.ring.NewVec(len(xs))
		s.set(z, 0x77)
		s.ring.Exp(z, x, e)
		s.expect(t, fmt.Sprintf("Exp(%x)", e), z, want)
		s.set(z, 0x77)
		s.ring.ExpVarTime(z, x, e)
		s.expect(t, fmt.Sprintf("ExpVarTime(%x)", e), z, want)
	}
	s.expect(t, "operand of Exp", x, func(i int) *big.Int { return s.mont(xs[i]) })

	e := []byte{0x9a, 0x31, 0x05}
	for _, n := range batches {
		if s.long() && n > 1 && n != 9 {
			continue
		}
		ys := s.residues(n)
		for name, exp := range map[string]func(z, x *bigmod.Vec, e []byte){"Exp": s.ring.Exp, "ExpVarTime": s.ring.ExpVarTime} {
			y := s.vec(ys...)
			s.ring.ToMont(y, y)
			exp(y, y, e)
			s.expect(t, name+" in place", y, func(i int) *big.Int { return s.mont(s.power(ys[i], e)) })
		}
	}
}

func (s *setup) testTable(t *testing.T) {
	bases := append([]*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(s.m, big.NewInt(1))}, s.residues(2)...)
	for k, base := range bases {
		for _, bits := range []int{1, 2, 4, 5, 6, 7, 8, 9, 13, 64, 67} {
			if (k < len(bases)-1 || s.long()) && bits != 13 {
				continue // all lengths for one base, one length for all bases
			}
			s.checkTable(t, base, bits, 19)
		}
	}
	for _, n := range batches {
		if s.long() && n > 1 && n != 9 {
			continue
		}
		s.checkTable(t, bases[3], 11, n)
	}
	s.checkTable(t, bases[4], 10, 40)
}

// checkTable compares n powers of a table for exponents of the given length, among them 0, 1 and the largest.
func (s *setup) checkTable(t *testing.T, base *big.Int, bits, n int) {
	t.Helper()
	size := (bits + 7) / 8
	es := make([]*big.Int, n)
	be := make([]byte, n*size)
	for i := range es {
		switch i % 7 {
		case 1:
			es[i] = new(big.Int)
		case 2:
			es[i] = big.NewInt(1)
		case 3:
			es[i] = new(big.Int).Sub(pow2(bits), big.NewInt(1))
		case 4:
			es[i] = pow2(bits - 1)
		default:
			es[i] = randomBits(s.rand, bits)
		}
		es[i].FillBytes(be[i*size : (i+1)*size])
	}
	table := s.ring.NewTable(base.FillBytes(make([]byte, s.ring.Modulus().Size())), bits)
	if table.Bits() != bits || table.Bytes() <= 0 {
		t.Errorf("table for %d bits says %d bits in %d bytes", bits, table.Bits(), table.Bytes())
	}
	z := s.ring.NewVec(n)
	s.set(z, 0x33)
	table.Exp(z, be)
	s.expect(t, fmt.Sprintf("Table.Exp of %d bits", bits), z, func(i int) *big.Int {
		return s.mont(new(big.Int).Exp(base, es[i], s.m))
	})
}

// testLongExponents runs exponents as long as those of keys: half the modulus for Exp (p-1 modulo p²), a quarter for
// tables (half of N modulo N²). Long ones run on fewer elements.
func testLongExponents(t *testing.T, impl bigmod.Implementation) {
	for _, bits := range thoroughtest.Pick([]int{512, 1000, 2048}, []int{512, 1000, 2048, 3072, 4096}) {
		s := newSetup(t, impl, randomModulus(newRand(-bits), bits))
		n := max(1, 4096/bits)
		xs := s.residues(n)
		x, z := s.vec(xs...), s.ring.NewVec(n)
		s.ring.ToMont(x, x)
		e := make([]byte, bits/2/8)
		s.fill(e)
		for _, e := range [][]byte{e, bytes.Repeat([]byte{0xff}, len(e)), append([]byte{1}, make([]byte, len(e))...)} {
			want := make([]*big.Int, n)
			for i := range want {
				want[i] = s.mont(s.power(xs[i], e))
			}
			s.ring.Exp(z, x, e)
			s.expect(t, "Exp", z, func(i int) *big.Int { return want[i] })
			s.ring.ExpVarTime(z, x, e)
			s.expect(t, "ExpVarTime", z, func(i int) *big.Int { return want[i] })
		}
		s.checkTable(t, xs[0], bits/4, 9)
	}
}
