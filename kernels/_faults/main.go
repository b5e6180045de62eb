// Command faults seeds faults into the generators of assembly, one at a time, in a copy of the sources, and says which
// tests notice. Run it in the root of the repository, on a machine with the instructions that the assembly needs:
//
//	go run ./kernels/_faults > table.md
//	go run ./kernels/_faults kernels/mont64      # this one only
//
// It fails when a fault goes unnoticed, or when a generator no longer has the text that a fault changes: then bring the
// list up to date.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// fault is a text of a generator that another one replaces.
type fault struct {
	what     string
	file     string // in the generator
	old, new string // old occurs once
}

// room is a package with assembly.
type room struct {
	folder string
	arch   string // GOARCH; by qemu where this machine has another one
	tests  []string
	faults []fault
}

// sources are what a copy needs to build and test the rooms.
var sources = []string{"go.mod", "go.sum", "bigmod", "internal/cpu", "internal/thoroughtest", "kernels/mont52", "kernels/mont64", "kernels/lanes", "kernels/fma47", "kernels/umulh"}

// testTime bounds a test, which may run forever with a fault. It is long, because a test that only takes its time notices
// nothing.
const testTime = 15 * time.Minute

func main() {
	log.SetFlags(0)
	missed := 0
	for _, r := range []room{mont52, mont64, fma47, umulh} {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], r.folder) {
			continue
		}
		if failed, err := r.seed(fault{}); err != nil || len(failed) > 0 {
			log.Fatalf("%s: without a fault, %v fail: %v", r.folder, failed, err)
		}
		fmt.Printf("\n| fault in `%s/_asm` | file | caught by |\n|---|---|---|\n", r.folder)
		for _, f := range r.faults {
			start := time.Now()
			caught, err := r.seed(f)
			if err != nil {
				log.Fatalf("%s: %s: %v", r.folder, f.what, err)
			}
			if len(caught) == 0 {
				missed++
				caught = []string{"**nothing**"}
			}
			fmt.Printf("| %s | `%s` | %s |\n", f.what, f.file, strings.Join(caught, ", "))
			log.Printf("%s: %s: %v (%.0f s)", r.folder, f.what, caught, time.Since(start).Seconds())
		}
	}
	if missed > 0 {
		log.Fatalf("%d faults go unnoticed", missed)
	}
}

// seed returns the tests that fail with a fault, or with the empty one.
func (r room) seed(f fault) (caught []string, err error) {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, s := range sources {
		if err := copyTo(dir, s); err != nil {
			return nil, err
		}
	}
	if f.file != "" {
		if err := r.generate(dir, f); err != nil {
			return nil, err
		}
	}
	binary := filepath.Join(dir, "room.test")
	if err := command(dir, "env", "GOARCH="+r.arch, "CGO_ENABLED=0", "go", "test", "-c", "-o", binary, "./"+r.folder); err != nil {
		return nil, err
	}
	run := "env" // which runs what follows
	if r.arch != runtime.GOARCH {
		run = map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}[r.arch]
	}
	for _, test := range r.tests {
		if command(filepath.Join(dir, r.folder), run, binary, "-test.failfast", "-test.timeout", "0", "-test.run", "^"+test+"$") != nil {
			caught = append(caught, test)
		}
	}
	return caught, nil
}

// generate changes a generator in dir and runs it.
func (r room) generate(dir string, f fault) error {
	if err := f.apply(filepath.Join(dir, r.folder, "_asm", f.file)); err != nil {
		return err
	}
	assembly := filepath.Join(dir, r.folder, "kernels_"+r.arch+".s")
	before, err := os.ReadFile(assembly)
	if err != nil {
		return err
	}
	if err := command(dir, "go", "generate", "./"+r.folder); err != nil {
		return err
	}
	after, err := os.ReadFile(assembly)
	if err == nil && bytes.Equal(before, after) {
		err = errors.New("the assembly is the same")
	}
	return err
}

// apply changes the file.
func (f fault) apply(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), f.old); n != 1 {
		return fmt.Errorf("%s has the text %d times: %s", f.file, n, f.old)
	}
	return os.WriteFile(name, []byte(strings.Replace(string(text), f.old, f.new, 1)), 0o644)
}

// command runs a command and returns an error that shows the beginning of its output.
func command(dir string, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %.2000s", err, out)
	}
	return nil
}

// copyTo copies a file or a folder of the repository.
func copyTo(dir, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(filepath.Join(dir, name), os.DirFS(name))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), data, 0o644)
}
