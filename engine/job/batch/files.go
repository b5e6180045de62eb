package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"path"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/engine/job/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
)

// files is the file system that steps work on. What is in the job directory is on the job's disk, everything else where
// the user says. What is written is digested on the way.
type files struct {
	blob.Disk // for what has no name of the user's: scratch space, the job directory
	FS        blob.FS
	dir       string

	// commit is called with an output that is complete, before it gets its name.
	commit func(receipt.File) error

	mu      sync.Mutex
	written []receipt.File // since take was called
}

// inside reports whether a name is that of a file in the job directory.
func (f *files) inside(name string) bool {
	return strings.HasPrefix(path.Clean(name), path.Clean(f.dir)+"/")
}

// List returns the files that a pattern stands for.
func (f *files) List(ctx context.Context, pattern string) ([]string, error) {
	return f.FS.List(ctx, pattern)
}

// Open opens a file for reading.
func (f *files) Open(ctx context.Context, name string) (blob.File, error) {
	if f.inside(name) {
		return f.Disk.Open(ctx, name)
	}
	return f.FS.Open(ctx, name)
}

// Create begins a file.
func (f *files) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	if f.inside(name) {
		opts.Overwrite = true // the part of an attempt that did not come to note it
		u, err := f.Disk.Create(ctx, name, opts)
		if err != nil {
			return nil, err
		}
		return &digested{Upload: u, files: f, file: receipt.File{Path: name}, hash: sha256.New()}, nil
	}
	u, err := f.FS.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &digested{Upload: u, files: f, file: receipt.File{Path: name}, hash: sha256.New(), output: true}, nil
}

// take returns what was written since it was last called.
func (f *files) take() []receipt.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.written
	f.written = nil
	return out
}

// digested is an upload whose bytes are digested.
type digested struct {
	blob.Upload
	files  *files
	file   receipt.File
	hash   hash.Hash
	output bool
}

func (u *digested) Write(p []byte) (int, error) {
	n, err := u.Upload.Write(p)
	u.hash.Write(p[:n])
	u.file.Bytes += int64(n)
	return n, err
}

func (u *digested) Commit(ctx context.Context) error {
	u.file.SHA256 = hex.EncodeToString(u.hash.Sum(nil))
	if u.output {
		if err := u.files.commit(u.file); err != nil {
			u.Upload.Abort()
			return err
		}
	}
	if err := u.Upload.Commit(ctx); err != nil {
		return err
	}
	u.files.mu.Lock()
	defer u.files.mu.Unlock()
	u.files.written = append(u.files.written, u.file)
	return nil
}
