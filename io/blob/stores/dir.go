package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

var _ blob.DirFS = (*FS)(nil)

// tempMark begins the name of the directory, within another, of part files that
// are going to replace those in it.
const tempMark = "_cipherfold-tmp-"

// copyBytesMax is the largest object that S3 copies at once.
const copyBytesMax = 5 << 30

// cleanupPatience is how long a failed job may take to remove what it wrote.
const cleanupPatience = time.Minute

// CreateDir begins a directory of part files. On a store, which cannot rename,
// its files appear as they are committed, and the marker of success with the
// directory; when it is aborted they are deleted. Files that replace others are
// written into a hidden directory first and copied within the store.
func (s *FS) CreateDir(ctx context.Context, name string, opts blob.CreateOptions) (blob.DirUpload, error) {
	local, u, b, err := s.route(ctx, name)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.disk.CreateDir(ctx, local, opts)
	}
	d := &dir{FS: s, b: b, name: name, key: strings.TrimSuffix(u.Key, "/")}
	entries, err := b.readDir(ctx, d.key)
	if err != nil {
		return nil, b.error(name, "list", err)
	}
	// What a killed job has left is hidden, and may be another one's.
	entries = slices.DeleteFunc(entries, func(e blob.Entry) bool { return e.Dir && strings.HasPrefix(e.Name, tempMark) })
	if err := blob.Replaceable(name, entries, opts.Overwrite); err != nil {
		return nil, err
	}
	d.at = d.key
	if len(entries) > 0 {
		d.at = path.Join(d.key, tempMark+rand.Text())
	}
	return d, nil
}

// dir is a directory of part files being written.
type dir struct {
	*FS
	b     *bucket
	name  string
	key   string
	at    string // where the files are written: key, or a hidden directory in it
	parts []part // committed
	done  bool
}

type part struct{ base, key string }

// Create begins a file of the directory.
func (d *dir) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	base := path.Base(blob.Path(name))
	p := part{base: base, key: path.Join(d.at, base)}
	u, err := d.b.create(ctx, name, p.key, opts)
	if err != nil {
		return nil, err
	}
	return &partUpload{upload: u, dir: d, part: p, limited: d.at != d.key}, nil
}

// partUpload is a file of a directory.
type partUpload struct {
	*upload
	dir     *dir
	part    part
	limited bool
	size    int64
}

func (u *partUpload) Write(p []byte) (int, error) {
	n, err := u.upload.Write(p)
	u.size += int64(n)
	if err == nil && u.limited && u.size > copyBytesMax {
		err = &blob.Error{Path: u.name, What: "a part file that replaces others may have at most 5 GiB",
			Hint: "Lower ‹rows_per_file›, or write to a directory that does not exist."}
		u.upload.fail(err)
	}
	return n, err
}

func (u *partUpload) Commit(ctx context.Context) error {
	err := u.upload.Commit(ctx)
	if err == nil {
		u.dir.parts = append(u.dir.parts, u.part)
	}
	return err
}

// Commit makes the directory complete.
func (d *dir) Commit(ctx context.Context) error {
	if d.done {
		return &blob.Error{Path: d.name, Err: fs.ErrClosed}
	}
	if d.at != d.key {
		if err := d.replace(ctx); err != nil {
			return errors.Join(err, d.Abort())
		}
	}
	d.done = true
	u, err := d.b.create(ctx, d.name, path.Join(d.key, blob.SuccessMarker), blob.CreateOptions{Overwrite: true})
	if err == nil {
		err = u.Commit(ctx)
	}
	if err != nil {
		d.done = false
		return errors.Join(err, d.Abort())
	}
	return nil
}

// replace puts the new part files into the place of the old ones. As long as it
// is at it there is no marker.
func (d *dir) replace(ctx context.Context) error {
	entries, err := d.b.readDir(ctx, d.key)
	if err != nil {
		return d.b.error(d.name, "list", err)
	}
	for _, e := range entries {
		if e.Dir {
			continue // hidden, this one's own among them
		}
		if err := d.delete(ctx, path.Join(d.key, e.Name)); err != nil {
			return err
		}
	}
	for i, p := range d.parts {
		to := path.Join(d.key, p.base)
		if err := d.b.try(ctx, func() error { return d.b.client.copy(ctx, to, p.key) }); err != nil {
			return d.b.error(d.name, fmt.Sprintf("copy %s into it", p.base), err)
		}
		if err := d.delete(ctx, p.key); err != nil {
			return err
		}
		d.parts[i].key = to
	}
	return nil
}

// delete removes an object, if it is there.
func (d *dir) delete(ctx context.Context, key string) error {
	err := d.b.try(ctx, func() error { return d.b.client.delete(ctx, key) })
	if err != nil && status(err) != http.StatusNotFound {
		return d.b.error(d.name, "remove "+path.Base(key), err)
	}
	return nil
}

// Abort deletes what has been written. It is given some time for that also when
// the job has been cancelled.
func (d *dir) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	ctx, cancel := context.WithTimeout(context.Background(), cleanupPatience)
	defer cancel()
	var errs []error
	for _, p := range d.parts {
		errs = append(errs, d.delete(ctx, p.key))
	}
	return errors.Join(errs...)
}
