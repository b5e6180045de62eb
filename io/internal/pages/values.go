package pages

import (
	"errors"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

var (
	errShortPage  = errors.New("a page ends before its values do")
	errLength     = errors.New("a value's length is negative or exceeds what is left of the page")
	errDictionary = errors.New("a value refers to an entry that the dictionary lacks")
	errNoDict     = errors.New("a dictionary-encoded page without a dictionary")
	errTooLarge   = tooLarge("the values of one batch exceed %d MiB", ColumnBytesMax>>20)
)

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

// pageValues delivers the values of a page that are present, one after the other.
type pageValues struct {
	kind    format.Type
	width   int
	data    []byte
	offsets []uint32 // of BYTE_ARRAY: value i is data[offsets[i]:offsets[i+1]]
	entries []int32  // of a dictionary's page: the values' indices in data
	indexed bool
	at      int
}

// valuesOf gives access to the memory of a decoded page.
func valuesOf(col *Column, page parquet.Page) pageValues {
	v := pageValues{kind: col.kind, width: col.physicalWidth()}
	values := page.Data()
	if dict := page.Dictionary(); dict != nil {
		v.indexed, v.entries = true, values.Int32()
		values = dict.Page().Data()
	}
	v.data, v.offsets = values.Data()
	return v
}

// index returns where the next value is in data.
func (v *pageValues) index() (int, error) {
	i := v.at
	v.at++
	if !v.indexed {
		return i, nil
	}
	if i = int(v.entries[i]); i < 0 || v.offsets == nil && i >= len(v.data)/v.width || v.offsets != nil && i >= len(v.offsets)-1 {
		return 0, errDictionary
	}
	return i, nil
}

// fixed copies the next n values of a fixed width to dst: numbers as in
// memory, booleans as a byte 0 or 1.
func (v *pageValues) fixed(dst []byte, n int) error {
	switch {
	case v.kind == format.Boolean:
		for i := range dst[:n] {
			dst[i] = v.data[v.at>>3] >> (v.at & 7) & 1
			v.at++
		}
	case !v.indexed:
		copy(dst, v.data[v.at*v.width:(v.at+n)*v.width])
		v.at += n
	default:
		for at := 0; at < n*v.width; at += v.width {
			i, err := v.index()
			if err != nil {
				return err
			}
			copy(dst[at:at+v.width], v.data[i*v.width:])
		}
	}
	return nil
}

// bytes appends the next n values of varying length to dst.
func (v *pageValues) bytes(dst *byteValues, n int) error {
	for range n {
		i, err := v.index()
		if err != nil {
			return err
		}
		if err := dst.add(v.data[v.offsets[i]:v.offsets[i+1]]); err != nil {
			return err
		}
	}
	return nil
}
