// Package leaktest finds goroutines and file descriptors that a test leaves behind.
package leaktest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// Snapshot is what there is at one time.
type Snapshot struct {
	goroutines  int
	descriptors []string // what each is open on, sorted
}

// descriptorDir has a link for every file descriptor of this process, where the system has such a thing.
const descriptorDir = "/proc/self/fd"

// Take counts what there is now. Tests that run at the same time must not begin or end anything meanwhile.
func Take() *Snapshot {
	return &Snapshot{runtime.NumGoroutine(), descriptors()}
}

func descriptors() []string {
	entries, _ := os.ReadDir(descriptorDir)
	var out []string
	for _, e := range entries {
		if file, err := os.Readlink(filepath.Join(descriptorDir, e.Name())); err == nil { // but the one that the directory is read by
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return out
}

// Check fails the test if, after at most a second, there are more goroutines than in the snapshot, or descriptors of
// other files. It reports what they are.
func (s *Snapshot) Check(t testing.TB, what string) {
	t.Helper()
	var goroutines int
	var open []string
	for range 500 { // a goroutine is still counted for a moment after its last deferred call
		goroutines, open = runtime.NumGoroutine(), descriptors()
		if goroutines <= s.goroutines && slices.Equal(open, s.descriptors) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	if !slices.Equal(open, s.descriptors) {
		t.Errorf("%s: open are %q, before %q", what, open, s.descriptors)
	}
	if goroutines > s.goroutines {
		stacks := make([]byte, 1<<16)
		t.Fatalf("%s: %d goroutines, %d before:\n%s", what, goroutines, s.goroutines, stacks[:runtime.Stack(stacks, true)])
	}
}
