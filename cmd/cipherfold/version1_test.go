package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Job directories in testdata/version1 were begun by a program before version 2 of them. It was killed while it encrypted, fused
// or decrypted; in one its first of two shards is done. They go on where they were, in version 1, and end with the bytes of a
// fresh run. What was made is not made again.
func TestJobsOfVersion1GoOn(t *testing.T) { // not parallel: a job file names files from the directory where it runs
	begin := func(t *testing.T, state string) *place {
		p := &place{t: t, dir: t.TempDir()}
		for _, name := range []string{"job.toml", "a.csv", "b.csv", "public.json", "secret.json"} {
			data, err := os.ReadFile(filepath.Join("testdata", "version1", name))
			if err != nil {
				t.Fatal(err)
			}
			p.write(name, string(data))
		}
		if state != "" {
			if err := os.CopyFS(p.dir, os.DirFS(filepath.Join("testdata", "version1", state))); err != nil {
				t.Fatal(err)
			}
		}
		t.Chdir(p.dir)
		return p
	}
	const run = "run job.toml --receipt-key receipt.key"
	wanted := map[string]string{"wards.csv": "", "all.csv": ""}
	t.Run("fresh", func(t *testing.T) {
		p := begin(t, "")
		p.ok(run)
		for name := range wanted {
			wanted[name] = string(p.read(name))
		}
		if !strings.Contains(string(p.read("job/job.json")), `"version": 2`) {
			t.Error("a fresh job is not of version 2")
		}
	})
	if !strings.HasPrefix(wanted["wards.csv"], "ward,x_sum,") || strings.Count(wanted["all.csv"], "\n") != 41 {
		t.Fatal(wanted)
	}
	for _, c := range []struct {
		state string
		parts int // that are there
		lines []string
	}{
		{"encrypting", 3, []string{run + " --resume"}},
		{"fusing", 3, []string{run + " --resume"}},
		{"decrypting", 3, []string{run + " --resume"}},
		{"shards", 8, []string{run + " --resume"}},
		{"shards", 8, []string{"shard job.toml 2/2", "merge job.toml --receipt-key receipt.key", "plan job.toml", run + " --resume"}},
	} {
		t.Run(c.state, func(t *testing.T) {
			p := begin(t, c.state)
			before := map[string]string{} // parts and what outputs are there
			for name, state := range p.files() {
				if ext := filepath.Ext(name); ext == ".parquet" || ext == ".run" {
					before[name] = state
				}
			}
			if len(before) < c.parts {
				t.Fatalf("only %d files: %v", len(before), before)
			}
			p.ok("inspect job")
			for _, line := range c.lines {
				p.ok(line)
			}
			for name, want := range wanted {
				if got := string(p.read(name)); got != want {
					t.Errorf("%s:\n%s, want\n%s", name, got, want)
				}
			}
			if text := string(p.read("job/job.json")); !strings.Contains(text, `"version": 1`) {
				t.Errorf("it is of another version now:\n%s", text)
			}
			after := p.files()
			for name, state := range before {
				if now, there := after[name]; there && now != state {
					t.Errorf("%s was made again", name)
				}
			}
			p.ok("verify job/receipt.json")
			p.ok(run + " --resume") // already done
		})
	}
}
