package shares

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

var edges = []uint64{0, 1, 2, math.MaxInt64, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64, 1 << 32, 1<<32 - 1}

// values returns n words: edge values and random ones.
func values(r *rand.Rand, n int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = r.Uint64()
		if r.IntN(3) == 0 {
			v[i] = edges[r.IntN(len(edges))]
		}
	}
	return v
}

func rows(n, length int) [][]uint64 {
	out := make([][]uint64, n)
	for i := range out {
		out[i] = make([]uint64, length)
	}
	return out
}

func TestSplitCombine(t *testing.T) {
	r, random := rand.New(rand.NewPCG(1, 1)), NewStream()
	for _, servers := range []int{2, 3, 4, 7} {
		for _, n := range []int{0, 1, 7, 8, 100} {
			v := values(r, n)
			s := rows(servers, n)
			Split(s, v, random)
			got := make([]uint64, n)
			Combine(got, s...)
			if !slices.Equal(got, v) {
				t.Errorf("%d servers, %d values: the shares do not add up", servers, n)
			}
			// In place: the values become the last server's shares.
			s[servers-1] = slices.Clone(v)
			Split(s, s[servers-1], random)
			Combine(s[0], s...)
			if !slices.Equal(s[0], v) {
				t.Errorf("%d servers, %d values: in place, the shares do not add up", servers, n)
			}
		}
	}
}

// Sums and products of shares are those of math/big modulo 2^64.
func TestSumProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	word := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, n := range []int{0, 1, 2, 9, 1000} {
		u, v := values(r, n), values(r, n)
		sum, product := new(big.Int), new(big.Int)
		for i := range u {
			x, y := new(big.Int).SetUint64(u[i]), new(big.Int).SetUint64(v[i])
			sum.Add(sum, x)
			product.Add(product, x.Mul(x, y))
		}
		if got := Sum(u); sum.Mod(sum, word).Uint64() != got {
			t.Errorf("%d values: the sum is %d, not %s", n, got, sum)
		}
		if got := Product(u, v); product.Mod(product, word).Uint64() != got {
			t.Errorf("%d values: the product is %d, not %s", n, got, product)
		}
	}
}

// chiSquare is the statistic of counts that should be equal.
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want, sum := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// chiSquareLimit is about the value that chi-square with that many degrees of freedom exceeds once in 10^7 (Wilson and
// Hilferty, 1931).
func chiSquareLimit(freedom float64) float64 {
	x := 1 - 2/(9*freedom) + 5.2*math.Sqrt(2/(9*freedom))
	return freedom * x * x * x
}

// All bytes of each server's shares are uniform, whatever the value, and so are sums of two servers' shares. The test
// itself is shown to see what is not: shares without a modulus.
func TestUniform(t *testing.T) {
	n := thoroughtest.Pick(20_000, 400_000)
	limit := chiSquareLimit(255)
	check := func(what string, words []uint64) (bad int) {
		for b := range 8 {
			counts := make([]int, 256)
			for _, w := range words {
				counts[w>>(8*b)&255]++
			}
			if x := chiSquare(counts); x > limit {
				bad++
				t.Logf("%s, byte %d: chi-square %.0f above %.0f", what, b, x, limit)
			}
		}
		return bad
	}
	for k, value := range []uint64{0, 1, 98, 1 << 63, math.MaxUint64} {
		v := make([]uint64, n)
		for i := range v {
			v[i] = value
		}
		s := rows(3, n)
		Split(s, v, NewSeeded([32]byte{byte(k), 7}))
		for j := range s {
			both := make([]uint64, n)
			Combine(both, s[j], s[(j+1)%3])
			if check(fmt.Sprintf("value %d, server %d", value, j), s[j])+check("two servers", both) > 0 {
				t.Errorf("shares of %d are not uniform", value)
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	printed := make([]uint64, n) // the paper's γ = ρ-α-β with 32-bit shares of either sign
	for i := range printed {
		printed[i] = uint64(98 - (r.Int64N(1<<33) - 1<<32) - (r.Int64N(1<<33) - 1<<32))
	}
	if check("the paper's third share", printed) == 0 {
		t.Error("the test does not see that shares without a modulus are not uniform")
	}
}

// Two streams differ, and one key gives one stream.
func TestStream(t *testing.T) {
	a, b := make([]uint64, 4), make([]uint64, 4)
	NewStream().Words(a)
	NewStream().Words(b)
	if slices.Equal(a, b) {
		t.Error("two streams are equal")
	}
	NewSeeded([32]byte{1}).Words(a)
	NewSeeded([32]byte{1}).Words(b)
	if !slices.Equal(a, b) {
		t.Error("one key gives two streams")
	}
}

func pairKeys(servers int) [][]PairKey {
	keys := make([][]PairKey, servers)
	for i := range keys {
		keys[i] = make([]PairKey, servers)
		for k := range keys {
			keys[i][k] = PairKey{byte(min(i, k)), byte(max(i, k)), 9}
		}
	}
	return keys
}

func TestZeroShares(t *testing.T) {
	for _, servers := range []int{2, 3, 5} {
		keys := pairKeys(servers)
		for _, n := range []int{0, 1, 16, 17, 18, 40} {
			s, other := rows(servers, n), rows(servers, n)
			for j := range s {
				AddZeroShares(s[j], j, keys[j], []byte("query 1"))
				AddZeroShares(other[j], j, keys[j], []byte("query 2"))
				for i := range n {
					if s[j][i] == 0 || s[j][i] == other[j][i] || i > 0 && s[j][i] == s[j][i-1] {
						t.Errorf("server %d: share %d of zero is %d", j, i, s[j][i])
					}
				}
			}
			sum := make([]uint64, n)
			Combine(sum, s...)
			if slices.ContainsFunc(sum, func(w uint64) bool { return w != 0 }) {
				t.Errorf("%d servers, %d words: shares of zero have the sums %d", servers, n, sum)
			}
		}
	}
	// The function is fixed: servers of different builds must agree.
	w := make([]uint64, 1)
	AddZeroShares(w, 0, pairKeys(2)[0], []byte("query 1"))
	if w[0] != zeroShareKnown {
		t.Errorf("the share of a fixed key and label is %#x, not %#x", w[0], uint64(zeroShareKnown))
	}
}

// wide is a plaintext as a number.
func wide(m []uint64) *big.Int {
	x := new(big.Int)
	for _, w := range slices.Backward(m) {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(w))
	}
	return x
}

// The slots of layouts that three-servers tables and known answers fix.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		keyBits int
		records int64
		want    Convolution
	}{
		{1024, 7, Convolution{173, 3}}, {2048, 10_000, Convolution{184, 6}}, {2048, 1_000_000, Convolution{190, 5}},
		{3072, 10_000, Convolution{184, 8}}, {3072, 1_000_000, Convolution{190, 8}}, {512, 1, Convolution{170, 2}},
	} {
		if got, err := NewConvolution(c.keyBits, c.records, 0); err != nil || got != c.want {
			t.Errorf("%d bits, %d records: %v, %v; want %v", c.keyBits, c.records, got, err, c.want)
		}
	}
	if o, err := NewOpening(2048, 3, 0); err != nil || o.SlotBits != 106 || o.Values != 19 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, err := range []error{
		second(NewConvolution(1024, 0, 0)), second(NewConvolution(1024, 1<<48+1, 0)), second(NewConvolution(128, 1, 0)),
		second(NewConvolution(1024, 1, 39)), second(NewConvolution(1024, 1, 65)), second(NewConvolution(1024, 1, -1)),
		second(NewOpening(1024, 1, 0)), second(NewOpening(64, 3, 0)), second(NewOpening(1024, 3, 20)), second(NewOpening(1024, 3, 65)),
	} {
		if err == nil {
			t.Error("a layout that cannot be is not refused")
		}
	}
}

func second[T any](_ T, err error) error { return err }

// checkConvolution computes an inner product through the layout with math/big: sum of pack(u)·exponent(v), plus masks.
func checkConvolution(t *testing.T, keyBits int, u, v []uint64, random *Stream) {
	t.Helper()
	n := len(u)
	c, err := NewConvolution(keyBits, int64(max(1, n)), 0)
	if err != nil {
		t.Fatal(err)
	}
	limbs, blocks := keyBits/64, c.Ciphertexts(n)
	m := make([]uint64, blocks*limbs)
	for i := range m {
		m[i] = math.MaxUint64 // Pack clears
	}
	c.Pack(m, limbs, u)
	total := new(big.Int)
	digits := make([]uint64, blocks)
	for i := range c.Records {
		c.Digits(digits, v, i)
		for b, d := range digits {
			x := new(big.Int).Mul(wide(m[b*limbs:(b+1)*limbs]), new(big.Int).SetUint64(d))
			total.Add(total, x.Lsh(x, uint(c.SlotBits*(c.Records-1-i))))
		}
	}
	masks := make([]uint64, c.Masks()*c.MaskWords())
	c.DrawMasks(masks, random)
	packed := make([]uint64, limbs)
	middle := c.PackMasks(packed, masks)
	for i := range c.Masks() {
		mask := wide(masks[i*c.MaskWords() : (i+1)*c.MaskWords()])
		if mask.BitLen() > c.SlotBits-1 {
			t.Fatalf("mask %d has %d bits", i, mask.BitLen())
		}
		slot := new(big.Int).Rsh(wide(packed), uint(i*c.SlotBits))
		if slot.Mod(slot, new(big.Int).Lsh(big.NewInt(1), uint(c.SlotBits))); slot.Cmp(mask) != 0 {
			t.Fatalf("slot %d of the packed masks is %s, not %s", i, slot, mask)
		}
	}
	total.Add(total, wide(packed))
	if total.BitLen() > keyBits-1 {
		t.Fatalf("%d records: the plaintext has %d bits", n, total.BitLen())
	}
	clear(packed)
	for i, w := range total.Bits() {
		packed[i] = uint64(w)
	}
	if got := c.Middle(packed) - middle; got != Product(u, v) {
		t.Fatalf("%d records of a key of %d bits: the inner product is %d, not %d", n, keyBits, got, Product(u, v))
	}
}

func TestConvolution(t *testing.T) {
	r, random := rand.New(rand.NewPCG(5, 5)), NewStream()
	for _, keyBits := range []int{512, 1024, 2048, 3072} {
		for _, n := range []int{0, 1, 2, 3, 5, 6, 7, 8, 9, 15, 16, 17, 50} {
			checkConvolution(t, keyBits, values(r, n), values(r, n), random)
		}
		all := make([]uint64, 40) // the largest product there is
		for i := range all {
			all[i] = math.MaxUint64
		}
		checkConvolution(t, keyBits, all, all, random)
	}
}

// checkOpening opens shares through the layout.
func checkOpening(t *testing.T, keyBits, servers int, v []uint64, random *Stream) {
	t.Helper()
	o, err := NewOpening(keyBits, servers, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := rows(servers, len(v))
	Split(s, v, random)
	limbs, blocks := keyBits/64, o.Ciphertexts(len(v))
	sums := make([]*big.Int, blocks)
	m := make([]uint64, blocks*limbs)
	for j := range s {
		o.Pack(m, limbs, s[j], random)
		for b := range sums {
			if sums[b] == nil {
				sums[b] = new(big.Int)
			}
			sums[b].Add(sums[b], wide(m[b*limbs:(b+1)*limbs]))
		}
	}
	clear(m)
	for b, sum := range sums {
		if sum.BitLen() > keyBits-1 {
			t.Fatalf("the plaintext has %d bits", sum.BitLen())
		}
		for i, w := range sum.Bits() {
			m[b*limbs+i] = uint64(w)
		}
	}
	got := make([]uint64, len(v))
	o.Unpack(got, m, limbs)
	if !slices.Equal(got, v) {
		t.Fatalf("%d values of %d servers, %d bits: %d, not %d", len(v), servers, keyBits, got, v)
	}
}

func TestOpening(t *testing.T) {
	r, random := rand.New(rand.NewPCG(6, 6)), NewStream()
	for _, keyBits := range []int{512, 1024, 2048} {
		for _, servers := range []int{2, 3, 4, 5, 9} {
			for _, n := range []int{0, 1, 4, 5, 9, 19, 20, 41} {
				checkOpening(t, keyBits, servers, values(r, n), random)
			}
		}
	}
}

// The multiples of 2^64 differ from one packing to the next and fill their range.
func TestOpeningHides(t *testing.T) {
	o, err := NewOpening(1024, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, counts := make([]uint64, 16), make([]int, 256)
	random := NewSeeded([32]byte{4})
	for range 10_000 {
		o.Pack(m, 16, []uint64{5}, random)
		if m[0] != 5 || m[1]>>40 != 0 {
			t.Fatalf("packed %#x", m)
		}
		counts[m[1]>>32]++
	}
	if x := chiSquare(counts); x > chiSquareLimit(255) {
		t.Errorf("the multiples are not uniform: chi-square %.0f", x)
	}
}

// A caller's bug panics.
func TestPanics(t *testing.T) {
	c := Convolution{173, 3}
	o, _ := NewOpening(1024, 3, 0)
	for name, f := range map[string]func(){
		"one server":         func() { Split(rows(1, 1), make([]uint64, 1), NewStream()) },
		"a short share":      func() { Split([][]uint64{{1}, {}}, make([]uint64, 1), NewStream()) },
		"Combine":            func() { Combine(make([]uint64, 1), []uint64{}) },
		"Product":            func() { Product([]uint64{1}, nil) },
		"no such server":     func() { AddZeroShares(nil, 2, make([]PairKey, 2), nil) },
		"one key":            func() { AddZeroShares(nil, 0, make([]PairKey, 1), nil) },
		"Convolution.Pack":   func() { c.Pack(nil, 16, []uint64{1}) },
		"Convolution.Digits": func() { c.Digits(nil, []uint64{1}, 0) },
		"DrawMasks":          func() { c.DrawMasks(nil, NewStream()) },
		"PackMasks":          func() { c.PackMasks(nil, nil) },
		"Opening.Pack":       func() { o.Pack(nil, 16, []uint64{1}, NewStream()) },
		"Opening.Unpack":     func() { o.Unpack([]uint64{1}, nil, 16) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

const zeroShareKnown = 0xb1644e397d7421c9
