// Package enginetest has what the tests of several rooms of the engine share.
package enginetest

import (
	"encoding/json"
	"errors"
	"runtime"
	"testing"

	"github.com/cipherfold/cipherfold/io/column"
)

// Bounded fails when f allocates more than `most` bytes, whatever of it was freed.
func Bounded(t *testing.T, most int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(most) {
		t.Fatalf("%d bytes were allocated, more than %d", n, most)
	}
}

// Refusal fails unless an error is one about bad input, which names the file and says what to do.
func Refusal(t *testing.T, err error, file string) {
	t.Helper()
	var bad *column.InputError
	if !errors.As(err, &bad) || bad.File != file || bad.Hint == "" {
		t.Fatalf("%v is no refusal of %s with a hint", err, file)
	}
}

// AsJSON returns x as JSON.
func AsJSON(t testing.TB, x any) []byte {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
