package pages

import (
	"encoding/binary"
	"errors"
	"math"
)

var errRuns = errors.New("run-length encoded data is malformed or ends too early")

// hybrid reads the run-length/bit-packing hybrid (Encodings.md, "RLE") of
// values of 0 to 32 bits, as many as are asked for: a run of any length takes
// no memory.
type hybrid struct {
	src    []byte
	pos    int
	width  uint
	left   int    // values left in the current run
	packed bool   // the run is bit-packed, else value repeated
	bit    int    // of a packed run: position in src, in bits
	value  uint32 // of a repeated run
}

func newHybrid(src []byte, width uint) hybrid { return hybrid{src: src, width: width} }

// run begins the next run.
func (h *hybrid) run() error {
	for h.left == 0 {
		head, n := binary.Uvarint(h.src[h.pos:])
		if n <= 0 {
			return errRuns
		}
		h.pos += n
		count := head >> 1
		if count > math.MaxInt32 {
			return errRuns
		}
		if h.packed = head&1 == 1; h.packed {
			// Groups of 8 values take as many bytes as a value has bits. A last
			// group cut short (some writers do) has the values that are there.
			have := len(h.src) - h.pos
			bytes := min(int(count)*int(h.width), have)
			h.left = min(int(count)*8, bytes*8/int(h.width))
			h.bit = h.pos * 8
			h.pos += bytes
			continue
		}
		bytes := int(h.width+7) / 8
		if bytes > len(h.src)-h.pos {
			return errRuns
		}
		h.value = uint32(bitsAt(h.src, h.pos*8, uint(bytes)*8))
		if h.width < 32 && h.value>>h.width != 0 {
			return errRuns
		}
		h.pos += bytes
		h.left = int(count)
	}
	return nil
}

// fill reads len(dst) values.
func fill[T uint8 | uint32](h *hybrid, dst []T) error {
	if h.width == 0 {
		clear(dst)
		return nil
	}
	for len(dst) > 0 {
		if err := h.run(); err != nil {
			return err
		}
		n := min(h.left, len(dst))
		if h.packed {
			for i := range dst[:n] {
				dst[i] = T(bitsAt(h.src, h.bit, h.width))
				h.bit += int(h.width)
			}
		} else {
			for i := range dst[:n] {
				dst[i] = T(h.value)
			}
		}
		h.left -= n
		dst = dst[n:]
	}
	return nil
}
