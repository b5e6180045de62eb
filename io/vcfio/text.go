package vcfio

import (
	"bytes"
	"io"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/gzipped"
	"github.com/cipherfold/cipherfold/io/internal/stream"
)

const (
	bufferBytes  = 1 << 20   // read at a time, and the text of a chunk
	lineBytesMax = 256 << 20 // of one line: half a million samples with 500 bytes each
)

// A text delivers the bytes of a file in pieces, decompressed.
type text interface {
	next() ([]byte, error) // a new piece, not empty except at the end of a block; io.EOF after the last
	close()
}

// openText detects by the first bytes how a file is compressed, whatever its name.
func openText(f blob.File, threads int) (text, error) {
	var magic [blockHeaderBytes]byte
	n, err := f.ReadAt(magic[:min(int64(len(magic)), f.Size())], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	src := stream.NewSource(f)
	if _, ok := blockSize(magic[:n]); ok {
		return newBlockText(src, threads), nil
	}
	if !bytes.HasPrefix(magic[:n], []byte{0x1f, 0x8b}) {
		return &streamText{src: src}, nil
	}
	z, err := gzipped.NewReader(src, bufferBytes)
	if err != nil {
		return nil, err
	}
	return &streamText{src: z}, nil
}

// streamText is text that comes from one stream.
type streamText struct {
	src io.Reader
	err error
}

func (t *streamText) next() ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	piece := make([]byte, bufferBytes)
	n := 0
	for n < len(piece) && t.err == nil {
		var got int
		got, t.err = t.src.Read(piece[n:])
		n += got
	}
	if n > 0 {
		return piece[:n], nil
	}
	return nil, t.err
}

func (t *streamText) close() {}

// lines cuts text into chunks of whole lines.
type lines struct {
	text text
	rest []byte // read and not yet cut
	line int64  // number of the line that rest begins with
	err  error  // of text, delivered when rest is used up
}

// chunk is some whole lines. The last one of a file may lack its line end.
type chunk struct {
	text []byte
	line int64 // number of the first
}

// next returns the next lines, about bufferBytes of them, or io.EOF.
func (l *lines) next() (chunk, error) {
	searched := 0
	for {
		if i := bytes.LastIndexByte(l.rest[searched:], '\n'); i >= 0 && (len(l.rest) >= bufferBytes || l.err != nil) {
			return l.cut(searched + i + 1), nil
		} else if i < 0 {
			searched = len(l.rest)
		}
		if l.err != nil {
			if l.err == io.EOF && len(l.rest) > 0 {
				return l.cut(len(l.rest)), nil
			}
			return chunk{}, l.err
		}
		if searched > lineBytesMax {
			return chunk{}, column.Refuse("", "a line longer than %d MiB", lineBytesMax>>20).AtLine(l.line).
				WithHint("Check the line ends, or split the file by samples.")
		}
		l.more()
	}
}

// more reads a piece of text.
func (l *lines) more() {
	var piece []byte
	piece, l.err = l.text.next()
	if len(l.rest) == 0 {
		l.rest = piece
	} else {
		l.rest = append(l.rest, piece...)
	}
}

// oneLine returns the next line without its line end, or io.EOF.
func (l *lines) oneLine() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.rest[searched:], '\n'); i >= 0 {
			return trimCR(l.cut(searched + i + 1).text[:searched+i]), nil
		}
		searched = len(l.rest)
		if l.err != nil {
			if l.err == io.EOF && len(l.rest) > 0 {
				return trimCR(l.cut(len(l.rest)).text), nil
			}
			return nil, l.err
		}
		if searched > lineBytesMax {
			return nil, column.Refuse("", "a line longer than %d MiB", lineBytesMax>>20).AtLine(l.line).WithHint("Check the line ends.")
		}
		l.more()
	}
}

// cut takes the first n bytes, which are whole lines.
func (l *lines) cut(n int) chunk {
	c := chunk{text: l.rest[:n:n], line: l.line}
	l.line += int64(bytes.Count(c.text, []byte{'\n'}))
	l.rest = l.rest[n:]
	return c
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}
