package codec

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		text     string
		decimals int
		want     int64
		err      error
	}{
		{"0", 0, 0, nil}, {"-0", 0, 0, nil}, {"+7", 0, 7, nil}, {"7.9", 1, 79, nil}, {"7.90", 1, 79, nil}, {"7.9", 3, 7900, nil},
		{"7.91", 1, 0, ErrDecimals}, {"0.05", 1, 0, ErrDecimals}, {".5", 1, 5, nil}, {"5.", 0, 5, nil}, {" 12 ", 0, 12, nil},
		{"1e3", 0, 1000, nil}, {"1.5E-1", 2, 15, nil}, {"1.5e-1", 1, 0, ErrDecimals}, {"1200e-2", 0, 12, nil}, {"1e18", 0, 1e18, nil},
		{"1e19", 0, 0, ErrOverflow}, {"0e999999999", 0, 0, nil}, {"1e999999999", 0, 0, ErrOverflow}, {"1e-999999999", 0, 0, ErrDecimals},
		{"1e99999999999999999999", 0, 0, ErrOverflow}, {"1e-99999999999999999999", 0, 0, ErrDecimals}, {"0e99999999999999999999", 0, 0, nil},
		{"9223372036854775807", 0, math.MaxInt64, nil}, {"-9223372036854775807", 0, -math.MaxInt64, nil},
		{"9223372036854775808", 0, 0, ErrOverflow}, {"-9223372036854775808", 0, 0, ErrOverflow},
		{"18446744073709551616", 0, 0, ErrOverflow}, {"184467440737095516160000", 0, 0, ErrOverflow},
		{"-0.380649691780917", 17, -38064969178091700, nil}, {"0.0950911541007074", 17, 9509115410070740, nil},
		{"000000000000000000000000000001", 0, 1, nil}, {"0.10000000000000000000000000000", 1, 1, nil},
		{"", 0, 0, ErrNotNumber}, {"-", 0, 0, ErrNotNumber}, {".", 0, 0, ErrNotNumber}, {"abc", 0, 0, ErrNotNumber},
		{"1_000", 0, 0, ErrNotNumber}, {"1,5", 1, 0, ErrNotNumber}, {"0x10", 0, 0, ErrNotNumber}, {"1e", 0, 0, ErrNotNumber},
		{"1e_1", 0, 0, ErrNotNumber}, {"1.2.3", 2, 0, ErrNotNumber}, {"--1", 0, 0, ErrNotNumber}, {"1 2", 0, 0, ErrNotNumber},
		{"NaN", 0, 0, ErrNotFinite}, {"inf", 0, 0, ErrNotFinite}, {"-Infinity", 0, 0, ErrNotFinite},
	} {
		got, err := ParseDecimal(c.text, c.decimals)
		if !errors.Is(err, c.err) || got != c.want {
			t.Errorf("ParseDecimal(%q, %d) = %d, %v; want %d, %v", c.text, c.decimals, got, err, c.want, c.err)
		}
	}
}

// exactDecimal is the oracle: text·10^decimals with arbitrary precision.
func exactDecimal(text string, decimals int) (int64, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, ErrNotNumber
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)))
	if !r.IsInt() {
		return 0, ErrDecimals
	}
	if r.Num().CmpAbs(big.NewInt(math.MaxInt64)) > 0 {
		return 0, ErrOverflow
	}
	return r.Num().Int64(), nil
}

func TestParseDecimalAgainstRationals(t *testing.T) {
	text := rapid.StringMatching(`[+-]?[0-9]{0,12}0{0,8}(\.[0-9]{0,12}0{0,6})?(e[+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		s, d := text.Draw(t, "text"), rapid.IntRange(0, MaxDecimals).Draw(t, "decimals")
		if mantissa, _, _ := strings.Cut(s, "e"); strings.Trim(mantissa, "+-.") == "" {
			t.Skip() // no digits: big.Rat and we agree that it is no number, tested above
		}
		want, wantErr := exactDecimal(s, d)
		got, err := ParseDecimal(s, d)
		if got != want || !errors.Is(err, wantErr) {
			t.Fatalf("ParseDecimal(%q, %d) = %d, %v; want %d, %v", s, d, got, err, want, wantErr)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"1.5", "-0.0001e4", "99999999999999999999", "1e-5", "..", "+.e1", "9e9999999\t"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, decimals int) {
		if decimals < 0 || decimals > MaxDecimals || len(s) > 40 || strings.ContainsAny(s, "xXoObBpP_/") {
			return
		}
		trimmed := strings.Trim(s, " \t")
		if _, exponent, ok := strings.Cut(strings.ToLower(trimmed), "e"); ok {
			if e, err := strconv.Atoi(exponent); !errors.Is(err, strconv.ErrSyntax) && (e > 400 || e < -400) {
				return // the oracle would build the power
			}
		}
		got, err := ParseDecimal(s, decimals)
		want, wantErr := exactDecimal(trimmed, decimals)
		if wantErr == ErrNotNumber && errors.Is(err, ErrNotFinite) {
			return
		}
		if got != want || !errors.Is(err, wantErr) {
			t.Fatalf("ParseDecimal(%q, %d) = %d, %v; want %d, %v", s, decimals, got, err, want, wantErr)
		}
	})
}

func TestScaleFloat(t *testing.T) {
	for _, c := range []struct {
		x        float64
		decimals int
		want     int64
		err      error
	}{
		{7.9, 1, 79, nil}, {0.30000000000000004, 1, 0, ErrDecimals}, {0.1, 17, 1e16, nil}, {1e15, 3, 1e18, nil}, {1 << 62, 0, 1 << 62, nil},
		{math.NaN(), 0, 0, ErrNotFinite}, {math.Inf(-1), 0, 0, ErrNotFinite}, {1e300, 0, 0, ErrOverflow}, {5e-324, 18, 0, ErrDecimals},
		{math.Copysign(0, -1), 0, 0, nil}, {-36.6, 2, -3660, nil}, {0.5, 0, 0, ErrDecimals},
		// The double nearest to ...230 is nearer to ...229, which is longer.
		{512.684258867923, 13, 5126842588679230, nil}, {9007199254.72277, 6, 9007199254722770, nil}, {-9007199253.97605, 6, -9007199253976050, nil},
	} {
		got, err := ScaleFloat(c.x, c.decimals)
		if !errors.Is(err, c.err) || got != c.want {
			t.Errorf("ScaleFloat(%v, %d) = %d, %v; want %d, %v", c.x, c.decimals, got, err, c.want, c.err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x, d := rapid.Float64Range(-1e12, 1e12).Draw(t, "x"), rapid.IntRange(0, 6).Draw(t, "decimals")
		if rapid.Bool().Draw(t, "round") {
			x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'f', d, 64), 64)
		}
		want, wantErr := exactDecimal(strconv.FormatFloat(x, 'g', -1, 64), d)
		if got, err := ScaleFloat(x, d); got != want || !errors.Is(err, wantErr) {
			t.Fatalf("ScaleFloat(%v, %d) = %d, %v; want %d, %v", x, d, got, err, want, wantErr)
		}
	})
	// Numbers of up to 17 digits, where several decimals share a double.
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		digits, d := 13+random.IntN(5), random.IntN(19)
		text := fmt.Sprintf("%de-%d", random.Int64N(int64(math.Pow10(digits))), d-random.IntN(min(d, 3)+1))
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if x >= 1<<53 { // an integer, taken as it is
			continue
		}
		want, wantErr := ParseDecimal(strconv.FormatFloat(x, 'e', -1, 64), d)
		if got, err := ScaleFloat(x, d); got != want || !errors.Is(err, wantErr) {
			t.Fatalf("ScaleFloat(%v, %d) = %d, %v; its shortest decimal is %d, %v", x, d, got, err, want, wantErr)
		}
	}
	if got, err := ScaleFloat32(36.6, 1); got != 366 || err != nil {
		t.Errorf("ScaleFloat32(36.6, 1) = %d, %v; want 366", got, err)
	}
	if _, err := ScaleFloat32(float32(math.NaN()), 1); !errors.Is(err, ErrNotFinite) {
		t.Errorf("ScaleFloat32(NaN): %v", err)
	}
}

func TestScaleIntegersAndDecimals(t *testing.T) {
	if got, err := ScaleInt(-12, 3); got != -12000 || err != nil {
		t.Errorf("ScaleInt: %d, %v", got, err)
	}
	for _, v := range []int64{math.MinInt64, math.MaxInt64/10 + 1, -math.MaxInt64/10 - 1} {
		if got, err := ScaleInt(v, 1); !errors.Is(err, ErrOverflow) {
			t.Errorf("ScaleInt(%d, 1) = %d, %v; want overflow", v, got, err)
		}
	}
	if _, err := ScaleInt(math.MinInt64, 0); !errors.Is(err, ErrOverflow) {
		t.Errorf("ScaleInt(MinInt64): %v; the range is symmetric", err)
	}
	if _, err := ScaleUint(math.MaxUint64, 0); !errors.Is(err, ErrOverflow) {
		t.Errorf("ScaleUint(MaxUint64): %v", err)
	}
	for _, c := range []struct {
		digits          string
		scale, decimals int32
		want            int64
		err             error
	}{
		{"123", 2, 2, 123, nil}, {"1230", 2, 1, 123, nil}, {"1234", 2, 1, 0, ErrDecimals}, {"-5", 0, 3, -5000, nil},
		{"170141183460469231731687303715884105727", 0, 0, 0, ErrOverflow}, {"10000000000000000000000000000000000000", 37, 0, 1, nil},
		{"-170141183460469231731687303715884105727", 38, 18, 0, ErrDecimals}, {"0", 0, 18, 0, nil},
	} {
		n, _ := new(big.Int).SetString(c.digits, 10)
		got, err := ScaleDecimal(decimal128.FromBigInt(n), c.scale, c.decimals)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("ScaleDecimal(%s, %d, %d) = %d, %v; want %d, %v", c.digits, c.scale, c.decimals, got, err, c.want, c.err)
		}
	}
}
