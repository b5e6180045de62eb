package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Why a file is not trusted.
var (
	errNotOwn       = errors.New("it is not a file of the user who runs this")
	errOpenToOthers = errors.New("it is open to other users")
)

// What others must not be able to do to a file.
const (
	othersWrite fs.FileMode = 0o022
	othersRead  fs.FileMode = 0o077
)

// openOwn opens a regular file that belongs to the user of this process and grants others none of the permissions in
// mask. It does not follow a symbolic link. It checks the file that it has opened, so that nobody can exchange it in
// between.
func openOwn(name string, mask fs.FileMode) (*os.File, error) {
	f, err := openNoFollow(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: it is no regular file", errNotOwn)
	case !ownedByUser(info):
		err = fmt.Errorf("%w: it belongs to another one", errNotOwn)
	case permissions(info)&mask != 0:
		err = fmt.Errorf("%w (mode %04o)", errOpenToOthers, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
