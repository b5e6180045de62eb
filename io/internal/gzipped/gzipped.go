// Package gzipped reads gzip data (RFC 1952) and says in one way what is wrong with it. Members may follow each other, as cat and
// bgzip make them, and zeros may follow the last one, as tapes and some archives leave them.
package gzipped

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// What is wrong with the data, for errors.Is.
var (
	ErrNot       = errors.New("not gzip data")
	ErrTruncated = errors.New("the compressed data breaks off")
	ErrDamaged   = errors.New("the compressed data is damaged")
	ErrTrailing  = errors.New("something that is not gzip follows the compressed data")
)

// Reader delivers what was compressed.
type Reader struct {
	src *bufio.Reader
	z   *gzip.Reader
	err error
}

// NewReader begins to read src, so many bytes at a time. Errors of src come through as they are.
func NewReader(src io.Reader, bytes int) (*Reader, error) {
	r := &Reader{src: bufio.NewReaderSize(src, bytes)}
	magic, err := r.src.Peek(2)
	switch {
	case len(magic) == 2 && !(magic[0] == 0x1f && magic[1] == 0x8b), len(magic) == 1 && magic[0] != 0x1f:
		return nil, ErrNot
	case err != nil:
		return nil, cause(err)
	}
	if r.z, err = gzip.NewReader(r.src); err != nil {
		return nil, cause(err)
	}
	r.z.Multistream(false)
	return r, nil
}

// Read reads on. io.EOF comes once the last member has ended as it must.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.z.Read(p)
		switch {
		case err == io.EOF:
			r.err = r.next()
		case err != nil:
			r.err = cause(err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil // an error comes again
		}
	}
	return 0, r.err
}

// next begins the next member, or returns io.EOF after the last.
func (r *Reader) next() error {
	magic, err := r.src.Peek(2)
	switch {
	case len(magic) == 0:
		if err == io.EOF {
			return io.EOF
		}
		return cause(err)
	case magic[0] == 0:
		return r.padding()
	case magic[0] != 0x1f || len(magic) == 2 && magic[1] != 0x8b:
		return ErrTrailing
	case len(magic) == 1:
		return ErrTruncated
	}
	if err := r.z.Reset(r.src); err != nil {
		return cause(err)
	}
	r.z.Multistream(false)
	return nil
}

// padding reads zeros to the end.
func (r *Reader) padding() error {
	var buf [4096]byte
	for {
		n, err := r.src.Read(buf[:])
		for _, b := range buf[:n] {
			if b != 0 {
				return ErrTrailing
			}
		}
		if err != nil {
			if err == io.EOF {
				return io.EOF
			}
			return cause(err)
		}
	}
}

// cause names an error of the decompressor; those of the source stay as they are.
func cause(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return ErrTruncated
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
