package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const interruptedText = "cipherfold: interrupted; no output was written\n  hint: Run the same command again.\n"

// Ctrl-C ends a job with its own exit code and leaves the directory as it was.
func TestInterruption(t *testing.T) {
	t.Parallel()
	const records = 30000
	p := newPlace(t)
	var text strings.Builder
	text.WriteString("id,ward,x\n")
	for i := range records {
		fmt.Fprintf(&text, "%d,%d,%d\n", i, i%1000, i%100)
	}
	p.write("a.csv", text.String())
	p.write("o.cf.parquet", "precious")
	p.ok("encrypt --key @/secret.json --in @/a.csv --out @/a.cf.parquet --id id,ward --measure x:max=100 --quiet")
	p.ok("encrypt --key @/secret.json --in @/a.csv --out @/b.cf.parquet --id id,ward --measure x:max=100 --layout blocks --quiet")
	for _, line := range []string{
		"encrypt --key @/public.json --in @/a.csv --id id,ward --measure x:max=100 --out @/o.cf.parquet --overwrite",
		"encrypt --key @/public.json --in @/a.csv --id id,ward --measure x:max=100 --out @/o.cf.parquet --overwrite --universe @/a.csv",
		"fuse --in @/a.cf.parquet --rerandomize always --out @/o.cf.parquet --overwrite",
		"fuse --in @/a.cf.parquet --by ward --weight @/a.cf.parquet=3 --out @/o.cf.parquet --overwrite",
		"decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/r.parquet",
		"decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/r.csv",
	} {
		p.interrupt(line)
	}
}

// interrupt runs a command line and cancels it when its output has been begun. A run may be done before that is noticed,
// on a busy machine; then it runs again.
func (p *place) interrupt(line string) {
	p.t.Helper()
	before := p.files()
	precious := p.read("o.cf.parquet")
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer cancel()
			for ctx.Err() == nil {
				if p.writing() {
					return
				}
				time.Sleep(200 * time.Microsecond)
			}
		}()
		r := p.runContext(ctx, line+" --quiet")
		cancel()
		switch r.code {
		case exitInterrupted:
			if r.err != interruptedText || r.out != "" {
				p.t.Errorf("%s\n%s%s", line, r.out, r.err)
			}
			p.unchanged(before)
			return
		case exitDone:
			p.write("o.cf.parquet", string(precious))
			for _, name := range []string{"r.parquet", "r.csv"} {
				os.Remove(p.path(name))
			}
		default:
			p.t.Fatalf("%s\nexit code %d\n%s", line, r.code, r.err)
		}
	}
	p.t.Errorf("%s: never interrupted", line)
}

// writing reports whether this process writes an output in the directory: under a temporary name, or without a name as
// the links of /proc tell.
func (p *place) writing() bool {
	entries, _ := os.ReadDir(p.dir)
	for _, e := range entries {
		if strings.Contains(e.Name(), ".cipherfold-tmp-") {
			return true
		}
	}
	const fds = "/proc/self/fd"
	entries, _ = os.ReadDir(fds)
	for _, e := range entries {
		file, err := os.Readlink(filepath.Join(fds, e.Name()))
		if err == nil && filepath.Dir(file) == p.dir && strings.HasSuffix(file, " (deleted)") {
			return true
		}
	}
	return false
}

// A run that is cancelled before it begins does nothing at all, whatever the verb.
func TestInterruptionBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := newPlace(t)
	owners("blocks")(p)
	before := p.files()
	for _, line := range []string{
		"encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=100", fuseAB, fuseAB + "--by ''", decryptA,
		"keygen --out @/k --plain --bits 1024 --insecure-test-key", "inspect @/a.cf.parquet", "inspect @/public.json --export @/o.jwk",
		"selftest", "doctor", "demo --bits 2048 --rows 10",
	} {
		r := p.runContext(ctx, line)
		if r.code != exitInterrupted || r.err != interruptedText || r.out != "" {
			t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
		}
		r = p.runContext(ctx, line+" --json")
		if !strings.Contains(r.out, `"kind": "interrupted"`) || !strings.Contains(r.out, `"code": 4`) {
			t.Errorf("%s --json: %s", line, r.out)
		}
	}
	p.unchanged(before)
}

// Making a large key takes seconds, but not after Ctrl-C.
func TestInterruptedKeygen(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before := p.files()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r := p.runContext(ctx, "keygen --out @/k --plain --bits 4096 --variant mhl")
	if r.code != exitInterrupted || r.err != interruptedText {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	p.unchanged(before)
}
