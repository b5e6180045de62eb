package pages

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/parquet-go/parquet-go/encoding/delta"
)

var (
	errRuns  = errors.New("run-length encoded data is malformed or ends too early")
	errDelta = errors.New("delta encoded data is malformed or ends too early")
)

// spareValues is how many values more than a page has its runs may hold: some writers fill up the last run.
const spareValues = 512

// countRuns walks over the run-length/bit-packing hybrid (Encodings.md, "RLE") of values of 0 to 32 bits, of which a
// page has at most max. It returns how many there are, and how many bytes the last run lacks. parquet-go expands every
// run as it finds it, so the runs are added up first.
func countRuns(src []byte, width uint, max int) (n, lacking int, err error) {
	for pos := 0; pos < len(src); {
		head, size := binary.Uvarint(src[pos:])
		if size <= 0 || head>>1 > uint64(max+spareValues) || width > 32 {
			return 0, 0, errRuns
		}
		pos += size
		count, bytes := int(head>>1), int(width+7)/8
		packed := head&1 == 1
		if packed {
			bytes = count * int(width)
			count *= 8
		}
		if missing := bytes - (len(src) - pos); missing > 0 {
			// A last group that is cut short, as by some writers, has the values that are present.
			if !packed || missing > int(width) {
				return 0, 0, errRuns
			}
			lacking = missing
			count -= (missing*8 + int(width) - 1) / int(width)
		}
		pos += bytes
		if n += count; n > max+spareValues {
			return 0, 0, errRuns
		}
	}
	return n, lacking, nil
}

// countDelta walks over DELTA_BINARY_PACKED integers (Encodings.md) of up to bits bits, of which a page has at most
// max. It returns how many there are and the offset after them. parquet-go allocates for as many as are claimed.
func countDelta(src []byte, bits, max int) (n, end int, err error) {
	var head [4]uint64 // block size, miniblocks in a block, values, the first value
	for i := range head {
		v, size := binary.Uvarint(src[end:])
		if size <= 0 {
			return 0, 0, errDelta
		}
		head[i], end = v, end+size
	}
	block, minis := head[0], head[1]
	if head[2] > uint64(max) || block > math.MaxUint16+1 || minis < 1 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return 0, 0, errDelta
	}
	per := int(block / minis)
	for left := int(head[2]) - 1; left > 0; {
		_, size := binary.Uvarint(src[end:])
		if size <= 0 || int(minis) > len(src)-end-size {
			return 0, 0, errDelta
		}
		widths := src[end+size:][:minis]
		end += size + int(minis)
		for i := 0; i < len(widths) && left > 0; i++ {
			width := int(widths[i])
			if width > bits || width*per/8 > len(src)-end {
				return 0, 0, errDelta
			}
			end += width * per / 8
			left -= per
		}
	}
	return int(head[2]), end, nil
}

// countDeltaBytes is countDelta of DELTA_BYTE_ARRAY: how much each value shares with the one before it, then how much
// it has besides, then that. A few bytes of lengths can mean values of any size, so the lengths are added up. If width
// is not 0, each value must have that width.
func countDeltaBytes(src []byte, max, width int) (int, error) {
	n, tail, err := countDelta(src, 32, max)
	if err != nil {
		return 0, err
	}
	if m, _, err := countDelta(src[tail:], 32, max); err != nil || m != n {
		return 0, errDelta
	}
	shared, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, src)
	if err != nil {
		return 0, err
	}
	rest, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, src[tail:])
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for i := range shared {
		length := int64(shared[i]) + int64(rest[i])
		if shared[i] < 0 || rest[i] < 0 || width > 0 && length != int64(width) {
			return 0, errLength
		}
		if total += length; total > PageBytesMax {
			return 0, errTooLarge
		}
	}
	return n, nil
}

// countBytes counts the values of PLAIN byte arrays.
func countBytes(src []byte) (n int, err error) {
	for len(src) > 0 {
		if len(src) < 4 {
			return 0, errShortPage
		}
		length := binary.LittleEndian.Uint32(src)
		if uint64(length) > uint64(len(src)-4) {
			return 0, errLength
		}
		src = src[4+length:]
		n++
	}
	return n, nil
}

// plainInts returns delta encoded INT32 values in PLAIN. Their differences may have more than 32 bits (Arrow writes
// such); parquet-go reads these for INT64 only.
func plainInts(src []byte) ([]byte, error) {
	values, err := new(delta.BinaryPackedEncoding).DecodeInt64(nil, src)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	return out, nil
}

// plainBooleans returns booleans, given as runs of at most max values, in PLAIN: a bit each. parquet-go v0.32.0 reads
// runs of booleans by whole bytes, so it misreads those of other writers.
func plainBooleans(src []byte, max int) (bits []byte, n int, err error) {
	if src, _, err = prefixed(src); err != nil {
		return nil, 0, err
	}
	if _, _, err := countRuns(src, 1, max); err != nil {
		return nil, 0, err
	}
	bits = make([]byte, (max+spareValues)/8+1)
	for pos := 0; pos < len(src); {
		head, size := binary.Uvarint(src[pos:])
		pos += size
		count := int(head >> 1)
		if head&1 == 0 {
			value := src[pos]
			for ; count > 0; count, n = count-1, n+1 {
				bits[n>>3] |= value & 1 << (n & 7)
			}
			pos++
			continue
		}
		for ; count > 0 && pos < len(src); count, pos = count-1, pos+1 {
			bits[n>>3] |= src[pos] << (n & 7)
			if n&7 != 0 {
				bits[n>>3+1] |= src[pos] >> (8 - n&7)
			}
			n += 8
		}
	}
	return bits, n, nil
}
