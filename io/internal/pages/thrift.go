package pages

import (
	"encoding/binary"
	"errors"
)

var (
	// errShort says that the bytes end before the structure does.
	errShort = errors.New("the metadata ends in the middle of a structure")
	errDeep  = errors.New("the metadata is nested too deeply")
	errWire  = errors.New("the metadata is malformed")
)

// thriftDepthMax bounds the nesting of structures; Parquet's own metadata nests
// to a depth of about eight.
const thriftDepthMax = 24

// Types of the Thrift compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// scanThrift walks over one structure in the Thrift compact protocol at the
// start of b without decoding it. It returns its length in bytes, and how many
// structures are elements of lists in it. A decoder that allocates for a list
// before reading its elements is safe on bytes that passed: every element is
// there.
func scanThrift(b []byte) (length, elements int, err error) {
	s := thriftScan{b: b}
	err = s.structure(0)
	return s.pos, s.elements, err
}

type thriftScan struct {
	b        []byte
	pos      int
	elements int
}

func (s *thriftScan) structure(depth int) error {
	if depth > thriftDepthMax {
		return errDeep
	}
	for {
		head, err := s.byte()
		if err != nil {
			return err
		}
		if head == thriftStop {
			return nil
		}
		if head>>4 == 0 { // the field's number does not fit the head and follows
			if _, err := s.varint(); err != nil {
				return err
			}
		}
		kind := head & 0xf
		if kind == thriftTrue || kind == thriftFalse {
			continue // the value is in the type
		}
		if err := s.value(kind, depth); err != nil {
			return err
		}
	}
}

// value walks over a value that is not a structure's boolean field.
func (s *thriftScan) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := s.varint()
		return err
	case thriftDouble:
		return s.skip(8)
	case thriftBinary:
		n, err := s.varint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thriftList, thriftSet:
		return s.list(depth)
	case thriftMap:
		return s.pairs(depth)
	case thriftStruct:
		return s.structure(depth + 1)
	}
	return errWire
}

func (s *thriftScan) list(depth int) error {
	if depth > thriftDepthMax {
		return errDeep
	}
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.b)-s.pos) { // an element takes a byte at least
		return errShort
	}
	if head&0xf == thriftStruct {
		s.elements += int(n)
	}
	for range n {
		if err := s.value(head&0xf, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *thriftScan) pairs(depth int) error {
	if depth > thriftDepthMax {
		return errDeep
	}
	n, err := s.varint()
	if err != nil || n == 0 {
		return err
	}
	if n > uint64(len(s.b)-s.pos)/2 {
		return errShort
	}
	kinds, err := s.byte()
	if err != nil {
		return err
	}
	for range n {
		if err := s.value(kinds>>4, depth+1); err != nil {
			return err
		}
		if err := s.value(kinds&0xf, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *thriftScan) byte() (byte, error) {
	if s.pos >= len(s.b) {
		return 0, errShort
	}
	s.pos++
	return s.b[s.pos-1], nil
}

func (s *thriftScan) skip(n uint64) error {
	if n > uint64(len(s.b)-s.pos) {
		return errShort
	}
	s.pos += int(n)
	return nil
}

func (s *thriftScan) varint() (uint64, error) {
	v, n := binary.Uvarint(s.b[s.pos:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errWire
	}
	s.pos += n
	return v, nil
}
