//go:build !unix

package system

import (
	"errors"
	"os"
)

// Lock locks nothing here.
func Lock(*os.File) error { return errors.ErrUnsupported }
