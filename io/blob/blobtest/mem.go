// Package blobtest has file systems for tests: Mem, which is in memory, and
// Faulty, whose operations fail on demand.
package blobtest

import (
	"bytes"
	"context"
	"path"
	"slices"
	"sync"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Mem is a blob.FS in memory. Its directories are implied by the names. The
// zero value is empty and ready to use.
type Mem struct {
	mu    sync.Mutex
	files map[string][]byte
}

// Put stores a file, which must not be changed afterwards.
func (m *Mem) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = make(map[string][]byte)
	}
	m.files[name] = data
}

// Get returns a file's bytes and whether it exists.
func (m *Mem) Get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	return data, ok
}

// Open opens a file.
func (m *Mem) Open(ctx context.Context, name string) (blob.File, error) {
	data, ok := m.Get(name)
	if !ok {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNotFound}
	}
	return memFile{bytes.NewReader(data)}, ctx.Err()
}

type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

// Create begins a file, which Commit stores.
func (m *Mem) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	if _, ok := m.Get(name); ok && !opts.Overwrite {
		return nil, &blob.Error{Path: name, Kind: blob.ErrExists}
	}
	return &memUpload{fs: m, name: name, overwrite: opts.Overwrite}, ctx.Err()
}

type memUpload struct {
	bytes.Buffer
	fs        *Mem
	name      string
	overwrite bool
	done      bool
}

func (u *memUpload) Commit(ctx context.Context) error {
	if u.done {
		return &blob.Error{Path: u.name, What: "commit of a finished upload"}
	}
	u.done = true
	if _, ok := u.fs.Get(u.name); ok && !u.overwrite {
		return &blob.Error{Path: u.name, Kind: blob.ErrExists}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	u.fs.Put(u.name, u.Bytes())
	return nil
}

func (u *memUpload) Abort() error {
	u.done = true
	return nil
}

// List returns the file of that name, those whose names match the glob, or
// those directly below it as a directory.
func (m *Mem) List(ctx context.Context, pattern string) ([]string, error) {
	if _, ok := m.Get(pattern); ok {
		return []string{pattern}, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		match, err := path.Match(pattern, name)
		if err != nil {
			return nil, &blob.Error{Path: pattern, Kind: blob.ErrBadPattern, Err: err}
		}
		if match || path.Dir(name) == path.Clean(pattern) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, &blob.Error{Path: pattern, Kind: blob.ErrNoMatch}
	}
	slices.Sort(names)
	return names, ctx.Err()
}
