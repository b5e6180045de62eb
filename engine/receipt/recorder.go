package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io/fs"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Recorder is a file system that records what a job reads and writes on the one below it, with digests. Outputs are
// digested as they are written. Inputs are read once more, before the first output gets its name. If one is no longer
// what the job read, the output is not committed and the error says which.
//
// A changed file is recognised by its Version, where the file below has such a method, else by inode, size and time of
// modification, where it has Stat. Other files are digested when they are opened, too.
type Recorder struct {
	blob.FS
	threads int

	mu      sync.Mutex
	secret  map[string]bool
	inputs  map[string]*recorded
	order   []string
	outputs []File
}

// recorded is one input.
type recorded struct {
	seen identity
	file File // complete when its SHA256 is there
}

// identity tells whether a file is still the same.
type identity struct {
	size    int64
	version string      // of a file that has versions,
	info    os.FileInfo // of a file that can be asked,
	sha256  string      // of any other
}

// NewRecorder records what goes through it to fs. It digests up to `threads` inputs at a time.
func NewRecorder(fs blob.FS, threads int) *Recorder {
	return &Recorder{FS: fs, threads: max(threads, 1), inputs: map[string]*recorded{}, secret: map[string]bool{}}
}

// Secret keeps files out of a receipt, even their digests: keys, passphrases.
func (r *Recorder) Secret(names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		r.secret[name] = true
	}
}

func (r *Recorder) isSecret(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.secret[name]
}

// Identify is that of what is recorded.
func (r *Recorder) Identify(ctx context.Context, name string) (blob.Identity, error) {
	return blob.Identify(ctx, r.FS, name)
}

// Open opens a file, which becomes an input.
func (r *Recorder) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := r.FS.Open(ctx, name)
	if err != nil || r.isSecret(name) {
		return f, err
	}
	if err := r.see(ctx, name, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// see notes a file at its first opening, and refuses one that has changed since then.
func (r *Recorder) see(ctx context.Context, name string, f blob.File) error {
	now, err := identify(ctx, name, f)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.inputs[name]
	if x == nil {
		r.inputs[name] = &recorded{seen: now, file: File{Path: name, Bytes: now.size}}
		r.order = append(r.order, name)
		return nil
	}
	return x.seen.same(name, now)
}

func identify(ctx context.Context, name string, f blob.File) (identity, error) {
	id := identity{size: f.Size()}
	var err error
	switch x := f.(type) {
	case interface{ Version() string }:
		id.version = x.Version()
	case interface{ Stat() (fs.FileInfo, error) }:
		id.info, err = x.Stat()
	default:
		id.sha256, err = digestOf(ctx, name, f)
	}
	return id, err
}

// same refuses a file that has changed.
func (id identity) same(name string, now identity) error {
	if id.size != now.size {
		return changed(name, "it is %d bytes long and was %d", now.size, id.size)
	}
	if id.version != now.version || id.sha256 != now.sha256 {
		return changed(name, "it has other content")
	}
	if id.info != nil && (!os.SameFile(id.info, now.info) || !id.info.ModTime().Equal(now.info.ModTime())) {
		return changed(name, "it was written to or replaced")
	}
	return nil
}

// settle digests the inputs that have no digest yet and checks of all that they are what the job read.
func (r *Recorder) settle(ctx context.Context) error {
	r.mu.Lock()
	names := slices.Clone(r.order)
	r.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.threads)
	for _, name := range names {
		g.Go(func() error { return r.settleInput(ctx, name) })
	}
	return g.Wait()
}

func (r *Recorder) settleInput(ctx context.Context, name string) error {
	r.mu.Lock()
	x := *r.inputs[name]
	r.mu.Unlock()
	digested := x.file.SHA256 != ""
	switch {
	case digested:
	case x.seen.sha256 != "":
		x.file.SHA256 = x.seen.sha256
		if err := describeTable(ctx, r.FS, &x.file); err != nil {
			return err
		}
	default:
		var err error
		if x.file, err = Describe(ctx, r.FS, name); err != nil {
			return err
		}
	}
	f, err := r.FS.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	now, err := identify(ctx, name, f)
	if err != nil {
		return err
	}
	if err := x.seen.same(name, now); err != nil {
		return err
	}
	if digested {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inputs[name].file = x.file
	return nil
}

// Create begins a file, which becomes an output when it is committed.
func (r *Recorder) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := r.FS.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &recordedUpload{Upload: u, recorder: r, file: File{Path: name}, hash: sha256.New()}, nil
}

type recordedUpload struct {
	blob.Upload
	recorder *Recorder
	file     File
	hash     hash.Hash
}

func (u *recordedUpload) Write(p []byte) (int, error) {
	n, err := u.Upload.Write(p)
	u.hash.Write(p[:n])
	u.file.Bytes += int64(n)
	return n, err
}

func (u *recordedUpload) Commit(ctx context.Context) error {
	if err := u.recorder.settle(ctx); err != nil {
		u.Upload.Abort()
		return err
	}
	if err := u.Upload.Commit(ctx); err != nil {
		return err
	}
	u.file.SHA256 = hex.EncodeToString(u.hash.Sum(nil))
	u.recorder.mu.Lock()
	defer u.recorder.mu.Unlock()
	u.recorder.outputs = append(u.recorder.outputs, u.file)
	return nil
}

// CreateDir begins a directory, whose files become outputs when it is committed.
func (r *Recorder) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	d, err := blob.CreateDir(ctx, r.FS, name, opts)
	if err != nil {
		return nil, err
	}
	return &recordedDir{DirUpload: d, recorder: r}, nil
}

type recordedDir struct {
	blob.DirUpload
	recorder *Recorder
	files    []File // committed, so that they are there when the directory is
}

func (d *recordedDir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := d.DirUpload.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &recordedPart{recordedUpload{Upload: u, recorder: d.recorder, file: File{Path: name}, hash: sha256.New()}, d}, nil
}

type recordedPart struct {
	recordedUpload
	dir *recordedDir
}

func (p *recordedPart) Commit(ctx context.Context) error {
	if err := p.Upload.Commit(ctx); err != nil {
		return err
	}
	p.file.SHA256 = hex.EncodeToString(p.hash.Sum(nil))
	p.dir.files = append(p.dir.files, p.file)
	return nil
}

func (d *recordedDir) Commit(ctx context.Context) error {
	if err := d.recorder.settle(ctx); err != nil {
		d.Abort()
		return err
	}
	if err := d.DirUpload.Commit(ctx); err != nil {
		return err
	}
	d.recorder.mu.Lock()
	defer d.recorder.mu.Unlock()
	d.recorder.outputs = append(d.recorder.outputs, d.files...)
	return nil
}

// Files returns the inputs, in the order in which they were first opened, and the outputs, in the order in which they
// were committed. It includes the footers of encrypted tables. The numbers of rows of other files are known only to
// their reader.
func (r *Recorder) Files(ctx context.Context) (inputs, outputs []File, err error) {
	if err := r.settle(ctx); err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.order {
		inputs = append(inputs, r.inputs[name].file)
	}
	for _, f := range r.outputs {
		if err := describeTable(ctx, r.FS, &f); err != nil {
			return nil, nil, err
		}
		outputs = append(outputs, f)
	}
	return inputs, outputs, nil
}

// SetRows notes how many rows a file of the list has.
func SetRows(files []File, path string, rows int64) {
	for i := range files {
		if files[i].Path == path && files[i].Rows == nil {
			files[i].Rows = &rows
		}
	}
}
