package csvio

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// cell appends the text of one column's value in a row, which is not null.
type cell func(dst []byte, row int) []byte

// writable says whether cellOf knows the type.
func writable(dt arrow.DataType) bool {
	switch dt.ID() {
	case arrow.NULL, arrow.BOOL,
		arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64,
		arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128,
		arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.FIXED_SIZE_BINARY,
		arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return true
	case arrow.DICTIONARY:
		id := dt.(*arrow.DictionaryType).ValueType.ID()
		return id == arrow.STRING || id == arrow.LARGE_STRING
	}
	return false
}

// cellOf returns how the values of arr are written. Every value can be read
// back exactly.
func (w *Writer) cellOf(arr arrow.Array) cell {
	switch arr := arr.(type) {
	case *array.Null:
		return func(dst []byte, _ int) []byte { return append(dst, w.null...) } // IsNull does not say so
	case *array.Boolean:
		return func(dst []byte, row int) []byte { return strconv.AppendBool(dst, arr.Value(row)) }
	case *array.Int8:
		return signed(arr.Int8Values())
	case *array.Int16:
		return signed(arr.Int16Values())
	case *array.Int32:
		return signed(arr.Int32Values())
	case *array.Int64:
		return signed(arr.Int64Values())
	case *array.Uint8:
		return unsigned(arr.Uint8Values())
	case *array.Uint16:
		return unsigned(arr.Uint16Values())
	case *array.Uint32:
		return unsigned(arr.Uint32Values())
	case *array.Uint64:
		return unsigned(arr.Uint64Values())
	case *array.Float32:
		return func(dst []byte, row int) []byte { return appendFloat(dst, float64(arr.Value(row)), 32) }
	case *array.Float64:
		return func(dst []byte, row int) []byte { return appendFloat(dst, arr.Value(row), 64) }
	case *array.Decimal128:
		scale := arr.DataType().(*arrow.Decimal128Type).Scale
		return func(dst []byte, row int) []byte { return appendDecimal(dst, arr.Value(row), int(scale)) }
	case *array.String:
		return func(dst []byte, row int) []byte { return w.appendString(dst, arr.Value(row)) }
	case *array.LargeString:
		return func(dst []byte, row int) []byte { return w.appendString(dst, arr.Value(row)) }
	case *array.Dictionary:
		value := w.cellOf(arr.Dictionary())
		return func(dst []byte, row int) []byte {
			i := arr.GetValueIndex(row)
			if arr.Dictionary().IsNull(i) {
				return append(dst, w.null...)
			}
			return value(dst, i)
		}
	case *array.Date32:
		return func(dst []byte, row int) []byte { return appendDate(dst, int64(arr.Value(row))*86400) }
	case *array.Date64:
		return func(dst []byte, row int) []byte { return appendDate(dst, floorDiv(int64(arr.Value(row)), 1000)) }
	case *array.Time32:
		unit := arr.DataType().(*arrow.Time32Type).Unit
		return func(dst []byte, row int) []byte { return appendTime(dst, int64(arr.Value(row)), unit) }
	case *array.Time64:
		unit := arr.DataType().(*arrow.Time64Type).Unit
		return func(dst []byte, row int) []byte { return appendTime(dst, int64(arr.Value(row)), unit) }
	case *array.Binary:
		return func(dst []byte, row int) []byte { return w.appendString(dst, hex.EncodeToString(arr.Value(row))) }
	case *array.FixedSizeBinary:
		return func(dst []byte, row int) []byte { return w.appendString(dst, hex.EncodeToString(arr.Value(row))) }
	case *array.Timestamp:
		dt := arr.DataType().(*arrow.TimestampType)
		return func(dst []byte, row int) []byte { return appendTimestamp(dst, int64(arr.Value(row)), dt) }
	}
	panic(fmt.Sprintf("csvio: no cell for %s", arr.DataType()))
}

func signed[T int8 | int16 | int32 | int64](values []T) cell {
	return func(dst []byte, row int) []byte { return strconv.AppendInt(dst, int64(values[row]), 10) }
}

func unsigned[T uint8 | uint16 | uint32 | uint64](values []T) cell {
	return func(dst []byte, row int) []byte { return strconv.AppendUint(dst, uint64(values[row]), 10) }
}

// appendFloat appends the shortest text that reads back as v, with an exponent
// only where the digits would be many (as encoding/json does).
func appendFloat(dst []byte, v float64, size int) []byte {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, size)
}

// appendDecimal appends v / 10^scale with exactly scale decimals. With a negative scale it appends the integer of that
// value.
func appendDecimal(dst []byte, v decimal128.Num, scale int) []byte {
	hi, lo := uint64(v.HighBits()), v.LowBits()
	if v.Sign() < 0 {
		dst = append(dst, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	// 2^127 has 39 digits: at most three groups of 19, the last one first.
	const group = 10_000_000_000_000_000_000
	var text [57]byte
	at := len(text)
	for hi != 0 || lo != 0 {
		var rem uint64
		qhi := hi / group
		lo, rem = bits.Div64(hi%group, lo, group)
		hi = qhi
		for range 19 {
			at--
			text[at] = byte('0' + rem%10)
			rem /= 10
		}
	}
	digits := text[at:]
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	whole := max(len(digits)-max(scale, 0), 0)
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, digits[:whole]...)
	if len(digits) > 0 {
		for range -scale {
			dst = append(dst, '0')
		}
	}
	if scale <= 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale - (len(digits) - whole) {
		dst = append(dst, '0')
	}
	return append(dst, digits[whole:]...)
}

func appendDate(dst []byte, seconds int64) []byte {
	return time.Unix(seconds, 0).UTC().AppendFormat(dst, time.DateOnly)
}

// appendTime appends a time of day, with as many decimals of a second as are not
// zero. What is no time of a day is a number of seconds.
func appendTime(dst []byte, v int64, unit arrow.TimeUnit) []byte {
	at := time.Unix(0, 0).UTC()
	if day := int64(24 * time.Hour / unit.Multiplier()); v < 0 || v >= day {
		return appendDecimal(dst, decimal128.FromI64(v), map[arrow.TimeUnit]int{arrow.Millisecond: 3, arrow.Microsecond: 6, arrow.Nanosecond: 9}[unit])
	}
	return at.Add(time.Duration(v)*unit.Multiplier()).AppendFormat(dst, "15:04:05.999999999")
}

// appendTimestamp appends an instant as RFC 3339 in UTC, with no trailing zeros in the fraction of a second. Without a
// time zone in the type there is no Z.
func appendTimestamp(dst []byte, v int64, dt *arrow.TimestampType) []byte {
	perSecond := int64(time.Second / dt.Unit.Multiplier())
	seconds := floorDiv(v, perSecond)
	nanos := (v - seconds*perSecond) * int64(dt.Unit.Multiplier())
	dst = time.Unix(seconds, nanos).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999999")
	if dt.TimeZone != "" {
		dst = append(dst, 'Z')
	}
	return dst
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
