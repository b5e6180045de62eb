package job

import (
	"errors"

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
