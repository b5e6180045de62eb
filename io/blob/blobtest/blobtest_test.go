package blobtest

import (
	"context"
	"errors"
	"io"
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
	if _, err := f.ReadAt(data, 0); err != nil && err != io.EOF {
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

func TestFaulty(t *testing.T) {
	for at := int64(1); ; at++ {
		var mem Mem
		mem.Put("d/a", []byte("text"))
		fs := &Faulty{FS: &mem, FailAt: at}
		err := copyFile(fs, "d", "b")
		got, ok := mem.Get("b")
		if !fs.Failed() {
			if err != nil || string(got) != "text" {
				t.Errorf("without a failure: %q, %v", got, err)
			}
			if at != 7 {
				t.Errorf("%d operations, want 6", at-1)
			}
			return
		}
		if !errors.Is(err, ErrInjected) || ok {
			t.Errorf("failure %d: %v, file %q", at, err, got)
		}
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
