package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

var ctx = context.Background()

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkFile checks a file's text; "" for a file that must not exist.
func checkFile(t *testing.T, name, text string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if text == "" {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s exists: %q, %v", name, got, err)
		}
		return
	}
	if err != nil || string(got) != text {
		t.Errorf("%s says %q, %v; want %q", name, got, err, text)
	}
}

// checkNoTemp checks that no temporary file is left in dir.
func checkNoTemp(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), tempMark) {
			t.Errorf("temporary file %s is left", e.Name())
		}
	}
}

// checkError checks kind, path and that there is a cause on one line.
func checkError(t *testing.T, err error, kind error, path, cause string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("error %v, want an *Error of kind %q", err, kind)
	}
	if e.Path != path || !strings.Contains(e.Error(), cause) || strings.Contains(e.Error(), "\n") || strings.Contains(e.Error(), tempMark) {
		t.Errorf("error %q about %s, want %q about %s", e, e.Path, cause, path)
	}
	return e
}

// checkTemps checks that an upload to dir has begun: it shows itself by a hidden name, unless it is anonymous.
func checkTemps(t *testing.T, l Local, dir, base string) {
	t.Helper()
	temps, err := filepath.Glob(filepath.Join(dir, "."+base+tempMark+"*"))
	all, rerr := os.ReadDir(dir)
	if err := errors.Join(err, rerr); err != nil {
		t.Fatal(err)
	}
	want := 0
	if f, err := system.OpenAnonymous(dir, 0o600); l.named || err != nil {
		want = 1
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(temps) != want || len(all) != want {
		t.Errorf("temporary files %v among %v, want %d", temps, all, want)
	}
}

func create(t *testing.T, l Local, name string, opts CreateOptions, text string) Upload {
	t.Helper()
	u, err := l.Create(ctx, name, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u, text); err != nil {
		t.Fatal(err)
	}
	return u
}

// locals are Local on file systems that lack more and more.
var locals = map[string]Local{
	"anonymous": {},
	"anonymous without names": {linkAnonymous: func(f *os.File, name string) error {
		return &os.LinkError{Op: "linkat", New: name, Err: syscall.EPERM}
	}},
	"named": {named: true},
	"no link": {named: true, link: func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
	}},
}

func TestCommit(t *testing.T) {
	for name, l := range locals {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out.csv")
			u := create(t, l, out, CreateOptions{}, "one")
			checkFile(t, out, "")
			checkTemps(t, l, dir, "out.csv")
			if err := u.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			checkFile(t, out, "one")
			checkNoTemp(t, dir)
			if info, err := os.Stat(out); err != nil || info.Mode().Perm()&^0o644 != 0 || info.Mode().Perm()&0o600 != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if err := u.Abort(); err != nil {
				t.Errorf("Abort after Commit: %v", err)
			}
			if err := u.Commit(ctx); err == nil {
				t.Error("a second Commit succeeds")
			}
			if _, err := u.Write([]byte("x")); err == nil {
				t.Error("a Write after Commit succeeds")
			}
			checkFile(t, out, "one")

			_, err := l.Create(ctx, out, CreateOptions{})
			if e := checkError(t, err, ErrExists, out, out+": already exists"); !strings.Contains(e.Hint, "‹overwrite=true›") {
				t.Errorf("hint %q", e.Hint)
			}
			u = create(t, l, out, CreateOptions{Overwrite: true}, "two")
			checkFile(t, out, "one")
			if err := u.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			checkFile(t, out, "two")
			checkNoTemp(t, dir)
		})
	}
}

func TestCommitRefusesWhatAppeared(t *testing.T) {
	for name, l := range locals {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out.csv")
			u := create(t, l, out, CreateOptions{}, "mine")
			write(t, out, "theirs")
			checkError(t, u.Commit(ctx), ErrExists, out, "already exists")
			checkFile(t, out, "theirs")
			checkNoTemp(t, dir)
		})
	}
}

func TestCommitRace(t *testing.T) {
	for name, l := range locals {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			var won atomic.Int32
			var wg sync.WaitGroup
			var uploads []Upload
			for i := range 8 {
				uploads = append(uploads, create(t, l, out, CreateOptions{}, fmt.Sprint(i)))
			}
			for _, u := range uploads {
				wg.Go(func() {
					err := u.Commit(ctx)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, ErrExists) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%d of 8 commits to one name succeeded", won.Load())
			}
			if got, err := os.ReadFile(out); err != nil || len(got) != 1 {
				t.Errorf("%q, %v", got, err)
			}
			checkNoTemp(t, dir)
		})
	}
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	u := create(t, Local{}, out, CreateOptions{}, "x")
	for range 2 {
		if err := u.Abort(); err != nil {
			t.Error(err)
		}
	}
	if err := u.Commit(ctx); err == nil {
		t.Error("Commit after Abort succeeds")
	}
	checkFile(t, out, "")
	checkNoTemp(t, dir)
	write(t, out, "before")
	if err := create(t, Local{}, out, CreateOptions{Overwrite: true}, "after").Abort(); err != nil {
		t.Error(err)
	}
	checkFile(t, out, "before")
	checkNoTemp(t, dir)
}

func TestCommitCancelled(t *testing.T) {
	dir := t.TempDir()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	out := filepath.Join(dir, "out")
	if err := create(t, Local{}, out, CreateOptions{}, "x").Commit(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v", err)
	}
	checkFile(t, out, "")
	checkNoTemp(t, dir)
	if _, err := (Local{}).Create(cancelled, out, CreateOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	if _, err := (Local{}).Open(cancelled, out); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
	if _, err := (Local{}).List(cancelled, out); !errors.Is(err, context.Canceled) {
		t.Errorf("List: %v", err)
	}
}

func TestCreatePrivate(t *testing.T) {
	for name, l := range locals {
		t.Run(name, func(t *testing.T) {
			for _, overwrite := range []bool{false, true} {
				out := filepath.Join(t.TempDir(), "secret.json")
				if err := create(t, l, out, CreateOptions{Private: true, Overwrite: overwrite}, "s").Commit(ctx); err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
		})
	}
}

func TestCreateRefusals(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for _, tt := range []struct {
		name  string
		kind  error
		cause string
	}{
		{filepath.Join(dir, "none", "out"), ErrNotFound, "cannot create: there is no directory " + filepath.Join(dir, "none")},
		{filepath.Join(dir, "file", "out"), nil, "cannot create: "}, // lstat or stat says so, depending on the system
		{dir, ErrNotFile, "is a directory, not a file"},
	} {
		for _, overwrite := range []bool{false, true} {
			_, err := Local{}.Create(ctx, tt.name, CreateOptions{Overwrite: overwrite})
			var e *Error
			if !errors.As(err, &e) || tt.kind != nil && !errors.Is(err, tt.kind) || e.Path != tt.name || !strings.Contains(e.Error(), tt.cause) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.cause)
			}
			if tt.kind != nil && e.Hint == "" {
				t.Errorf("%s: %v has no hint", tt.name, err)
			}
		}
	}
	_, err := Local{}.Create(ctx, "", CreateOptions{})
	checkError(t, err, ErrNotFound, `""`, "needs a name")
	checkNoTemp(t, dir)
}

func TestUnwritableDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	out := filepath.Join(dir, "out")
	u, err := Local{}.Create(ctx, out, CreateOptions{})
	if err == nil {
		// The superuser may write anywhere: ask what the error would be.
		t.Log("running as a user whom modes do not bind; checking the translation of the error only")
		if err := u.Abort(); err != nil {
			t.Error(err)
		}
		e := wrap(out, "create", &fs.PathError{Op: "open", Path: out + tempMark, Err: syscall.EACCES})
		checkError(t, e, ErrPermission, out, "cannot create: permission denied")
		return
	}
	if e := checkError(t, err, ErrPermission, out, "cannot create: permission denied"); e.Hint == "" {
		t.Error("no hint")
	}
}

func TestWrapKinds(t *testing.T) {
	for err, kind := range map[error]error{
		syscall.EROFS: ErrPermission, syscall.EACCES: ErrPermission, syscall.EPERM: ErrPermission,
		syscall.ENOSPC: ErrDiskFull, syscall.EDQUOT: ErrDiskFull, syscall.EEXIST: ErrExists, syscall.ENOENT: ErrNotFound,
	} {
		e := wrap("p", "write", &os.LinkError{Op: "rename", Old: "a" + tempMark, New: "b", Err: err})
		checkError(t, e, kind, "p", "p: cannot write: "+err.Error())
		if !errors.Is(e, err) {
			t.Errorf("%v does not wrap the system's error", e)
		}
	}
	e := wrap("a\nb", "write", syscall.EIO)
	if e.Kind != nil || e.Error() != `a\nb: cannot write: input/output error` && runtime.GOOS == "linux" {
		t.Errorf("%q of kind %v", e.Error(), e.Kind)
	}
	if e := (&Error{Path: "p", Err: syscall.EIO}); e.Error() != "p: "+syscall.EIO.Error() {
		t.Errorf("%q", e.Error())
	}
}

func TestFailedWriteCannotBeCommitted(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	u := create(t, Local{}, out, CreateOptions{}, "x")
	u.(*localUpload).f.Close() // the disk goes away
	if _, err := u.Write([]byte("y")); err == nil {
		t.Fatal("the write succeeds")
	}
	if _, err := u.Write([]byte("z")); err == nil {
		t.Error("a later write succeeds")
	}
	if err := u.Commit(ctx); err == nil {
		t.Error("Commit succeeds after a failed write")
	}
	checkFile(t, out, "")
	checkNoTemp(t, dir)
	u = create(t, Local{}, out, CreateOptions{}, "x")
	u.(*localUpload).f.Close()
	if err := u.Commit(ctx); err == nil {
		t.Error("Commit succeeds without sync")
	}
	checkFile(t, out, "")
	checkNoTemp(t, dir)
}

func TestCommitWithoutDirectory(t *testing.T) {
	for _, l := range locals {
		for _, overwrite := range []bool{false, true} {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			u := create(t, l, filepath.Join(dir, "out"), CreateOptions{Overwrite: overwrite}, "x")
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			checkError(t, u.Commit(ctx), ErrNotFound, filepath.Join(dir, "out"), "cannot ")
		}
	}
}

func TestOverwriteFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target, name := filepath.Join(dir, "disk", "target"), filepath.Join(dir, "name")
	write(t, target, "old")
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
	_, err := Local{}.Create(ctx, name, CreateOptions{})
	checkError(t, err, ErrExists, name, "already exists")
	if err := create(t, Local{}, name, CreateOptions{Overwrite: true}, "new").Commit(ctx); err != nil {
		t.Fatal(err)
	}
	checkFile(t, target, "new")
	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	_, err = Local{}.Create(ctx, dangling, CreateOptions{Overwrite: true})
	checkError(t, err, ErrNotFound, dangling, "cannot follow the symbolic link")
	_, err = Local{}.Create(ctx, dangling, CreateOptions{})
	checkError(t, err, ErrExists, dangling, "already exists")
}

func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	for _, base := range []string{strings.Repeat("n", 255), strings.Repeat("é", 127), "a"} {
		if temp := tempName(base); len(temp) > 255 || !strings.HasPrefix(temp, ".") || strings.ToValidUTF8(temp, "") != temp {
			t.Errorf("temporary name %q", temp)
		}
		if err := create(t, Local{}, filepath.Join(dir, base), CreateOptions{}, "x").Commit(ctx); err != nil {
			t.Error(err)
		}
	}
	checkNoTemp(t, dir)
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "in")
	write(t, name, "hello")
	f, err := Local{}.Open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	var p [3]byte
	if n, err := f.ReadAt(p[:], 1); f.Size() != 5 || n != 3 || err != nil || string(p[:]) != "ell" {
		t.Errorf("read %q of %d bytes, %v", p[:n], f.Size(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	_, err = Local{}.Open(ctx, filepath.Join(dir, "none"))
	checkError(t, err, ErrNotFound, filepath.Join(dir, "none"), "no such file")
	_, err = Local{}.Open(ctx, dir)
	checkError(t, err, ErrNotFile, dir, "is a directory")
	_, err = Local{}.Open(ctx, os.DevNull)
	checkError(t, err, ErrNotFile, os.DevNull, "is not a regular file")
	_, err = Local{}.Create(ctx, os.DevNull, CreateOptions{Overwrite: true})
	checkError(t, err, ErrNotFile, os.DevNull, "is not a regular file")
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, name := range []string{
		"parts/b.csv.gz", "parts/a.CSV.gz", "parts/_SUCCESS", "parts/.a.csv.gz" + tempMark + "0", "parts/_tmp/x", "parts/.hidden/x",
		"mixed/a.csv", "mixed/b.tsv", "nested/a.csv", "nested/year/b.csv", "hidden/.x", "lit[1].csv",
		"g/x1.csv", "g/x2.csv", "g/.x3.csv", "g/sub/p.csv", "g/sub/q.csv",
	} {
		write(t, path(name), "x")
	}
	if err := os.Mkdir(path("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path("lit[1].csv"), path("parts/c.csv.gz")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pattern string
		want    []string
	}{
		{"parts", []string{"parts/a.CSV.gz", "parts/b.csv.gz", "parts/c.csv.gz"}},
		{"parts/b.csv.gz", []string{"parts/b.csv.gz"}},
		{"lit[1].csv", []string{"lit[1].csv"}},
		{"g/x*.csv", []string{"g/x1.csv", "g/x2.csv"}},
		{"g/*", []string{"g/sub/p.csv", "g/sub/q.csv", "g/x1.csv", "g/x2.csv"}},
		{"*/x[12].csv", []string{"g/x1.csv", "g/x2.csv"}},
		{"g/.x*", []string{"g/.x3.csv"}},
	} {
		got, err := Local{}.List(ctx, path(tt.pattern))
		for i := range tt.want {
			tt.want[i] = path(tt.want[i])
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.pattern, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		pattern string
		about   string
		kind    error
		cause   string
	}{
		{"none", "none", ErrNotFound, "no such file or directory"},
		{"*.parquet", "*.parquet", ErrNoMatch, "no file matches"},
		{"hidden/*", "hidden/*", ErrNoMatch, "no file matches"},
		{"[", "[", ErrBadPattern, "malformed"},
		{"empty", "empty", ErrNoMatch, "no part files"},
		{"hidden", "hidden", ErrNoMatch, "no part files"},
		{"mixed", "mixed", ErrMixed, "mixes types: a.csv and b.tsv"},
		{"nested", "nested", ErrMixed, "has a subdirectory, year"},
		{"empt?", "empty", ErrNoMatch, "no part files"},
	} {
		_, err := Local{}.List(ctx, path(tt.pattern))
		if e := checkError(t, err, tt.kind, path(tt.about), tt.cause); e.Hint == "" {
			t.Errorf("%s: %v has no hint", tt.pattern, err)
		}
	}
	if err := os.Symlink(path("nowhere"), path("parts/d.csv.gz")); err != nil {
		t.Fatal(err)
	}
	_, err := Local{}.List(ctx, path("parts"))
	checkError(t, err, ErrNotFound, path("parts/d.csv.gz"), "cannot open")
	_, err = Local{}.List(ctx, path("parts/*"))
	checkError(t, err, ErrNotFound, path("parts/d.csv.gz"), "cannot open")
	if err := os.Symlink(os.DevNull, path("empty/device")); err != nil {
		t.Fatal(err)
	}
	_, err = Local{}.List(ctx, path("empty"))
	checkError(t, err, ErrNotFile, path("empty/device"), "is not a regular file")
	_, err = Local{}.List(ctx, os.DevNull)
	checkError(t, err, ErrNotFile, os.DevNull, "is not a regular file")
}

func TestExt(t *testing.T) {
	for name, want := range map[string]string{
		"a.csv": ".csv", "A.CSV.GZ": ".csv.gz", "d.x/a": "", "a.cf.parquet": ".parquet", `c:\d.csv\a.tsv.gz`: ".tsv.gz",
		"a.gz": ".gz", ".csv": ".csv", "": "", "part-0.snappy.parquet": ".parquet", "x.vcf.bgz": ".vcf.bgz",
	} {
		if got := Ext(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
