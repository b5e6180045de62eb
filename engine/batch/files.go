package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// files is the file system that steps work on. Files in the job directory are on the job's disk, all others where the
// user says. What is written is digested at the same time.
type files struct {
	blob.Disk // for files without a name of the user's: scratch space, the job directory
	FS        blob.FS
	dir       string

	// commit is called with an output that is complete, before it gets its name.
	commit func(receipt.File) error

	// list returns the files that a pattern of the step means.
	list func(pattern string) ([]string, error)

	mu      sync.Mutex
	written []receipt.File      // since take was called
	seen    map[string]identity // of files outside the job directory
}

// inside reports whether a name is that of a file in the job directory.
func (f *files) inside(name string) bool {
	return strings.HasPrefix(path.Clean(name), path.Clean(f.dir)+"/")
}

// List returns the files that a pattern means: those of the plan, whatever files have appeared since.
func (f *files) List(ctx context.Context, pattern string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.list(pattern)
}

// Identify tells which file a name leads to.
func (f *files) Identify(ctx context.Context, name string) (blob.Identity, error) {
	if f.inside(name) {
		return blob.Identify(ctx, f.Disk, name)
	}
	return blob.Identify(ctx, f.FS, name)
}

// Open opens a file for reading. A file outside the job directory must be unchanged since it was first opened, as far
// as its file system tells: decisions that were based on its content hold for that file only.
func (f *files) Open(ctx context.Context, name string) (blob.File, error) {
	if f.inside(name) {
		return f.Disk.Open(ctx, name)
	}
	file, err := f.FS.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	now, err := identify(file)
	if err == nil {
		err = f.see(name, now)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// identity tells one state of a file from another.
type identity struct {
	size    int64
	version string      // of files that have versions
	info    os.FileInfo // of files that can be asked
}

func identify(file blob.File) (id identity, err error) {
	id.size = file.Size()
	switch f := file.(type) {
	case interface{ Version() string }:
		id.version = f.Version()
	case interface{ Stat() (os.FileInfo, error) }:
		id.info, err = f.Stat()
	}
	return id, err
}

func (id identity) same(now identity) bool {
	if id.size != now.size || id.version != now.version {
		return false
	}
	return id.info == nil || os.SameFile(id.info, now.info) && id.info.ModTime().Equal(now.info.ModTime())
}

func (f *files) see(name string, now identity) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was, ok := f.seen[name]; ok && !was.same(now) {
		return column.Refuse(name, "the file was written to or replaced while the job ran").WithHint("Run jobs on files that nothing else writes to.")
	}
	f.seen[name] = now
	return nil
}

// Create begins a file.
func (f *files) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	if f.inside(name) {
		opts.Private = true
		opts.Overwrite = true // the part of an attempt that ended before noting it
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

// CreateDir begins a directory of part files, which is an output.
func (f *files) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	d, err := blob.CreateDir(ctx, f.FS, name, opts)
	if err != nil {
		return nil, err
	}
	return &digestedDir{DirUpload: d, files: f}, nil
}

// digestedDir is a directory whose files are digested.
type digestedDir struct {
	blob.DirUpload
	files   *files
	written []receipt.File
}

func (d *digestedDir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := d.DirUpload.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &digestedPart{digested{Upload: u, files: d.files, file: receipt.File{Path: name}, hash: sha256.New()}, d}, nil
}

type digestedPart struct {
	digested
	dir *digestedDir
}

func (p *digestedPart) Commit(ctx context.Context) error {
	if err := p.Upload.Commit(ctx); err != nil {
		return err
	}
	p.file.SHA256 = hex.EncodeToString(p.hash.Sum(nil))
	p.dir.written = append(p.dir.written, p.file)
	return nil
}

func (d *digestedDir) Commit(ctx context.Context) error {
	for _, file := range d.written {
		if err := d.files.commit(file); err != nil {
			d.Abort()
			return err
		}
	}
	if err := d.DirUpload.Commit(ctx); err != nil {
		return err
	}
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	for _, file := range d.written {
		delete(d.files.seen, file.Path) // it is another file now
	}
	d.files.written = append(d.files.written, d.written...)
	return nil
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
	delete(u.files.seen, u.file.Path) // it is another file now
	u.files.written = append(u.files.written, u.file)
	return nil
}
