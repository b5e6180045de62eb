package blobtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
)

var ctx = context.Background()

// copyFile is a subject for Faulty: one of each operation.
func copyFile(fs blob.FS, from, to string) (err error) {
	names, err := fs.List(ctx, from)
	if err != nil {
		return err
	}
	f, err := fs.Open(ctx, names[0])
	if err != nil {
		return err
	}
	defer f.Close()
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return err
	}
	u, err := fs.Create(ctx, to, blob.CreateOptions{})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.Write(data); err != nil {
		return err
	}
	return u.Commit(ctx)
}

// subject does one of each operation of a disk, on the file a in the directory d.
func subject(fs blob.Disk) (err error) {
	if err := copyFile(fs, "d", "b"); err != nil {
		return err
	}
	if err := fs.MakeDir(ctx, "j"); err != nil {
		return err
	}
	s, err := fs.Scratch(ctx, "j")
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := fs.Append(ctx, "j/journal")
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := s.Write([]byte("scratch")); err != nil {
		return err
	}
	data := make([]byte, s.Size())
	if _, err := s.ReadAt(data, 0); err != nil {
		return err
	}
	if _, err := a.Write(data); err != nil {
		return err
	}
	if err := a.Truncate(5); err != nil {
		return err
	}
	if err := a.Sync(); err != nil {
		return err
	}
	if names, err := fs.ReadDir(ctx, "j"); err != nil || len(names) != 1 {
		return errors.Join(fmt.Errorf("names %q", names), err)
	}
	return fs.Remove(ctx, "d/a")
}

func TestFaulty(t *testing.T) {
	const ops = 16
	for _, mode := range []Mode{Fail, Short, Delay, Crash, CrashAfter} {
		for at := int64(1); at <= ops+1; at++ {
			var mem Mem
			mem.Put("d/a", []byte("text"))
			fs := &Faulty{FS: &mem, FailAt: at, Mode: mode}
			err := subject(fs)
			if fs.Failed() != (at <= ops) {
				t.Errorf("mode %d: %d operations, want %d", mode, fs.Ops(), ops)
			}
			if mem.Handles() != 0 {
				t.Errorf("mode %d, failure %d: %d open", mode, at, mem.Handles())
			}
			if at > ops || mode == Delay {
				if got, _ := mem.Get("j/journal"); err != nil || string(got) != "scrat" || !slices.Equal(mem.Names(), []string{"b", "j/journal"}) {
					t.Errorf("mode %d without a failure: %q, %q, %v", mode, mem.Names(), got, err)
				}
				continue
			}
			if err == nil || mode != Short && !errors.Is(err, ErrInjected) {
				t.Errorf("mode %d, failure %d: %v", mode, at, err)
			}
			_, ok := mem.Get("b")
			if want := at > 6 || at == 6 && mode == CrashAfter; ok != want {
				t.Errorf("mode %d, failure %d: the copy exists: %v", mode, at, ok)
			}
			if err := fs.Remove(ctx, "b"); (err != nil) != (mode >= Crash) {
				t.Errorf("mode %d, failure %d: then %v", mode, at, err)
			}
		}
	}
}

// notDisk is a file system alone.
type notDisk struct{ blob.FS }

func TestFaultyWithoutDisk(t *testing.T) {
	fs := &Faulty{FS: notDisk{&Mem{}}}
	if _, err := fs.Scratch(ctx, ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Scratch: %v", err)
	}
	if err := fs.MakeDir(ctx, "d"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("MakeDir: %v", err)
	}
}

// appendTo appends a text, and syncs it or not.
func appendTo(t *testing.T, fs blob.Disk, name, text string, sync bool) blob.Appender {
	t.Helper()
	a, err := fs.Append(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := a.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestPowerLoss(t *testing.T) {
	for name, tt := range map[string]struct {
		lose func(*Mem)
		want map[string]string
	}{
		"nothing more": {(*Mem).PowerLoss, map[string]string{"d/put": "p", "d/committed": "c", "d/journal": "one", "e/cut": "long", "e/gone": "g"}},
		"all of it": {func(m *Mem) { m.TornPowerLoss(func(n int) int { return n }) },
			map[string]string{"d/put": "p", "d/committed": "c", "d/journal": "onetwo", "e/cut": "lo", "e/new": "n"}},
		"half": {func(m *Mem) { m.TornPowerLoss(func(n int) int { return n / 2 }) },
			map[string]string{"d/put": "p", "d/committed": "c", "d/journal": "onet", "e/cut": "long", "e/gone": "g"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m Mem
			m.Put("d/put", []byte("p"))
			m.Put("d/removed", []byte("r"))
			m.Put("e/gone", []byte("g"))
			if err := errors.Join(m.MakeDir(ctx, "e/f"), m.Remove(ctx, "d/removed")); err != nil {
				t.Fatal(err)
			}
			u, err := m.Create(ctx, "d/committed", blob.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			u.Write([]byte("c"))
			if err := u.Commit(ctx); err != nil { // makes the removal of d/removed safe
				t.Fatal(err)
			}
			cut := appendTo(t, &m, "e/cut", "long", true)
			if err := cut.Truncate(2); err != nil {
				t.Fatal(err)
			}
			journal := appendTo(t, &m, "d/journal", "one", true)
			journal.Write([]byte("two"))
			appendTo(t, &m, "e/new", "n", false)
			if err := m.Remove(ctx, "e/gone"); err != nil {
				t.Fatal(err)
			}
			open, err := m.Create(ctx, "d/open", blob.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.Get("e/gone"); ok || m.Handles() != 4 {
				t.Errorf("%q, %d open", m.Names(), m.Handles())
			}

			tt.lose(&m)
			got := make(map[string]string)
			for _, name := range m.Names() {
				data, _ := m.Get(name)
				got[name] = string(data)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if _, err := journal.Write([]byte("x")); err == nil || open.Commit(ctx) == nil || journal.Sync() == nil || m.Handles() != 0 {
				t.Error("what was open can be used after a loss of power")
			}
			if names, err := m.ReadDir(ctx, "e"); err != nil || !slices.Contains(names, "f") {
				t.Errorf("e holds %q, %v", names, err)
			}
			// Life goes on.
			appendTo(t, &m, "d/journal", "!", true).Close()
			if data, _ := m.Get("d/journal"); string(data) != tt.want["d/journal"]+"!" {
				t.Errorf("journal %q", data)
			}
		})
	}
}

func TestMem(t *testing.T) {
	var mem Mem
	if _, err := mem.Open(ctx, "a"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open: %v", err)
	}
	if _, err := mem.List(ctx, "a"); !errors.Is(err, blob.ErrNoMatch) {
		t.Errorf("List: %v", err)
	}
	u, err := mem.Create(ctx, "a", blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mem.Put("a", nil)
	if err := u.Commit(ctx); !errors.Is(err, blob.ErrExists) {
		t.Errorf("Commit: %v", err)
	}
	if err := u.Commit(ctx); err == nil {
		t.Error("a second Commit succeeds")
	}
	if _, err := mem.Create(ctx, "a", blob.CreateOptions{}); !errors.Is(err, blob.ErrExists) {
		t.Errorf("Create: %v", err)
	}
	mem.Put("b", nil)
	for _, pattern := range []string{"[ab]", ".", "*"} {
		if names, err := mem.List(ctx, pattern); err != nil || len(names) != 2 || names[0] != "a" {
			t.Errorf("List %s: %v, %v", pattern, names, err)
		}
	}
	if _, err := mem.List(ctx, "["); !errors.Is(err, blob.ErrBadPattern) {
		t.Errorf("List: %v", err)
	}
}
