// Package system is what operating systems do each in their way: files without
// names, locks, the identity of a file. What one of them cannot is
// errors.ErrUnsupported, or said not to be known.
package system

import "errors"

// ErrInUse says that a file or directory is locked already.
var ErrInUse = errors.New("locked already")
