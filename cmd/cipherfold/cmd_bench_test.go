package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
)

// asProgram makes a process of this test binary be cipherfold, for commands that start further processes of themselves.
const asProgram = "CIPHERFOLD_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

// TestBenchPipeline runs whole jobs of a few rows in processes of their own. The command itself compares their results
// with plain sums.
func TestBenchPipeline(t *testing.T) {
	t.Setenv(asProgram, "1")
	p := newPlace(t)
	before := temporary(t)
	out := p.ok("bench pipeline --quiet --rows 300 --layout blocks,records --variant djn,mhl --bits 1024 --insecure-test-key --rounds 1 --seconds 0.01 --threads 1 --json @/new.json")
	f, err := bench.ReadFile(p.read("new.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range f.Pipeline {
		got = append(got, s.Variant+" "+s.Layout+" "+s.Stage)
		if s.Bits != 1024 || s.Rows != 300 || s.Owners != 2 || s.ValuesPerS <= 0 || s.PeakRSSMiB <= 0 || s.KernelShare <= 0 || s.KernelShare > 1 {
			t.Errorf("%+v", s)
		}
	}
	var want []string
	for _, variant := range []string{"djn ", "mhl "} {
		for _, layout := range []string{"blocks ", "records "} {
			for _, stage := range []string{"encrypt", "fuse", "decrypt", "all"} {
				want = append(want, variant+layout+stage)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("stages %q, want %q", got, want)
	}
	for i := 0; i < len(f.Pipeline); i += 4 {
		s := f.Pipeline[i : i+4]
		sum := s[0].Seconds + s[1].Seconds + s[2].Seconds
		if d := s[3].Seconds - sum; d > 1e-3*sum || d < -1e-3*sum {
			t.Errorf("%v seconds in all, the steps take %v", s[3].Seconds, sum)
		}
	}
	if f.Machine.Cores != 1 || len(f.Results) != 1 || f.Results[0].Impl != "math/big" || f.Results[0].Threads != 1 {
		t.Errorf("%d cores, results %+v", f.Machine.Cores, f.Results)
	}
	if !strings.Contains(out, "cores busy") || !strings.HasSuffix(out, "raw results  new.json\n") {
		t.Errorf("printed\n%s", out)
	}
	if after := temporary(t); !slices.Equal(after, before) {
		t.Errorf("temporary files left: %q", after)
	}
}

// temporary lists what pipelines keep while they run.
func temporary(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(os.TempDir(), "cipherfold-bench-*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestBenchKernels measures one kernel with short keys, and prints results in both forms.
func TestBenchKernels(t *testing.T) {
	p := newPlace(t)
	const line = "bench kernels --quiet --kernel generic --bits 512 --insecure-test-key --seconds 0.001 --rounds 1"
	if err := os.Mkdir(p.path("results"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := p.ok(line + " --json @/results")
	files, err := filepath.Glob(p.path("results/kernels-generic-*512-*.json")) // a part of the processor switched off is named between
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, error %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	printed := p.ok(line + " --json")
	for _, json := range []string{string(data), printed} {
		if _, err := bench.ReadFile([]byte(json)); err != nil {
			t.Errorf("%v in\n%s", err, json)
		}
	}
	for _, want := range []string{"### Keys of 512 bits", "| decrypt, MHL ", "| math/big |", "### Montgomery arithmetic"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	p.ok("bench render --results @/results --out @/B.md")
	if rendered := string(p.read("B.md")); !strings.Contains(rendered, "### Keys of 512 bits") {
		t.Errorf("rendered\n%s", rendered)
	}
}

func TestBenchMistakes(t *testing.T) {
	p := newPlace(t)
	p.write("old.json", "{}")
	for line, want := range map[string]string{
		"bench lunch":                          `"lunch" belongs to no flag`,
		"bench kernels --kernel abacus":        `no kernel "abacus" on this machine`,
		"bench kernels --json @/old.json":      "file already exists",
		"bench kernels --json @/none/new.json": "no such file",
		"bench kernels --json @/a.json b":      `"b" belongs to no flag`,
		"bench kernels --seconds -1":           "-1 seconds",
		"bench pipeline --rows 0":              "0 rows",
		"bench pipeline --layout piles":        `unknown layout "piles"`,
		"bench pipeline --variant djn,rsa":     `unknown variant "rsa"`,
		"bench render --results":               "--results",
		"bench kernels --insecure-test-key --bits 512 --rounds -2 --seconds 0.0001": "-2 rounds",
	} {
		r := p.run("--quiet " + line)
		if r.code != exitUsage || !strings.Contains(r.err, want) || (r.out != "") != strings.Contains(line, "--json") {
			t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
		}
	}
	if r := p.run("--quiet bench kernels --bits 1024"); r.code != exitRefused || !strings.Contains(r.err, "1024 bits protect nothing") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}
