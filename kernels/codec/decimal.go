package codec

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
)

// These are the reasons for which a number is refused. The caller adds file, row and column.
var (
	ErrNotNumber = errors.New("not a number")
	ErrNotFinite = errors.New("not a finite number")
	ErrDecimals  = errors.New("more decimals than declared")
	ErrOverflow  = errors.New("integer overflow: value·10^decimals does not fit in 64 bits")
)

// MaxDecimals is the largest number of decimals of a measure: 10^18 is the largest power of ten in an int64.
const MaxDecimals = 18

var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return
}()

// ParseDecimal returns text·10^decimals, exactly. It accepts an optional sign, digits with at most one point, and an
// optional decimal exponent. Surrounding blanks are ignored. Zeros that add nothing ("1.500" with one decimal) are
// accepted. A number that would have to be rounded is ErrDecimals. 0 <= decimals <= MaxDecimals.
func ParseDecimal(text string, decimals int) (int64, error) {
	for len(text) > 0 && isBlank(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	s := text
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	var mantissa uint64
	digits, fraction, zeros := 0, 0, 0 // zeros: digits 0 not yet multiplied in, so that trailing ones cost nothing
	point, overflow := false, false
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if point {
			fraction++
		}
		if c == '0' {
			zeros++
			continue
		}
		for ; zeros > 0 && mantissa > 0 && !overflow; zeros-- {
			mantissa, overflow = mulAdd10(mantissa, 0)
		}
		zeros = 0
		if overflow {
			continue
		}
		mantissa, overflow = mulAdd10(mantissa, uint64(c-'0'))
	}
	if digits == 0 {
		return 0, classify(text)
	}
	exponent := 0
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) || (len(s) > i+1 && s[i+1] == '_') {
			return 0, ErrNotNumber
		}
		exponent, i = e, len(s)
	}
	if i != len(s) {
		return 0, classify(text)
	}
	if mantissa == 0 && !overflow {
		return 0, nil
	}
	if exponent > 1<<20 || exponent < -1<<20 {
		if exponent > 0 {
			return 0, ErrOverflow
		}
		return 0, ErrDecimals
	}
	// value = mantissa · 10^(zeros - fraction + exponent); wanted times 10^decimals
	shift := zeros - fraction + exponent + decimals
	if shift < 0 {
		return 0, ErrDecimals // the last digit of the mantissa is not 0
	}
	if overflow || shift >= len(pow10) {
		return 0, ErrOverflow
	}
	hi, lo := bits.Mul64(mantissa, pow10[shift])
	return signed(hi, lo, negative)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func mulAdd10(x, d uint64) (uint64, bool) {
	hi, lo := bits.Mul64(x, 10)
	sum, carry := bits.Add64(lo, d, 0)
	return sum, hi != 0 || carry != 0
}

// signed returns ±(hi, lo), or ErrOverflow outside [-(2^63-1), 2^63-1]: the range is symmetric, as bounds are.
func signed(hi, lo uint64, negative bool) (int64, error) {
	if hi != 0 || lo > math.MaxInt64 {
		return 0, ErrOverflow
	}
	if negative {
		return -int64(lo), nil
	}
	return int64(lo), nil
}

// classify tells a written NaN or infinity, which gets its own message, from text that is not a number.
func classify(text string) error {
	if x, err := strconv.ParseFloat(text, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && (math.IsNaN(x) || math.IsInf(x, 0)) {
		return ErrNotFinite
	}
	return ErrNotNumber
}

// ScaleInt returns v·10^decimals.
func ScaleInt(v int64, decimals int) (int64, error) {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	hi, lo := bits.Mul64(u, pow10[decimals])
	return signed(hi, lo, v < 0)
}

// ScaleUint returns v·10^decimals.
func ScaleUint(v uint64, decimals int) (int64, error) {
	hi, lo := bits.Mul64(v, pow10[decimals])
	return signed(hi, lo, false)
}

// ScaleFloat returns x·10^decimals, where x means the shortest decimal number that reads back as x: the number that a
// person wrote before it became binary. 0.1 with one decimal is 1; 0.30000000000000004 is ErrDecimals. From 2^53 on,
// where every double is an integer, it is x itself.
func ScaleFloat(x float64, decimals int) (int64, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, ErrNotFinite
	}
	if a := math.Abs(x); a >= 1<<53 && a < 1<<63 {
		return ScaleInt(int64(x), decimals) // an integer beyond what decimals could tell apart
	}
	// Both conversions and the powers up to 10^22 are exact. So the correctly rounded quotient equals x just when x is
	// the double nearest to scaled/10^decimals. With at most 15 digits no other decimal as short has the same double.
	// With 16 digits two decimals may; this one would be the nearer, not the shortest.
	scaled := math.RoundToEven(x * float64(pow10[decimals]))
	if math.Abs(scaled) < 1e15 && decimals <= 15 && scaled/float64(pow10[decimals]) == x {
		return int64(scaled), nil
	}
	var buf [32]byte
	return ParseDecimal(string(strconv.AppendFloat(buf[:0], x, 'e', -1, 64)), decimals)
}

// ScaleFloat32 is ScaleFloat for single precision: the shortest decimal that reads back as x in 32 bits.
func ScaleFloat32(x float32, decimals int) (int64, error) {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return 0, ErrNotFinite
	}
	var buf [32]byte
	return ParseDecimal(string(strconv.AppendFloat(buf[:0], float64(x), 'e', -1, 32)), decimals)
}

// ScaleDecimal returns n·10^(decimals-scale), where n·10^-scale is a decimal column's value.
func ScaleDecimal(n Int, scale, decimals int32) (int64, error) {
	negative := n.Sign() < 0
	n = n.Abs()
	hi, lo := uint64(n.HighBits()), n.LowBits()
	for ; scale > decimals; scale-- {
		var rem uint64
		q := hi / 10
		lo, rem = bits.Div64(hi%10, lo, 10)
		hi = q
		if rem != 0 {
			return 0, ErrDecimals
		}
	}
	for ; scale < decimals && (hi|lo) != 0; scale++ {
		if hi != 0 {
			return 0, ErrOverflow
		}
		hi, lo = bits.Mul64(lo, 10)
	}
	return signed(hi, lo, negative)
}

// mul64 is the signed 64x64 to 128-bit product. Constant time.
func mul64(x, y int64) (hi int64, lo uint64) {
	h, l := bits.Mul64(uint64(x), uint64(y))
	h -= uint64(x>>63) & uint64(y)
	h -= uint64(y>>63) & uint64(x)
	return int64(h), l
}
