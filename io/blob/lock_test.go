package blob

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	unlock, err := Local{}.Lock(ctx, name)
	if errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "linux" {
		t.Logf("no locks here: %v", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, "text") // a lock keeps nobody from writing
	_, err = Local{}.Lock(ctx, name)
	checkError(t, err, ErrLocked, name, "is in use")
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = Local{}.Lock(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, name, "text")
	if err := errors.Join(unlock(), os.Remove(name)); err != nil {
		t.Error(err)
	}
	_, err = Local{}.Lock(ctx, filepath.Join(name, "none"))
	checkError(t, err, ErrNotFound, filepath.Join(name, "none"), "cannot lock")
}
