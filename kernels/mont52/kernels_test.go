package mont52

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

func testModulus(rng *rand.Rand, bits int) *bigmod.Modulus {
	be := make([]byte, (bits+7)/8)
	for i := range be {
		be[i] = byte(rng.Uint32())
	}
	top := (bits - 1) % 8
	be[0] &= 1<<(top+1) - 1
	be[0] |= 1 << top
	be[len(be)-1] |= 1
	m, err := bigmod.NewModulus(be)
	if err != nil {
		panic(err)
	}
	return m
}

func TestKernelsTmp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for bits := 1024; bits <= 8192; bits += 52 {
		m := testModulus(rng, bits)
		r := newRing(m, true)
		g := newRing(m, false)
		for _, p := range [][2][]uint64{{r.one, g.one}, {r.rr, g.rr}, {r.rrr, g.rrr}} {
			if !slices.Equal(p[0], p[1]) {
				t.Fatal(bits, r.k, "setup")
			}
		}
		for mode := range 3 {
			x, y := r.newGroups(1), r.newGroups(1)
			for i := range x {
				switch mode {
				case 0:
					x[i], y[i] = rng.Uint64()&limbMask, rng.Uint64()&limbMask
				case 1:
					x[i], y[i] = limbMask, limbMask
				case 2:
					x[i] = limbMask * (rng.Uint64() & 1)
					y[i] = limbMask * (rng.Uint64() & 1)
				}
			}
			s1, s2 := newScratch(r.k), newScratch(r.k)
			for i := range s1.sums {
				s1.sums[i] = rng.Uint64()
			}
			r.product(s1.sums, x, y)
			g.product(s2.sums, x, y)
			if !slices.Equal(s1.sums[:16*r.k], s2.sums[:16*r.k]) {
				t.Fatal(bits, r.k, "product")
			}
			for i := range s1.sums {
				s1.sums[i] = rng.Uint64()
			}
			r.square(s1.sums, x)
			g.square(s2.sums, x)
			if !slices.Equal(s1.sums[:16*r.k], s2.sums[:16*r.k]) {
				t.Fatal(bits, r.k, "square")
			}
			r.reduce(x, s1.sums, lazy)
			g.reduce(y, s2.sums, lazy)
			if !slices.Equal(x, y) {
				t.Fatal(bits, r.k, "reduce lazy")
			}
			r.square(s1.sums, x)
			g.square(s2.sums, x)
			r.reduce(x, s1.sums, canonical)
			g.reduce(y, s2.sums, canonical)
			if !slices.Equal(x, y) {
				t.Fatal(bits, r.k, "reduce canonical")
			}
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	b.Run("limit", func(b *testing.B) {
		for range b.N {
			limitIFMA(100)
		}
		b.ReportMetric(float64(b.N)*6400/float64(b.Elapsed().Nanoseconds()), "products/ns")
	})
	for _, bits := range []int{1024, 2048, 3072, 4096, 6144, 8192} {
		r := newRing(testModulus(rng, bits), true)
		x, y := r.newGroups(1), r.newGroups(1)
		copy(x, r.rr)
		s := r.take()
		k := float64(r.k)
		run := func(name string, products float64, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, bits), func(b *testing.B) {
				for range b.N {
					f()
				}
				b.ReportMetric(float64(b.N)*products/float64(b.Elapsed().Nanoseconds()), "products/ns")
			})
		}
		run("product", 2*k*k, func() { r.product(s.sums, x, x) })
		run("square", k*k, func() { r.square(s.sums, x) })
		run("reduce", 2*k*k, func() { r.reduce(y, s.sums, canonical) })
		run("lazy", 2*k*k, func() { r.reduce(y, s.sums, lazy) })
		run("mul", 4*k*k, func() { r.mul(x, x, x, s, canonical) })
		run("sqr", 4*k*k, func() { r.sqr(x, x, s, canonical) })
	}
}
