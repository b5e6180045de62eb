package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/render"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
	"github.com/cipherfold/cipherfold/io/blob/stores"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// here fuses in this process.
func here(ctx context.Context, in []string, out string) (*bench.Process, error) {
	fs := new(stores.FS)
	defer fs.Close()
	start := time.Now()
	_, err := fuse.Run(ctx, fuse.Request{Options: job.Options{FS: fs}, In: in, Out: out})
	return &bench.Process{Seconds: time.Since(start).Seconds(), RSSMiB: 1}, err
}

func small(t *testing.T) options {
	return options{bytes: 24 << 20, bits: 1024, testKey: true, memory: 256 << 20, dir: t.TempDir(), log: t.Output(), fuse: here,
		faults: s3server.Faults{Seed: 3, Fail: 0.1, Slow: 0.1, Delay: 20 * time.Millisecond}}
}

// A small run: tables of several row groups, an output of several parts, requests that fail.
func TestFold(t *testing.T) {
	o := small(t)
	r, err := fold(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Blocks < 40_000 || r.Checked != r.Blocks || r.Decrypted < poolValues/2 || r.InputBytes < o.bytes || r.Failed == 0 || r.Slow == 0 {
		t.Errorf("%+v", r)
	}
	f := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Stores: []bench.StoresRun{*r}}
	back, err := bench.ReadFile(f.Marshal())
	if err != nil || len(back.Stores) != 1 || back.Stores[0] != *r {
		t.Errorf("as a file: %+v, %v", back, err)
	}
	var s strings.Builder
	render.Print(&s, f)
	if !strings.Contains(s.String(), "Every ciphertext of the results was compared") {
		t.Errorf("printed:\n%s", s.String())
	}
}

// A wrong result is noticed, wherever it is wrong.
func TestWrongFold(t *testing.T) {
	for name, spoil := range map[string]func(cts []byte, rows int64){
		"early": func(cts []byte, rows int64) { copy(cts[:256], cts[256:512]) },
		"late":  func(cts []byte, rows int64) { copy(cts[(rows-1)*256:], cts[:256]) },
	} {
		o := small(t)
		o.bytes, o.faults = 2<<20, s3server.Faults{}
		o.fuse = func(ctx context.Context, in []string, out string) (*bench.Process, error) {
			fs := new(stores.FS)
			defer fs.Close()
			right := o.dir + "/right.cf.parquet"
			if _, err := fuse.Run(ctx, fuse.Request{Options: job.Options{FS: fs}, In: in, Out: right}); err != nil {
				return nil, err
			}
			return &bench.Process{Seconds: 1, RSSMiB: 1}, rewrite(ctx, right, fs, out, spoil)
		}
		_, err := fold(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "block ") && !strings.Contains(err.Error(), "the plain sum is") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rewrite copies a table with other ciphertexts.
func rewrite(ctx context.Context, from string, fs blob.FS, to string, spoil func(cts []byte, rows int64)) error {
	r, err := ctfile.Open(ctx, blob.Local{}, from, column.ReadOptions{BatchRows: 1 << 20})
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := r.Read(ctx)
	if err != nil {
		return err
	}
	defer b.Release()
	spoil(column.FixedBytes(b.Column(1)), b.NumRows())
	w, err := ctfile.Create(ctx, fs, to, *r.Table(), r.Schema().Fields()[:1], ctfile.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(ctx, b); err != nil {
		return err
	}
	return w.Commit(ctx)
}

func TestCommandLine(t *testing.T) {
	for _, line := range []string{"--memory 5", "--memory xMiB", "--colour blue", "--json " + os.DevNull, "--program /nonexistent --gib 0.001 --bits 2048"} {
		if err := run(t.Context(), strings.Fields(line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}
