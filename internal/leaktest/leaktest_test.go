package leaktest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// recorder takes note of failures.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

// What is left open or running is found, and no more when it is gone.
func TestLeaksAreFound(t *testing.T) {
	s := Take()
	s.Check(t, "nothing")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { <-stop; close(stopped) }()
	r := &recorder{TB: t}
	if s.Check(r, "a goroutine"); r.said == "" {
		t.Error("a goroutine is not found")
	}
	close(stop)
	<-stopped
	s.Check(t, "a goroutine that has ended")
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	r = &recorder{TB: t}
	if s.Check(r, "a file"); r.said == "" {
		if _, err := os.Stat(descriptorDir); err == nil {
			t.Error("an open file is not found")
		}
		t.Logf("this system has no %s: open files are not found", descriptorDir)
	}
	f.Close()
	s.Check(t, "a file that is closed")
}
