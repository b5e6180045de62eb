package receipt_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// hooked is a file system that calls before just before a file is committed: when all inputs have been read.
type hooked struct {
	blob.FS
	before func()
}

func (h *hooked) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := h.FS.Create(ctx, name, opts)
	return &hookedUpload{u, h}, err
}

type hookedUpload struct {
	blob.Upload
	h *hooked
}

func (u *hookedUpload) Commit(ctx context.Context) error {
	u.h.before()
	return u.Upload.Commit(ctx)
}

// An input that changes after it was read, and before the output has its name, is noticed: there is no output then.
func TestRecorderNoticesChangedInputs(t *testing.T) {
	for name, change := range map[string]func(p *place){
		"written to": func(p *place) { p.write("a.csv", "id,x\na,1\nb,\nc,31\n") },
		"shortened":  func(p *place) { p.write("a.csv", "id,x\na,1\n") },
		"lengthened": func(p *place) { p.write("a.csv", "id,x\na,1\nb,\nc,30\nd,1\n") },
		"replaced": func(p *place) {
			p.write("new.csv", string(p.read("a.csv")))
			if err := os.Rename(p.path("new.csv"), p.path("a.csv")); err != nil {
				p.Fatal(err)
			}
		},
		"touched": func(p *place) {
			if err := os.Chtimes(p.path("a.csv"), time.Now(), time.Now().Add(time.Hour)); err != nil {
				p.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			time.Sleep(20 * time.Millisecond) // file systems count time in steps of some milliseconds
			recorder := receipt.NewRecorder(blob.Local{}, 1)
			_, err := encrypt.Run(ctx, p.encryption(&hooked{recorder, func() { change(p) }}))
			refused(t, err, p.path("a.csv"), "was changed while the job ran")
			if _, err := os.Stat(p.path("a.cf.parquet")); err == nil {
				t.Error("there is an output")
			}
		})
	}
	p := newPlace(t)
	recorder := receipt.NewRecorder(blob.Local{}, 1)
	_, err := encrypt.Run(ctx, p.encryption(&hooked{recorder, func() { os.Remove(p.path("a.csv")) }}))
	if !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

// versioned is a file system whose files have versions, as an object store's have.
type versioned struct {
	blob.FS
	version string
}

type versionedFile struct {
	blob.File
	version string
}

func (f versionedFile) Version() string { return f.version }

func (v *versioned) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := v.FS.Open(ctx, name)
	return versionedFile{f, v.version}, err
}

// Files that cannot be asked whether they changed are digested before and after; files with versions are not.
func TestRecorderOnOtherFileSystems(t *testing.T) {
	p := newPlace(t)
	a := p.read("a.csv")
	for name, c := range map[string]struct {
		change func(m *blobtest.Mem, v *versioned)
		plain  bool // noticed without versions
		byID   bool // noticed by versions
	}{
		"nothing": {func(*blobtest.Mem, *versioned) {}, false, false},
		"content": {func(m *blobtest.Mem, v *versioned) {
			v.version = "2"
			m.Put(p.path("a.csv"), flipped(a, len(a)-2, 1))
		}, true, true},
		"version": {func(_ *blobtest.Mem, v *versioned) { v.version = "2" }, false, true},
	} {
		for _, withVersions := range []bool{false, true} {
			m := &blobtest.Mem{}
			m.Put(p.path("a.csv"), a)
			v := &versioned{m, "1"}
			var fs blob.FS = m
			noticed := c.plain
			if withVersions {
				fs, noticed = v, c.byID
			}
			recorder := receipt.NewRecorder(fs, 1)
			report, err := encrypt.Run(ctx, p.encryption(&hooked{recorder, func() { c.change(m, v) }}))
			_, written := m.Get(p.path("a.cf.parquet"))
			if written == noticed {
				t.Errorf("%s, versions %v: output %v", name, withVersions, written)
			}
			if noticed {
				refused(t, err, p.path("a.csv"), "was changed while the job ran")
				continue
			}
			if err != nil {
				t.Errorf("%s, versions %v: %v", name, withVersions, err)
				continue
			}
			data := p.sign(p.receipt(recorder, report))
			if _, err := receipt.Verify(ctx, m, data, p.with(receipt.VerifyOptions{})); err != nil {
				t.Errorf("%s, versions %v: %v", name, withVersions, err)
			}
		}
	}
}

// Whatever operation fails, a recorded job either is done, and its receipt verifies, or fails and leaves no output.
func TestRecorderUnderFailure(t *testing.T) {
	p := newPlace(t)
	failures := 0
	for n := int64(1); ; n++ {
		m := &blobtest.Mem{}
		m.Put(p.path("a.csv"), p.read("a.csv"))
		faulty := &blobtest.Faulty{FS: m, FailAt: n}
		recorder := receipt.NewRecorder(faulty, 1)
		report, err := encrypt.Run(ctx, p.encryption(recorder))
		_, written := m.Get(p.path("a.cf.parquet"))
		if (err == nil) != written {
			t.Fatalf("operation %d: output %v, error %v", n, written, err)
		}
		if err != nil {
			failures++
		} else if r, err := p.tryReceipt(recorder, report); err == nil {
			data := p.sign(r)
			if _, err := receipt.Verify(ctx, m, data, p.with(receipt.VerifyOptions{})); err != nil {
				t.Errorf("operation %d: %v", n, err)
			}
		}
		if m.Handles() != 0 {
			t.Fatalf("operation %d: %d files are open", n, m.Handles())
		}
		if !faulty.Failed() {
			break
		}
	}
	if failures < 5 {
		t.Errorf("%d failures", failures)
	}
}

// A recorder is used by several readers at a time.
func TestRecorderConcurrently(t *testing.T) {
	p := newPlace(t)
	names := []string{"a.csv", "b.csv", "c.csv"}
	p.write("b.csv", strings.Repeat("b", 10000))
	p.write("c.csv", "")
	recorder := receipt.NewRecorder(blob.Local{}, 2)
	var wg sync.WaitGroup
	for range 4 {
		for _, name := range names {
			wg.Go(func() {
				f, err := recorder.Open(ctx, p.path(name))
				if err != nil {
					t.Error(err)
					return
				}
				f.Close()
			})
		}
		wg.Go(func() {
			if _, _, err := recorder.Files(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	inputs, outputs, err := recorder.Files(ctx)
	if err != nil || len(inputs) != len(names) || len(outputs) != 0 {
		t.Fatalf("%d inputs, %d outputs, %v", len(inputs), len(outputs), err)
	}
	for _, f := range inputs {
		want, err := receipt.Describe(ctx, blob.Local{}, f.Path)
		if err != nil || f != want {
			t.Errorf("%+v, want %+v, %v", f, want, err)
		}
	}
}

// A cancelled context ends the digesting of a file, and what was not read is not digested.
func TestDescribeCancelled(t *testing.T) {
	p := newPlace(t)
	cancelled, cancel := context.WithCancel(ctx)
	m := &blobtest.Mem{}
	m.Put("x", make([]byte, 20<<20))
	reads := 0
	_, err := receipt.Describe(cancelled, countingFS{m, func() {
		if reads++; reads == 2 {
			cancel()
		}
	}}, "x")
	if !errors.Is(err, context.Canceled) || reads != 2 {
		t.Errorf("%d reads, %v", reads, err)
	}
	if _, err := receipt.Describe(ctx, blob.Local{}, p.path("none")); !errors.Is(err, blob.ErrNotFound) {
		t.Error(err)
	}
}

// countingFS calls read at every read.
type countingFS struct {
	blob.FS
	read func()
}

type countingFile struct {
	blob.File
	read func()
}

func (c countingFS) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := c.FS.Open(ctx, name)
	return countingFile{f, c.read}, err
}

func (c countingFile) ReadAt(p []byte, at int64) (int, error) {
	if len(p) > 1<<20 {
		panic("a piece larger than stated")
	}
	c.read()
	return c.File.ReadAt(p, at)
}
