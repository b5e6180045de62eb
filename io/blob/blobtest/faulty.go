package blobtest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/io/blob"
)

// ErrInjected is the failure of an operation of Faulty.
var ErrInjected = errors.New("blobtest: injected failure")

// Faulty is a file system whose FailAt-th operation (from 1) fails with
// ErrInjected, and none else. Operations are Open, Create, List and the
// ReadAt, Write and Commit of what these return. A test runs its subject with
// FailAt 1, 2, 3, ... until Failed says that no operation failed any more.
type Faulty struct {
	FS     blob.FS
	FailAt int64
	ops    atomic.Int64
}

// Failed says whether the failure has happened.
func (f *Faulty) Failed() bool { return f.FailAt > 0 && f.ops.Load() >= f.FailAt }

func (f *Faulty) op() error {
	if f.ops.Add(1) == f.FailAt {
		return ErrInjected
	}
	return nil
}

// Open opens a file.
func (f *Faulty) Open(ctx context.Context, name string) (blob.File, error) {
	if err := f.op(); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, fs: f}, nil
}

type faultyFile struct {
	blob.File
	fs *Faulty
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.op(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Create begins a file.
func (f *Faulty) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	if err := f.op(); err != nil {
		return nil, err
	}
	up, err := f.FS.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &faultyUpload{Upload: up, fs: f}, nil
}

type faultyUpload struct {
	blob.Upload
	fs *Faulty
}

// Write fails after half of p is written, as a full disk would.
func (u *faultyUpload) Write(p []byte) (int, error) {
	if err := u.fs.op(); err != nil {
		n, werr := u.Upload.Write(p[:len(p)/2])
		return n, errors.Join(err, werr)
	}
	return u.Upload.Write(p)
}

func (u *faultyUpload) Commit(ctx context.Context) error {
	if err := u.fs.op(); err != nil {
		return errors.Join(err, u.Upload.Abort())
	}
	return u.Upload.Commit(ctx)
}

// List lists files.
func (f *Faulty) List(ctx context.Context, pattern string) ([]string, error) {
	if err := f.op(); err != nil {
		return nil, err
	}
	return f.FS.List(ctx, pattern)
}
