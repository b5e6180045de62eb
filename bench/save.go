package bench

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Target is where a result file goes: a file, which must not exist, or a directory, in which it gets the name that
// package render looks for.
type Target string

// Check refuses a target before anything is measured for it.
func (t Target) Check() error {
	info, err := os.Stat(string(t))
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "create", Path: string(t), Err: fs.ErrExist}
	case strings.HasSuffix(string(t), "/"):
		return err
	}
	_, err = os.Stat(filepath.Dir(string(t)))
	return err
}

// Save writes a result file and returns its name.
func (t Target) Save(ctx context.Context, f *File, at time.Time) (string, error) {
	name := string(t)
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, f.Name(at))
	}
	up, err := blob.Local{}.Create(ctx, name, blob.CreateOptions{})
	if err != nil {
		return "", err
	}
	defer up.Abort()
	if _, err := up.Write(f.Marshal()); err != nil {
		return "", err
	}
	return name, up.Commit(ctx)
}
