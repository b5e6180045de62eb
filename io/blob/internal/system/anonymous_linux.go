package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// OpenAnonymous makes a file without a name on the file system of dir, for writing and reading. Some file systems
// cannot.
func OpenAnonymous(dir string, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, mode)
}

// LinkAnonymous gives such a file its name, unless something has it.
func LinkAnonymous(f *os.File, name string) error {
	// Any process may do so through /proc. Without it, a process needs the capability CAP_DAC_READ_SEARCH or Linux
	// 6.10.
	fd := int(f.Fd())
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		err = unix.Linkat(fd, "", unix.AT_FDCWD, name, unix.AT_EMPTY_PATH)
	}
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: "an anonymous file", New: name, Err: err}
	}
	return nil
}

// Exchange swaps two names at once.
func Exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
