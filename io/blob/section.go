package blob

import "io"

// A Sectioner is a File that reads a range of bytes faster when the range is announced. Over a network this is one
// request instead of many.
type Sectioner interface {
	// Section returns a reader of the n bytes from offset off, for one goroutine. Its resources are freed when all
	// bytes are read, or by the file's Close.
	Section(off, n int64) io.Reader
}

// Section returns a reader of the n bytes of r from offset off: r's own, if it is a Sectioner. It ends with io.EOF,
// early if r does.
func Section(r io.ReaderAt, off, n int64) io.Reader {
	if s, ok := r.(Sectioner); ok {
		return s.Section(off, n)
	}
	return io.NewSectionReader(r, off, n)
}
