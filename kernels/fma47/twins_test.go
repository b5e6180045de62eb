package fma47

import (
	"math"
	"math/big"
	"slices"
	"testing"
)

// digitSlack is by how much digits may exceed half the radix: what carries leave. TestBounds proves it.
const digitSlack = 1 << 8

// same fails unless two slices have the same bits.
func same(t *testing.T, what string, x, y []float64) {
	t.Helper()
	if !slices.Equal(words(x), words(y)) {
		for i := range x {
			if math.Float64bits(x[i]) != math.Float64bits(y[i]) {
				t.Fatalf("%s: word %d is %v and %v", what, i, x[i], y[i])
			}
		}
	}
}

// TestTwins compares each function of the assembly with its twin in Go, bit for bit, at every length, on extreme and random
// digits.
func TestTwins(t *testing.T) {
	for _, k := range kernelsUnderTest(t) {
		for _, bits := range lengths() {
			rng := newRand(bits)
			for _, mod := range moduli(rng, bits) {
				a := newModulus(modulusOf(mod), k)
				g := newModulus(modulusOf(mod), kernel{lanes: k.lanes})
				u, v := a.work(), g.work()
				t1, t2 := a.space(2+2*a.n), a.space(2+2*a.n)
				q1, q2 := a.space(a.n+11), a.space(a.n+11)
				var numbers [4][]float64
				z1, z2 := a.space(a.n), a.space(a.n)
				for range 4 {
					for i := range numbers {
						numbers[i] = a.space(a.n)
						a.extremeDigits(rng, numbers[i])
					}
					x, y := numbers[0], numbers[1]
					a.product(u.t, x, y)
					g.product(v.t, x, y)
					same(t, "product", u.t, v.t)
					copy(t1, u.t)
					a.productAdd(u.t, numbers[2], numbers[3])
					g.productAdd(v.t, numbers[2], numbers[3])
					same(t, "productAdd", u.t, v.t)
					if a.n <= fusedLimbs {
						a.product2(u.t, x, y, numbers[2], numbers[3])
						g.product2(v.t, x, y, numbers[2], numbers[3])
						same(t, "product2", u.t, v.t)
					}
					copy(t2, u.t)
					a.square(u.t, x, u.twice)
					g.square(v.t, x, v.twice)
					same(t, "square", u.t, v.t)
					same(t, "twice", u.twice, v.twice)
					for _, columns := range [][]float64{t1, t2, u.t} {
						a.reduce(z1, columns, q1)
						g.reduce(z2, columns, q2)
						same(t, "reduce", z1, z2)
						same(t, "the multipliers of reduce", q1[:a.n*a.lanes], q2[:a.n*a.lanes])
						for _, consts := range [][]float64{a.consts, a.twice} {
							a.reducePair(z1, t1, u.q, q1, consts)
							g.reducePair(z2, t1, v.q, q1, consts)
							same(t, "reducePair", z1, z2)
						}
					}
				}
			}
		}
	}
}

// TestReduce compares products and reductions with math/big, and checks that the results are below the modulus.
func TestReduce(t *testing.T) {
	for _, k := range kernelsUnderTest(t) {
		for _, bits := range lengths() {
			rng := newRand(-bits)
			for _, mod := range moduli(rng, bits) {
				m := newModulus(modulusOf(mod), k)
				w := m.work()
				r := pow2(m.w * m.n)
				if new(big.Int).Lsh(mod, spareBits).Cmp(r) > 0 {
					t.Fatalf("%d bits: R is too small", bits)
				}
				x, y, z := m.space(m.n), m.space(m.n), m.space(m.n)
				for range 3 {
					for l := range m.lanes {
						for _, v := range [][]float64{x, y} {
							n := randomBelow(rng, mod)
							if rng.IntN(4) == 0 {
								n.Sub(mod, big.NewInt(1))
							}
							fields := fieldsOf(wordsOfBig(n), m.n, m.w)
							sign := float64(2*rng.IntN(2) - 1)
							for j, d := range digitsOf(fields, nil, 0, m.w) {
								v[m.lanes*j+l] = sign * d
							}
						}
					}
					check := func(what string, square bool) {
						t.Helper()
						m.reduce(z, w.t, w.q)
						for l := range m.lanes {
							vx, vy, vz := m.valueOf(x, l), m.valueOf(y, l), m.valueOf(z, l)
							if square {
								vy = vx
							}
							if vz.CmpAbs(mod) >= 0 {
								t.Fatalf("%s modulo %d bits: lane %d is not below the modulus", what, bits, l)
							}
							got := new(big.Int).Mul(vz, r)
							if got.Sub(got, new(big.Int).Mul(vx, vy)).Mod(got, mod).Sign() != 0 {
								t.Fatalf("%s modulo %d bits: lane %d is wrong", what, bits, l)
							}
						}
					}
					m.product(w.t, x, y)
					check("product", false)
					m.square(w.t, x, w.twice)
					check("square", true)
				}
			}
		}
	}
}

func wordsOfBig(x *big.Int) []uint64 {
	w := make([]uint64, (x.BitLen()+63)/64)
	for i := range w {
		w[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
	}
	return w
}

// kernelsUnderTest are those of both widths, with the assembly where this machine runs it.
func kernelsUnderTest(t testing.TB) []kernel {
	var list []kernel
	for _, lanes := range []int{narrow, wide} {
		available, why := supported(lanes)
		if !available {
			t.Log(why)
		}
		list = append(list, kernel{lanes: lanes, assembly: available})
	}
	return list
}
