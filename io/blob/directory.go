package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Remove removes a file, a link (but not its target) or an empty directory.
func (Local) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap(name, "remove", err)
	}
	return nil
}

// MakeDir makes a directory for its owner alone (mode 0700), and those above it, and
// forces their names to stable storage.
func (l Local) MakeDir(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if info, err := os.Stat(name); err == nil {
		if !info.IsDir() {
			return &Error{Path: name, Kind: ErrExists, What: "is a file, not a directory", Hint: "Give the directory another name."}
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return wrap(name, "make the directory", err)
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := l.MakeDir(ctx, parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return wrap(name, "make the directory", err)
	}
	if err := syncDir(parent); err != nil {
		return wrap(name, "write its directory to disk", err)
	}
	return nil
}

// ReadDir returns the names in a directory.
func (Local) ReadDir(ctx context.Context, name string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, wrap(name, "list the directory", err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names, nil
}

// syncDir makes a change of names in dir durable, where the system offers that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a directory may be writable but not readable; the change stands
	} else if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
