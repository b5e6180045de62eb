package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Append opens a regular file for appending.
func (Local) Append(ctx context.Context, name string) (Appender, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// This is checked before opening, because opening a pipe would wait for its reader.
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(name, info)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wrap(name, "open for appending", err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(wrap(name, "open for appending", err), f.Close())
	}
	return &localAppender{f: f, name: name, size: info.Size()}, nil
}

type localAppender struct {
	f      *os.File
	name   string
	size   int64
	placed bool // its name is known to be durable
}

func (a *localAppender) Write(p []byte) (int, error) {
	n, err := a.f.Write(p)
	a.size += int64(n)
	if err != nil {
		return n, wrap(a.name, "write", err)
	}
	return n, nil
}

func (a *localAppender) Sync() error {
	if err := a.f.Sync(); err != nil {
		return wrap(a.name, "write to disk", err)
	}
	if !a.placed {
		if err := syncDir(filepath.Dir(a.name)); err != nil {
			return wrap(a.name, "write its directory to disk", err)
		}
		a.placed = true
	}
	return nil
}

func (a *localAppender) Size() int64 { return a.size }

func (a *localAppender) Truncate(size int64) error {
	if size < 0 || size > a.size {
		return &Error{Path: a.name, Err: fs.ErrInvalid, What: "cannot cut the file off beyond its end"}
	}
	if err := a.f.Truncate(size); err != nil {
		return wrap(a.name, "cut the file off", err)
	}
	a.size = size
	return nil
}

func (a *localAppender) Close() error {
	if err := a.f.Close(); err != nil {
		return wrap(a.name, "close", err)
	}
	return nil
}
