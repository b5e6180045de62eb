package arrowio

import (
	"encoding/binary"
	"errors"
)

// errFlatbuffer is the cause of every refusal of inconsistent metadata.
var errFlatbuffer = errors.New("its metadata is damaged")

// flatbuf reads FlatBuffers, the encoding of Arrow's metadata, from untrusted bytes. A read outside of the bytes
// yields zero and sets bad, so that callers check once, after reading. Vectors and strings are checked to be within
// the bytes before their length is used. (Format: https://flatbuffers.dev/internals.)
type flatbuf struct {
	b   []byte
	bad bool
}

// within says whether n bytes at p exist.
func (f *flatbuf) within(p, n int) bool {
	if p < 0 || n < 0 || p > len(f.b) || n > len(f.b)-p {
		f.bad = true
		return false
	}
	return true
}

func (f *flatbuf) uint8(p int) uint8 {
	if !f.within(p, 1) {
		return 0
	}
	return f.b[p]
}

func (f *flatbuf) uint16(p int) uint16 {
	if !f.within(p, 2) {
		return 0
	}
	return binary.LittleEndian.Uint16(f.b[p:])
}

func (f *flatbuf) int32(p int) int32 {
	if !f.within(p, 4) {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(f.b[p:]))
}

func (f *flatbuf) int64(p int) int64 {
	if !f.within(p, 8) {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(f.b[p:]))
}

// follow returns where the offset at p points to.
func (f *flatbuf) follow(p int) int { return p + int(uint32(f.int32(p))) }

// table is a FlatBuffers table: fields by slot, each of which may be absent.
type table struct {
	f       *flatbuf
	pos     int
	present bool
}

func (f *flatbuf) root() table { return table{f, f.follow(0), true} }

// slot returns where the field of a slot is, 0 when it is absent.
func (t table) slot(i int) int {
	if !t.present {
		return 0
	}
	vtable := t.pos - int(t.f.int32(t.pos))
	if at := 4 + 2*i; at < int(t.f.uint16(vtable)) {
		if offset := t.f.uint16(vtable + at); offset != 0 {
			return t.pos + int(offset)
		}
	}
	return 0
}

func (t table) uint8(i int) uint8 {
	if p := t.slot(i); p != 0 {
		return t.f.uint8(p)
	}
	return 0
}

func (t table) int16(i int) int16 {
	if p := t.slot(i); p != 0 {
		return int16(t.f.uint16(p))
	}
	return 0
}

func (t table) int16Or(i int, absent int16) int16 {
	if p := t.slot(i); p != 0 {
		return int16(t.f.uint16(p))
	}
	return absent
}

func (t table) int32(i int, absent int32) int32 {
	if p := t.slot(i); p != 0 {
		return t.f.int32(p)
	}
	return absent
}

// text is a string, "" if it is absent.
func (t table) text(i int) string {
	v := t.vector(i, 1)
	if v.n == 0 || t.f.bad {
		return ""
	}
	return string(t.f.b[v.at : v.at+v.n])
}

func (t table) int64(i int) int64 {
	if p := t.slot(i); p != 0 {
		return t.f.int64(p)
	}
	return 0
}

func (t table) table(i int) table {
	if p := t.slot(i); p != 0 {
		return table{t.f, t.f.follow(p), true}
	}
	return table{f: t.f}
}

// vector is n elements of a size each, all within the bytes.
type vector struct {
	f            *flatbuf
	at, n, width int
}

func (t table) vector(i, width int) vector {
	p := t.slot(i)
	if p == 0 {
		return vector{f: t.f}
	}
	at := t.f.follow(p)
	n := int(uint32(t.f.int32(at)))
	if !t.f.within(at+4, n*width) {
		n = 0
	}
	return vector{t.f, at + 4, n, width}
}

// elem returns where element i is.
func (v vector) elem(i int) int { return v.at + i*v.width }

// table returns element i of a vector of tables.
func (v vector) table(i int) table { return table{v.f, v.f.follow(v.elem(i)), true} }
