package bigmodtest

import (
	"errors"
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// testSmall computes everything there is to compute modulo small numbers.
func testSmall(t *testing.T, impl bigmod.Implementation) {
	for m := int64(3); m < thoroughtest.Pick[int64](24, 64); m += 2 {
		s := newSetup(t, impl, big.NewInt(m))
		var xs, ys []*big.Int
		for x := range m {
			for y := range m {
				xs, ys = append(xs, big.NewInt(x)), append(ys, big.NewInt(y))
			}
			v, e := s.vec(big.NewInt(x)), (*bigmod.NotInvertibleError)(nil)
			inverse := new(big.Int).ModInverse(big.NewInt(x), s.m)
			switch err := s.ring.InverseVarTime(v, v); {
			case inverse == nil && !errors.As(err, &e), inverse != nil && err != nil:
				t.Fatalf("InverseVarTime of %d modulo %d: %v", x, m, err)
			case inverse != nil:
				s.expect(t, "InverseVarTime", v, func(int) *big.Int { return inverse })
			}
		}
		x, y, z := s.vec(xs...), s.vec(ys...), s.ring.NewVec(len(xs))
		s.ring.Mul(z, x, y)
		s.expect(t, "Mul", z, func(i int) *big.Int { return s.product(xs[i], ys[i]) })
		s.ring.Add(z, x, y)
		s.expect(t, "Add", z, func(i int) *big.Int { return new(big.Int).Add(xs[i], ys[i]) })
		s.ring.Sub(z, x, y)
		s.expect(t, "Sub", z, func(i int) *big.Int { return new(big.Int).Sub(xs[i], ys[i]) })
		s.ring.ToMont(x, x)
		for e := range byte(9) {
			s.ring.Exp(z, x, []byte{e})
			s.expect(t, "Exp", z, func(i int) *big.Int { return s.mont(s.power(xs[i], []byte{e})) })
		}
	}
}
