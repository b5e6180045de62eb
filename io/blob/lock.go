package blob

import (
	"context"
	"errors"
	"os"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// ErrLocked is what an *Error of Lock may be about, for errors.Is.
var ErrLocked = errors.New("is in use by another program")

// Lock locks a file against every other Lock of it, until unlock is called or the process ends in any way. It makes
// the file if there is none. A file that is locked already is refused at once with ErrLocked. File systems without
// locks, such as some network ones, lock nothing: the error is then errors.ErrUnsupported.
func (Local) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wrap(name, "lock", err)
	}
	err = system.Lock(f)
	switch {
	case err == nil:
		return f.Close, nil
	case errors.Is(err, system.ErrInUse):
		err = &Error{Path: name, Kind: ErrLocked, Err: err, Hint: "Wait until the other program is done."}
	case errors.Is(err, errors.ErrUnsupported):
		err = &Error{Path: name, Err: errors.ErrUnsupported, What: "cannot lock: the file system has no locks"}
	default:
		err = wrap(name, "lock", err)
	}
	return nil, errors.Join(err, f.Close())
}

// lockDir locks a directory until it is closed, or the process ends. It returns nil where it cannot: then the directory is
// not considered stale.
func lockDir(name string) *os.File {
	d, err := os.Open(name)
	if err != nil {
		return nil
	}
	if system.Lock(d) != nil {
		_ = d.Close()
		return nil
	}
	return d
}
