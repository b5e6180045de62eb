package codec

import (
	"math"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// Exact is an exact signed integer of up to 512 bits for the last step of a statistic. Means, variances and
// correlations are quotients of integers, computed exactly and rounded to floating point once.
type Exact struct {
	negative bool
	w        [8]uint64
}

// ExactOf returns v.
func ExactOf(v Int) Exact {
	a := v.Abs()
	return Exact{negative: v.Sign() < 0, w: [8]uint64{a.LowBits(), uint64(a.HighBits())}}
}

// ExactPowerOfTen returns 10^n, n <= 76.
func ExactPowerOfTen(n int) Exact {
	var x Exact
	copy(x.w[:], PowerOfTen(n))
	return x
}

// Mul returns x·y, which must fit in 512 bits.
func (x Exact) Mul(y Exact) Exact {
	z := Exact{negative: x.negative != y.negative}
	for i, a := range x.w {
		var carry uint64
		for j := 0; i+j < len(z.w); j++ {
			hi, lo := bits.Mul64(a, y.w[j])
			var c uint64
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			z.w[i+j], c = bits.Add64(z.w[i+j], lo, 0)
			carry = hi + c
		}
	}
	return z
}

// Sub returns x - y.
func (x Exact) Sub(y Exact) Exact {
	if x.negative != y.negative {
		z := x
		var c uint64
		for i := range z.w {
			z.w[i], c = bits.Add64(z.w[i], y.w[i], c)
		}
		return z
	}
	if less(&x.w, &y.w) {
		x, y = y, x
		x.negative = !x.negative
	}
	subtract(&x.w, &y.w)
	return x
}

// Sign is -1, 0 or 1.
func (x Exact) Sign() int {
	switch {
	case x.bitLen() == 0:
		return 0
	case x.negative:
		return -1
	}
	return 1
}

// Float64 returns the double nearest to x.
func (x Exact) Float64() float64 { return Ratio(x, Exact{w: [8]uint64{1}}) }

// Ratio returns the double nearest to x/y, ties to even. y is not 0.
func Ratio(x, y Exact) float64 {
	lengthX, lengthY := x.bitLen(), y.bitLen()
	if lengthX <= 53 && lengthY <= 53 { // both are doubles, whose quotient is rounded once
		f := float64(x.w[0]) / float64(y.w[0])
		if x.negative != y.negative && lengthX > 0 {
			f = -f
		}
		return f
	}
	shift := lengthX - lengthY
	if lengthX == 0 {
		return 0
	}
	rest, divisor := x.w, y.w
	if shift >= 0 {
		divisor = shifted(&divisor, shift)
	} else {
		rest = shifted(&rest, -shift)
	}
	// These are 64 quotient bits of rest/divisor, which lies in (1/2, 2). The remainder decides ties as a sticky bit.
	var q uint64
	for range 64 {
		q <<= 1
		if !less(&rest, &divisor) {
			subtract(&rest, &divisor)
			q |= 1
		}
		rest = shifted(&rest, 1)
	}
	if rest != [8]uint64{} {
		q |= 1
	}
	f := math.Ldexp(float64(q), shift-63)
	if x.negative != y.negative {
		f = -f
	}
	return f
}

func (x *Exact) bitLen() int { return Bound(x.w[:]).BitLen() }

func less(x, y *[8]uint64) bool {
	var borrow uint64
	for i := range x {
		_, borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return borrow != 0
}

func subtract(x, y *[8]uint64) {
	var borrow uint64
	for i := range x {
		x[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
}

func shifted(x *[8]uint64, n int) (z [8]uint64) {
	shiftLeft(z[:], x[:], n)
	return z
}

// FixedBinary returns round(x·2^scale), ties to even, of the decimal number written in text: the binary fixed-point
// form of a floating-point quantity. It holds up to 19 significant digits, 0 <= scale <= 128.
func FixedBinary(text string, scale int) (Int, error) {
	decimals := 0
	v, err := ParseDecimal(text, decimals)
	for ; err == ErrDecimals && decimals < MaxDecimals; v, err = ParseDecimal(text, decimals) {
		decimals++
	}
	if err != nil {
		return Int{}, err
	}
	x := ExactOf(FromInt64(v))
	rest, divisor := shifted(&x.w, scale), ExactPowerOfTen(decimals).w
	var q [8]uint64
	for n := Bound(rest[:]).BitLen(); n >= 0; n-- {
		if d := shifted(&divisor, n); !less(&rest, &d) {
			subtract(&rest, &d)
			q[n/64] |= 1 << (n % 64)
		}
	}
	twice := shifted(&rest, 1)
	if less(&divisor, &twice) || twice == divisor && q[0]&1 == 1 {
		one := [8]uint64{1}
		var carry uint64
		for i := range q {
			q[i], carry = bits.Add64(q[i], one[i], carry)
		}
	}
	if Bound(q[:]).BitLen() > 127 {
		return Int{}, ErrOverflow
	}
	z := decimal128.New(int64(q[1]), q[0])
	if x.negative {
		z = z.Negate()
	}
	return z, nil
}
