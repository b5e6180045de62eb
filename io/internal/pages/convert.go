package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// conversion turns fixed-width values as the file has them (little-endian,
// packed) into values as Arrow has them. Nil for types that need another shape:
// booleans and values of varying length.
type conversion interface {
	width() int                    // bytes of a value in Arrow
	same() bool                    // the bytes are the same: nothing to do
	convert(dst, src []byte) error // all of src; len(dst) == values x width()
}

// keep is the conversion of values of n bytes that stay as they are.
type keep int

func (k keep) width() int                    { return int(k) }
func (k keep) same() bool                    { return true }
func (k keep) convert(dst, src []byte) error { copy(dst, src); return nil }

// narrow is the conversion of INT32 values to integers of 1 or 2 bytes.
func narrow(low, high int32, bytes int) conversion { return narrowing{low, high, bytes} }

type narrowing struct {
	low, high int32
	bytes     int
}

func (n narrowing) width() int { return n.bytes }
func (n narrowing) same() bool { return false }

func (n narrowing) convert(dst, src []byte) error {
	for i := 0; i+4 <= len(src); i += 4 {
		v := int32(binary.LittleEndian.Uint32(src[i:]))
		if v < n.low || v > n.high {
			return fmt.Errorf("the value %d is outside the column's type (%d to %d)", v, n.low, n.high)
		}
		if n.bytes == 1 {
			dst[i/4] = byte(v)
		} else {
			binary.LittleEndian.PutUint16(dst[i/2:], uint16(v))
		}
	}
	return nil
}

const decimalBytes = 16 // of an Arrow decimal128: little-endian, two's complement

// decimalOf is the conversion of INT32 (4) and INT64 (8) values to decimal128.
type decimalOf int

func (d decimalOf) width() int { return decimalBytes }
func (d decimalOf) same() bool { return false }

func (d decimalOf) convert(dst, src []byte) error {
	for i := 0; i+int(d) <= len(src); i += int(d) {
		var v int64
		if d == 4 {
			v = int64(int32(binary.LittleEndian.Uint32(src[i:])))
		} else {
			v = int64(binary.LittleEndian.Uint64(src[i:]))
		}
		out := dst[i/int(d)*decimalBytes:]
		binary.LittleEndian.PutUint64(out, uint64(v))
		binary.LittleEndian.PutUint64(out[8:], uint64(v>>63))
	}
	return nil
}

// decimalOfBytes is the conversion of big-endian two's complement values of n
// bytes to decimal128.
type decimalOfBytes int

func (d decimalOfBytes) width() int { return decimalBytes }
func (d decimalOfBytes) same() bool { return false }

func (d decimalOfBytes) convert(dst, src []byte) error {
	for i := 0; (i+1)*int(d) <= len(src); i++ {
		if err := putDecimal(dst[i*decimalBytes:], src[i*int(d):(i+1)*int(d)]); err != nil {
			return err
		}
	}
	return nil
}

var errDecimalRange = errors.New("a DECIMAL value has more than 38 digits")

// putDecimal writes a big-endian two's complement value of any length, the
// empty one being 0, as a decimal128.
func putDecimal(dst, be []byte) error {
	sign := byte(0)
	if len(be) > 0 && be[0]&0x80 != 0 {
		sign = 0xff
	}
	for len(be) > decimalBytes {
		if be[0] != sign {
			return errDecimalRange
		}
		be = be[1:]
	}
	if len(be) == decimalBytes && be[0]&0x80 != sign&0x80 {
		return errDecimalRange
	}
	for i := range decimalBytes {
		if i < len(be) {
			dst[i] = be[len(be)-1-i]
		} else {
			dst[i] = sign
		}
	}
	return nil
}

const (
	int96Bytes      = 12
	julianUnix      = 2_440_588 // the Julian day number of 1970-01-01
	microsOfDay     = 86_400_000_000
	nanosOfDay      = 86_400_000_000_000
	nanosOfMicro    = 1000
	daysOfMicrosMax = math.MaxInt64/microsOfDay - 1
)

// int96Micros is the conversion of INT96 time stamps, 8 bytes of nanoseconds within a day and 4 bytes of its Julian day number, to
// microseconds since 1970-01-01: Impala, Hive and Spark wrote such, before Parquet had time stamps. What is finer than a
// microsecond is cut off, as Spark and DuckDB do when they read them: in nanoseconds, 64 bits would hold no year after 2262.
type int96Micros struct{}

func (int96Micros) width() int { return 8 }
func (int96Micros) same() bool { return false }

func (int96Micros) convert(dst, src []byte) error {
	for i := 0; (i+1)*int96Bytes <= len(src); i++ {
		at := src[i*int96Bytes:]
		nanos, day := int64(binary.LittleEndian.Uint64(at)), int64(int32(binary.LittleEndian.Uint32(at[8:])))-julianUnix
		if day > daysOfMicrosMax || day < -daysOfMicrosMax || nanos > 2*nanosOfDay || nanos < -nanosOfDay {
			return fmt.Errorf("an INT96 time stamp of day %d and %d ns is beyond what microseconds can tell", day, nanos)
		}
		micros := nanos / nanosOfMicro
		if nanos%nanosOfMicro < 0 {
			micros--
		}
		binary.LittleEndian.PutUint64(dst[8*i:], uint64(day*microsOfDay+micros))
	}
	return nil
}

// halfFloat is the conversion of FLOAT16 to the FLOAT of the same value.
type halfFloat struct{}

func (halfFloat) width() int { return 4 }
func (halfFloat) same() bool { return false }

func (halfFloat) convert(dst, src []byte) error {
	for i := 0; i+2 <= len(src); i += 2 {
		binary.LittleEndian.PutUint32(dst[2*i:], math.Float32bits(halfToFloat(binary.LittleEndian.Uint16(src[i:]))))
	}
	return nil
}

// halfToFloat is the value of 16 bits in IEEE 754: a sign, 5 bits of exponent, 10 of fraction.
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero, and numbers below the normal ones: fraction x 2^-24
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinite, or no number
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// uuidText writes 16 bytes as RFC 9562 has a UUID in text.
func uuidText(dst []byte, b []byte) {
	const digits = "0123456789abcdef"
	at := 0
	for i, v := range b[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst[at] = '-'
			at++
		}
		dst[at], dst[at+1] = digits[v>>4], digits[v&15]
		at += 2
	}
}

const uuidTextBytes = 36
