package stores

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
)

func TestWriteRead(t *testing.T) {
	p := newPlace(t)
	for _, n := range []int{0, 1, 1000, partBytes - 1, partBytes, partBytes + 1, 2*partBytes + 7} {
		data := random(byte(n), n)
		p.check("x", nil)
		p.put("x", data)
		p.check("x", data)
		if err := write(p, p.name("x"), data, blob.CreateOptions{}); !errors.Is(err, blob.ErrExists) {
			t.Errorf("written twice: %v", err)
		}
		p.put("d/keep", nil)
		if err := write(p, p.name("d/keep"), data, blob.CreateOptions{Overwrite: true}); err != nil {
			t.Error(err)
		}
		p.check("d/keep", data)
		p.delete("x", "d/keep")
	}
}

func (p *place) delete(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		if err := p.s3().client.delete(ctx, key); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Reads anywhere, of any length, by several goroutines.
func TestReadAt(t *testing.T) {
	p := newPlace(t)
	data := random(1, 400_000)
	p.put("x", data)
	f, err := p.Open(ctx, p.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 60 {
				off := (g*7919 + i*104729) % (len(data) + 10)
				n := 1 << (i % 18)
				want := data[min(off, len(data)):min(off+n, len(data))]
				p := make([]byte, n)
				got, err := f.ReadAt(p, int64(off))
				if !bytes.Equal(p[:got], want) || (err == io.EOF) != (len(want) < n) || err != nil && err != io.EOF {
					t.Errorf("%d bytes at %d: %d, %v", n, off, got, err)
				}
				if i%20 == 0 {
					got, err := io.ReadAll(blob.Section(f, int64(off), int64(n)))
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("section of %d bytes at %d: %d, %v", n, off, len(got), err)
					}
				}
			}
		})
	}
	wg.Wait()
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is read")
	}
	before := p.server.Counts().Requests
	small := make([]byte, 8)
	for i := range 100 {
		if _, err := f.ReadAt(small, int64(len(data)-1000+8*i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.server.Counts().Requests - before; n > 1 {
		t.Errorf("%d requests for 100 small reads near the end", n)
	}
	s := blob.Section(f, 0, 1000)
	if _, err := s.Read(small); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(small); err == nil {
		t.Error("a section can be read after Close")
	}
	if _, err := f.ReadAt(small, 0); err == nil {
		t.Error("a file can be read after Close")
	}
}

// What fails sometimes works in the end.
func TestFaults(t *testing.T) {
	p := newPlace(t)
	small, big := random(1, 100_000), random(2, 2*partBytes+1234)
	p.server.Inject(s3server.Faults{Seed: 7, Fail: 0.2, Lost: 0.05, Slow: 0.1, Delay: 5 * time.Millisecond})
	for i := range 6 {
		for key, data := range map[string][]byte{"small": small, "big": big} {
			opts := blob.CreateOptions{Overwrite: i%2 == 1}
			if err := write(p, p.name(key), data, opts); err != nil {
				t.Fatalf("round %d, %s: %v", i, key, err)
			}
			p.check(key, data)
			if names, err := p.List(ctx, p.name("*")); err != nil || len(names) < 1 {
				t.Errorf("List: %v, %v", names, err)
			}
			f, err := p.Open(ctx, p.name(key))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 70_000)
			if _, err := f.ReadAt(got, 20_000); err != nil || !bytes.Equal(got, data[20_000:90_000]) {
				t.Errorf("ReadAt: %v", err)
			}
			f.Close()
		}
		if i%2 == 1 {
			p.server.Inject(s3server.Faults{})
			p.delete("small", "big")
			p.server.Inject(s3server.Faults{Seed: uint64(i), Fail: 0.2, Lost: 0.05, Slow: 0.1, Delay: 5 * time.Millisecond})
		}
	}
	if c := p.server.Counts(); c.Failed < 20 || c.Slow < 5 {
		t.Errorf("only %d of %d requests failed, %d were slow", c.Failed, c.Requests, c.Slow)
	}
}

// What always fails is an error that says so, and leaves nothing.
func TestPersistentFailure(t *testing.T) {
	p := newPlace(t)
	p.put("x", random(1, 100_000))
	f, err := p.Open(ctx, p.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u, err := p.Create(ctx, p.name("y"), blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	p.server.Inject(s3server.Faults{Fail: 1})
	name := p.name("x")
	_, err = p.Open(ctx, name)
	checkError(t, err, nil, name, "cannot open: ")
	_, err = p.List(ctx, name)
	checkError(t, err, nil, name, "cannot open: ")
	_, err = p.List(ctx, p.name(""))
	checkError(t, err, nil, p.name(""), "cannot list: ")
	_, err = p.Create(ctx, name, blob.CreateOptions{})
	checkError(t, err, nil, name, "cannot create: ")
	p.server.Inject(s3server.Faults{Lost: 1})
	_, err = f.ReadAt(make([]byte, 10), 0)
	checkError(t, err, nil, name, "cannot read: ")
	_, err = io.ReadAll(blob.Section(f, 0, 1000))
	checkError(t, err, nil, name, "(tried 8 times)")
	checkError(t, u.Commit(ctx), nil, p.name("y"), "cannot create: ")
	p.server.Inject(s3server.Faults{})
	p.check("y", nil)
}

// An upload whose parts do not get through, or not completely, leaves nothing.
func TestFailedUpload(t *testing.T) {
	for name, only := range map[string]func(*http.Request) bool{
		"second part": func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" },
		"completion":  func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
		"begin":       func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") },
		"single put":  func(r *http.Request) bool { return r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.put("old", []byte("old"))
			size := 3 * partBytes
			if name == "single put" {
				size = 1000
			}
			p.server.Inject(s3server.Faults{Fail: 1, Only: only})
			err := write(p, p.name("new"), random(1, size), blob.CreateOptions{})
			checkError(t, err, nil, p.name("new"), "cannot write: ")
			err = write(p, p.name("old"), random(1, size), blob.CreateOptions{Overwrite: true})
			checkError(t, err, nil, p.name("old"), "cannot write: ")
			p.server.Inject(s3server.Faults{})
			p.checkNoUploads()
			p.check("new", nil)
			p.check("old", []byte("old"))
		})
	}
}

// A cancelled or aborted upload leaves nothing, and stops at once.
func TestCancelledUpload(t *testing.T) {
	for _, how := range []string{"abort", "context of Create", "context of Commit", "while writing"} {
		for _, size := range []int{0, 1000, 2*partBytes + 5} {
			p := newPlace(t)
			created, cancel := context.WithCancel(ctx)
			u, err := p.Create(created, p.name("x"), blob.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			committed := ctx
			if how == "while writing" {
				p.server.Inject(s3server.Faults{Slow: 1, Delay: time.Hour, Only: func(r *http.Request) bool { return r.Method != http.MethodDelete }})
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			start := time.Now()
			if _, err = u.Write(random(1, size)); err == nil {
				switch how {
				case "abort":
					err = u.Abort()
				case "context of Create":
					cancel()
				case "context of Commit":
					var stop context.CancelFunc
					committed, stop = context.WithCancel(ctx)
					stop()
				}
				if how != "abort" {
					err = u.Commit(committed)
				}
			}
			cancel()
			if how != "abort" && !errors.Is(err, context.Canceled) {
				t.Errorf("%s after %d bytes: %v", how, size, err)
			}
			p.server.Inject(s3server.Faults{})
			for range 2 {
				if err := u.Abort(); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s after %d bytes took %v", how, size, took)
			}
			if err := u.Commit(ctx); err == nil {
				t.Error("Commit after Abort succeeds")
			}
			if _, err := u.Write([]byte("x")); err == nil {
				t.Error("Write after Abort succeeds")
			}
			p.checkNoUploads()
			p.check("x", nil)
		}
	}
}

// A file that appears meanwhile is not replaced, whether the store heeds
// conditions or not; of several uploads one wins.
func TestExists(t *testing.T) {
	for _, size := range []int{10, partBytes + 1} {
		p := newPlace(t)
		u, err := p.Create(ctx, p.name("x"), blob.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(random(1, size)); err != nil {
			t.Fatal(err)
		}
		p.put("x", []byte("theirs"))
		checkError(t, u.Commit(ctx), blob.ErrExists, p.name("x"), "already exists")
		p.check("x", []byte("theirs"))
	}
	p := newPlace(t)
	var uploads []blob.Upload
	for range 6 {
		u, err := p.Create(ctx, p.name("y"), blob.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, u)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(uploads))
	for i, u := range uploads {
		wg.Go(func() { errs[i] = u.Commit(ctx) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, blob.ErrExists) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d uploads to one name succeeded", won, len(uploads))
	}
}

// An upload that the store completed counts, though the answer was lost.
func TestLostAnswers(t *testing.T) {
	for _, size := range []int{1000, partBytes + 1} {
		p := newPlace(t)
		p.server.Inject(s3server.Faults{Lost: 1, Only: func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") || r.Method == http.MethodPut && !r.URL.Query().Has("partNumber")
		}})
		data := random(3, size)
		p.put("x", data)
		p.server.Inject(s3server.Faults{})
		p.check("x", data)
	}
}

// An object that is replaced while it is read is noticed, also by a store that
// ignores If-Match.
func TestReplaced(t *testing.T) {
	bare := s3mem.New()
	if err := bare.CreateBucket("data"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(bare).Server())
	defer server.Close()
	ignorant := &FS{tune: impatient()}
	defer ignorant.Close()
	p := newPlace(t)
	for _, tt := range []struct {
		fs   blob.FS
		name string
	}{{p, p.name("x")}, {ignorant, "s3://data/x?endpoint=" + server.URL}} {
		old := random(1, 100_000)
		if err := write(tt.fs, tt.name, old, blob.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := tt.fs.Open(ctx, tt.name)
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 10)
		if _, err := f.ReadAt(head, 0); err != nil || !bytes.Equal(head, old[:10]) {
			t.Fatal(err)
		}
		if err := write(tt.fs, tt.name, random(2, 100_000), blob.CreateOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(blob.Section(f, 0, f.Size()))
		checkError(t, err, blob.ErrChanged, tt.name, "was replaced while it was being read")
		_, err = f.ReadAt(head, 99_000)
		checkError(t, err, blob.ErrChanged, tt.name, "was replaced while it was being read")
		f.Close()
	}
	f, err := p.Open(ctx, p.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p.delete("x")
	_, err = f.ReadAt(make([]byte, 10), 0)
	checkError(t, err, blob.ErrChanged, p.name("x"), "was replaced while it was being read")
}

// A connection that hangs is given up and tried again.
func TestHanging(t *testing.T) {
	p := newPlace(t)
	p.tune.patience = 250 * time.Millisecond
	data := random(1, partBytes+1)
	p.server.Inject(s3server.Faults{Seed: 3, Hang: 0.2})
	if err := write(p, p.name("x"), data, blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.check("x", data)
	p.server.Inject(s3server.Faults{Hang: 1})
	p.tune.retries.attempts = 4
	start := time.Now()
	_, err := p.Open(ctx, p.name("x"))
	checkError(t, err, nil, p.name("x"), "no answer for 250ms (tried 4 times)")
	err = write(p, p.name("y"), data, blob.CreateOptions{Overwrite: true})
	checkError(t, err, nil, p.name("y"), "no answer for 250ms")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("giving up took %v", took)
	}
}

// A reader may take its time.
func TestSlowReader(t *testing.T) {
	p := newPlace(t)
	data := random(1, 3<<20)
	p.put("x", data)
	p.tune.patience = 50 * time.Millisecond
	f, err := p.Open(ctx, p.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := p.server.Counts().Requests
	r := blob.Section(f, 0, f.Size())
	var got []byte
	for range 3 {
		piece := make([]byte, 1<<20)
		if _, err := io.ReadFull(r, piece); err != nil {
			t.Fatal(err)
		}
		got = append(got, piece...)
		time.Sleep(150 * time.Millisecond)
	}
	if n := p.server.Counts().Requests - before; !bytes.Equal(got, data) || n != 1 {
		t.Errorf("%d requests, right: %v", n, bytes.Equal(got, data))
	}
}

// Cancelling ends a read at once, however patient the retries are.
func TestCancelledRead(t *testing.T) {
	p := newPlace(t)
	p.tune.retries = schedule{attempts: 1000, first: time.Hour, most: time.Hour}
	p.put("x", random(1, 1000))
	opened, cancel := context.WithCancel(ctx)
	f, err := p.Open(opened, p.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p.server.Inject(s3server.Faults{Lost: 1})
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.Open(opened, p.name("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.List(opened, p.name("x*")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.Create(opened, p.name("z"), blob.CreateOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func TestErrors(t *testing.T) {
	p := newPlace(t)
	p.put("x", []byte("x"))
	create := func(name string) error {
		u, err := p.Create(ctx, name, blob.CreateOptions{})
		if err == nil {
			err = errors.Join(errors.New("it is created"), u.Abort())
		}
		return err
	}
	open := func(name string) error { _, err := p.Open(ctx, name); return err }
	list := func(name string) error { _, err := p.List(ctx, name); return err }
	for _, tt := range []struct {
		do    func(string) error
		name  string
		kind  error
		cause string
	}{
		{open, p.name("none"), blob.ErrNotFound, "no such object"},
		{open, "s3://other/x" + p.query, blob.ErrNotFound, "there is no bucket other"},
		{create, "s3://other/x" + p.query, blob.ErrNotFound, "there is no bucket other"},
		{list, "s3://other/x" + p.query, blob.ErrNotFound, "there is no bucket other"},
		{list, p.name("none"), blob.ErrNotFound, "no such object or directory"},
		{list, p.name("n*"), blob.ErrNoMatch, "no file matches"},
		{list, p.name("[x"), blob.ErrBadPattern, "malformed"},
		{create, p.name("x"), blob.ErrExists, "already exists"},
		{create, p.name("d/"), blob.ErrNotFile, "names no object"},
		{create, "s3://data" + p.query, blob.ErrNotFile, "names no object"},
		{open, "s3://data/x", blob.ErrNotFound, "no region is set"},
		{open, "s3://data/x?colour=blue", blob.ErrNotFound, `unknown query parameter "colour"`},
		{open, "s3://data/x?use_path_style=perhaps", blob.ErrNotFound, "perhaps"},
		{open, "s3:///x", blob.ErrNotFound, "names no bucket"},
		{open, "ftp://data/x", errors.ErrUnsupported, "no store is known for ftp://"},
		{open, "gs://data/x?colour=blue", blob.ErrNotFound, "colour=blue"},
		{open, "azblob://data/x", blob.ErrPermission, "no credentials were found"},
		{open, "azblob://data/x?colour=blue", blob.ErrNotFound, `unknown query parameter "colour"`},
		{open, "file://elsewhere/x", blob.ErrNotFound, "not a file URL of this machine"},
	} {
		checkError(t, tt.do(tt.name), tt.kind, tt.name, tt.cause)
	}
}

// The search for Google's credentials asks whether the machine is one of
// Google's. What that leaves open is not ours to close, and a process of its
// own keeps it from tests that count.
func TestGoogleWithoutCredentials(t *testing.T) {
	const alone = "CIPHERFOLD_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), alone+"=yes", "HOME="+t.TempDir())
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		return
	}
	s := &FS{tune: impatient()}
	defer s.Close()
	_, err := s.Open(ctx, "gs://data/x")
	checkError(t, err, blob.ErrPermission, "gs://data/x", "no credentials were found")
}

// Refusals are not tried again.
func TestDenied(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		}
	}))
	defer server.Close()
	s := &FS{tune: impatient()}
	defer s.Close()
	name := "s3://data/x?endpoint=" + server.URL
	_, err := s.Open(ctx, name)
	checkError(t, err, blob.ErrPermission, name, "cannot open: ")
	_, err = s.List(ctx, name)
	checkError(t, err, blob.ErrPermission, name, "cannot open: ")
	if requests > 4 {
		t.Errorf("%d requests", requests)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	none := &FS{tune: impatient()}
	defer none.Close()
	_, err = none.Open(ctx, name)
	checkError(t, err, blob.ErrPermission, name, "no credentials were found")
	var e *blob.Error
	if errors.As(err, &e); !strings.Contains(e.Hint, "AWS_ACCESS_KEY_ID") {
		t.Errorf("hint %q", e.Hint)
	}
	if requests > 4 {
		t.Errorf("%d requests without credentials", requests-4)
	}
}

// The endpoint may come from the environment, and nothing is asked before a URL
// is used.
func TestEnvironment(t *testing.T) {
	p := newPlace(t)
	p.put("x", []byte("text"))
	before := p.server.Counts().Requests
	t.Setenv("AWS_ENDPOINT_URL", p.server.URL)
	s := &FS{tune: impatient()}
	defer s.Close()
	local := t.TempDir() + "/a"
	if err := write(s, local, []byte("local"), blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{local, "file://" + local, "file://localhost" + local} {
		if got, err := read(s, name); err != nil || string(got) != "local" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := p.server.Counts().Requests - before; n != 0 {
		t.Errorf("%d requests for local files", n)
	}
	if got, err := read(s, "s3://data/x"); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}
