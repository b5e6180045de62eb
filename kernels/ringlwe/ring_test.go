package ringlwe

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// edges are residues where arithmetic goes wrong first.
func edges(p uint64) []uint64 {
	return []uint64{0, 1, 2, p - 1, p - 2, p / 2, p/2 + 1, 1 << 39 % p, 1<<49 - 1, 1 << 32, 1<<32 - 1}
}

// schoolbook is the product in Z_p[X]/(X^n+1) by math/big.
func schoolbook(a, b []uint64, p uint64) []uint64 {
	n := len(a)
	sums := make([]big.Int, n)
	var x big.Int
	for i := range a {
		for j := range b {
			x.Mul(new(big.Int).SetUint64(a[i]), new(big.Int).SetUint64(b[j]))
			if s := &sums[(i+j)%n]; i+j < n {
				s.Add(s, &x)
			} else {
				s.Sub(s, &x)
			}
		}
	}
	out := make([]uint64, n)
	for i := range sums {
		out[i] = x.Mod(&sums[i], new(big.Int).SetUint64(p)).Uint64()
	}
	return out
}

func TestProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range []uint64{prime50a, prime50b, prime40} {
		for _, n := range []int{4, 8, 16, 32, 64} {
			r := newRing(n, p)
			for round := range 8 {
				a, b := make([]uint64, n), make([]uint64, n)
				for i := range a {
					if e := edges(p); round < 4 {
						a[i], b[i] = e[rng.IntN(len(e))]%p, e[rng.IntN(len(e))]%p
					} else {
						a[i], b[i] = rng.Uint64N(p), rng.Uint64N(p)
					}
					if round == 0 {
						a[i], b[i] = p-1, p-1
					}
				}
				if got, want := multiply(r, a, b), schoolbook(a, b, p); !slices.Equal(got, want) {
					t.Fatalf("degree %d modulo %d: %d·%d = %d, not %d", n, p, a, b, got, want)
				}
			}
		}
	}
}

// The transform takes words up to 2p, and its values stay below the bound that is stated.
func TestTransformRanges(t *testing.T) {
	for _, s := range Sets() {
		s.ready()
		for _, r := range s.rings {
			for _, x := range []uint64{0, 1, r.p - 1, 2*r.p - 1} {
				a := slices.Repeat([]uint64{x}, r.n)
				for i := range a {
					if i%3 == 0 {
						a[i] = 2*r.p - 1
					}
				}
				want := make([]uint64, r.n)
				for i := range a {
					want[i] = a[i] % r.p
				}
				r.forward(a)
				levels := uint64(12)
				for i := range a {
					if a[i] >= (2+2*levels)*r.p {
						t.Fatalf("%s: value %d is %d·p", s.Name, i, a[i]/r.p)
					}
					a[i] = r.reduce(a[i])
				}
				r.backward(a)
				if !slices.Equal(a, want) {
					t.Fatalf("%s: there and back is not the same", s.Name)
				}
			}
		}
	}
}

func TestModulus(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range []uint64{prime50a, prime50b, prime40, 12289} {
		m := newModulus(p)
		words := append(edges(p), 1<<64-1, 1<<63, 1<<63-1, 2*p, 2*p-1, 25*p, 25*p-1)
		for range 200 {
			words = append(words, rng.Uint64())
		}
		for _, x := range words {
			if got := m.reduce(x); got != x%p {
				t.Fatalf("%d mod %d = %d, not %d", x, p, got, x%p)
			}
			for _, w := range words[:14] {
				w %= p
				f := m.factor(w)
				if want, _ := new(big.Int).Div(new(big.Int).Lsh(new(big.Int).SetUint64(w), 64), new(big.Int).SetUint64(p)).Uint64(), 0; f.ratio != want {
					t.Fatalf("ratio of %d modulo %d: %d, not %d", w, p, f.ratio, want)
				}
				want := m.mulVarTime(x%p, w)
				if lazy := m.mulLazy(x, f); lazy >= 2*p || lazy%p != want || m.mul(x, f) != want {
					t.Fatalf("%d·%d mod %d = %d, not %d", x, w, p, lazy, want)
				}
			}
			y := x % p
			if c := m.centre(y); m.lift(c) != y || c > int64(p/2) || c < -int64(p/2) {
				t.Fatalf("centred residue of %d modulo %d: %d", y, p, c)
			}
		}
	}
}

func TestCRT(t *testing.T) {
	s := SetByName("R-2").ready()
	q := new(big.Int).Mul(new(big.Int).SetUint64(prime50a), new(big.Int).SetUint64(prime50b))
	half := new(big.Int).Rsh(q, 1)
	numbers := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(-1), half, new(big.Int).Neg(half)}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		x := new(big.Int).Lsh(new(big.Int).SetUint64(rng.Uint64()), 64)
		x.Add(x, new(big.Int).SetUint64(rng.Uint64()))
		x.Mod(x, q)
		numbers = append(numbers, x.Sub(x, half))
	}
	for _, x := range numbers {
		a := new(big.Int).Mod(x, new(big.Int).SetUint64(prime50a)).Uint64()
		b := new(big.Int).Mod(x, new(big.Int).SetUint64(prime50b)).Uint64()
		hi, lo := s.crt.centre(a, b)
		got := new(big.Int).Lsh(big.NewInt(int64(hi)), 64)
		got.Add(got, new(big.Int).SetUint64(lo))
		if got.Cmp(x) != 0 {
			t.Fatalf("residues of %d: %d", x, got)
		}
	}
}

func TestPacking(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, test := range []struct {
		size int
		p    uint64
	}{{50, prime50a}, {50, prime50b}, {40, prime40}} {
		for _, n := range []int{8, 16, 64, 2048} {
			x := make([]uint64, n)
			for i := range x {
				if e := edges(test.p); i%2 == 0 {
					x[i] = e[rng.IntN(len(e))] % test.p
				} else {
					x[i] = rng.Uint64N(test.p)
				}
			}
			packed := make([]byte, n*test.size/8)
			pack(packed, x, test.size)
			// By the definition: residue i is bits i·size and on, least significant first.
			var all, one big.Int
			for i, v := range x {
				all.Or(&all, one.Lsh(one.SetUint64(v), uint(i*test.size)))
			}
			want := all.FillBytes(make([]byte, len(packed)))
			slices.Reverse(want)
			if !slices.Equal(packed, want) {
				t.Fatalf("%d residues of %d bits: packed %x, not %x", n, test.size, packed, want)
			}
			sums := make([]uint64, n)
			for range 3 {
				if !addPacked(sums, packed, test.size, test.p, 5) {
					t.Fatal("residues below the prime are refused")
				}
			}
			for i := range sums {
				if sums[i] != 15*x[i] {
					t.Fatalf("residue %d of %d: 15 times %d is %d", i, n, x[i], sums[i])
				}
			}
			for i := range x {
				old := x[i]
				x[i] = test.p
				pack(packed, x, test.size)
				if addPacked(make([]uint64, n), packed, test.size, test.p, 1) {
					t.Fatalf("residue %d of %d is the prime and is not refused", i, n)
				}
				x[i] = old
			}
		}
	}
}

func TestBinomial(t *testing.T) {
	for e := int64(-NoiseBound); e <= NoiseBound; e++ {
		if got := binomial(noiseWord(e)); got != e {
			t.Errorf("noise %d is %d", e, got)
		}
	}
	if got := binomial(1<<64 - 1); got != 0 {
		t.Errorf("all ones make noise of %d", got)
	}
	// Mean 0, variance 10.5; with 2^18 samples the mean's deviation is 0.0063, that of the variance 0.029.
	random, n := NewStream(), 1<<18
	var sum, squares float64
	for range n {
		e := float64(binomial(random.source.Uint64()))
		sum += e
		squares += e * e
	}
	if mean, variance := sum/float64(n), squares/float64(n); mean < -.05 || mean > .05 || variance < 10.25 || variance > 10.75 {
		t.Errorf("noise has mean %g and variance %g", mean, variance)
	}
}

func TestTernary(t *testing.T) {
	const n = 3 << 14
	c := make([]int64, n)
	NewStream().ternary(c)
	var counts [3]int
	for _, x := range c {
		if x < -1 || x > 1 {
			t.Fatalf("a coefficient is %d", x)
		}
		counts[x+1]++
	}
	for x, k := range counts { // deviation 104
		if k < n/3-900 || k > n/3+900 {
			t.Errorf("%d of %d coefficients are %d", k, n, x-1)
		}
	}
	NewStream().ternary(c[:0])
	s := &Stream{source: &replay{[]uint64{0, 1<<64 - 1, 1 << 63}}}
	s.ternary(c[:3])
	if !slices.Equal(c[:3], []int64{-1, 1, 0}) {
		t.Errorf("words 0, 2^64-1 and 2^63 give %d", c[:3])
	}
}
