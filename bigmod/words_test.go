package bigmod_test

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cipherfold/cipherfold/bigmod"
)

// word draws from the ends of the range as often as from its middle.
var word = rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1 << 63, 1<<63 - 1, 1<<64 - 2, 1<<64 - 1}))

func drawWords(t *rapid.T, name string, n int) []uint64 {
	return rapid.SliceOfN(word, n, n).Draw(t, name)
}

func toBig(w []uint64) *big.Int {
	be := make([]byte, 8*len(w))
	bigmod.BytesFromWords(be, w)
	return new(big.Int).SetBytes(be)
}

// fromBig is x modulo 2^(64n).
func fromBig(x *big.Int, n int) []uint64 {
	x = new(big.Int).Mod(x, new(big.Int).Lsh(big.NewInt(1), uint(64*n)))
	w := make([]uint64, n)
	for i := range w {
		w[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
	}
	return w
}

func TestWordsAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 37).Draw(t, "n")
		x, y := drawWords(t, "x", n), drawWords(t, "y", n)
		if rapid.Bool().Draw(t, "nearly equal") {
			y = slices.Clone(x)
			if n > 0 {
				y[rapid.IntRange(0, n-1).Draw(t, "at")] += rapid.Uint64Range(0, 1).Draw(t, "by")
			}
		}
		bx, by := toBig(x), toBig(y)
		sum, difference := new(big.Int).Add(bx, by), new(big.Int).Sub(bx, by)
		less, equal := bx.Cmp(by) < 0, bx.Cmp(by) == 0
		mask := map[bool]uint64{true: ^uint64(0)}

		// every aliasing of a result with an operand, on copies
		for alias := range 3 {
			a, b := slices.Clone(x), slices.Clone(y)
			z := [][]uint64{make([]uint64, n), a, b}[alias]
			if c := bigmod.AddWords(z, a, b); !slices.Equal(append(z, c), fromBig(sum, n+1)) {
				t.Fatalf("AddWords, alias %d: %x carry %d", alias, z, c)
			}
			a, b = slices.Clone(x), slices.Clone(y)
			z = [][]uint64{make([]uint64, n), a, b}[alias]
			if c := bigmod.SubWords(z, a, b); !slices.Equal(z, fromBig(difference, n)) || (c == 1) != less || c > 1 {
				t.Fatalf("SubWords, alias %d: %x borrow %d", alias, z, c)
			}
			for choice, want := range map[bool][]uint64{true: x, false: y} {
				a, b = slices.Clone(x), slices.Clone(y)
				z = [][]uint64{make([]uint64, n), a, b}[alias]
				if bigmod.SelectWords(z, mask[choice], a, b); !slices.Equal(z, want) {
					t.Fatalf("SelectWords(%t), alias %d: %x", choice, alias, z)
				}
			}
		}
		if got := bigmod.LessWords(x, y); got != mask[less] {
			t.Fatalf("LessWords: %x", got)
		}
		if got := bigmod.EqualWords(x, y); got != mask[equal] {
			t.Fatalf("EqualWords: %x", got)
		}

		v := drawWords(t, "v", rapid.IntRange(0, 37).Draw(t, "length of v"))
		z := make([]uint64, n+len(v))
		for i := range z {
			z[i] = 0xa5a5
		}
		if bigmod.MulWords(z, x, v); !slices.Equal(z, fromBig(new(big.Int).Mul(bx, toBig(v)), len(z))) {
			t.Fatalf("MulWords: %x", z)
		}
	})
}

func TestWordsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		be := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "bytes")
		n := (len(be)+7)/8 + rapid.IntRange(0, 2).Draw(t, "more words")
		w := make([]uint64, n)
		for i := range w {
			w[i] = 0xa5a5
		}
		bigmod.WordsFromBytes(w, be)
		if want := fromBig(new(big.Int).SetBytes(be), n); !slices.Equal(w, want) {
			t.Fatalf("WordsFromBytes(%x): %x, want %x", be, w, want)
		}
		back := make([]byte, len(be)+rapid.IntRange(0, 10).Draw(t, "more bytes"))
		for i := range back {
			back[i] = 0xa5
		}
		bigmod.BytesFromWords(back, w)
		if new(big.Int).SetBytes(back).Cmp(new(big.Int).SetBytes(be)) != 0 {
			t.Fatalf("BytesFromWords(%x): %x, want %x", w, back, be)
		}
	})
}

func TestWordsMisuse(t *testing.T) {
	one, two, three := make([]uint64, 1), make([]uint64, 2), make([]uint64, 3)
	for name, f := range map[string]func(){
		"AddWords, z":             func() { bigmod.AddWords(one, two, two) },
		"AddWords, x":             func() { bigmod.AddWords(two, three, two) },
		"SubWords, y":             func() { bigmod.SubWords(two, two, three) },
		"SelectWords":             func() { bigmod.SelectWords(two, 0, two, three) },
		"EqualWords":              func() { bigmod.EqualWords(two, three) },
		"LessWords":               func() { bigmod.LessWords(three, two) },
		"MulWords":                func() { bigmod.MulWords(two, two, one) },
		"WordsFromBytes":          func() { bigmod.WordsFromBytes(one, make([]byte, 9)) },
		"BytesFromWords, 7 bytes": func() { bigmod.BytesFromWords(make([]byte, 7), []uint64{1 << 56}) },
		"BytesFromWords, 8 bytes": func() { bigmod.BytesFromWords(make([]byte, 8), []uint64{0, 1}) },
		"BytesFromWords, none":    func() { bigmod.BytesFromWords(nil, []uint64{1}) },
		"NewExactDivisor, even":   func() { bigmod.NewExactDivisor([]uint64{2, 1}) },
		"NewExactDivisor, none":   func() { bigmod.NewExactDivisor(nil) },
		"Div":                     func() { bigmod.NewExactDivisor([]uint64{3, 1}).Div(one, two) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestExactDivisor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		d := drawWords(t, "d", n)
		d[0] |= 1
		q := drawWords(t, "q", n)
		divisor := bigmod.NewExactDivisor(d)
		product := new(big.Int).Mul(toBig(d), toBig(q))

		// every length of x that holds it
		for length := (product.BitLen() + 63) / 64; length <= 2*n+2; length++ {
			got := make([]uint64, n)
			x := fromBig(product, length)
			if divisor.Div(got, x) != ^uint64(0) || !slices.Equal(got, q) {
				t.Fatalf("Div of %d words: %x, want %x", length, got, q)
			}
		}

		// what is not a multiple, near one and far from it
		x := new(big.Int).Add(product, big.NewInt(rapid.Int64Range(-2, 2).Draw(t, "near")))
		if rapid.Bool().Draw(t, "far") {
			x = toBig(drawWords(t, "x", 2*n))
		}
		if x.Sign() < 0 {
			x.SetInt64(1)
		}
		quotient, rest := new(big.Int).QuoRem(x, toBig(d), new(big.Int))
		var want uint64
		if rest.Sign() == 0 && quotient.BitLen() <= 64*n {
			want = ^uint64(0)
		}
		if got := divisor.Div(make([]uint64, n), fromBig(x, 2*n+1)); got != want {
			t.Fatalf("Div of %x by %x: exact %x, want %x", x, d, got, want)
		}

		// a quotient that does not fit
		large := new(big.Int).Mul(toBig(d), new(big.Int).Lsh(big.NewInt(1), uint(64*n)))
		if divisor.Div(make([]uint64, n), fromBig(large, 2*n+1)) != 0 {
			t.Fatal("Div with a quotient that does not fit: exact")
		}
		// a multiple in its lower words, with more above them
		if divisor.Div(make([]uint64, n), append(fromBig(product, 2*n), 1)) != 0 {
			t.Fatal("Div of a dividend with a word too many: exact")
		}
	})
}

func TestExactDivisorAllocations(t *testing.T) {
	d := bigmod.NewExactDivisor([]uint64{3, 5, 7})
	q, x := make([]uint64, 3), []uint64{9, 15, 21, 0, 0, 0}
	if allocs := testing.AllocsPerRun(20, func() { d.Div(q, x) }); allocs > 0 {
		t.Errorf("%.0f allocations", allocs)
	}
}
