package vectors

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// FuzzCheck: whatever the bytes, Check ends with a report or an *Error and does not panic.
func FuzzCheck(f *testing.F) {
	for _, file := range ownFiles {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		// The key and little else: quick to check, so that the fuzzer gets far.
		for _, section := range []string{`"packed": [`, `"invalid": [`} {
			head, _, _ := bytes.Cut(data, []byte(`"encrypt": [`))
			_, tail, _ := bytes.Cut(data, []byte(section))
			f.Add(append(append(bytes.Clone(head), section...), tail...))
		}
	}
	f.Add([]byte(`{"format": "paillier-vectors-1", "set": "x", "fixed": []}`))
	f.Add([]byte(`{"format": "paillier-vectors-1", "set": "x", "messages": [], "keys": []}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Check("f", data, "")
		var bad *Error
		var key *paillier.KeyError
		if err != nil && !errors.As(err, &bad) && !errors.As(err, &key) && !errors.Is(err, ErrEncodingFile) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}
