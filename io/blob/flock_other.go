//go:build !unix

package blob

import (
	"context"
	"errors"
)

// Lock locks nothing here: the error is errors.ErrUnsupported.
func (Local) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	return nil, &Error{Path: name, Err: errors.ErrUnsupported, What: "cannot lock: this system has no locks"}
}
