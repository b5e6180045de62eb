//go:build !linux

package system

import (
	"errors"
	"io/fs"
	"os"
)

// OpenAnonymous makes no file without a name here.
func OpenAnonymous(dir string, mode fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }

// LinkAnonymous has nothing to name here.
func LinkAnonymous(f *os.File, name string) error { return errors.ErrUnsupported }

// Exchange does not swap names here.
func Exchange(a, b string) error { return errors.ErrUnsupported }
