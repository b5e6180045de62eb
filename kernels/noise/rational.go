package noise

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// ParseRational reads a positive number exactly: "0.5", "1e-6" or "1/3". It has at most 30 characters and an exponent
// between -30 and 30.
func ParseRational(text string) (*big.Rat, error) {
	errNumber := errors.New("write a positive number such as 0.5, 1e-6 or 1/3")
	if text == "" || len(text) > 30 || strings.Trim(text, "0123456789.eE+-/") != "" {
		return nil, errNumber
	}
	if i := strings.LastIndexAny(text, "eE"); i >= 0 {
		if n, err := strconv.Atoi(text[i+1:]); err != nil || n < -30 || n > 30 {
			return nil, errNumber
		}
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok || x.Sign() <= 0 {
		return nil, errNumber
	}
	return x, nil
}

// FormatRational writes a number as ParseRational reads it: as a decimal where that is exact and short, else as a
// fraction.
func FormatRational(x *big.Rat) string {
	if n, exact := x.FloatPrec(); exact && n <= 24 {
		return x.FloatString(n)
	}
	return x.RatString()
}

// upward returns num/den >= x > 0 with a denominator of at most denBits bits. If the numerator of x has at most
// numBits bits too, that is x itself. Otherwise the denominator is a power of two, as large as keeps the numerator
// within numBits. (The numerator of an x that is too large does not keep within them.)
func upward(x *big.Rat, numBits, denBits int) (num, den *big.Int) {
	if x.Num().BitLen() <= numBits && x.Denom().BitLen() <= denBits {
		return new(big.Int).Set(x.Num()), new(big.Int).Set(x.Denom())
	}
	whole := x.Num().BitLen() - x.Denom().BitLen() + 1 // x < 2^whole
	shift := max(0, min(denBits-1, numBits-whole-1))
	num = ceil(new(big.Rat).Mul(x, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(shift)))))
	return num, new(big.Int).Lsh(big.NewInt(1), uint(shift))
}

// ceil returns the smallest integer that is not below x.
func ceil(x *big.Rat) *big.Int {
	q, r := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// natural returns n·ln 2, rounded up in the 15th digit.
func natural(n int) *big.Rat {
	return new(big.Rat).Mul(big.NewRat(int64(n), 1), big.NewRat(693147180559946, 1e15))
}

// intOf returns x, which has fewer than 127 bits: scales and standard deviations are below 2^62, and tails of a few
// thousand bits multiply them by a few thousand.
func intOf(x *big.Int) Int { return decimal128.FromBigInt(x) }

func ratFloat(x *big.Rat) float64 {
	f, _ := x.Float64()
	return f
}

// above and below return the float64 at or next to x on that side.
func above(x *big.Rat) float64 {
	f, exact := x.Float64()
	if !exact {
		f = math.Nextafter(f, math.Inf(1))
	}
	return f
}

func below(x *big.Rat) float64 {
	f, exact := x.Float64()
	if !exact {
		f = math.Nextafter(f, 0)
	}
	return f
}

// shortRat writes x for people.
func shortRat(x *big.Rat) string {
	if s := FormatRational(x); len(s) <= 24 {
		return s
	}
	return fmt.Sprintf("%.6g", ratFloat(x))
}

func setWords(z []uint64, x *big.Int) {
	rest := new(big.Int).Set(x)
	for i := range z {
		z[i] = new(big.Int).And(rest, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		rest.Rsh(rest, 64)
	}
}

func fromWords(z []uint64) *big.Int {
	x := new(big.Int)
	for i := len(z) - 1; i >= 0; i-- {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(z[i]))
	}
	return x
}
