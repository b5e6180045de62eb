package pages

import (
	"encoding/binary"
	"errors"
	"math"
)

var errDelta = errors.New("delta encoded data is malformed or ends too early")

// delta reads DELTA_BINARY_PACKED integers (Encodings.md), as many as are asked
// for. Sums wrap: of INT32 columns the low 32 bits count.
type delta struct {
	src    []byte
	pos    int
	minis  int // miniblocks in a block
	per    int // values in a miniblock
	left   int // values not yet read
	first  bool
	value  int64
	least  int64  // the block's smallest difference
	widths []byte // bits of the differences in each miniblock of the block
	mini   int    // miniblock being read
	inMini int    // values read of it
	bit    int    // position of the next difference, in bits
}

func newDelta(src []byte) (d delta, err error) {
	d = delta{src: src, first: true}
	block, err := d.varint()
	if err != nil {
		return d, err
	}
	minis, err := d.varint()
	if err != nil {
		return d, err
	}
	total, err := d.varint()
	if err != nil {
		return d, err
	}
	first, err := d.varint()
	if err != nil {
		return d, err
	}
	if minis < 1 || minis > uint64(len(src)) || block > math.MaxInt32 || block%minis != 0 || total > math.MaxInt32 {
		return d, errDelta
	}
	d.minis, d.per = int(minis), int(block/minis)
	if d.per < 1 || d.per%8 != 0 { // the format says 32; what matters is that a miniblock ends with a byte
		return d, errDelta
	}
	d.left, d.value = int(total), zigzag(first)
	d.mini = d.minis // the first block is yet to begin
	return d, nil
}

func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (d *delta) varint() (uint64, error) {
	v, n := binary.Uvarint(d.src[d.pos:])
	if n <= 0 {
		return 0, errDelta
	}
	d.pos += n
	return v, nil
}

// block begins the next block.
func (d *delta) block() error {
	least, err := d.varint()
	if err != nil {
		return err
	}
	if d.minis > len(d.src)-d.pos {
		return errDelta
	}
	d.least = zigzag(least)
	d.widths = d.src[d.pos : d.pos+d.minis]
	d.pos += d.minis
	d.mini, d.inMini, d.bit = 0, 0, d.pos*8
	return d.miniblock()
}

// miniblock checks that the miniblock d.mini is there and moves d.pos behind it.
func (d *delta) miniblock() error {
	width := int(d.widths[d.mini])
	if width > 64 || width*d.per/8 > len(d.src)-d.pos {
		return errDelta
	}
	d.pos += width * d.per / 8
	return nil
}

// fill reads len(dst) values.
func (d *delta) fill(dst []int64) error {
	if len(dst) > d.left {
		return errDelta
	}
	d.left -= len(dst)
	for len(dst) > 0 {
		if d.first {
			d.first = false
			dst[0], dst = d.value, dst[1:]
			continue
		}
		if d.mini == d.minis {
			if err := d.block(); err != nil {
				return err
			}
		}
		width := uint(d.widths[d.mini])
		n := min(len(dst), d.per-d.inMini)
		for i := range dst[:n] {
			d.value += d.least + int64(bitsAt(d.src, d.bit, width))
			d.bit += int(width)
			dst[i] = d.value
		}
		dst = dst[n:]
		if d.inMini += n; d.inMini == d.per {
			d.mini, d.inMini = d.mini+1, 0
			if d.mini < d.minis && (len(dst) > 0 || d.left > 0) {
				if err := d.miniblock(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// end returns the offset in src behind all values. It reads none: each block
// costs it at least the block's head, so that it ends soon on any input.
func (d delta) end() (int, error) {
	left := d.left - 1 // the first value is in the head
	for left > 0 {
		if err := d.block(); err != nil {
			return 0, err
		}
		left -= d.per
		for d.mini = 1; d.mini < d.minis && left > 0; d.mini++ {
			if err := d.miniblock(); err != nil {
				return 0, err
			}
			left -= d.per
		}
	}
	return d.pos, nil
}
