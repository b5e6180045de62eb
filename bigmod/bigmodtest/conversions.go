package bigmodtest

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// testForm checks that R is a power of two, and the two conversions.
func (s *setup) testForm(t *testing.T) {
	k := s.m.BitLen()
	for new(big.Int).Mod(pow2(k), s.m).Cmp(s.r) != 0 {
		if k++; k > 2*s.m.BitLen()+2048 {
			t.Fatal("R is no power of two of a length like the modulus")
		}
	}
	if s.ring.Name() == "" {
		t.Error("the ring has no name")
	}
	if new(big.Int).SetBytes(s.ring.Modulus().Bytes()).Cmp(s.m) != 0 {
		t.Error("the ring has another modulus")
	}
	xs := s.edges()
	x, z := s.vec(xs...), s.ring.NewVec(len(xs))
	s.ring.ToMont(z, x)
	s.expect(t, "ToMont", z, func(i int) *big.Int { return s.mont(xs[i]) })
	s.ring.FromMont(z, x)
	s.expect(t, "FromMont", z, func(i int) *big.Int { return mulMod(xs[i], s.rInv, s.m) })
	s.ring.ToMont(z, z)
	s.expect(t, "ToMont of FromMont, in place", z, func(i int) *big.Int { return xs[i] })
	s.ring.FromMont(x, x)
	s.expect(t, "FromMont in place", x, func(i int) *big.Int { return mulMod(xs[i], s.rInv, s.m) })
	s.expect(t, "NewVec", s.ring.NewVec(9), func(int) *big.Int { return new(big.Int) })
}

func (s *setup) testBytes(t *testing.T) {
	size := s.ring.Modulus().Size()
	for _, n := range batches {
		xs := append(s.edges(), s.residues(n)...)[:n]
		be := s.bytes(xs)
		v := s.ring.NewVec(n)
		s.set(v, 0xff)
		if err := s.ring.SetBytes(v, be); err != nil {
			t.Fatalf("%d residues: %v", n, err)
		}
		got := bytes.Repeat([]byte{0xa5}, len(be))
		s.ring.Bytes(got, v)
		if !bytes.Equal(got, be) {
			t.Fatalf("%d residues came back as\n  %x, want\n  %x", n, got, be)
		}
	}

	// values that are not below the modulus, at every place
	top := new(big.Int).Sub(pow2(8*size), big.NewInt(1))
	for _, bad := range []*big.Int{s.m, new(big.Int).Add(s.m, big.NewInt(1)), top} {
		if bad.Cmp(top) > 0 {
			continue // m+1 has one byte more than m = 2^(8·size)-1
		}
		for i := range 9 {
			xs := s.residues(9)
			xs[i] = bad
			if i < 7 {
				xs[i+2] = bad // only the first counts
			}
			err := s.ring.SetBytes(s.ring.NewVec(9), s.bytes(xs))
			var r *bigmod.RangeError
			if !errors.As(err, &r) || r.Index != i || r.Error() == "" {
				t.Fatalf("SetBytes with a value %s at %d: %v", short(bad), i, err)
			}
		}
	}
}

// set overwrites v with residues, so that what a later call leaves shows.
func (s *setup) set(v *bigmod.Vec, seed byte) {
	x := new(big.Int).SetBytes(bytes.Repeat([]byte{seed}, s.ring.Modulus().Size()))
	x.Mod(x, s.m)
	xs := make([]*big.Int, v.Len)
	for i := range xs {
		xs[i] = x
	}
	if err := s.ring.SetBytes(v, s.bytes(xs)); err != nil {
		panic(err)
	}
}

func (s *setup) testWords(t *testing.T) {
	limbs := s.ring.Modulus().Limbs()
	for _, n := range batches {
		xs := append(s.edges(), s.residues(n)...)[:n]
		w := words(xs, limbs)
		v := s.ring.NewVec(n)
		s.set(v, 0xff)
		s.ring.SetWords(v, w)
		s.expect(t, "SetWords", v, func(i int) *big.Int { return xs[i] })
		got := make([]uint64, len(w))
		for i := range got {
			got[i] = 0xa5a5
		}
		s.ring.Words(got, v)
		if !slices.Equal(got, w) {
			t.Fatalf("%d residues came back as\n  %x, want\n  %x", n, got, w)
		}
	}
}

func (s *setup) testWide(t *testing.T) {
	most := 2 * s.ring.Modulus().Limbs()
	for _, limbs := range []int{0, 1, 2, 3, most/2 - 1, most / 2, most/2 + 1, most/2 + 2, most - 1, most} {
		if limbs < 0 || limbs > most {
			continue
		}
		bound := pow2(64 * limbs)
		var xs []*big.Int
		for _, x := range append(s.edges(), s.m, new(big.Int).Sub(bound, big.NewInt(1)), new(big.Int).Rsh(bound, 1),
			new(big.Int).Mul(s.m, new(big.Int).Quo(bound, s.m)), new(big.Int).Sub(mul(s.m, s.m), big.NewInt(1)),
			randomBits(s.rand, 64*limbs), randomBits(s.rand, 64*limbs)) {
			xs = append(xs, new(big.Int).Mod(x, bound))
		}
		v := s.ring.NewVec(len(xs))
		s.ring.SetWide(v, words(xs, limbs), limbs)
		s.expect(t, "SetWide", v, func(i int) *big.Int { return xs[i] })
	}
	for _, n := range batches {
		xs := make([]*big.Int, n)
		for i := range xs {
			xs[i] = randomBits(s.rand, 64*most)
		}
		v := s.ring.NewVec(n)
		s.ring.SetWide(v, words(xs, most), most)
		s.expect(t, "SetWide", v, func(i int) *big.Int { return xs[i] })
	}
}

func mul(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }
