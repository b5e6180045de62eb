//go:build !linux

package blob

import (
	"errors"
	"io/fs"
	"os"
)

func openAnonymous(dir string, mode fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkAnonymous(f *os.File, name string) error { return errors.ErrUnsupported }

func exchange(a, b string) error { return errors.ErrUnsupported }
