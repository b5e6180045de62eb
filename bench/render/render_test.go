package render

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cipherfold/cipherfold/bench"
)

var update = flag.Bool("update", false, "write golden files")

// TestDocumentAgrees renders the recorded results and compares them with the document that readers see.
func TestDocumentAgrees(t *testing.T) {
	want, err := Markdown(os.DirFS("../results"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("../..", Document))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the files in %s say: run `cipherfold bench render`", Document, ResultsDir)
	}
}

// TestRenderGolden renders made-up results: an old file that a newer one replaces, all operations, missing measurements,
// goals reached and missed.
func TestRenderGolden(t *testing.T) {
	results := fstest.MapFS{"README.md": {Data: []byte("about")}}
	files, err := filepath.Glob("testdata/results/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		results[filepath.Base(name)] = &fstest.MapFile{Data: data}
	}
	got, err := Markdown(results)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/rendered.md"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
}

func TestRenderNothing(t *testing.T) {
	got, err := Markdown(fstest.MapFS{"README.md": {}})
	if err != nil || !strings.HasSuffix(string(got), "\nNothing has been recorded yet.\n") {
		t.Errorf("%s, error %v", got, err)
	}
}

func TestRenderRefuses(t *testing.T) {
	data, err := os.ReadFile("testdata/results/kernels-ifma-generic-2048-20261121T150405-ba9876543210.json")
	if err != nil {
		t.Fatal(err)
	}
	good := &fstest.MapFile{Data: data}
	for name, file := range map[string]*fstest.MapFile{
		"results.json":                                  good,
		"kernels-2026-11-22-0123456789ab.json":          good,
		"kernels-20261122T150405-0123456789ab-old.json": good,
		"kernels-20261122T150405-0123456789ab.json":     {Data: []byte("{}")},
	} {
		if _, err := Markdown(fstest.MapFS{name: file}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Markdown(os.DirFS("testdata/none")); err == nil {
		t.Error("no directory, no error")
	}
}

func TestNewest(t *testing.T) {
	list := fstest.MapFS{}
	for _, name := range []string{
		"kernels-ifma-2048-20260101T000000-ffffffffffff.json", "kernels-ifma-2048-20261122T150405-000000000000.json",
		"kernels-ifma-2048-20261122T150404-ffffffffffff-dirty.json", "kernels-generic-2048-20250101T000000-unknown.json",
		"pipeline-blocks-djn-2048-2owners-1000rows-2cores-20260101T000000-ffffffffffff.json",
		"pipeline-blocks-djn-2048-2owners-1000rows-1cores-20270101T000000-ffffffffffff.json",
	} {
		list[name] = &fstest.MapFile{}
	}
	got, err := newest(list)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"kernels-generic-2048-20250101T000000-unknown.json", "kernels-ifma-2048-20261122T150405-000000000000.json",
		"pipeline-blocks-djn-2048-2owners-1000rows-1cores-20270101T000000-ffffffffffff.json",
		"pipeline-blocks-djn-2048-2owners-1000rows-2cores-20260101T000000-ffffffffffff.json",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		goal goal
		want string
	}{
		{goal{bound: 7, reached: 7}, "yes"}, {goal{bound: 7, reached: 8}, "yes"}, {goal{bound: 6, reached: 5}, "no, by 20.0%"}, {goal{bound: 7}, "not measured"},
		{goal{bound: 0.8, reached: 0.8, atMost: true}, "yes"}, {goal{bound: 0.8, reached: 0.88, atMost: true}, "no, by 10.0%"}, {goal{bound: 0.8, atMost: true}, "not measured"},
	} {
		if got := test.goal.verdict(); got != test.want {
			t.Errorf("%v of %v: %s, want %s", test.goal.reached, test.goal.bound, got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{
		1234567.4: "1 234 567", 1000: "1 000", 999.6: "1 000", 999.4: "999", 123.4: "123", 12.34: "12.3", 1.234: "1.23", 0.01234: "0.0123", 0.00001: "0.0000",
	} {
		if got := quantity(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float64]string{0: "", 0.25: "0.2×", 7.46: "7.5×", 99.96: "100.0×", 1234.5: "1 235×"} {
		if got := factor(x); got != want {
			t.Errorf("the ratio %v is written %s, want %s", x, got, want)
		}
	}
	if got := percent(0.934); got != "93.4%" {
		t.Errorf("got %s", got)
	}
}

// TestClasses: the goals are those of the class of the fastest kernel that was measured.
func TestClasses(t *testing.T) {
	for _, test := range []struct {
		kernels []string
		class   class
		goals   int
	}{{[]string{"ifma", "adx"}, classIFMA, 9}, {[]string{"fma512", "fma"}, classFMA512, 9}, {[]string{"fma", "adx"}, classFMA, 9}, {[]string{"adx"}, classADX, 3}, {[]string{"generic"}, classPortable, 2}, {nil, classPortable, 0}} {
		f := new(bench.File)
		for _, k := range test.kernels {
			for _, op := range []string{bench.OpEncrypt, bench.OpDecrypt, bench.OpMul64, bench.OpFold} {
				f.Results = append(f.Results, bench.Result{Impl: bench.Cipherfold, Kernel: k, Op: op, Variant: "djn", Role: bench.RolePublic, Bits: 2048})
			}
		}
		if got := kernelGoals(f); classOf(f) != test.class || len(got) != test.goals {
			t.Errorf("%v: class %s with %d goals, want %s with %d", test.kernels, classOf(f), len(got), test.class, test.goals)
		}
	}
}

// TestOwnGoal compares the re-randomization of own ciphertexts with that of any by adx.
func TestOwnGoal(t *testing.T) {
	rate := func(kernel, op string, median float64) bench.Result {
		return bench.Result{Impl: bench.Cipherfold, Kernel: kernel, Op: op, Variant: "djn", Role: bench.RolePublic, Bits: 2048, OpsPerS: bench.Spread{Min: median, Median: median, Max: median}}
	}
	f := &bench.File{Results: []bench.Result{rate("fma", bench.OpOwn, 1300), rate("fma", bench.OpRerandomize, 400), rate("adx", bench.OpOwn, 500), rate("adx", bench.OpRerandomize, 100)}}
	if g := ownGoals(f); len(g) != 1 || g[0].reached != 13 || g[0].verdict() != "yes" {
		t.Errorf("%+v", g)
	}
}
