package pages

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

var (
	errShortPage  = errors.New("a page ends before its values do")
	errLength     = errors.New("a value's length is negative or exceeds what is left of the page")
	errDictionary = errors.New("a value refers to an entry that the dictionary lacks")
	errNoDict     = errors.New("a dictionary-encoded page without a dictionary")
	errTooLarge   = fmt.Errorf("the values of one batch exceed %d MiB", ColumnBytesMax>>20)
)

// fixedDecoder delivers a page's values of a fixed width one after the other:
// little-endian numbers, booleans as a byte 0 or 1.
type fixedDecoder interface {
	fixed(dst []byte, n int) error // n values fill dst
}

// bytesDecoder delivers a page's values of varying length.
type bytesDecoder interface {
	bytes(dst *byteValues, n int) error // appends n values
}

// byteValues are values of varying length: value i is data[ends[i-1]:ends[i]].
type byteValues struct {
	data []byte
	ends []int32
}

func (v *byteValues) reset() { v.data, v.ends = v.data[:0], v.ends[:0] }

// add appends one value.
func (v *byteValues) add(value []byte) error {
	if len(value) > ColumnBytesMax-len(v.data) {
		return errTooLarge
	}
	v.data = append(v.data, value...)
	v.ends = append(v.ends, int32(len(v.data)))
	return nil
}

// value returns value i.
func (v *byteValues) value(i int) []byte {
	from := int32(0)
	if i > 0 {
		from = v.ends[i-1]
	}
	return v.data[from:v.ends[i]]
}

// dictionary is the decoded dictionary page of a chunk, of the shape that the
// column has.
type dictionary struct {
	width int // of fixed-width values
	fixed []byte
	bytes byteValues
	n     int
}

// plainDictionary is PLAIN_DICTIONARY, which nobody should write any more, but
// some do.
const plainDictionary format.Encoding = 2

// values returns the decoder of the values of a page. Exactly one of the two is
// not nil. width is that of Column.physicalWidth.
func values(kind format.Type, width int, encoding format.Encoding, src []byte, dict *dictionary) (fixedDecoder, bytesDecoder, error) {
	switch encoding {
	case plainDictionary, format.RLEDictionary:
		return indexed(kind, src, dict)
	}
	switch kind {
	case format.Boolean:
		switch encoding {
		case format.Plain:
			return &plainBits{src: src}, nil, nil
		case format.RLE:
			if len(src) < 4 || uint64(binary.LittleEndian.Uint32(src)) > uint64(len(src)-4) {
				return nil, nil, errShortPage
			}
			return &runBits{newHybrid(src[4:4+binary.LittleEndian.Uint32(src)], 1)}, nil, nil
		}
	case format.ByteArray:
		switch encoding {
		case format.Plain:
			return nil, &plainBytes{src: src}, nil
		case format.DeltaLengthByteArray:
			d, err := newDeltaLength(src)
			return nil, d, err
		case format.DeltaByteArray:
			d, err := newDeltaBytes(src)
			return nil, d, err
		}
	default:
		switch encoding {
		case format.Plain:
			return &plainFixed{src: src, width: width}, nil, nil
		case format.ByteStreamSplit:
			if len(src)%width != 0 {
				return nil, nil, errShortPage
			}
			return &split{src: src, width: width, n: len(src) / width}, nil, nil
		case format.DeltaBinaryPacked:
			if kind == format.Int32 || kind == format.Int64 {
				d, err := newDelta(src)
				return &deltaFixed{d: d, width: width}, nil, err
			}
		case format.DeltaByteArray:
			if kind == format.FixedLenByteArray {
				d, err := newDeltaBytes(src)
				return &deltaFixedBytes{d: d, width: width}, nil, err
			}
		}
	}
	return nil, nil, fmt.Errorf("%s values encoded as %s cannot be read", kind, encoding)
}

// indexed is the decoder of a page of indices into the dictionary: the width of
// an index in a byte, then the indices.
func indexed(kind format.Type, src []byte, dict *dictionary) (fixedDecoder, bytesDecoder, error) {
	if dict == nil {
		return nil, nil, errNoDict
	}
	width := uint(0)
	if len(src) > 0 { // a page of nulls may have nothing
		if width, src = uint(src[0]), src[1:]; width > 32 {
			return nil, nil, errRuns
		}
	}
	ix := indices{runs: newHybrid(src, width), dict: dict}
	if kind == format.ByteArray {
		return nil, &indexedBytes{ix}, nil
	}
	return &indexedFixed{ix}, nil, nil
}

type indices struct {
	runs  hybrid
	dict  *dictionary
	chunk [512]uint32
}

// next calls use for each of the next n values' indices, all within the
// dictionary.
func (x *indices) next(n int, use func(i int) error) error {
	for n > 0 {
		part := x.chunk[:min(n, len(x.chunk))]
		if err := fill(&x.runs, part); err != nil {
			return err
		}
		for _, i := range part {
			if uint64(i) >= uint64(x.dict.n) {
				return errDictionary
			}
			if err := use(int(i)); err != nil {
				return err
			}
		}
		n -= len(part)
	}
	return nil
}

type indexedFixed struct{ indices }

func (x *indexedFixed) fixed(dst []byte, n int) error {
	w, values := x.dict.width, x.dict.fixed
	at := 0
	return x.next(n, func(i int) error {
		copy(dst[at:at+w], values[i*w:])
		at += w
		return nil
	})
}

type indexedBytes struct{ indices }

func (x *indexedBytes) bytes(dst *byteValues, n int) error {
	return x.next(n, func(i int) error { return dst.add(x.dict.bytes.value(i)) })
}

type plainFixed struct {
	src   []byte
	width int
}

func (p *plainFixed) fixed(dst []byte, n int) error {
	if n > len(p.src)/p.width {
		return errShortPage
	}
	copy(dst, p.src[:n*p.width])
	p.src = p.src[n*p.width:]
	return nil
}

type plainBits struct {
	src []byte
	bit int
}

func (p *plainBits) fixed(dst []byte, n int) error {
	if n > len(p.src)*8-p.bit {
		return errShortPage
	}
	for i := range dst[:n] {
		dst[i] = p.src[p.bit>>3] >> (p.bit & 7) & 1
		p.bit++
	}
	return nil
}

type runBits struct{ runs hybrid }

func (r *runBits) fixed(dst []byte, n int) error { return fill(&r.runs, dst[:n]) }

type deltaFixed struct {
	d     delta
	width int
	chunk [256]int64
}

func (f *deltaFixed) fixed(dst []byte, n int) error {
	for n > 0 {
		part := f.chunk[:min(n, len(f.chunk))]
		if err := f.d.fill(part); err != nil {
			return err
		}
		for i, v := range part {
			if f.width == 4 {
				binary.LittleEndian.PutUint32(dst[4*i:], uint32(v))
			} else {
				binary.LittleEndian.PutUint64(dst[8*i:], uint64(v))
			}
		}
		dst, n = dst[len(part)*f.width:], n-len(part)
	}
	return nil
}

// split is BYTE_STREAM_SPLIT: first the first bytes of all values, then the
// second bytes, and so on.
type split struct {
	src   []byte
	width int
	n, at int
}

func (s *split) fixed(dst []byte, n int) error {
	if n > s.n-s.at {
		return errShortPage
	}
	for k := range s.width {
		stream := s.src[k*s.n+s.at : k*s.n+s.at+n]
		for i, b := range stream {
			dst[i*s.width+k] = b
		}
	}
	s.at += n
	return nil
}

type plainBytes struct{ src []byte }

func (p *plainBytes) bytes(dst *byteValues, n int) error {
	for range n {
		if len(p.src) < 4 {
			return errShortPage
		}
		length := binary.LittleEndian.Uint32(p.src)
		if uint64(length) > uint64(len(p.src)-4) {
			return errLength
		}
		if err := dst.add(p.src[4 : 4+length]); err != nil {
			return err
		}
		p.src = p.src[4+length:]
	}
	return nil
}

// deltaLength is DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
type deltaLength struct {
	lengths delta
	data    []byte
	chunk   [256]int64
}

func newDeltaLength(src []byte) (*deltaLength, error) {
	lengths, err := newDelta(src)
	if err != nil {
		return nil, err
	}
	end, err := lengths.end()
	if err != nil {
		return nil, err
	}
	return &deltaLength{lengths: lengths, data: src[end:]}, nil
}

func (d *deltaLength) bytes(dst *byteValues, n int) error {
	for n > 0 {
		part := d.chunk[:min(n, len(d.chunk))]
		if err := d.lengths.fill(part); err != nil {
			return err
		}
		for _, length := range part {
			if length < 0 || length > int64(len(d.data)) {
				return errLength
			}
			if err := dst.add(d.data[:length]); err != nil {
				return err
			}
			d.data = d.data[length:]
		}
		n -= len(part)
	}
	return nil
}

// deltaBytes is DELTA_BYTE_ARRAY: how much each value shares with the start of
// the one before it, then the rest of each as DELTA_LENGTH_BYTE_ARRAY.
type deltaBytes struct {
	shared delta
	rest   *deltaLength
	last   []byte
	tail   byteValues
}

func newDeltaBytes(src []byte) (*deltaBytes, error) {
	shared, err := newDelta(src)
	if err != nil {
		return nil, err
	}
	end, err := shared.end()
	if err != nil {
		return nil, err
	}
	rest, err := newDeltaLength(src[end:])
	if err != nil {
		return nil, err
	}
	return &deltaBytes{shared: shared, rest: rest}, nil
}

// next returns the next value, which is valid until the one after it.
func (d *deltaBytes) next() ([]byte, error) {
	var shared [1]int64
	if err := d.shared.fill(shared[:]); err != nil {
		return nil, err
	}
	if shared[0] < 0 || shared[0] > int64(len(d.last)) {
		return nil, errLength
	}
	d.tail.reset()
	if err := d.rest.bytes(&d.tail, 1); err != nil {
		return nil, err
	}
	d.last = append(d.last[:shared[0]], d.tail.data...)
	return d.last, nil
}

func (d *deltaBytes) bytes(dst *byteValues, n int) error {
	for range n {
		v, err := d.next()
		if err != nil {
			return err
		}
		if err := dst.add(v); err != nil {
			return err
		}
	}
	return nil
}

// deltaFixedBytes is DELTA_BYTE_ARRAY of values that all have the same width.
type deltaFixedBytes struct {
	d     *deltaBytes
	width int
}

func (f *deltaFixedBytes) fixed(dst []byte, n int) error {
	for i := range n {
		v, err := f.d.next()
		if err != nil {
			return err
		}
		if len(v) != f.width {
			return errLength
		}
		copy(dst[i*f.width:], v)
	}
	return nil
}

// newDictionary decodes a dictionary page of n values.
func newDictionary(kind format.Type, width int, src []byte, n int) (*dictionary, error) {
	dict := &dictionary{width: width, n: n}
	fixed, bytes, err := values(kind, width, format.Plain, src, nil)
	if err != nil {
		return nil, err
	}
	if bytes != nil {
		if n > len(src)/4 {
			return nil, errShortPage
		}
		dict.bytes.ends = make([]int32, 0, n)
		return dict, bytes.bytes(&dict.bytes, n)
	}
	if kind == format.Boolean || n > len(src)/width {
		return nil, errShortPage // a dictionary of booleans does not exist
	}
	dict.fixed = make([]byte, n*width)
	return dict, fixed.fixed(dict.fixed, n)
}
