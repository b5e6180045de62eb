package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/kernels/paillier/vectors"
)

// vectorsFolder is beside the repository where it is developed.
const vectorsFolder = "../../../shared/vectors"

type selftest struct {
	Kernels []string
	Files   []struct {
		File       string
		Checked    map[string]int
		NotChecked []string `json:"not_checked"`
	}
	Entries int
}

func TestSelftest(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	builtIn := vectors.BuiltIn()
	alone := okJSON[selftest](p, "selftest")
	if len(alone.Files) != len(builtIn) || alone.Entries < 100 || !slices.Contains(alone.Kernels, "generic") {
		t.Errorf("%+v", alone)
	}
	for _, b := range builtIn {
		p.write(b.Name+".json", string(b.Data))
	}
	twice := okJSON[selftest](p, "selftest --kernel generic --vectors '@/*-1024.json.json'")
	if len(twice.Files) != 2*len(builtIn) || twice.Entries != 2*alone.Entries || len(twice.Kernels) != 1 {
		t.Errorf("the built-in files once more: %+v", twice)
	}
	text := p.ok("selftest --kernel generic")
	if !strings.Contains(text, ", encrypt ") || !strings.HasSuffix(text, " entries of 4 files checked with kernels generic: all right\n") {
		t.Error(text)
	}
}

// A file with one byte changed fails with the name of the entry.
func TestSelftestOfChangedFile(t *testing.T) {
	t.Parallel()
	for _, b := range vectors.BuiltIn() {
		p := newPlace(t)
		text := string(b.Data)
		list, place := `"add": [`, "add[0], field c: "
		if strings.Contains(b.Name, "protocol") {
			list, place = `"responses": [`, "messages[0].responses[0], field c: "
		}
		section := strings.Index(text, list)
		entry := section + strings.Index(text[section:], `"c":`)
		digit := entry + strings.Index(text[entry:], `": "`) + 4 + 10
		other := "0"
		if text[digit] == '0' {
			other = "1"
		}
		p.write("v.json", text[:digit]+other+text[digit+1:])
		r := p.run("selftest --kernel generic --vectors @/v.json")
		if r.code != exitRefused || r.out != "" || !strings.HasPrefix(r.err, "cipherfold: v.json: wrong with kernel generic: "+place) || !strings.Contains(r.err, "\n  hint: Either the file was changed") {
			t.Errorf("%s: exit code %d\n%s%s", b.Name, r.code, r.out, r.err)
		}
	}
}

// The files of the independent implementation, as far as they are small: the kernels' own tests check all of them.
func TestSelftestOfSharedVectors(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	shared, err := filepath.Glob(filepath.Join(vectorsFolder, "public-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(shared) == 0 {
		t.Logf("NO VECTORS in %s: only the built-in known answers were checked, by TestSelftest", vectorsFolder)
	}
	line := "selftest --vectors"
	for _, file := range shared {
		if strings.Contains(file, "1024") || strings.Contains(file, "encoding") {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p.write(filepath.Base(file), string(data))
			line += " @/" + filepath.Base(file)
		}
	}
	if line == "selftest --vectors" {
		line = "selftest"
	}
	s := okJSON[selftest](p, line)
	for _, f := range s.Files {
		t.Logf("%s: checked %v, not checked %v", f.File, f.Checked, f.NotChecked)
		if unknown := strings.Contains(f.File, "threshold"); unknown != (len(f.NotChecked) > 0) {
			t.Errorf("%s: not checked %v", f.File, f.NotChecked)
		}
		if len(f.Checked) == 0 {
			t.Errorf("%s: nothing checked", f.File)
		}
	}
	if len(shared) > 0 && len(s.Files) != 4+6 {
		t.Errorf("%d files", len(s.Files))
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	type diagnosis struct {
		CPU, Go, Chosen string
		Cores           int
		Kernels         []struct {
			Name, Why string
			Available bool
		}
		Estimates []any
	}
	d := okJSON[diagnosis](p, "doctor --quick")
	if d.CPU == "" || d.Go == "" || d.Cores < 1 || len(d.Kernels) == 0 || len(d.Estimates) != 0 {
		t.Errorf("%+v", d)
	}
	for _, k := range d.Kernels {
		if k.Why == "" || k.Name == d.Chosen && !k.Available {
			t.Errorf("%+v", k)
		}
	}
	text := p.ok("doctor --quick")
	if !strings.Contains(text, "\n* kernel "+d.Chosen+" ") || !strings.Contains(text, "kernel generic") {
		t.Error(text)
	}
	if d := okJSON[diagnosis](p, "doctor --quick --kernel generic"); d.Chosen != "generic" {
		t.Errorf("--kernel generic: %q is chosen", d.Chosen)
	}
}

// Every kernel gives results that every other one reads.
func TestKernels(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owners("blocks")(p)
	kernels := okJSON[selftest](p, "selftest").Kernels
	if !slices.Contains(kernels, "generic") {
		t.Errorf("kernels %v", kernels)
	}
	for _, kernel := range kernels {
		p.ok(fuseAB + "--overwrite --kernel " + kernel)
		p.ok("decrypt --overwrite --key @/secret.json --in @/f.cf.parquet --out @/r.csv --kernel " + kernel)
		if got := string(p.read("r.csv")); !strings.HasPrefix(got, "id,x_sum,x_count,x_mean,y_sum,y_count,y_mean\na,11,2,5.5,22,2,11\n") {
			t.Errorf("%s: %s", kernel, got)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	type demonstration struct {
		OK            bool
		Kernel        string
		Verdict       string
		Steps         []struct{ Step, Who, What string }
		Wards         []struct{ Equal bool }
		Variants      int
		VariantsEqual int `json:"variants_equal"`
		Saw           []struct{ Who, What string }
	}
	d := okJSON[demonstration](p, "demo --rows 12 --bits 2048 --variant mhl --dir @/files")
	if !d.OK || len(d.Steps) != 11 || len(d.Wards) == 0 || d.Variants != 48 || d.VariantsEqual != 48 || len(d.Saw) != 3 || d.Verdict == "" {
		t.Errorf("%+v", d)
	}
	for _, w := range d.Wards {
		if !w.Equal {
			t.Errorf("%+v", d.Wards)
		}
	}
	for _, file := range []string{"public.json", "secret.json", "north-vitals.csv", "vitals.cf.parquet", "vitals-sums.csv", "variants-sums.csv"} {
		if len(p.read("files/"+file)) == 0 {
			t.Errorf("%s is empty", file)
		}
	}
	// what is in the directory stays
	before := p.files()
	r := p.run("demo --rows 12 --bits 2048 --dir @/files")
	p.unchanged(before)
	if want := "cipherfold: files: the directory is not empty\n  hint: Name a new directory.\n"; r.code != exitRefused || r.err != want {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// What the demo tells a person.
func TestDemoText(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.run("demo --rows 10 --bits 2048")
	for _, want := range []string{
		"Three hospitals, 10 patients each, one study. Key: djn, 2048 bits, kernel ", "\nkeygen   key holder  djn, 2048 bits", "values/s",
		"equal to plain", " intensive care ", "40 of 40 sums and counts equal to plain.", "What each party saw\n  each owner   its own records",
		"ciphertexts of 4096 bits; no value", "\nEvery decrypted number equals the plain computation.\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q", want)
		}
	}
	if r.code != exitDone || strings.Contains(r.out, "NO\n") || strings.Contains(r.out, "Files are in") || r.err != "" || t.Failed() {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// The demo's made-up wards are large enough for --min-group and for a variance, whatever --rows.
func TestDemoData(t *testing.T) {
	t.Parallel()
	for rows := 10; rows <= 100; rows++ {
		d := demo{dir: t.TempDir(), rows: rows}
		if err := d.makeData(); err != nil {
			t.Fatal(err)
		}
		for ward, s := range d.plain {
			if s.records < 5 || s.n[0] < 2 || s.n[1] < 2 || s.pairs < 2 {
				t.Errorf("--rows %d: ward %s has %d records and %v values, %d pairs", rows, ward, s.records, s.n, s.pairs)
			}
		}
	}
}
