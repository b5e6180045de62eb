package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// CreateDir writes the files into a directory with a hidden temporary name beside the target. Commit gives it its
// name, so all files appear at once. If the process is killed, the temporary directory stays. The next CreateDir of
// the same name removes it, where the system can tell that nobody uses it any more.
func (l Local) CreateDir(ctx context.Context, name string, opts CreateOptions) (DirUpload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target := filepath.Clean(name)
	u := &localDir{Local: l, name: name, target: target, overwrite: opts.Overwrite}
	if err := u.mayPlace(); err != nil {
		return nil, err
	}
	parent := filepath.Dir(target)
	if info, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, &Error{Path: name, Kind: ErrNotFound, Err: err, What: "cannot create: there is no directory " + parent, Hint: "Create the directory first."}
	} else if err != nil {
		return nil, wrap(name, "create", err)
	}
	removeStale(parent, filepath.Base(target))
	u.temp = filepath.Join(parent, tempName(filepath.Base(target)))
	if err := os.Mkdir(u.temp, 0o777); err != nil {
		e := wrap(name, "create", err)
		if e.Kind == ErrPermission {
			e.Hint = "Check who may write to the directory " + parent + "."
		}
		return nil, e
	}
	// Where nothing can be locked, nothing is considered stale.
	u.lock = lockDir(u.temp)
	return u, nil
}

// removeStale removes what killed processes left of a directory.
func removeStale(parent, base string) {
	names, err := os.ReadDir(parent)
	if err != nil {
		return // the directory may be writable but not readable
	}
	prefix := tempName(base)
	prefix = prefix[:strings.LastIndex(prefix, tempMark)+len(tempMark)]
	for _, e := range names {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		stale := filepath.Join(parent, e.Name())
		if lock := lockDir(stale); lock != nil {
			_ = os.RemoveAll(stale) // it is hidden; the next one may try again
			_ = lock.Close()
		}
	}
}

type localDir struct {
	Local
	name      string // as the user gave it
	target    string
	temp      string
	overwrite bool
	lock      *os.File // held as long as the temporary directory is in use
	done      bool
}

// mayPlace refuses a target that exists and may not be replaced.
func (u *localDir) mayPlace() error {
	info, err := os.Lstat(u.target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return wrap(u.name, "create", err)
	case !info.IsDir():
		return &Error{Path: u.name, Kind: ErrExists, What: "is not a directory, and is not replaced by one", Hint: "Choose another name, or remove it."}
	}
	names, err := os.ReadDir(u.target)
	if err != nil {
		return wrap(u.name, "list the directory", err)
	}
	var entries []Entry
	for _, e := range names {
		entries = append(entries, Entry{Name: e.Name(), Dir: !e.Type().IsRegular()})
	}
	return Replaceable(u.name, entries, u.overwrite)
}

// Create begins a file of the directory.
func (u *localDir) Create(ctx context.Context, name string, opts CreateOptions) (Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return u.Local.begin(name, filepath.Join(u.temp, filepath.Base(name)), opts)
}

func (u *localDir) Commit(ctx context.Context) (err error) {
	if u.done {
		return wrap(u.name, "commit", fs.ErrClosed)
	}
	defer func() { err = errors.Join(err, u.Abort()) }()
	marker, err := u.Create(ctx, SuccessMarker, CreateOptions{})
	if err != nil {
		return err
	}
	if err := marker.Commit(ctx); err != nil {
		return err
	}
	// This is checked again: what appeared meanwhile is replaced only on request.
	if err := u.mayPlace(); err != nil {
		return err
	}
	if err := u.place(); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &Error{Path: u.name, Kind: ErrExists, Err: err, What: "appeared meanwhile", Hint: "Choose another name, or pass ‹overwrite=true› to replace it."}
		}
		return wrap(u.name, "rename into place", err)
	}
	if err := syncDir(filepath.Dir(u.target)); err != nil {
		return wrap(u.name, "write its directory to disk", err)
	}
	return nil
}

// place gives the directory its name. A directory that had the name gets the temporary one, and Abort removes it.
func (u *localDir) place() error {
	if info, err := os.Lstat(u.target); err == nil && info.IsDir() {
		_ = os.Remove(u.target) // if it is empty
	}
	err := os.Rename(u.temp, u.target) // replaces no directory
	if err == nil || !u.overwrite {
		return err
	}
	if system.Exchange(u.temp, u.target) == nil {
		return nil
	}
	old := filepath.Join(filepath.Dir(u.target), tempName(filepath.Base(u.target)))
	if err := os.Rename(u.target, old); err != nil {
		return err
	}
	if err := os.Rename(u.temp, u.target); err != nil {
		return errors.Join(err, os.Rename(old, u.target))
	}
	u.temp = old
	return nil
}

func (u *localDir) Abort() error {
	if u.done {
		return nil
	}
	u.done = true
	err := os.RemoveAll(u.temp) // no error when it has been renamed
	if u.lock != nil {
		_ = u.lock.Close()
	}
	if err != nil {
		return wrap(u.temp, "remove the temporary directory", err)
	}
	return nil
}
