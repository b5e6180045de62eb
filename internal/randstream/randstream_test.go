package randstream

import "testing"

// Every stream has a key of its own.
func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for range 1000 {
		x := New().Uint64()
		if seen[x] {
			t.Fatalf("two streams begin with %x", x)
		}
		seen[x] = true
	}
}
