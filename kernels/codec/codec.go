// Package codec turns numbers into plaintext slots and back.
//
// A measure's values are exact integers: value·10^decimals. Several of them share one plaintext. Slot j of width w
// holds a signed integer v_j, and the plaintext is the sum of v_j·2^offset_j modulo N. Adding ciphertexts adds slot by
// slot. No sum can leave its slot, because widths are chosen before the first encryption, from the bound on one value
// and the number of additions allowed (SlotWidth).
//
// Packing and unpacking are constant time in the values. Choosing layouts, parsing text and turning exact results into
// floating point are not: they work on public sizes, or on results that the key holder is about to print.
package codec

import "github.com/apache/arrow/go/v17/arrow/decimal128"

// Int is an exact signed 128-bit integer, the value of one slot. It is Arrow's decimal number without its scale.
type Int = decimal128.Num

// FromInt64 returns v as an Int.
func FromInt64(v int64) Int { return decimal128.FromI64(v) }

// Product returns the exact product of two 64-bit integers. Constant time.
func Product(x, y int64) Int {
	hi, lo := mul64(x, y)
	return decimal128.New(hi, lo)
}

// MaxDigits is the precision of a result column, DECIMAL(38, D): every possible sum stays below 10^38.
const MaxDigits = 38
