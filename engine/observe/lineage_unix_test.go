//go:build unix

package observe_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pipe that nobody reads holds up the end of a job no longer than is allowed.
func TestLineageToPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	l, warnings := lineage(t, name, "")
	l.Send([]byte("{}"))
	l.Send([]byte("{}"))
	start := time.Now()
	l.Close(50 * time.Millisecond)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	w := warnings()
	if len(w) != 2 || !strings.Contains(w[0].Error(), "did not take it in time") {
		t.Errorf("%v", w)
	}
	// Let the writers that still wait go.
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(fd)
}
