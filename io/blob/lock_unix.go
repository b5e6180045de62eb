//go:build unix

package blob

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockDir locks a directory until it is closed, or the process ends. A
// directory that is locked already is an error.
func lockDir(name string) (*os.File, error) {
	d, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(&os.PathError{Op: "flock", Path: name, Err: err}, d.Close())
	}
	return d, nil
}
