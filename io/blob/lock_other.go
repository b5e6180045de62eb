//go:build !unix

package blob

import "os"

// lockDir cannot lock here, so no directory is considered stale.
func lockDir(string) (*os.File, error) { return nil, nil }
