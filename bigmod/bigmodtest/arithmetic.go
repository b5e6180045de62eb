package bigmodtest

import (
	"errors"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// pairs returns every edge value with itself and every other; of long moduli, with some others. A quick run skips an odd
// number of them, because neighbours are a value and its negative.
func (s *setup) pairs() (xs, ys []*big.Int) {
	step := 1
	switch {
	case s.long():
		step = thoroughtest.Pick(9, 4)
	case s.m.BitLen() > 128:
		step = thoroughtest.Pick(3, 1)
	}
	edges := s.edges()
	for i, x := range edges {
		for j, y := range edges {
			if (i-j)%step == 0 {
				xs, ys = append(xs, x), append(ys, y)
			}
		}
	}
	return xs, ys
}

func (s *setup) testMul(t *testing.T) {
	xs, ys := s.pairs()
	x, y, z := s.vec(xs...), s.vec(ys...), s.ring.NewVec(len(xs))
	s.ring.Mul(z, x, y)
	s.expect(t, "Mul", z, func(i int) *big.Int { return s.product(xs[i], ys[i]) })

	edges := s.edges()
	x, z = s.vec(edges...), s.ring.NewVec(len(edges))
	s.ring.Sqr(z, x)
	s.expect(t, "Sqr", z, func(i int) *big.Int { return s.product(edges[i], edges[i]) })
	for k := 1; k < len(edges); k += 5 {
		c := edges[k]
		s.ring.MulElem(z, x, s.vec(c))
		s.expect(t, "MulElem", z, func(i int) *big.Int { return s.product(edges[i], c) })
	}

	// a walk through the group: an error in any step shows at the end
	walk := s.residues(17)
	v, f := s.vec(walk...), s.vec(s.residues(17)...)
	factors := s.get(f)
	for range 50 {
		s.ring.Sqr(v, v)
		s.ring.Mul(v, v, f)
		for i, x := range walk {
			walk[i] = s.product(s.product(x, x), factors[i])
		}
	}
	s.expect(t, "50 Sqr and Mul", v, func(i int) *big.Int { return walk[i] })
}

func (s *setup) testAdd(t *testing.T) {
	xs, ys := s.pairs()
	x, y, z := s.vec(xs...), s.vec(ys...), s.ring.NewVec(len(xs))
	s.ring.Add(z, x, y)
	s.expect(t, "Add", z, func(i int) *big.Int { return new(big.Int).Add(xs[i], ys[i]) })
	s.ring.Sub(z, x, y)
	s.expect(t, "Sub", z, func(i int) *big.Int { return new(big.Int).Sub(xs[i], ys[i]) })
}

// testBatches runs every element-wise operation on every number of elements.
func (s *setup) testBatches(t *testing.T) {
	for _, n := range batches {
		xs, ys := s.residues(n), s.residues(n)
		c := s.residues(1)[0]
		x, y, z := s.vec(xs...), s.vec(ys...), s.ring.NewVec(n)
		s.set(z, 0x5a)
		s.ring.Mul(z, x, y)
		s.expect(t, "Mul", z, func(i int) *big.Int { return s.product(xs[i], ys[i]) })
		s.ring.Sqr(z, x)
		s.expect(t, "Sqr", z, func(i int) *big.Int { return s.product(xs[i], xs[i]) })
		s.ring.MulElem(z, x, s.vec(c))
		s.expect(t, "MulElem", z, func(i int) *big.Int { return s.product(xs[i], c) })
		s.ring.Add(z, x, y)
		s.expect(t, "Add", z, func(i int) *big.Int { return new(big.Int).Add(xs[i], ys[i]) })
		s.ring.Sub(z, x, y)
		s.expect(t, "Sub", z, func(i int) *big.Int { return new(big.Int).Sub(xs[i], ys[i]) })
		s.ring.ToMont(z, x)
		s.expect(t, "ToMont", z, func(i int) *big.Int { return s.mont(xs[i]) })
		s.ring.FromMont(z, x)
		s.expect(t, "FromMont", z, func(i int) *big.Int { return mulMod(xs[i], s.rInv, s.m) })
		s.expect(t, "first operand afterwards", x, func(i int) *big.Int { return xs[i] })
		s.expect(t, "second operand afterwards", y, func(i int) *big.Int { return ys[i] })
	}
}

// testAliasing runs the operations with two operands in every combination of equal vectors, and those with one in place.
func (s *setup) testAliasing(t *testing.T) {
	binary := []struct {
		name string
		f    func(z, x, y *bigmod.Vec)
		want func(x, y *big.Int) *big.Int
	}{
		{"Mul", s.ring.Mul, s.product},
		{"Add", s.ring.Add, func(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }},
		{"Sub", s.ring.Sub, func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }},
	}
	xs, ys := s.edges(), s.residues(len(s.edges()))
	for _, op := range binary {
		x, y := s.vec(xs...), s.vec(ys...)
		op.f(x, x, y)
		s.expect(t, op.name+"(x, x, y)", x, func(i int) *big.Int { return op.want(xs[i], ys[i]) })
		x = s.vec(xs...)
		op.f(y, x, y)
		s.expect(t, op.name+"(y, x, y)", y, func(i int) *big.Int { return op.want(xs[i], ys[i]) })
		z := s.ring.NewVec(len(xs))
		op.f(z, x, x)
		s.expect(t, op.name+"(z, x, x)", z, func(i int) *big.Int { return op.want(xs[i], xs[i]) })
		op.f(x, x, x)
		s.expect(t, op.name+"(x, x, x)", x, func(i int) *big.Int { return op.want(xs[i], xs[i]) })
	}
	x := s.vec(xs...)
	s.ring.Sqr(x, x)
	s.expect(t, "Sqr(x, x)", x, func(i int) *big.Int { return s.product(xs[i], xs[i]) })
	x = s.vec(xs...)
	s.ring.MulElem(x, x, s.vec(ys[0]))
	s.expect(t, "MulElem(x, x, c)", x, func(i int) *big.Int { return s.product(xs[i], ys[0]) })
	c, d := s.vec(xs[0]), s.vec(ys[0])
	s.ring.MulElem(c, d, c)
	s.expect(t, "MulElem(c, x, c)", c, func(int) *big.Int { return s.product(xs[0], ys[0]) })
	s.ring.MulElem(d, d, d)
	s.expect(t, "MulElem(c, c, c)", d, func(int) *big.Int { return s.product(ys[0], ys[0]) })
}

func (s *setup) testAt(t *testing.T) {
	zs, xs := s.residues(20), s.residues(11)
	for _, n := range batches {
		zi, xi := make([]int32, n), make([]int32, n)
		for j, i := range s.rand.Perm(len(zs))[:n] {
			zi[j], xi[j] = int32(i), int32(s.rand.IntN(len(xs)))
		}
		z, x := s.vec(zs...), s.vec(xs...)
		want := append([]*big.Int(nil), zs...)
		s.ring.MulAt(z, zi, x, xi)
		for j := range zi {
			want[zi[j]] = s.product(zs[zi[j]], xs[xi[j]])
		}
		s.expect(t, "MulAt", z, func(i int) *big.Int { return want[i] })
		s.ring.CopyAt(z, zi, x, xi)
		for j := range zi {
			want[zi[j]] = xs[xi[j]]
		}
		s.expect(t, "CopyAt", z, func(i int) *big.Int { return want[i] })
		s.expect(t, "operand of MulAt and CopyAt", x, func(i int) *big.Int { return xs[i] })
	}
	// within one vector: the upper half into the lower
	z := s.vec(zs...)
	low, high := make([]int32, 10), make([]int32, 10)
	for i := range low {
		low[i], high[i] = int32(i), int32(19-i)
	}
	s.ring.MulAt(z, low, z, high)
	s.expect(t, "MulAt in one vector", z, func(i int) *big.Int {
		if i < 10 {
			return s.product(zs[i], zs[19-i])
		}
		return zs[i]
	})
	z = s.vec(zs...)
	s.ring.CopyAt(z, low, z, high)
	s.expect(t, "CopyAt in one vector", z, func(i int) *big.Int { return zs[max(i, 19-i)] })
}

func (s *setup) testRPow(t *testing.T) {
	counts := []uint32{0, 1, 2, 3, 254, 255, 256, 257, 511, 65535, 65536, 1<<24 + 1, 1<<32 - 1, 0, 1, 1000000, 77}
	xs := s.residues(len(counts))
	xs[3] = new(big.Int)
	for range 2 { // the second time from what was kept
		z := s.vec(xs...)
		s.ring.MulRPow(z, counts)
		s.expect(t, "MulRPow", z, func(i int) *big.Int {
			return mulMod(xs[i], new(big.Int).Exp(s.r, big.NewInt(int64(counts[i])), s.m), s.m)
		})
	}
	// what it is for: a chain of plain values
	chain := s.residues(12)
	z := s.vec(chain[0])
	want := chain[0]
	for _, x := range chain[1:] {
		s.ring.Mul(z, z, s.vec(x))
		want = mulMod(want, x, s.m)
	}
	s.ring.MulRPow(z, []uint32{11})
	s.expect(t, "a repaired chain", z, func(int) *big.Int { return want })
	s.ring.MulRPow(s.ring.NewVec(0), nil)
}

func (s *setup) testInverse(t *testing.T) {
	coprime := func(x *big.Int) bool { return new(big.Int).GCD(nil, nil, x, s.m).Cmp(big.NewInt(1)) == 0 }
	var units, others []*big.Int
	for _, x := range append(s.edges(), s.residues(20)...) {
		if coprime(x) {
			units = append(units, x)
		} else {
			others = append(others, x)
		}
	}
	inverses := make([]*big.Int, len(units))
	for i, x := range units {
		inverses[i] = new(big.Int).ModInverse(x, s.m)
	}
	inverse := func(i int) *big.Int { return inverses[i] }
	for _, n := range append([]int{len(units)}, batches...) {
		if n > len(units) {
			continue
		}
		x, z := s.vec(units[:n]...), s.ring.NewVec(n)
		if err := s.ring.InverseVarTime(z, x); err != nil {
			t.Fatalf("InverseVarTime of %d units: %v", n, err)
		}
		s.expect(t, "InverseVarTime", z, inverse)
		s.expect(t, "operand of InverseVarTime", x, func(i int) *big.Int { return units[i] })
		if err := s.ring.InverseVarTime(x, x); err != nil {
			t.Fatalf("InverseVarTime of %d units: %v", n, err)
		}
		s.expect(t, "InverseVarTime in place", x, inverse)
	}
	for _, n := range []int{1, 2, 9} {
		for bad := range n {
			xs := make([]*big.Int, n)
			for i := range xs {
				xs[i] = units[i%len(units)]
			}
			xs[bad] = others[bad%len(others)]
			if bad+2 < n {
				xs[bad+2] = others[0] // only the first counts
			}
			x, z := s.vec(xs...), s.vec(xs...)
			var e *bigmod.NotInvertibleError
			if err := s.ring.InverseVarTime(z, x); !errors.As(err, &e) || e.Index != bad || e.Error() == "" {
				t.Fatalf("InverseVarTime with element %d of %d not invertible: %v", bad, n, err)
			}
			s.expect(t, "result of a failed InverseVarTime", z, func(i int) *big.Int { return xs[i] })
		}
	}
}
