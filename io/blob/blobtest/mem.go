// Package blobtest has file systems for tests: Mem, which is in memory and can
// lose power, and Faulty, whose operations fail on demand.
package blobtest

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Mem is a blob.Disk in memory. Its directories are made, or follow from the names of files. The zero value is empty
// and ready to use.
type Mem struct {
	mu      sync.Mutex
	files   map[string]*memNode
	dirs    map[string]bool
	safe    map[string]*memNode // the names that survive a loss of power; MakeDir, Put and Commit are safe at once
	life    int                 // losses of power
	handles int
}

var _ blob.Disk = (*Mem)(nil)

// memNode is the content of a file. Its bytes are never changed in place.
type memNode struct {
	data []byte
	safe []byte // what survives a loss of power
}

// Put stores a file, which must not be changed afterwards.
func (m *Mem) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, data)
}

func (m *Mem) put(name string, data []byte) {
	m.set(name, &memNode{data: data, safe: data})
	m.syncDir(path.Dir(name))
}

func (m *Mem) set(name string, node *memNode) {
	if m.files == nil {
		m.files, m.safe = make(map[string]*memNode), make(map[string]*memNode)
	}
	m.files[name] = node
}

// syncDir makes the names in a directory safe.
func (m *Mem) syncDir(dir string) {
	for name := range m.safe {
		if path.Dir(name) == dir && m.files[name] == nil {
			delete(m.safe, name)
		}
	}
	for name, node := range m.files {
		if path.Dir(name) == dir {
			m.safe[name] = node
		}
	}
}

// Get returns a file's bytes and whether it exists.
func (m *Mem) Get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, ok := m.files[name]
	if !ok {
		return nil, false
	}
	return node.data, true
}

// Names returns the names of all files, in byte order.
func (m *Mem) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedKeys(m.files)
}

// Handles returns how many files, uploads, appenders and scratch files are
// open.
func (m *Mem) Handles() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handles
}

// PowerLoss forgets everything that was not made durable: uploads and scratch files, what was appended after the last
// Sync, and new files without a Sync. It undoes a removal unless a later operation made names in the same directory
// durable. Everything that was open fails from now on.
func (m *Mem) PowerLoss() { m.TornPowerLoss(func(int) int { return 0 }) }

// TornPowerLoss is PowerLoss on a disk that has already written some of it. keep returns how many of n bytes or
// changes have survived, in the order in which they were made.
func (m *Mem) TornPowerLoss(keep func(n int) int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life++
	m.handles = 0
	names := make(map[string]*memNode)
	for name := range m.safe {
		names[name] = nil
	}
	for name := range m.files {
		names[name] = nil
	}
	for _, name := range sortedKeys(names) {
		node := m.safe[name]
		if m.files[name] != node && keep(1) > 0 {
			node = m.files[name]
		}
		if node == nil {
			delete(names, name)
			continue
		}
		data := node.safe
		if bytes.HasPrefix(node.data, node.safe) {
			data = node.data[:len(node.safe)+keep(len(node.data)-len(node.safe))]
		} else if keep(1) > 0 {
			data = node.data
		}
		names[name] = &memNode{data: data, safe: data}
	}
	m.files, m.safe = names, make(map[string]*memNode)
	for name, node := range names {
		m.safe[name] = node
	}
}

// handle is something open, for one of Mem's lives (from one loss of power to the next).
type handle struct {
	m      *Mem
	name   string
	life   int
	closed bool
}

// open begins a handle. The caller holds the lock.
func (m *Mem) open(name string) handle {
	m.handles++
	return handle{m: m, name: name, life: m.life}
}

// use locks Mem for an operation of a handle, unless the handle is gone.
func (h *handle) use() error {
	h.m.mu.Lock()
	var what string
	switch {
	case h.life != h.m.life:
		what = "the power went"
	case h.closed:
		what = "is closed"
	default:
		return nil
	}
	h.m.mu.Unlock()
	return &blob.Error{Path: h.name, What: what}
}

func (h *handle) Close() error {
	if err := h.use(); err != nil {
		return err
	}
	defer h.m.mu.Unlock()
	h.closed = true
	h.m.handles--
	return nil
}

// Open opens a file.
func (m *Mem) Open(ctx context.Context, name string) (blob.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	node, ok := m.files[name]
	if !ok {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNotFound}
	}
	return &memFile{m.open(name), node.data}, nil
}

type memFile struct {
	handle
	data []byte
}

func (f *memFile) Size() int64 { return int64(len(f.data)) }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.use(); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	return bytes.NewReader(f.data).ReadAt(p, off)
}

// Create begins a file, which Commit stores.
func (m *Mem) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil && !opts.Overwrite {
		return nil, &blob.Error{Path: name, Kind: blob.ErrExists}
	}
	return &memUpload{handle: m.open(name), overwrite: opts.Overwrite}, nil
}

type memUpload struct {
	handle
	data      []byte
	overwrite bool
}

func (u *memUpload) Write(p []byte) (int, error) {
	if err := u.use(); err != nil {
		return 0, err
	}
	defer u.m.mu.Unlock()
	u.data = append(u.data, p...)
	return len(p), nil
}

func (u *memUpload) Commit(ctx context.Context) error {
	if err := u.use(); err != nil {
		return err
	}
	defer u.m.mu.Unlock()
	u.closed = true
	u.m.handles--
	if err := ctx.Err(); err != nil {
		return err
	}
	if u.m.files[u.name] != nil && !u.overwrite {
		return &blob.Error{Path: u.name, Kind: blob.ErrExists}
	}
	u.m.put(u.name, u.data)
	return nil
}

func (u *memUpload) Abort() error {
	if u.use() == nil {
		u.closed = true
		u.m.handles--
		u.m.mu.Unlock()
	}
	return nil
}

// List returns the file of that name, those whose names match the glob, or
// those directly below it as a directory, without hidden ones as on a disk.
func (m *Mem) List(ctx context.Context, pattern string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[pattern] != nil {
		return []string{pattern}, nil
	}
	var names []string
	for name := range m.files {
		match, err := path.Match(pattern, name)
		if err != nil {
			return nil, &blob.Error{Path: pattern, Kind: blob.ErrBadPattern, Err: err}
		}
		base := path.Base(name)
		if match && blob.Matches(path.Base(pattern), base) || path.Dir(name) == path.Clean(pattern) && !blob.Hidden(base) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, &blob.Error{Path: pattern, Kind: blob.ErrNoMatch}
	}
	slices.Sort(names)
	return names, nil
}

// Scratch makes an anonymous file; the directory need not exist.
func (m *Mem) Scratch(ctx context.Context, dir string) (blob.Scratch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memScratch{handle: m.open(dir)}, nil
}

type memScratch struct {
	handle
	data []byte
}

func (s *memScratch) Write(p []byte) (int, error) {
	if err := s.use(); err != nil {
		return 0, err
	}
	defer s.m.mu.Unlock()
	s.data = append(s.data, p...)
	return len(p), nil
}

func (s *memScratch) ReadAt(p []byte, off int64) (int, error) {
	if err := s.use(); err != nil {
		return 0, err
	}
	defer s.m.mu.Unlock()
	return bytes.NewReader(s.data).ReadAt(p, off)
}

func (s *memScratch) Size() int64 {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return int64(len(s.data))
}

// Append opens a file for appending.
func (m *Mem) Append(ctx context.Context, name string) (blob.Appender, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		m.set(name, &memNode{})
	}
	return &memAppender{m.open(name), m.files[name]}, nil
}

type memAppender struct {
	handle
	node *memNode
}

func (a *memAppender) Write(p []byte) (int, error) {
	if err := a.use(); err != nil {
		return 0, err
	}
	defer a.m.mu.Unlock()
	a.node.data = append(slices.Clip(a.node.data), p...)
	return len(p), nil
}

func (a *memAppender) Sync() error {
	if err := a.use(); err != nil {
		return err
	}
	defer a.m.mu.Unlock()
	a.node.safe = a.node.data
	a.m.syncDir(path.Dir(a.name))
	return nil
}

func (a *memAppender) Size() int64 {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return int64(len(a.node.data))
}

func (a *memAppender) Truncate(size int64) error {
	if err := a.use(); err != nil {
		return err
	}
	defer a.m.mu.Unlock()
	if size < 0 || size > int64(len(a.node.data)) {
		return &blob.Error{Path: a.name, What: "cannot cut the file off beyond its end"}
	}
	a.node.data = a.node.data[:size]
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.children(name)) > 0 {
		return &blob.Error{Path: name, What: "cannot remove: directory not empty"}
	}
	delete(m.files, name)
	delete(m.dirs, path.Clean(name))
	return nil
}

// MakeDir makes a directory, and those above it.
func (m *Mem) MakeDir(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs == nil {
		m.dirs = make(map[string]bool)
	}
	for name = path.Clean(name); name != "." && name != "/"; name = path.Dir(name) {
		if m.files[name] != nil {
			return &blob.Error{Path: name, Kind: blob.ErrExists, What: "is a file, not a directory"}
		}
		m.dirs[name] = true
	}
	return nil
}

// ReadDir returns the names in a directory.
func (m *Mem) ReadDir(ctx context.Context, name string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil {
		return nil, &blob.Error{Path: name, What: "cannot list the directory: it is a file"}
	}
	return sortedKeys(m.children(name)), nil
}

// children are the names of files and directories in a directory.
func (m *Mem) children(dir string) map[string]bool {
	out := make(map[string]bool)
	prefix := path.Clean(dir) + "/"
	switch prefix {
	case "./":
		prefix = ""
	case "//":
		prefix = "/"
	}
	add := func(name string) {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			first, _, _ := strings.Cut(rest, "/")
			out[first] = true
		}
	}
	for name := range m.files {
		add(name)
	}
	for name := range m.dirs {
		add(name)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
