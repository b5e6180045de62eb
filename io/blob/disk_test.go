package blob

import (
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

func TestScratch(t *testing.T) {
	for name, l := range map[string]Local{"anonymous": {}, "named": {named: true}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := l.Scratch(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"one", "two"} {
				if n, err := io.WriteString(s, text); n != 3 || err != nil {
					t.Fatal(n, err)
				}
			}
			var p [4]byte
			if n, err := s.ReadAt(p[:], 2); n != 4 || err != nil || string(p[:]) != "etwo" || s.Size() != 6 {
				t.Errorf("read %q of %d bytes, %v", p[:n], s.Size(), err)
			}
			if n, err := s.ReadAt(p[:], 4); n != 2 || err != io.EOF {
				t.Errorf("read %d bytes at the end, %v", n, err)
			}
			if names, err := l.ReadDir(ctx, dir); err != nil || len(names) != 0 && runtime.GOOS != "windows" {
				t.Errorf("the directory holds %q, %v", names, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			checkNoTemp(t, dir)
			_, err = l.Scratch(ctx, filepath.Join(dir, "none"))
			if e := checkError(t, err, ErrNotFound, filepath.Join(dir, "none"), "cannot make a temporary file in it"); e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
	s, err := Local{}.Scratch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "journal")
	open := func(size int64) Appender {
		t.Helper()
		a, err := Local{}.Append(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if a.Size() != size {
			t.Fatalf("%d bytes, want %d", a.Size(), size)
		}
		return a
	}
	do := func(a Appender, text string) {
		t.Helper()
		if _, err := io.WriteString(a, text); err != nil {
			t.Fatal(err)
		}
		if err := a.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	a := open(0)
	do(a, "one ")
	do(a, "two ")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open(8)
	if err := a.Truncate(9); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Truncate beyond the end: %v", err)
	}
	if err := a.Truncate(4); err != nil || a.Size() != 4 {
		t.Errorf("Truncate: %d bytes, %v", a.Size(), err)
	}
	do(a, "three")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err == nil || a.Sync() == nil || a.Truncate(0) == nil || a.Close() == nil {
		t.Error("a closed file can be used")
	}
	checkFile(t, name, "one three")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&^0o644 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	_, err := Local{}.Append(ctx, dir)
	checkError(t, err, ErrNotFile, dir, "is a directory")
	_, err = Local{}.Append(ctx, filepath.Join(dir, "none", "journal"))
	checkError(t, err, ErrNotFound, filepath.Join(dir, "none", "journal"), "cannot open for appending")
}

func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := (Local{}).MakeDir(ctx, deep); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".hidden", "z", "B", "_x"} {
		write(t, filepath.Join(deep, name), "x")
	}
	names, err := Local{}.ReadDir(ctx, deep)
	if want := []string{".hidden", "B", "_x", "z"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
	if names, err := (Local{}).ReadDir(ctx, filepath.Join(dir, "none")); names != nil || err != nil {
		t.Errorf("a directory that is not there has %q, %v", names, err)
	}
	file := filepath.Join(deep, "z")
	if _, err := (Local{}).ReadDir(ctx, file); err == nil {
		t.Error("a file is listed as a directory")
	}
	checkError(t, Local{}.MakeDir(ctx, file), ErrExists, file, "is a file, not a directory")
	if err := (Local{}).MakeDir(ctx, filepath.Join(file, "d")); err == nil {
		t.Error("a directory is made in a file")
	}
	if err := (Local{}).Remove(ctx, deep); err == nil || !strings.Contains(err.Error(), "cannot remove") {
		t.Errorf("a directory with files is removed: %v", err)
	}
	for _, name := range append(names, "", "") {
		if err := (Local{}).Remove(ctx, filepath.Join(deep, name)); err != nil {
			t.Error(err)
		}
	}
	if names, err := (Local{}).ReadDir(ctx, filepath.Dir(deep)); names != nil || err != nil {
		t.Errorf("%q are left, %v", names, err)
	}
}
