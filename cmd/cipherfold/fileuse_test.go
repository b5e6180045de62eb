package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spellings of a file of the place: other names that lead to it. Links are made as they are needed.
func (p *place) spellings(name string) []string {
	p.t.Helper()
	p.link("linked", ".")
	soft, hard := "soft-"+name, "hard-"+name
	p.link(soft, name)
	if _, err := os.Lstat(p.path(hard)); err != nil {
		if err := os.Link(p.path(name), p.path(hard)); err != nil {
			p.t.Fatal(err)
		}
	}
	working, err := os.Getwd()
	if err != nil {
		p.t.Fatal(err)
	}
	relative, err := filepath.Rel(working, p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return []string{"@/" + name, "@/./" + name, "@/sub/../" + name, "@/linked/" + name, "@/" + soft, "@/" + hard, relative, "file://" + p.path(name)}
}

func (p *place) link(name, to string) {
	p.t.Helper()
	if _, err := os.Lstat(p.path(name)); err == nil {
		return
	}
	if err := os.Symlink(to, p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// TestOutputsAreNoOtherFiles: whatever a verb writes is refused when it is another of its files, by every spelling of it, and
// nothing is written.
func TestOutputsAreNoOtherFiles(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	p.mkdir("sub")
	p.lines("ids.csv", "id", "a", "b", "c")
	p.ok("budget @/budget.json --epsilon 2 --delta 1e-6 --about everyone")
	p.ok("fuse --quiet --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet")
	const noise = " --noise release --epsilon 1 --person-records 1 --budget %s"
	verbs := map[string]struct {
		line    string // with %[1]s for the file written
		outputs []string
		files   []string
	}{
		"encrypt": {"encrypt --overwrite --key @/public.json --in @/a.csv --id id --measure x:max=100 --universe @/ids.csv", []string{"--out %s", "--out @/new.cf.parquet --receipt %s", "--out @/new.cf.parquet --metrics-file %s", "--out @/new.cf.parquet --lineage %s"},
			[]string{"a.csv", "public.json", "ids.csv"}},
		"fuse": {"fuse --overwrite --in @/a.cf.parquet @/b.cf.parquet", []string{"--out %s", "--out @/new.cf.parquet --receipt %s", "--out @/new.cf.parquet --metrics-file %s", "--out @/new.cf.parquet --lineage %s"},
			[]string{"a.cf.parquet", "b.cf.parquet"}},
		"decrypt": {"decrypt --overwrite --key @/secret.json --in @/f.cf.parquet", []string{"--out %s", "--out @/new.csv --receipt %s", "--out @/new.csv --metrics-file %s", "--out @/new.csv --lineage %s", "--out @/new.csv" + noise},
			[]string{"f.cf.parquet", "secret.json"}},
	}
	for name, v := range verbs {
		for _, file := range v.files {
			for _, spelling := range p.spellings(file) {
				for _, output := range v.outputs {
					if strings.HasPrefix(output, "--out %") && strings.HasSuffix(file, ".json") && name != "decrypt" {
						continue // of another format, which is said first
					}
					before := p.files()
					line := v.line + " " + fmt.Sprintf(output, spelling)
					r := p.run(line)
					p.unchanged(before)
					if r.code != exitUsage || !strings.Contains(r.err, "hint: ") || r.out != "" {
						t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
					}
				}
			}
		}
	}
	// Outputs that are each other.
	for _, pair := range []string{"--out @/x.cf.parquet --receipt @/linked/x.cf.parquet", "--out @/x.cf.parquet --receipt @/r.json --metrics-file @/sub/../r.json", "--out @/x.cf.parquet --metrics-file @/m --lineage @/./m",
		"--out @/x.cf.parquet --metrics-file @/sub/cpu.pprof --profile @/linked/sub", "--out @/x.cf.parquet --receipt @/sub/heap.pprof --profile @/sub"} {
		before := p.files()
		line := "fuse --overwrite --in @/a.cf.parquet @/b.cf.parquet " + pair
		if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, "are the same file") {
			t.Errorf("%s: exit code %d\n%s", line, r.code, r.err)
		}
		p.unchanged(before)
	}
}

// TestInputsThatComeTwice are refused by every spelling: they would count twice.
func TestInputsThatComeTwice(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	p.mkdir("sub")
	for _, line := range []string{"encrypt --key @/public.json --id id --measure x:max=100 --out @/new.cf.parquet --in @/a.csv ", "fuse --out @/new.cf.parquet --in @/a.cf.parquet "} {
		name := "a.csv"
		if strings.HasPrefix(line, "fuse") {
			name = "a.cf.parquet"
		}
		for _, spelling := range p.spellings(name) {
			before := p.files()
			r := p.run(line + spelling)
			p.unchanged(before)
			if r.code != exitUsage || !strings.Contains(r.err, "is given twice") {
				t.Errorf("%s%s: exit code %d\n%s", line, spelling, r.code, r.err)
			}
		}
	}
	// A directory with a file and a link to it.
	p.mkdir("parts")
	p.write("parts/2025.csv", string(p.read("a.csv")))
	p.link("parts/latest.csv", "2025.csv")
	if r := p.run("encrypt --key @/public.json --id id --measure x:max=100 --out @/new.cf.parquet --in @/parts"); r.code != exitUsage || !strings.Contains(r.err, "parts/latest.csv is given twice: ") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// TestNightlyFusion: a job whose out is in the directory that it reads never reads its own earlier output, however both are spelled.
func TestNightlyFusion(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	p.mkdir("tables")
	p.mkdir("sub")
	for _, owner := range []string{"a", "b"} {
		p.write("tables/"+owner+".cf.parquet", string(p.read(owner+".cf.parquet")))
	}
	p.link("linked", "tables")
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(working, p.path("tables"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, in := range []string{relative, p.path("linked"), p.path("sub/../tables"), relative + "/*.cf.parquet", "file://" + p.path("tables")} {
		for _, out := range []string{p.path("tables/all.cf.parquet"), p.path("linked/all.cf.parquet"), relative + "/all.cf.parquet"} {
			os.Remove(p.path("tables/all.cf.parquet"))
			var first []byte
			for night := range 3 {
				n++
				p.write("job.toml", fmt.Sprintf("[job]\nname = \"night%d\"\ndir = %q\noverwrite = true\n[[fuse]]\nin = [%q]\nout = %q\nrerandomize = \"never\"\n", n, p.path(fmt.Sprint("job", n)), in, out))
				p.ok("run --quiet @/job.toml")
				p.ok("decrypt --quiet --overwrite --key @/secret.json --in @/tables/all.cf.parquet --out @/all.csv")
				got := p.read("all.csv")
				if night == 0 {
					first = got
				} else if string(got) != string(first) {
					t.Fatalf("in %s, out %s: night %d has\n%s, night 1 had\n%s", in, out, night+1, got, first)
				}
			}
		}
	}
}
