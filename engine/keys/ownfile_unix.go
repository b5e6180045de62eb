//go:build unix

package keys

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openNoFollow opens a file to read, but no symbolic link, and without waiting when it is a pipe.
func openNoFollow(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errNotOwn
	}
	return f, err
}

func ownedByUser(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

func permissions(info fs.FileInfo) fs.FileMode { return info.Mode().Perm() }
