package stores

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// windowsMax is how many windows of a file are kept.
const windowsMax = 4

// file is an object that is read.
//
// Readers of tables announce what they will read by Section: that is one
// request, read as it comes, and what they do not take stays in the network.
// Other reads, such as of the table of contents at a file's end, are small and
// near each other: they are answered from windows.
type file struct {
	b       *bucket
	ctx     context.Context // of Open: it ends all reading
	cancel  context.CancelFunc
	name    string
	key     string
	version version

	mu       sync.Mutex
	closed   bool
	windows  []window // the latest used last
	sections map[*section]bool
}

var _ blob.Sectioner = (*file)(nil)

// window is some bytes of a file.
type window struct {
	off  int64
	data []byte
}

func (b *bucket) open(ctx context.Context, name, key string) (*file, error) {
	o, err := b.stat(ctx, key)
	if err != nil {
		return nil, b.error(name, "open", err)
	}
	f := &file{b: b, name: name, key: key, version: o.version, sections: make(map[*section]bool)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f, nil
}

func (f *file) Size() int64 { return f.version.size }

// Version identifies what is in the object: another version is another text.
func (f *file) Version() string { return versionText(f.version) }

func versionText(v version) string {
	if v.generation != 0 {
		return strconv.FormatInt(v.generation, 10)
	}
	return v.etag + " " + v.modified.UTC().Format(time.RFC3339Nano)
}

var errClosed = errors.New("read of a closed file")

// Close ends all reading.
func (f *file) Close() error {
	f.cancel()
	f.mu.Lock()
	f.closed, f.windows = true, nil
	open := f.sections
	f.sections = nil
	f.mu.Unlock()
	for s := range open {
		s.end()
	}
	return nil
}

// ReadAt reads anywhere.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	want := p[:max(0, min(int64(len(p)), f.version.size-off))]
	for n < len(want) {
		got, err := f.some(want[n:], off+int64(n))
		n += got
		if err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// some reads the first bytes of p: from a window, from a new window, or, when
// they are many, right into p.
func (f *file) some(p []byte, off int64) (int, error) {
	if n, err := f.cached(p, off); n > 0 || err != nil {
		return n, err
	}
	size := int64(f.b.tune.window)
	if int64(len(p)) >= size {
		return f.fill(p, off)
	}
	// Near the end of the file, the window holds the end.
	w := window{off: max(0, min(off, f.version.size-size))}
	w.data = make([]byte, min(size, f.version.size-w.off))
	if n, err := f.fill(w.data, w.off); err != nil {
		if at := off - w.off; int64(n) > at {
			return copy(p, w.data[at:n]), nil
		}
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.windows) == windowsMax {
		f.windows = slices.Delete(f.windows, 0, 1)
	}
	if !f.closed {
		f.windows = append(f.windows, w)
	}
	return copy(p, w.data[off-w.off:]), nil
}

// cached reads from a window, if there is one.
func (f *file) cached(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, &blob.Error{Path: f.name, Err: errClosed}
	}
	for i, w := range f.windows {
		if off >= w.off && off < w.off+int64(len(w.data)) {
			f.windows = append(slices.Delete(f.windows, i, i+1), w)
			return copy(p, w.data[off-w.off:]), nil
		}
	}
	return 0, nil
}

// fill reads all of p.
func (f *file) fill(p []byte, off int64) (int, error) {
	s := &section{f: f, at: off, to: off + int64(len(p))}
	defer s.end()
	n, err := io.ReadFull(s, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// Section returns a reader of some bytes, those of the file at most.
func (f *file) Section(off, n int64) io.Reader {
	s := &section{f: f, at: off, to: off + min(n, max(0, f.version.size-off))}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.sections[s] = true
	}
	f.windows = nil // the table of contents has been read
	return s
}

// section is a stretch of a file that is read by requests for all that is left
// of it: one, unless it breaks off.
type section struct {
	f      *file
	at, to int64

	mu   sync.Mutex // Close of the file against a read
	body io.ReadCloser
}

func (s *section) Read(p []byte) (int, error) {
	if s.at >= s.to {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), s.to-s.at)]
	for failures := 1; ; failures++ {
		n, err := s.read(p)
		s.at += int64(n)
		if s.at == s.to {
			s.end()
		}
		if n > 0 {
			return n, nil // an error comes again
		}
		s.drop()
		if cerr := s.f.ctx.Err(); cerr != nil {
			s.f.mu.Lock()
			defer s.f.mu.Unlock()
			if s.f.closed {
				cerr = &blob.Error{Path: s.f.name, Err: errClosed}
			}
			return 0, cerr
		}
		if failures == s.f.b.tune.retries.attempts || !s.f.b.passing(err) {
			return 0, s.f.b.error(s.f.name, "read", err)
		}
		if err := s.f.b.tune.retries.wait(s.f.ctx, failures); err != nil {
			return 0, err
		}
	}
}

// read reads what the current request delivers, or the next one.
func (s *section) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		var err error
		if s.body, err = s.f.request(s.at, s.to-s.at); err != nil {
			return 0, err
		}
	}
	n, err := s.body.Read(p)
	if n == 0 && (err == nil || err == io.EOF) {
		err = io.ErrUnexpectedEOF // the answer is shorter than what was asked for
	}
	return n, err
}

// drop ends the current request.
func (s *section) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body != nil {
		_ = s.body.Close() // what it delivered counts, not how it ended
		s.body = nil
	}
}

// end is drop for good.
func (s *section) end() {
	s.drop()
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	delete(s.f.sections, s)
}

// request asks for n bytes of the object that was opened.
func (f *file) request(off, n int64) (io.ReadCloser, error) {
	body, seen, err := f.b.client.read(f.ctx, f.key, f.version, off, n)
	switch status(err) {
	case http.StatusPreconditionFailed, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable:
		return nil, errors.Join(errChanged, err)
	}
	if err == nil && !f.version.is(seen) {
		err = errors.Join(errChanged, body.Close())
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}
