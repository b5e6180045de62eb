package stores

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
)

// conform checks that a store does what an FS has to do, with requests that fail.
func conform(t *testing.T, s *objects, prefix, query string) {
	t.Helper()
	before := runtime.NumGoroutine()
	fs := &FS{tune: impatient()}
	p := &place{FS: fs, t: t, prefix: prefix, query: query}
	for round, share := range [][2]float64{{}, {0.2, 0}, {0.1, 0.1}} {
		s.inject(share[0], share[1])
		for _, n := range []int{0, 1, 100_000, partBytes, 2*partBytes + 7} {
			data := random(byte(n), n)
			p.check("x", nil)
			p.put("x", data)
			p.check("x", data)
			err := write(p, p.name("x"), data, blob.CreateOptions{})
			checkError(t, err, blob.ErrExists, p.name("x"), "already exists")
			if err := write(p, p.name("x"), data[:n/2], blob.CreateOptions{Overwrite: true}); err != nil {
				t.Error(err)
			}
			p.check("x", data[:n/2])
			s.remove("x")
		}

		// One that appears meanwhile is not replaced; one that is given up leaves nothing.
		for _, n := range []int{10, partBytes + 1} {
			u, err := fs.Create(ctx, p.name("late"), blob.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write(random(1, n)); err != nil {
				t.Fatal(err)
			}
			p.put("late", []byte("theirs"))
			checkError(t, u.Commit(ctx), blob.ErrExists, p.name("late"), "already exists")
			p.check("late", []byte("theirs"))
			s.remove("late")
			created, cancel := context.WithCancel(ctx)
			for _, how := range []string{"abort", "cancel"} {
				if u, err = fs.Create(created, p.name("late"), blob.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				if _, err := u.Write(random(1, n)); err != nil {
					t.Fatal(err)
				}
				if how == "cancel" {
					cancel()
					if err := u.Commit(ctx); !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled: %v", err)
					}
				} else if err := u.Abort(); err != nil {
					t.Error(err)
				}
				p.check("late", nil)
			}
			cancel()
		}

		// Replaced while it is read.
		p.put("r", random(1, 300_000))
		f, err := fs.Open(ctx, p.name("r"))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1000)
		if _, err := f.ReadAt(got, 1000); err != nil || !bytes.Equal(got, random(1, 300_000)[1000:2000]) {
			t.Errorf("ReadAt: %v", err)
		}
		again, err := fs.Open(ctx, p.name("r"))
		if err != nil {
			t.Fatal(err)
		}
		if v := version1(f); v == "" || v != version1(again) {
			t.Errorf("versions %q and %q of one object", v, version1(again))
		}
		again.Close()
		if err := write(fs, p.name("r"), random(2, 300_000), blob.CreateOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(blob.Section(f, 0, f.Size()))
		checkError(t, err, blob.ErrChanged, p.name("r"), "was replaced")
		f.Close()

		for _, key := range []string{"d/a=1/x.csv", "d/a=2/x.csv", "d/a=2/y.csv"} {
			p.put(key, []byte(key))
		}
		for pattern, want := range map[string][]string{
			"d": {"d/a=1/x.csv", "d/a=2/x.csv", "d/a=2/y.csv"}, "d/*/x.*": {"d/a=1/x.csv", "d/a=2/x.csv"}, "d/a=2": {"d/a=2/x.csv", "d/a=2/y.csv"}, "r": {"r"},
		} {
			names, err := fs.List(ctx, p.name(pattern))
			for i := range names {
				names[i] = strings.TrimSuffix(strings.TrimPrefix(names[i], prefix), query)
			}
			if err != nil || !slices.Equal(names, want) {
				t.Errorf("%s: %q, %v, want %q", pattern, names, err, want)
			}
		}
		_, err = fs.List(ctx, p.name("none"))
		checkError(t, err, blob.ErrNotFound, p.name("none"), "no such object or directory")

		for _, overwrite := range []bool{false, true} {
			if err := p.writeDir("parts", 2, "text", overwrite); err != nil {
				t.Fatal(err)
			}
			if got := p.keys("parts"); !slices.Equal(got, []string{"_SUCCESS", "part-0", "part-1"}) {
				t.Errorf("round %d: %q", round, got)
			}
			p.check("parts/part-1", []byte("text"))
		}
		s.remove("")
	}
	s.inject(0, 0)
	if err := fs.Close(); err != nil {
		t.Error(err)
	}
	checkGoroutines(t, before+2) // the server keeps a connection for a moment
}

func version1(f blob.File) string { return f.(interface{ Version() string }).Version() }

// remove removes an object, or all of them.
func (s *objects) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == "" {
		clear(s.all)
		return
	}
	delete(s.all, key)
}
