package stores

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
)

// keys are all keys below a prefix, hidden ones too.
func (p *place) keys(prefix string) []string {
	p.t.Helper()
	b := p.FS.buckets[strings.TrimSuffix(p.prefix, "/")+p.query]
	var out []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := b.readDir(ctx, dir)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, e := range entries {
			name := strings.TrimPrefix(dir+"/"+e.Name, "/")
			if e.Dir {
				walk(name)
			} else {
				out = append(out, strings.TrimPrefix(name, prefix+"/"))
			}
		}
	}
	walk(prefix)
	slices.Sort(out)
	return out
}

// writeDir writes a directory of n parts, of which `text` is the content.
func (p *place) writeDir(key string, n int, text string, overwrite bool) error {
	d, err := blob.CreateDir(ctx, p, p.name(key), blob.CreateOptions{Overwrite: overwrite})
	if err != nil {
		return err
	}
	defer d.Abort()
	for i := range n {
		if err := write(d, p.name(fmt.Sprintf("%s/part-%d", key, i)), []byte(text), blob.CreateOptions{}); err != nil {
			return err
		}
	}
	return d.Commit(ctx)
}

func TestCreateDir(t *testing.T) {
	p := newPlace(t)
	p.put("d/other/x", nil)
	for _, key := range []string{"out", "a/b/out", "out2/"} {
		if err := p.writeDir(strings.TrimSuffix(key, "/"), 3, "one", false); err != nil {
			t.Fatal(err)
		}
		key = strings.TrimSuffix(key, "/")
		if got := p.keys(key); !slices.Equal(got, []string{"_SUCCESS", "part-0", "part-1", "part-2"}) {
			t.Errorf("%s: %q", key, got)
		}
		if names, err := p.List(ctx, p.name(key)); err != nil || len(names) != 3 {
			t.Errorf("%s: %q, %v", key, names, err)
		}
		err := p.writeDir(key, 1, "two", false)
		checkError(t, err, blob.ErrExists, p.name(key), "exists and is not empty")
		p.check(key+"/part-0", []byte("one"))
		if err := p.writeDir(key, 2, "two", true); err != nil {
			t.Fatal(err)
		}
		if got := p.keys(key); !slices.Equal(got, []string{"_SUCCESS", "part-0", "part-1"}) {
			t.Errorf("%s, replaced: %q", key, got)
		}
		p.check(key+"/part-1", []byte("two"))
	}
	checkError(t, p.writeDir("d", 1, "x", true), blob.ErrExists, p.name("d"), "holds other, which is no part file")
}

// What does not come to its end leaves nothing, or the directory as it was; what a killed job left is no obstacle.
func TestAbortedDir(t *testing.T) {
	p := newPlace(t)
	p.put("killed/"+tempMark+"0/part-0", nil)
	if err := p.writeDir("killed", 1, "x", false); err != nil {
		t.Error(err)
	}
	if err := p.writeDir("old", 2, "old", false); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"new", "old"} {
		d, err := blob.CreateDir(ctx, p, p.name(key), blob.CreateOptions{Overwrite: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := write(d, p.name(key+"/part-0"), []byte("lost"), blob.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := d.Abort(); err != nil {
				t.Error(err)
			}
		}
		if err := d.Commit(ctx); err == nil {
			t.Error("Commit after Abort succeeds")
		}
	}
	// The third part does not get through.
	for _, key := range []string{"new", "old"} {
		p.server.Inject(s3server.Faults{Fail: 1, Only: func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "part-2")
		}})
		if err := p.writeDir(key, 4, "lost", true); err == nil {
			t.Error("a part that fails is committed")
		}
	}
	p.server.Inject(s3server.Faults{})
	if got := p.keys("new"); got != nil {
		t.Errorf("left: %q", got)
	}
	if got := p.keys("old"); !slices.Equal(got, []string{"_SUCCESS", "part-0", "part-1"}) {
		t.Errorf("old: %q", got)
	}
	p.check("old/part-0", []byte("old"))
	// The marker of success does not.
	p.server.Inject(s3server.Faults{Fail: 1, Only: func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "_SUCCESS") && r.Method != http.MethodDelete
	}})
	if err := p.writeDir("new", 2, "lost", false); err == nil || errors.Is(err, blob.ErrExists) {
		t.Errorf("without a marker: %v", err)
	}
	p.server.Inject(s3server.Faults{})
	if got := p.keys("new"); got != nil {
		t.Errorf("left: %q", got)
	}
}

func TestDirFaults(t *testing.T) {
	p := newPlace(t)
	for round := range 4 {
		p.server.Inject(s3server.Faults{Seed: uint64(round), Fail: 0.2, Lost: 0.05})
		if err := p.writeDir("d", 5, fmt.Sprint(round), true); err != nil {
			t.Fatal(err)
		}
		p.server.Inject(s3server.Faults{})
		if got := p.keys("d"); len(got) != 6 {
			t.Errorf("round %d: %q", round, got)
		}
		p.check("d/part-4", []byte(fmt.Sprint(round)))
	}
}
