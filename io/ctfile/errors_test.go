package ctfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/column"
)

// wantInputError checks that err is an InputError with the given text in it and
// a hint, on one line, and returns it.
func wantInputError(t testing.TB, err error, text string) *column.InputError {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) {
		t.Fatalf("%v is not an InputError", err)
	}
	if !strings.Contains(e.Error(), text) {
		t.Errorf("%q does not have %q", e.Error(), text)
	}
	if e.File == "" || e.Hint == "" || strings.Contains(e.Error(), "\n") {
		t.Errorf("%#v lacks a file or a hint, or has lines", e)
	}
	return e
}
