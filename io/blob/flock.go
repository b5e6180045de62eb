package blob

import "errors"

// ErrLocked is what an *Error of Lock may be about, for errors.Is.
var ErrLocked = errors.New("is in use by another program")
