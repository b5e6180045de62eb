package codec

import (
	"math/big"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"pgregory.net/rapid"
)

func toBig(x Exact) *big.Int {
	z := integer(x.w[:])
	if x.negative {
		z.Neg(z)
	}
	return z
}

func drawInt(t *rapid.T, label string) Int {
	hi := rapid.Int64().Draw(t, label+" high") >> rapid.IntRange(0, 63).Draw(t, label+" shift")
	if hi == -1<<63 {
		hi++
	}
	return decimal128.New(hi, rapid.Uint64().Draw(t, label+" low"))
}

func TestExactAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c, d := drawInt(t, "a"), drawInt(t, "b"), drawInt(t, "c"), drawInt(t, "d")
		x := ExactOf(a).Mul(ExactOf(b)).Sub(ExactOf(c).Mul(ExactOf(d)))
		want := new(big.Int).Mul(a.BigInt(), b.BigInt())
		want.Sub(want, new(big.Int).Mul(c.BigInt(), d.BigInt()))
		if toBig(x).Cmp(want) != 0 || x.Sign() != want.Sign() {
			t.Fatalf("a·b - c·d = %v, want %v", toBig(x), want)
		}
		y := ExactOf(d)
		if d.Sign() == 0 {
			y = ExactPowerOfTen(3)
		}
		wantRatio, _ := new(big.Rat).SetFrac(want, toBig(y)).Float64()
		if got := Ratio(x, y); got != wantRatio {
			t.Fatalf("ratio %v, want %v", got, wantRatio)
		}
		wantFloat, _ := new(big.Float).SetInt(want).Float64()
		if got := x.Float64(); got != wantFloat {
			t.Fatalf("float %v, want %v", got, wantFloat)
		}
	})
}

// Halves between two doubles round to the even one, and one unit beyond the half does not.
func TestRatioTies(t *testing.T) {
	one := ExactOf(FromInt64(1))
	for _, c := range []struct {
		v    int64
		want float64
	}{{1<<53 + 1, 1 << 53}, {1<<53 + 3, 1<<53 + 4}, {1<<54 + 2, 1 << 54}, {1<<54 + 3, 1<<54 + 4}} {
		if got := Ratio(ExactOf(FromInt64(c.v)), one); got != c.want {
			t.Errorf("%d rounds to %v, want %v", c.v, got, c.want)
		}
	}
}

func TestFixedBinaryTies(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int
		want  int64
	}{{"0.5", 0, 0}, {"1.5", 0, 2}, {"2.5", 0, 2}, {"-0.5", 0, 0}, {"-1.5", 0, -2}, {"36.6", 16, 2398618}, {"-0.1", 32, -429496730}} {
		got, err := FixedBinary(c.text, c.scale)
		if err != nil || got != FromInt64(c.want) {
			t.Errorf("FixedBinary(%s, %d) = %v, %v; want %d", c.text, c.scale, got.BigInt(), err, c.want)
		}
	}
	for _, s := range []string{"abc", "NaN", "1e30"} {
		if _, err := FixedBinary(s, 8); err == nil {
			t.Errorf("FixedBinary(%q) accepted", s)
		}
	}
}
