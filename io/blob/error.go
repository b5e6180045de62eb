package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/cipherfold/cipherfold/internal/printable"
)

// What an *Error may be about, for errors.Is.
var (
	ErrExists     = errors.New("already exists")
	ErrNotFound   = errors.New("not found")
	ErrPermission = errors.New("permission denied")
	ErrNotFile    = errors.New("not a regular file")
	ErrNoMatch    = errors.New("no file matches")
	ErrMixed      = errors.New("directory mixes file types")
	ErrBadPattern = errors.New("malformed glob pattern")
	ErrDiskFull   = errors.New("no space left")
	ErrChanged    = errors.New("changed while it was being read")
)

// Error says which file or directory could not be used, why, and what to do
// about it.
type Error struct {
	Path string
	Kind error  // one of the Err... values of this package, or nil
	Err  error  // the system's own error, or nil; at least one of Kind and Err is set
	What string // the cause in words; "" to use Kind's or Err's
	Hint string // what to do about it; a sentence of its own, not part of Error
}

// Error is one line: the path, then the cause.
func (e *Error) Error() string {
	what := e.What
	if what == "" && e.Kind != nil {
		what = e.Kind.Error()
	}
	if what == "" && e.Err != nil {
		what = e.Err.Error()
	}
	return printable.Escape(e.Path + ": " + what)
}

// Unwrap returns Kind and the system's error.
func (e *Error) Unwrap() []error {
	var out []error
	if e.Kind != nil {
		out = append(out, e.Kind)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// wrap turns a system error met while doing `doing` (as in "cannot DOING: ...")
// to path into an *Error.
func wrap(path, doing string, err error) *Error {
	e := &Error{Path: path, Err: err}
	cause := err
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		cause = pe.Err // so that the path, and not a temporary name, is reported once
	}
	if le := (*os.LinkError)(nil); errors.As(err, &le) {
		cause = le.Err
	}
	e.What = fmt.Sprintf("cannot %s: %v", doing, cause)
	switch {
	case errors.Is(err, fs.ErrExist):
		e.Kind = ErrExists
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENAMETOOLONG):
		e.Kind = ErrNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind = ErrPermission
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind = ErrDiskFull
		e.Hint = "Free some space, or write to another disk."
	}
	return e
}
