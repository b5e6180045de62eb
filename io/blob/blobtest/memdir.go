package blobtest

import (
	"context"
	"errors"
	"path"

	"github.com/cipherfold/cipherfold/io/blob"
)

var _ blob.DirFS = (*Mem)(nil)

// CreateDir begins a directory of part files.
func (m *Mem) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u := &memDir{Mem: m, handle: m.open(name), parts: new(Mem), overwrite: opts.Overwrite}
	if err := u.mayPlace(); err != nil {
		m.handles--
		return nil, err
	}
	return u, nil
}

type memDir struct {
	*Mem
	handle
	parts     *Mem // committed so far
	overwrite bool
}

func (u *memDir) mayPlace() error {
	if u.m.files[u.name] != nil {
		return &blob.Error{Path: u.name, Kind: blob.ErrExists}
	}
	var entries []blob.Entry
	for name := range u.m.children(u.name) {
		entries = append(entries, blob.Entry{Name: name, Dir: u.m.files[path.Join(u.name, name)] == nil})
	}
	return blob.Replaceable(u.name, entries, u.overwrite)
}

// Create begins a file of the directory.
func (u *memDir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	return u.parts.Create(ctx, path.Join(u.name, path.Base(name)), opts)
}

func (u *memDir) Commit(ctx context.Context) error {
	if err := u.use(); err != nil {
		return err
	}
	defer u.m.mu.Unlock()
	u.closed = true
	u.m.handles--
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.mayPlace(); err != nil {
		return err
	}
	for name := range u.m.children(u.name) {
		delete(u.m.files, path.Join(u.name, name))
	}
	for _, name := range u.parts.Names() {
		data, _ := u.parts.Get(name)
		u.m.put(name, data)
	}
	u.m.put(path.Join(u.name, blob.SuccessMarker), nil)
	return nil
}

func (u *memDir) Abort() error {
	if u.use() == nil {
		u.closed = true
		u.m.handles--
		u.m.mu.Unlock()
	}
	return nil
}

var _ blob.DirFS = (*Faulty)(nil)

// CreateDir begins a directory of part files.
func (f *Faulty) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	u, err := do(f, name, func() (blob.DirUpload, error) { return blob.CreateDir(ctx, f.FS, name, opts) }, func(x blob.DirUpload) { x.Abort() })
	if err != nil {
		return nil, err
	}
	return &faultyDir{Faulty: f, DirUpload: u, name: name}, nil
}

type faultyDir struct {
	*Faulty
	blob.DirUpload
	name string
}

// Open opens a file.
func (u *faultyDir) Open(ctx context.Context, name string) (blob.File, error) {
	return u.Faulty.Open(ctx, name)
}

// List lists files.
func (u *faultyDir) List(ctx context.Context, pattern string) ([]string, error) {
	return u.Faulty.List(ctx, pattern)
}

// Create begins a file of the directory.
func (u *faultyDir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	up, err := do(u.Faulty, name, func() (blob.Upload, error) { return u.DirUpload.Create(ctx, name, opts) }, func(x blob.Upload) { x.Abort() })
	if err != nil {
		return nil, err
	}
	return &faultyUpload{Upload: up, fs: u.Faulty, name: name}, nil
}

func (u *faultyDir) Commit(ctx context.Context) error {
	if err := u.run(u.name, func() error { return u.DirUpload.Commit(ctx) }); err != nil {
		return errors.Join(err, u.DirUpload.Abort())
	}
	return nil
}

// Abort discards the directory.
func (u *faultyDir) Abort() error { return u.DirUpload.Abort() }
