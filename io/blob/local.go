package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// Local is the file system of this machine; names are its paths. The zero
// value is ready to use.
type Local struct {
	// Tests make it a system that lacks something.
	named         bool                                // no anonymous files
	linkAnonymous func(f *os.File, name string) error // nil means linkat(2)
	link          func(from, to string) error         // nil means link(2)
	folds         func(dir string) bool               // whether names there are the same in any case; nil means to look
}

var _ Disk = Local{}

func (l Local) withDefaults() Local {
	if l.linkAnonymous == nil {
		l.linkAnonymous = system.LinkAnonymous
	}
	if l.link == nil {
		l.link = os.Link
	}
	return l
}

// Open opens a regular file.
func (Local) Open(ctx context.Context, name string) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		e := wrap(name, "open", err)
		if e.Kind == ErrNotFound {
			e.What = "no such file"
			e.Hint = "Check the path."
		}
		return nil, e
	}
	// This is checked before opening, because opening a pipe would wait for its writer.
	if !info.Mode().IsRegular() {
		return nil, notRegular(name, info)
	}
	f, err := os.Open(name)
	if err != nil {
		e := wrap(name, "open", err)
		if e.Kind == ErrPermission {
			e.Hint = "Check who may read the file."
		}
		return nil, e
	}
	info, err = f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(name, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &localFile{File: f, size: info.Size()}, nil
}

func notRegular(name string, info fs.FileInfo) *Error {
	if info.IsDir() {
		return &Error{Path: name, Kind: ErrNotFile, What: "is a directory, not a file", Hint: "Name a file."}
	}
	return &Error{Path: name, Kind: ErrNotFile, What: fmt.Sprintf("is not a regular file (%v)", info.Mode().Type()),
		Hint: "Pipes and devices cannot be used here; write to a file first."}
}

type localFile struct {
	*os.File
	size int64
}

func (f *localFile) Size() int64 { return f.size }
