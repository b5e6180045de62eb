package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// ErrInjected is the failure of an operation of Faulty.
var ErrInjected = errors.New("blobtest: injected failure")

// Mode is what happens to an operation of Faulty.
type Mode int

const (
	Fail       Mode = iota // it fails with a *blob.Error of its file and ErrInjected; a write writes half before
	Short                  // a read ends half way with io.EOF, as if the file had become shorter; a write ends with io.ErrShortWrite; others fail
	Delay                  // it takes 5 ms longer
	Crash                  // it and all later operations fail: the process was killed before it
	CrashAfter             // it succeeds, but fails like all later operations: the process was killed after it
)

// Faulty is a disk whose FailAt-th operation (from 1) fails as Mode says, and no other. Operations are the methods
// that take a context, and the ReadAt, Write, Sync, Truncate and Commit of what these return. A test runs its subject
// with FailAt 1, 2, 3, ... until Failed says that no operation failed any more.
type Faulty struct {
	FS     blob.FS // a blob.Disk, if its operations are used
	FailAt int64
	Mode   Mode
	ops    atomic.Int64
}

var _ blob.Disk = (*Faulty)(nil)

// Failed says whether the failure has happened.
func (f *Faulty) Failed() bool { return f.FailAt > 0 && f.ops.Load() >= f.FailAt }

// Ops returns how many operations there were.
func (f *Faulty) Ops() int64 { return f.ops.Load() }

// hit counts an operation and says whether it fails. A delay has passed when it returns.
func (f *Faulty) hit() bool {
	at := f.ops.Add(1)
	if f.Mode == Crash || f.Mode == CrashAfter {
		return f.FailAt > 0 && at >= f.FailAt
	}
	if at == f.FailAt && f.Mode == Delay {
		time.Sleep(5 * time.Millisecond)
		return false
	}
	return at == f.FailAt
}

// last reports whether the operation that was hit is done all the same.
func (f *Faulty) last() bool { return f.Mode == CrashAfter && f.ops.Load() == f.FailAt }

// do runs an operation without bytes. If the operation fails, the handle that it returned is closed.
func do[T any](f *Faulty, name string, op func() (T, error), undo func(T)) (T, error) {
	var none T
	if !f.hit() {
		return op()
	}
	if f.last() {
		if x, err := op(); err == nil && undo != nil {
			undo(x)
		}
	}
	return none, injected(name)
}

// injected is the failure of an operation on a file, in the form in which a disk would report it.
func injected(name string) error { return &blob.Error{Path: name, Err: ErrInjected} }

func (f *Faulty) run(name string, op func() error) error {
	_, err := do(f, name, func() (struct{}, error) { return struct{}{}, op() }, nil)
	return err
}

func (f *Faulty) readAt(name string, r io.ReaderAt, p []byte, off int64) (int, error) {
	if !f.hit() {
		return r.ReadAt(p, off)
	}
	if f.Mode == Short {
		n, err := r.ReadAt(p[:len(p)/2], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return 0, injected(name)
}

func (f *Faulty) write(name string, w io.Writer, p []byte) (int, error) {
	if !f.hit() {
		return w.Write(p)
	}
	n, err := 0, error(nil)
	switch {
	case f.last():
		n, err = w.Write(p)
	case f.Mode == Fail || f.Mode == Short:
		n, err = w.Write(p[:len(p)/2])
	}
	if f.Mode == Short {
		return n, errors.Join(&blob.Error{Path: name, Err: io.ErrShortWrite}, err)
	}
	return n, errors.Join(injected(name), err)
}

func (f *Faulty) disk() (blob.Disk, error) {
	d, ok := f.FS.(blob.Disk)
	if !ok {
		return nil, fmt.Errorf("blobtest: %T is not a disk: %w", f.FS, errors.ErrUnsupported)
	}
	return d, nil
}

// Open opens a file.
func (f *Faulty) Open(ctx context.Context, name string) (blob.File, error) {
	file, err := do(f, name, func() (blob.File, error) { return f.FS.Open(ctx, name) }, func(x blob.File) { x.Close() })
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, fs: f, name: name}, nil
}

type faultyFile struct {
	blob.File
	fs   *Faulty
	name string
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	return f.fs.readAt(f.name, f.File, p, off)
}

// Create begins a file.
func (f *Faulty) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	up, err := do(f, name, func() (blob.Upload, error) { return f.FS.Create(ctx, name, opts) }, func(x blob.Upload) { x.Abort() })
	if err != nil {
		return nil, err
	}
	return &faultyUpload{Upload: up, fs: f, name: name}, nil
}

type faultyUpload struct {
	blob.Upload
	fs   *Faulty
	name string
}

// Write fails after half of p is written, as a full disk would.
func (u *faultyUpload) Write(p []byte) (int, error) { return u.fs.write(u.name, u.Upload, p) }

func (u *faultyUpload) Commit(ctx context.Context) error {
	err := u.fs.run(u.name, func() error { return u.Upload.Commit(ctx) })
	if err != nil {
		return errors.Join(err, u.Upload.Abort())
	}
	return nil
}

// List lists files.
func (f *Faulty) List(ctx context.Context, pattern string) ([]string, error) {
	return do(f, pattern, func() ([]string, error) { return f.FS.List(ctx, pattern) }, nil)
}

// Identify returns what a name leads to.
func (f *Faulty) Identify(ctx context.Context, name string) (blob.Identity, error) {
	return do(f, name, func() (blob.Identity, error) { return blob.Identify(ctx, f.FS, name) }, nil)
}

// Scratch makes an anonymous file.
func (f *Faulty) Scratch(ctx context.Context, dir string) (blob.Scratch, error) {
	d, err := f.disk()
	if err != nil {
		return nil, err
	}
	s, err := do(f, dir, func() (blob.Scratch, error) { return d.Scratch(ctx, dir) }, func(x blob.Scratch) { x.Close() })
	if err != nil {
		return nil, err
	}
	return &faultyScratch{Scratch: s, fs: f, dir: dir}, nil
}

type faultyScratch struct {
	blob.Scratch
	fs  *Faulty
	dir string
}

func (s *faultyScratch) Write(p []byte) (int, error) { return s.fs.write(s.dir, s.Scratch, p) }

func (s *faultyScratch) ReadAt(p []byte, off int64) (int, error) {
	return s.fs.readAt(s.dir, s.Scratch, p, off)
}

// Append opens a file for appending.
func (f *Faulty) Append(ctx context.Context, name string) (blob.Appender, error) {
	d, err := f.disk()
	if err != nil {
		return nil, err
	}
	a, err := do(f, name, func() (blob.Appender, error) { return d.Append(ctx, name) }, func(x blob.Appender) { x.Close() })
	if err != nil {
		return nil, err
	}
	return &faultyAppender{Appender: a, fs: f, name: name}, nil
}

type faultyAppender struct {
	blob.Appender
	fs   *Faulty
	name string
}

func (a *faultyAppender) Write(p []byte) (int, error) { return a.fs.write(a.name, a.Appender, p) }

func (a *faultyAppender) Sync() error { return a.fs.run(a.name, a.Appender.Sync) }

func (a *faultyAppender) Truncate(size int64) error {
	return a.fs.run(a.name, func() error { return a.Appender.Truncate(size) })
}

// Remove removes a file or an empty directory.
func (f *Faulty) Remove(ctx context.Context, name string) error {
	d, err := f.disk()
	if err != nil {
		return err
	}
	return f.run(name, func() error { return d.Remove(ctx, name) })
}

// MakeDir makes a directory.
func (f *Faulty) MakeDir(ctx context.Context, name string) error {
	d, err := f.disk()
	if err != nil {
		return err
	}
	return f.run(name, func() error { return d.MakeDir(ctx, name) })
}

// ReadDir returns the names in a directory.
func (f *Faulty) ReadDir(ctx context.Context, name string) ([]string, error) {
	d, err := f.disk()
	if err != nil {
		return nil, err
	}
	return do(f, name, func() ([]string, error) { return d.ReadDir(ctx, name) }, nil)
}
