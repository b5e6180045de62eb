package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// part writes a file of a directory.
func part(t *testing.T, d DirUpload, name, text string) {
	t.Helper()
	u, err := d.Create(ctx, name, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u, text); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	out, err := Local{}.ReadDir(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCreateDir(t *testing.T) {
	for name, l := range locals {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			target := filepath.Join(parent, "out")
			begin := func(overwrite bool) DirUpload {
				t.Helper()
				d, err := CreateDir(ctx, l, target+"/", CreateOptions{Overwrite: overwrite})
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			d := begin(false)
			part(t, d, filepath.Join(target, "part-0"), "zero")
			part(t, d, filepath.Join(target, "part-1"), "one")
			if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the directory is there before Commit: %v", err)
			}
			if err := d.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			if err := d.Abort(); err != nil {
				t.Errorf("Abort after Commit: %v", err)
			}
			if err := d.Commit(ctx); err == nil {
				t.Error("a second Commit succeeds")
			}
			checkFile(t, filepath.Join(target, "part-0"), "zero")
			checkFile(t, filepath.Join(target, "part-1"), "one")
			if got := names(t, target); !slices.Equal(got, []string{SuccessMarker, "part-0", "part-1"}) {
				t.Errorf("files %q", got)
			}
			_, err := CreateDir(ctx, l, target, CreateOptions{})
			checkError(t, err, ErrExists, target, "exists and is not empty")

			d = begin(true)
			part(t, d, filepath.Join(target, "part-0"), "new")
			checkFile(t, filepath.Join(target, "part-0"), "zero")
			if err := d.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			checkFile(t, filepath.Join(target, "part-0"), "new")
			if got := names(t, target); !slices.Equal(got, []string{SuccessMarker, "part-0"}) {
				t.Errorf("files %q", got)
			}

			d = begin(true)
			part(t, d, filepath.Join(target, "part-0"), "newer")
			for range 2 {
				if err := d.Abort(); err != nil {
					t.Error(err)
				}
			}
			checkFile(t, filepath.Join(target, "part-0"), "new")
			if got := names(t, parent); !slices.Equal(got, []string{"out"}) {
				t.Errorf("beside it %q", got)
			}
		})
	}
}

func TestCreateDirRefusals(t *testing.T) {
	parent := t.TempDir()
	at := func(name string) string { return filepath.Join(parent, name) }
	write(t, at("other/notes"), "x")
	write(t, at("deep/sub/part-0"), "x")
	write(t, at("file"), "x")
	for _, tt := range []struct {
		name      string
		overwrite bool
		kind      error
		cause     string
	}{
		{at("other"), false, ErrExists, "not empty"},
		{at("other"), true, ErrExists, "holds notes, which is no part file"},
		{at("deep"), true, ErrExists, "holds sub"},
		{at("file"), true, ErrExists, "is not a directory"},
		{at("none/out"), true, ErrNotFound, "there is no directory"},
	} {
		_, err := CreateDir(ctx, Local{}, tt.name, CreateOptions{Overwrite: tt.overwrite})
		if e := checkError(t, err, tt.kind, tt.name, tt.cause); e.Hint == "" {
			t.Errorf("%s: no hint", tt.name)
		}
	}
	// What appears meanwhile stays.
	d, err := CreateDir(ctx, Local{}, at("late"), CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	part(t, d, "part-0", "mine")
	write(t, at("late/part-0"), "theirs")
	checkError(t, d.Commit(ctx), ErrExists, at("late"), "not empty")
	checkFile(t, at("late/part-0"), "theirs")
	if got := names(t, parent); !slices.Equal(got, []string{"deep", "file", "late", "other"}) {
		t.Errorf("left: %q", got)
	}
	cancelled, cancel := context.WithCancel(ctx)
	if d, err = CreateDir(ctx, Local{}, at("cancelled"), CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	part(t, d, "part-0", "mine")
	cancel()
	if err := d.Commit(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v", err)
	}
	checkNoTemp(t, parent)
	if _, err := CreateDir(ctx, onlyFS{}, "x", CreateOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no directories: %v", err)
	}
}

type onlyFS struct{ FS }

// What a killed process has left is removed by the next one, and what another
// one is writing is not.
func TestStaleDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("nothing can be locked here, so nothing is taken for stale")
		return
	}
	parent := t.TempDir()
	target := filepath.Join(parent, "out")
	stale := filepath.Join(parent, "."+"out"+tempMark+"0123456789abcdef")
	write(t, filepath.Join(stale, "part-0"), "x")
	write(t, filepath.Join(parent, ".other"+tempMark+"0", "part-0"), "x")
	other, err := CreateDir(ctx, Local{}, target, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left is there: %v", err)
	}
	part(t, other, "part-0", "other")
	d, err := CreateDir(ctx, Local{}, target, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	if err := other.Commit(ctx); err != nil {
		t.Errorf("a directory in use was removed: %v", err)
	}
	if got := names(t, parent); len(got) != 3 || !slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, ".other") }) {
		t.Errorf("%q", got)
	}
}
