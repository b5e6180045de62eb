package bigmodtest

import (
	"errors"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// fuzzModulus makes a modulus of any bytes: odd, at least 3 and at most MaxBits long.
func fuzzModulus(b []byte) *big.Int {
	m := new(big.Int).SetBytes(b[:min(len(b), bigmod.MaxBits/8)])
	m.SetBit(m, 0, 1)
	if m.BitLen() < 2 {
		m.SetInt64(3)
	}
	return m
}

// fuzzResidues makes residues of any bytes, with their neighbours, as many as 8 lanes and one more.
func (s *setup) fuzzResidues(b []byte) []*big.Int {
	x := new(big.Int).SetBytes(b)
	var xs []*big.Int
	for i := range int64(3) {
		for _, y := range []*big.Int{x, new(big.Int).Lsh(x, 52), new(big.Int).Lsh(x, 64)} {
			xs = append(xs, new(big.Int).Mod(y.Sub(y, big.NewInt(i)), s.m))
		}
	}
	return xs
}

// seeds calls add with a few moduli and pairs of values.
func seeds(add func(m, x, y []byte)) {
	for _, bits := range []int{2, 64, 128, 520, 1024, 2048} {
		for _, modulus := range moduli(bits) {
			m := modulus.value
			s := setup{m: m, r: big.NewInt(1), rInv: big.NewInt(1), rand: newRand(1)}
			edges := s.edges()
			add(m.Bytes(), edges[len(edges)-1].Bytes(), edges[len(edges)/2].Bytes())
			add(m.Bytes(), new(big.Int).Sub(m, big.NewInt(1)).Bytes(), new(big.Int).Sub(m, big.NewInt(1)).Bytes())
		}
	}
}

// FuzzMul compares Mul, MulElem, Add and Sub of any values with math/big.
func FuzzMul(f *testing.F, impl bigmod.Implementation) {
	seeds(func(m, x, y []byte) { f.Add(m, x, y) })
	f.Fuzz(func(t *testing.T, m, x, y []byte) {
		s := newSetup(t, impl, fuzzModulus(m))
		xs, ys := s.fuzzResidues(x), s.fuzzResidues(y)
		a, b, z := s.vec(xs...), s.vec(ys...), s.ring.NewVec(len(xs))
		s.ring.Mul(z, a, b)
		s.expect(t, "Mul", z, func(i int) *big.Int { return s.product(xs[i], ys[i]) })
		s.ring.MulElem(z, a, s.vec(ys[0]))
		s.expect(t, "MulElem", z, func(i int) *big.Int { return s.product(xs[i], ys[0]) })
		s.ring.Add(z, a, b)
		s.expect(t, "Add", z, func(i int) *big.Int { return new(big.Int).Add(xs[i], ys[i]) })
		s.ring.Sub(z, a, b)
		s.expect(t, "Sub", z, func(i int) *big.Int { return new(big.Int).Sub(xs[i], ys[i]) })
	})
}

// FuzzSqr compares Sqr of any values with math/big, three times in a row.
func FuzzSqr(f *testing.F, impl bigmod.Implementation) {
	seeds(func(m, x, _ []byte) { f.Add(m, x) })
	f.Fuzz(func(t *testing.T, m, x []byte) {
		s := newSetup(t, impl, fuzzModulus(m))
		xs := s.fuzzResidues(x)
		z := s.vec(xs...)
		for range 3 {
			s.ring.Sqr(z, z)
			for i, x := range xs {
				xs[i] = s.product(x, x)
			}
			s.expect(t, "Sqr", z, func(i int) *big.Int { return xs[i] })
		}
	})
}

// FuzzExp compares Exp, ExpVarTime and a Table with math/big, for exponents of up to 16 bytes.
func FuzzExp(f *testing.F, impl bigmod.Implementation) {
	seeds(func(m, x, y []byte) { f.Add(m, x, y) })
	f.Fuzz(func(t *testing.T, m, x, e []byte) {
		e = e[:min(len(e), 16)]
		s := newSetup(t, impl, fuzzModulus(m[:min(len(m), 128)]))
		xs := s.fuzzResidues(x)
		want := func(i int) *big.Int { return s.mont(s.power(xs[i], e)) }
		a, z := s.vec(xs...), s.ring.NewVec(len(xs))
		s.ring.ToMont(a, a)
		s.ring.Exp(z, a, e)
		s.expect(t, "Exp", z, want)
		s.ring.ExpVarTime(z, a, e)
		s.expect(t, "ExpVarTime", z, want)
		if len(e) > 0 {
			z = s.ring.NewVec(1)
			s.ring.NewTable(xs[0].Bytes(), 8*len(e)).Exp(z, e)
			s.expect(t, "Table.Exp", z, want)
		}
	})
}

// FuzzBytes checks what SetBytes accepts and that Bytes gives it back, and compares SetWide with math/big.
func FuzzBytes(f *testing.F, impl bigmod.Implementation) {
	seeds(func(m, x, _ []byte) { f.Add(m, x) })
	f.Fuzz(func(t *testing.T, m, x []byte) {
		s := newSetup(t, impl, fuzzModulus(m))
		size, limbs := s.ring.Modulus().Size(), s.ring.Modulus().Limbs()
		v := new(big.Int).SetBytes(x[:min(len(x), size)])
		z := s.ring.NewVec(1)
		switch err := s.ring.SetBytes(z, v.FillBytes(make([]byte, size))); {
		case v.Cmp(s.m) < 0:
			if err != nil {
				t.Fatal(err)
			}
			s.expect(t, "SetBytes", z, func(int) *big.Int { return v })
		default:
			var r *bigmod.RangeError
			if !errors.As(err, &r) || r.Index != 0 {
				t.Fatalf("SetBytes of %s modulo %s: %v", short(v), short(s.m), err)
			}
		}
		v.SetBytes(x[:min(len(x), 16*limbs)])
		n := (v.BitLen() + 63) / 64
		s.ring.SetWide(z, words([]*big.Int{v}, n), n)
		s.expect(t, "SetWide", z, func(int) *big.Int { return v })
	})
}

// FuzzInverse compares InverseVarTime with math/big.
func FuzzInverse(f *testing.F, impl bigmod.Implementation) {
	seeds(func(m, x, _ []byte) { f.Add(m, x) })
	f.Fuzz(func(t *testing.T, m, x []byte) {
		s := newSetup(t, impl, fuzzModulus(m))
		xs := s.fuzzResidues(x)
		z := s.vec(xs...)
		err := s.ring.InverseVarTime(z, z)
		for i, x := range xs {
			if new(big.Int).GCD(nil, nil, x, s.m).Cmp(big.NewInt(1)) != 0 {
				var e *bigmod.NotInvertibleError
				if !errors.As(err, &e) || e.Index != i {
					t.Fatalf("InverseVarTime modulo %s with element %d not invertible: %v", short(s.m), i, err)
				}
				return
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		s.expect(t, "InverseVarTime", z, func(i int) *big.Int { return new(big.Int).ModInverse(xs[i], s.m) })
	})
}
