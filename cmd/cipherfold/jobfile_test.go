package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
)

// Every verb that can be a step of a job has options, and the other way round.
func TestStepsHaveOptions(t *testing.T) {
	if have, want := slices.Sorted(maps.Keys(steps)), slices.Sorted(slices.Values(batch.Verbs())); !slices.Equal(have, want) {
		t.Errorf("there are options of %q, and steps of %q", have, want)
	}
}

// What is wrong with a step is told in the words of the job file, with its line, also when only the work shows it; what can
// be known before leaves no job directory.
func TestJobFileMistakes(t *testing.T) {
	p := newPlace(t)
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where the job's receipt is signed
	owners("records")(p)
	p.write("old.cf.parquet", "precious")
	for name, x := range map[string]struct {
		step       string
		code       int
		want, hint string
		begun      bool // a job directory is left
	}{
		"overwrite": {`out = "%[1]s/old.cf.parquet"`, exitRefused, "old.cf.parquet: already exists", "pass overwrite = true to replace it", false},
		"late":      {"out = \"%[1]s/o.cf.parquet\"\nmin_group = -1", exitUsage, "late.toml: line 5: [[fuse]]: min_group -1 is negative", "It is a number of records.", true},
		"weight": {"out = \"%[1]s/o.cf.parquet\"\nweight = [\"%[1]s/c.cf.parquet=2\"]", exitUsage,
			"weight.toml: line 5: [[fuse]]: a weight for c.cf.parquet, which is no input", "Write the file as in in.", false},
		"own":   {`out = "%[1]s/a.cf.parquet"`, exitUsage, "own.toml: line 5: [[fuse]]: fuse-1 reads a.cf.parquet, which is its own output", "Give the output a name of its own.", false},
		"store": {`out = "ftp://x/o.cf.parquet"`, exitRefused, "no store is known for ftp://", "Use azblob://", false},
		"dir":   {`out = "%[1]s/dir.job/journal"`, exitUsage, "dir.toml: line 5: [[fuse]]: fuse-1 would write dir.job/journal into the job directory dir.job", "Give the output a place of its own", false},
	} {
		p.write(name+".toml", fmt.Sprintf("version = 1\n[job]\ndir = \"%[1]s/%[2]s.job\"\n\n[[fuse]]\nin = [\"%[1]s/a.cf.parquet\", \"%[1]s/b.cf.parquet\"]\n"+x.step+"\n", p.dir, name))
		for _, verb := range []string{"run", "plan"} {
			r := p.run(verb + " @/" + name + ".toml")
			said := strings.ReplaceAll(r.err, p.dir+"/", "")
			if r.code != x.code || !strings.Contains(said, x.want) || !strings.Contains(said, "hint: ") || !strings.Contains(said, x.hint) || strings.Contains(said, " --") && !x.begun {
				t.Errorf("%s %s: exit code %d, %s", verb, name, r.code, said)
			}
			if _, err := os.Stat(p.path(name + ".job")); (err == nil) != x.begun {
				t.Errorf("%s %s: the job directory: %v", verb, name, err)
			}
			if x.begun {
				if err := os.RemoveAll(p.path(name + ".job")); err != nil {
					t.Fatal(err)
				}
				x.begun = false
			}
		}
	}
	if string(p.read("old.cf.parquet")) != "precious" {
		t.Error("a file was replaced")
	}
}
