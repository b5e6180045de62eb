package job

import (
	"errors"
	"fmt"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
)

const ForeignFooter = "The footer was changed, or written by other software."

func ShortFingerprint(fingerprint string) string { return fingerprint[:min(16, len(fingerprint))] }

// UnwrapStage removes the engine's stage and item number from errors about the input, which name their own place.
func UnwrapStage(err error) error {
	var e *engine.Error
	var refused *column.InputError
	if errors.As(err, &e) && errors.As(err, &refused) {
		return refused
	}
	return err
}

// Count writes a number of things.
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// Nearest is the name that is most like one that is not there; ok is false when none is near.
func Nearest(name string, have []string) (near string, ok bool) { return column.Nearest(name, have) }
