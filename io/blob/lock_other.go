//go:build !unix

package blob

import "os"

// lockDir has nothing to lock with here: no directory is taken for stale.
func lockDir(string) (*os.File, error) { return nil, nil }
