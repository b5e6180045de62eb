package main

import (
	"os"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/papers"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// TestBenchPapers repeats the first paper with few rows and short keys, in processes of its own, which compare their
// results with plain sums.
func TestBenchPapers(t *testing.T) {
	t.Setenv(asProgram, "1")
	p := newPlace(t)
	line := "bench papers --paper 1 --quiet --quick --rows " + thoroughtest.Pick("10", "12") + " --sources 2 --bits 1024 --insecure-test-key --threads 1 --out @/report"
	if out := p.ok(line); out != "report/paper1.html\n" {
		t.Errorf("printed %q", out)
	}
	r, err := papers.ReadResult(p.read("report/paper1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Table1.Rows) != 5 || r.Table1.Rows[4].Paillier != "15" || r.Table3.Bits != 1024 || len(r.Points) == 0 {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Table3.Ours {
		if !c.Holds {
			t.Errorf("%q: %s", c.Claim, c.Found)
		}
	}
	methods := map[string]bool{}
	for _, x := range r.Points {
		methods[x.Method] = true
		if x.Seconds <= 0 || x.PeakMiB <= 0 || x.Rounds != 1 {
			t.Errorf("%+v", x)
		}
	}
	if len(methods) < 6 {
		t.Errorf("only %v were measured", methods)
	}
	page := string(p.read("report/paper1.html"))
	for _, want := range []string{"Quick run", "Keys of 1024 bits protect nothing", "1024-bit keys"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if r := p.run(line + " --from @/report/paper1.json"); r.code != exitRefused {
		t.Errorf("a report is replaced: exit code %d\n%s", r.code, r.err)
	}
	p.ok(line + " --from @/report/paper1.json --overwrite")
	if again := string(p.read("report/paper1.html")); again != page {
		t.Error("the page drawn from the raw results is another one")
	}
}

func TestBenchPapersMistakes(t *testing.T) {
	t.Setenv(asProgram, "1") // or this test would start itself
	p := newPlace(t)
	if err := os.WriteFile(p.path("other.json"), []byte(`{"version":9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"bench papers --paper 3":                                      {exitUsage, "no experiments of paper 3"},
		"bench papers --paper 2 --rows 2 --out @/x":                   {exitUsage, "2 records, and 1000000 at most"},
		"bench papers --paper 2 --sources 2 --out @/x":                {exitUsage, "--sources is for --paper 1"},
		"bench papers --paper 2 --bits 1024 --quick --out @/x":        {exitUsage, "--bits 1024 protects nothing"},
		"bench papers --paper 2 --from @/other.json --out @/x":        {exitRefused, "not the raw results of a paper"},
		"bench papers --paper 2 --json @/none/ --out @/x":             {exitUsage, "--json"},
		"bench papers --largest 9 --out @/x":                          {exitUsage, "--json FILE and --largest are for --paper 2"},
		"bench papers --rows 1 --out @/x":                             {exitUsage, "1 records of 64 sources"},
		"bench papers --from @/none.json --out @/x":                   {exitRefused, "none.json"},
		"bench papers --from @/other.json --out @/x":                  {exitRefused, "version 9"},
		"bench papers --bits 1024 --quick --out @/x":                  {exitUsage, "cipherfold: --bits 1024 protects nothing\n  hint: Choose 2048, 3072 or 4096; --insecure-test-key"},
		"bench papers --bits 1000 --insecure-test-key --out @/x":      {exitUsage, "--bits 1000: a test key has a multiple of 128 bits"},
		"bench papers lunch":                                          {exitUsage, "belongs to no flag"},
		"bench papers --paper 1 --out @/other.json/below --rows 1000": {exitRefused, "part of the path is a file"},
	} {
		if r := p.run("--quiet " + line); r.code != want.code || !strings.Contains(r.err, want.text) {
			t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
		}
	}
	if r := p.run("bench papers --bits 1024 --out @/none"); r.code != exitUsage {
		t.Errorf("exit code %d", r.code)
	}
	if _, err := os.Stat(p.path("none")); !os.IsNotExist(err) {
		t.Errorf("something was begun: %v", err)
	}
}

// TestBenchSecondPaper measures TABLE 1 of the second paper with few records and short keys. Its results are compared with
// plain sums while it runs.
func TestBenchSecondPaper(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	line := "bench papers --paper 2 --quiet --quick --rows 4 --largest 8 --bits 768 --insecure-test-key --out @/report --json @/servers.json"
	out := p.ok(line)
	for _, want := range append([]string{"(broken)", "raw results", "### Growth: a correlation by this program"}, bench.ServersRows...) {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the table:\n%s", want, out)
		}
	}
	f, err := bench.ReadFile(p.read("servers.json"))
	if err != nil || len(f.Servers) == 0 || f.Servers[0].Records != 4 {
		t.Errorf("%+v, %v", f, err)
	}
	page := string(p.read("report/paper2.html"))
	if !strings.Contains(page, "Quick run") || !strings.Contains(page, "The attacks") {
		t.Error("the page lacks its parts")
	}
	if out := p.ok("bench papers --paper 2 --out @/report --from @/report/paper2.json --overwrite"); out != "report/paper2.html\n" {
		t.Errorf("printed %q", out)
	}
	if again := string(p.read("report/paper2.html")); again != page {
		t.Error("the page drawn from the raw results is another one")
	}
}
