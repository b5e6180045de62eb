// Package stream reads the bytes of a file from start to end.
package stream

import (
	"errors"
	"io"

	"github.com/cipherfold/cipherfold/io/blob"
)

// ErrShrank says that a file ended before the size that it had when opened.
var ErrShrank = errors.New("file became shorter")

// Source reads a file from the start to the size that it was opened with.
type Source struct {
	file blob.File
	at   int64
}

// NewSource begins at the start of f.
func NewSource(f blob.File) *Source { return &Source{file: f} }

// Read reads on. Where the file ends too early it returns ErrShrank.
func (s *Source) Read(p []byte) (int, error) {
	left := s.file.Size() - s.at
	if left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := s.file.ReadAt(p, s.at)
	s.at += int64(n)
	if n > 0 {
		return n, nil // an error comes again
	}
	if err == io.EOF {
		err = ErrShrank
	}
	return n, err
}
