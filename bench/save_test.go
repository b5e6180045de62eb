package bench

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var someTime = time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	f, err := ReadFile([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	f.Machine.Commit = "0123456789ab"
	save := func(target string) string {
		t.Helper()
		if err := Target(target).Check(); err != nil {
			t.Fatal(err)
		}
		name, err := Target(target).Save(context.Background(), f, someTime)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(name); err != nil || string(data) != string(f.Marshal()) {
			t.Errorf("%s holds %q, error %v", name, data, err)
		}
		return name
	}
	if name := save(dir); name != filepath.Join(dir, "pipeline-blocks-djn-2048-2owners-1000000rows-2cores-20261122T150405-0123456789ab.json") {
		t.Errorf("%s", name)
	}
	file := filepath.Join(dir, "a.json")
	if name := save(file); name != file {
		t.Errorf("%s", name)
	}
	if err := Target(file).Check(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that exists: error %v", err)
	}
	if _, err := Target(file).Save(context.Background(), f, someTime); err == nil {
		t.Error("a file that exists was replaced")
	}
	for _, name := range []string{"none/a.json", "none/"} {
		if err := Target(dir + "/" + name).Check(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
