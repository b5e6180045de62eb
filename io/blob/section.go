package blob

import "io"

// A Sectioner is a File that reads a stretch of bytes better when it is told
// about it beforehand: over a network it is one request instead of many.
type Sectioner interface {
	// Section returns a reader of the n bytes from offset off, which is used by
	// one goroutine. What it holds is freed when all are read, or by the file's
	// Close.
	Section(off, n int64) io.Reader
}

// Section returns a reader of the n bytes of r from offset off: r's own, if it
// is a Sectioner. It ends with io.EOF, earlier if r does.
func Section(r io.ReaderAt, off, n int64) io.Reader {
	if s, ok := r.(Sectioner); ok {
		return s.Section(off, n)
	}
	return io.NewSectionReader(r, off, n)
}
