//go:build !purego

package ringlwe

import (
	"crypto/aes"
	"crypto/cipher"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// needsAssembly skips a test of the assembly where there is none to test.
func needsAssembly(t *testing.T) {
	t.Helper()
	if ok, why := supported(); !ok {
		t.Skip(why)
	}
}

// The assembly and its twins in Go agree, on the values where they go wrong first.
func TestTwins(t *testing.T) {
	needsAssembly(t)
	rng := rand.New(rand.NewPCG(11, 12))
	for _, p := range []uint64{prime50a, prime50b, prime40} {
		for _, n := range []int{16, 32, 64, 128, 2048, 4096} {
			r := newRing(n, p)
			if !r.ifma {
				t.Fatalf("degree %d: the assembly is not used", n)
			}
			e := edges(p)
			for round := range 12 {
				draw := func(below uint64) []uint64 {
					x := make([]uint64, n)
					for i := range x {
						switch {
						case round == 0:
							x[i] = below - 1
						case round < 5:
							x[i] = e[rng.IntN(len(e))] % below
						default:
							x[i] = rng.Uint64N(below)
						}
					}
					return x
				}
				a := draw(2 * p)
				want, got := slices.Clone(a), slices.Clone(a)
				r.forwardGeneric(want)
				r.forward(got)
				for i := range got {
					if got[i] >= 4*p || got[i]%p != want[i]%p {
						t.Fatalf("degree %d modulo %d, round %d: value %d of the transform is %d, not %d", n, p, round, i, got[i], want[i]%p)
					}
				}
				m, public, f := draw(4*p), draw(p), r.factors(draw(p))
				want, got = slices.Clone(m), slices.Clone(m)
				r.addProductGeneric(want, public, f)
				r.addProduct(got, public, f)
				if !slices.Equal(got, want) {
					t.Fatalf("degree %d modulo %d, round %d: sums with products %d, not %d", n, p, round, got, want)
				}
				noise, values := make([]uint64, n), make([]int64, n)
				const shift = 32
				for i := range noise {
					noise[i] = rng.Uint64()
					values[i] = rng.Int64N(1<<shift) - 1<<(shift-1)
					if round == 0 {
						noise[i], values[i] = noiseWord(int64(i%43)-21), []int64{1<<31 - 1, -1 << 31, 0, -1}[i%4]
					}
				}
				r.encodeGeneric(want, values, noise, shift)
				r.encode(got, values, noise, shift)
				if !slices.Equal(got, want) {
					t.Fatalf("degree %d modulo %d, round %d: coefficients %d, not %d", n, p, round, got, want)
				}
			}
		}
	}
}

// Quantisation by assembly is that in Go, for numbers of all kinds, and any count of them.
func TestQuantizerTwins(t *testing.T) {
	needsAssembly(t)
	rng := rand.New(rand.NewPCG(13, 14))
	for _, clip := range []float64{1, 0.25, 1e-30, 1e30, 3} {
		for _, bits := range []int{2, 16, 30} {
			q, err := NewQuantizer(clip, bits)
			if err != nil {
				t.Fatal(err)
			}
			for _, weight := range []int64{1, 7, 1 << 31} {
				if err := q.Weigh(weight); err != nil {
					t.Fatal(err)
				}
				for _, shrink := range []float64{1, 0.1, 1e-20} {
					if err := q.Shrink(1, shrink); err != nil {
						t.Fatal(err)
					}
					c := q.constants()
					n := rng.IntN(80)
					g, single, words := make([]float64, n), make([]float32, n), make([]uint64, (n+1)/2)
					for i := range g {
						switch i % 5 {
						case 0:
							g[i] = math.Float64frombits(rng.Uint64()) // of any size, and what is no number
							single[i] = math.Float32frombits(rng.Uint32())
						case 1:
							g[i] = []float64{0, math.Copysign(0, -1), clip, -clip, 5e-324, -5e-324, math.Inf(1), math.MaxFloat64}[rng.IntN(8)]
							single[i] = []float32{0, float32(math.Copysign(0, -1)), float32(clip), 1e-45, -1e-45, 1.1754944e-38, -math.MaxFloat32, float32(math.Inf(-1))}[rng.IntN(8)]
						default:
							g[i] = (rng.Float64()*2.2 - 1.1) * clip / shrink
							single[i] = float32(g[i])
						}
					}
					for i := range words {
						words[i] = rng.Uint64()
						if rng.IntN(4) == 0 {
							words[i] = []uint64{0, 1<<64 - 1, 1<<32 - 1}[rng.IntN(3)]
						}
					}
					want, got := make([]int64, n), make([]int64, n)
					c.float64sGeneric(want, g, words)
					c.float64s(got, g, words)
					if !slices.Equal(got, want) {
						t.Fatalf("clip %g, %d bits, weight %d: of %g %d, not %d", clip, bits, weight, g, got, want)
					}
					c.float32sGeneric(want, single, words)
					c.float32s(got, single, words)
					if !slices.Equal(got, want) {
						t.Fatalf("clip %g, %d bits, weight %d: of %g %d, not %d", clip, bits, weight, single, got, want)
					}
				}
			}
		}
	}
}

// Key streams are the same words, whatever their number.
func TestKeystreamTwins(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, 3, 127, 128, 129, 500} {
		a, b := cipher.NewCTR(block, make([]byte, 16)), cipher.NewCTR(block, make([]byte, 16))
		want, got := make([]uint64, 2*n), slices.Repeat([]uint64{7}, 2*n)
		keystreamGeneric(want[:n], a)
		keystreamGeneric(want[n:], a)
		keystream(got[:n], b)
		keystream(got[n:], b)
		if !slices.Equal(got, want) {
			t.Fatalf("%d words: %x, not %x", n, got, want)
		}
	}
}

// TestSwitch turns off the instructions, as a processor without them would have it: rings do without the assembly, and
// ciphertexts are the same.
func TestSwitch(t *testing.T) {
	needsAssembly(t)
	encrypt := func() []byte {
		s := small(SetByName("R-2"))
		key := s.NewKey(&Stream{source: rand.NewChaCha8([32]byte{1})})
		e := key.NewEncryptor(s.NewPublic("net", 1), &Stream{source: rand.NewChaCha8([32]byte{2})})
		block := make([]byte, s.BlockBytes())
		if err := e.Encrypt(block, 3, Head{1, 100}, []int64{1, -2, 100}); err != nil {
			t.Fatal(err)
		}
		return block
	}
	want := encrypt()
	defer cpu.Disable("noifma")()
	if ok, why := supported(); ok || newRing(64, prime50a).ifma || NewStream().bulk != nil {
		t.Fatal("used without its instructions:", why)
	}
	if !slices.Equal(encrypt(), want) {
		t.Fatal("the assembly and its twins disagree")
	}
}

// TestAssemblyIsUsed fails where a processor has the instructions, by the flags that Linux tells of it, and they are not used.
func TestAssemblyIsUsed(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("this system does not tell the processor's flags: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "\nflags")
	line, _, _ := strings.Cut(rest, "\n")
	have := strings.Fields(line)
	has := true
	for _, flag := range []string{"avx512f", "avx512dq", "avx512ifma", "avx512_vpopcntdq", "aes"} {
		has = has && slices.Contains(have, flag)
	}
	if ok, why := supported(); cpu.Setting() == "" && ok != has || cpu.Setting() == "none" && ok {
		t.Errorf("used is %t, but by the processor's flags %t: %s", ok, has, why)
	}
}
