// Package observe lets others see a job: metrics for Prometheus, OpenLineage events, profiles, and the counters behind
// a progress bar. Nothing in it changes what a job does, and none of its failures makes a job fail.
package observe

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Meter counts the bytes that go through file systems. The zero value is ready; it is safe for concurrent use.
type Meter struct {
	Read    atomic.Int64 // bytes delivered to readers, some of them perhaps twice
	Written atomic.Int64 // bytes taken from writers, those of outputs that were then given up included
}

// Over returns fs, counted.
func (m *Meter) Over(fs blob.FS) blob.FS { return &meteredFS{fs, m} }

type meteredFS struct {
	blob.FS
	meter *Meter
}

// Identify is that of what is counted.
func (m *meteredFS) Identify(ctx context.Context, name string) (blob.Identity, error) {
	return blob.Identify(ctx, m.FS, name)
}

func (m *meteredFS) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := m.FS.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &meteredFile{f, m.meter}, nil
}

func (m *meteredFS) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := m.FS.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &meteredUpload{u, m.meter}, nil
}

// CreateDir begins a directory, whose files are counted.
func (m *meteredFS) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	d, err := blob.CreateDir(ctx, m.FS, name, opts)
	if err != nil {
		return nil, err
	}
	return &meteredDir{d, m.meter}, nil
}

type meteredDir struct {
	blob.DirUpload
	meter *Meter
}

func (d *meteredDir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := d.DirUpload.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &meteredUpload{u, d.meter}, nil
}

type meteredFile struct {
	blob.File
	meter *Meter
}

func (f *meteredFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.meter.Read.Add(int64(n))
	return n, err
}

// Section reads a range of the file in the way that suits the file best.
func (f *meteredFile) Section(off, n int64) io.Reader {
	return &meteredSection{blob.Section(f.File, off, n), f.meter}
}

type meteredSection struct {
	io.Reader
	meter *Meter
}

func (s *meteredSection) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.meter.Read.Add(int64(n))
	return n, err
}

type meteredUpload struct {
	blob.Upload
	meter *Meter
}

func (u *meteredUpload) Write(p []byte) (int, error) {
	n, err := u.Upload.Write(p)
	u.meter.Written.Add(int64(n))
	return n, err
}
