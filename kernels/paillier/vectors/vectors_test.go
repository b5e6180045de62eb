package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// sharedVectors is where the known answers of the whole project are, beside the repository.
const sharedVectors = "../../../../shared/vectors"

// checkAll checks files with every kernel.
func checkAll(t *testing.T, files []string) {
	for i, kernel := range paillier.Kernels() {
		for _, file := range files {
			t.Run(kernel.Name+"/"+filepath.Base(file), func(t *testing.T) {
				if !kernel.Available {
					t.Skip(kernel.Why)
				}
				if !thoroughtest.AtLeast(thoroughtest.Thorough) && i > 0 && regexp.MustCompile("3072|4096").MatchString(file) {
					return // the same checks as of the shorter keys
				}
				t.Parallel()
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				report, err := Check(file, data, kernel.Name)
				if strings.Contains(file, "encoding") {
					if !errors.Is(err, ErrEncodingFile) {
						t.Fatalf("want ErrEncodingFile, got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d entries in %v; not checked: %v", report.Total(), report.Sections(), report.NotChecked)
				complete(t, file, data, report)
			})
		}
	}
}

// complete looks at the report: every section of the file must be in it, on one side or the other.
func complete(t *testing.T, file string, data []byte, report Report) {
	for _, s := range sections {
		if bytes.Contains(data, []byte(`"`+s.name+`": [`)) && report.Checked[s.name] == 0 {
			t.Errorf("%s: section %s was not checked", file, s.name)
		}
	}
	want := []string{"encrypt", "multiexp"}
	if strings.Contains(file, "protocol") {
		want = []string{"keys", "shares", "messages", "output_shares", "sums", "stats_exact", "stats_float"}
	}
	threshold := strings.Contains(file, "threshold")
	if threshold {
		want = []string{"key"}
	}
	for _, name := range want {
		if report.Checked[name] == 0 {
			t.Errorf("%s: section %s was not checked", file, name)
		}
	}
	if threshold != (len(report.NotChecked) > 0) {
		t.Errorf("%s: not checked: %v", file, report.NotChecked)
	}
}

func TestShared(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedVectors, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Logf("NOT CHECKED: there are no files in %s; the ones in testdata are checked by TestOwn", sharedVectors)
	}
	checkAll(t, files)
}

var ownFiles = []string{"testdata/test-textbook-1024.json", "testdata/test-djn-1024.json", "testdata/test-protocol-1024.json", "testdata/test-mhl-1024.json"}

func TestOwn(t *testing.T) { checkAll(t, ownFiles) }

// The files that come with the program are right, with every kernel, and hold every section.
func TestBuiltIn(t *testing.T) {
	sectionsSeen := map[string]bool{}
	for _, file := range BuiltIn() {
		for _, kernel := range paillier.Kernels() {
			if !kernel.Available {
				continue
			}
			report, err := Check(file.Name, file.Data, kernel.Name)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.NotChecked) != 0 {
				t.Errorf("%s: not checked: %v", file.Name, report.NotChecked)
			}
			for _, name := range report.Sections() {
				sectionsSeen[name] = true
			}
		}
	}
	for _, s := range sections {
		if !sectionsSeen[s.name] {
			t.Errorf("no built-in file has the section %s", s.name)
		}
	}
}

// place is a change of one byte.
type place struct {
	offset int
	to     byte
}

// changes lists changes of one byte: of every byte of structure, and of those of long numbers. A change of white space
// makes it something else, as white space for white space leaves the document as it is.
func changes(data []byte, random *rand.Rand) (structural, numbers []place) {
	long := map[int]bool{} // offsets within long numbers
	for _, at := range regexp.MustCompile("[0-9a-f]{5,}").FindAllIndex(data, -1) {
		for k := at[0]; k < at[1]; k++ {
			long[k] = true
		}
	}
	for i, b := range data {
		c := b ^ 1 // another digit, a neighbouring letter, another mark
		if b == ' ' || b == '\n' {
			c = "0123456789-x,:"[random.IntN(14)]
		}
		if long[i] {
			numbers = append(numbers, place{i, c})
		} else {
			structural = append(structural, place{i, c})
		}
	}
	return structural, numbers
}

// No change of a byte may pass unseen, anywhere in a file.
func TestTampered(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for k, file := range ownFiles {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		structural, numbers := changes(data, random)
		share := func(list []place, n int) []place {
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return list[:min(n, len(list))]
		}
		n := 300 // of the last file, all structural ones too
		if k != len(ownFiles)-1 || !thoroughtest.AtLeast(thoroughtest.Thorough) {
			n = thoroughtest.Pick(10, 30)
			structural = share(structural, n)
		}
		list := share(numbers, n)
		list = append(list, structural...)
		t.Logf("%s: %d changes of %d bytes", file, len(list), len(data))
		work := make(chan place)
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				changed := bytes.Clone(data)
				for p := range work {
					was := changed[p.offset]
					changed[p.offset] = p.to
					_, err := Check(file, changed, "")
					var bad *Error
					if !errors.As(err, &bad) {
						t.Errorf("%s: %q for %q at byte %d is not seen: %v: %s", file, p.to, was, p.offset, err,
							data[max(0, p.offset-60):min(len(data), p.offset+20)])
					}
					changed[p.offset] = was
				}
			})
		}
		for _, p := range list {
			work <- p
		}
		close(work)
		wg.Wait()
	}
}

// Other white space is the one change that may pass, and it must.
func TestWhiteSpace(t *testing.T) {
	data, err := os.ReadFile(ownFiles[1])
	if err != nil {
		t.Fatal(err)
	}
	compact := bytes.NewBuffer(nil)
	for _, line := range strings.Split(string(data), "\n") {
		compact.WriteString(strings.TrimSpace(line) + "\t\r\n")
	}
	if _, err := Check("", compact.Bytes(), ""); err != nil {
		t.Error(err)
	}
}

// mutate replaces the first occurrence of a text.
func mutate(t *testing.T, data []byte, from, to string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(from)) {
		t.Fatalf("the file has no %s", from)
	}
	return bytes.Replace(data, []byte(from), []byte(to), 1)
}

// Errors name the section, the entry and the field.
func TestErrors(t *testing.T) {
	files := map[string][]byte{}
	for _, file := range ownFiles {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.Split(file, "-")[1]] = data
	}
	for _, c := range []struct {
		file, from, to string
		section        string
		index          int
		field          string
	}{
		{"djn", `"format": "paillier-vectors-1"`, `"format": "paillier-vectors-2"`, "", -1, "format"},
		{"djn", `"set": "test"`, `"set": "tast"`, "", -1, "set"},
		{"djn", `"set": "test"`, `"set": ""`, "", -1, "set"},
		{"djn", `"set": "test",`, ``, "", -1, "set"},
		{"djn", `"set": "test"`, `"set": 5`, "", -1, "set"},
		{"djn", `"key": {`, `"kez": {`, "", -1, "key"},
		{"djn", `"key": {`, `"key": 5, "x": {`, "", -1, "x"},
		{"djn", `"rbits": 512`, `"rbits": 510`, "key", -1, "rbits"},
		{"djn", `"rbits": 512`, `"rbits": -1`, "key", -1, "rbits"},
		{"djn", `"bits": 1024`, `"bits": 1152`, "key", -1, "N"},
		{"djn", `"scheme": "djn"`, `"scheme": "mhl"`, "key", -1, "pa"},
		{"djn", `"scheme": "djn"`, `"scheme": 1`, "key", -1, "scheme"},
		{"djn", `"scheme": "djn"`, `"scheme": "dkn"`, "key", -1, "scheme"},
		{"djn", `"encrypt": [`, `"encrypt": [5, `, "encrypt", 0, ""},
		{"djn", `"encrypt": [`, `"encrypt": 5, "add": [`, "", -1, "add"},
		{"djn", `"add": [`, `"owner_fast": [`, "owner_fast", 0, "a"},
		{"djn", `"why": "= N^2"`, `"why": "= N"`, "invalid", 1, "why"},
		{"djn", `"why": "multiple of p"`, `"why": "multiple of q"`, "invalid", 4, "why"},
		{"djn", `"why": "> N^2"`, `"why": "> N"`, "invalid", 2, "why"},
		{"djn", `"why": "q"`, `"why": "because"`, "invalid", 5, "why"},
		{"djn", `"s": "5"`, `"s": "6"`, "mul", 0, "s"},
		{"djn", `"a": 3,
   "s": "0"`, `"a": 4,
   "s": "0"`, "mul", 1, "a"},
		{"djn", `"k": "7"`, `"k": "07"`, "add_plain", 0, "k"},
		{"djn", `"k": "7"`, `"k": "8"`, "add_plain", 0, "v"},
		{"djn", `"max_adds": 1048576`, `"max_adds": 2097152`, "packed", 0, "w"},
		{"djn", `"slots": 12`, `"slots": 11`, "packed", 0, "slots"},
		{"djn", `"value_bits": 64`, `"value_bits": 0`, "packed", 0, "value_bits"},
		{"djn", `"max_adds": 2`, `"max_adds": 1`, "packed", 1, "w"},
		{"djn", `"scalar": null`, `"scalar": 5`, "packed", 1, "scalar"},
		{"djn", `"slots_ok": false`, `"slots_ok": true`, "packed[2].scalar", -1, "slots_ok"},
		{"djn", `"row": 0`, `"row": 2`, "packed[0].scalar", -1, "row"},
		{"djn", `"s": -3`, `"s": -3.0`, "packed[0].scalar", -1, "s"},
		{"djn", `"w": [`, `"w": ["0", `, "multiexp", 0, "w"},
		{"mhl", `"full_decrypt": "42"`, `"full_decrypt": "43"`, "mhl_foreign_randomizer", 0, "full_decrypt"},
		{"mhl", `"short_decrypt": "refuse"`, `"short_decrypt": "accept"`, "mhl_foreign_randomizer", 0, "short_decrypt"},
		{"textbook", `"rho_p": "`, `"rho_p": "f`, "owner_fast", 0, "rho_p"},
		{"textbook", `"mu": "`, `"mu": "1", "xx": "`, "key", -1, "xx"},
		{"textbook", `"a": 5,
   "b": 1,
   "true"`, `"a": 0,
   "b": 1,
   "true"`, "overflow_refuse", 0, "true"},
	} {
		_, err := Check("f", mutate(t, files[c.file], c.from, c.to), "")
		var bad *Error
		if !errors.As(err, &bad) || bad.Section != c.section || bad.Index != c.index || bad.Field != c.field || bad.Reason == "" {
			t.Errorf("%s -> %s: want section %q, entry %d, field %q, got %#v", c.from, c.to, c.section, c.index, c.field, err)
			continue
		}
		for _, want := range []string{"f", c.section, c.field, bad.Reason} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the message %q lacks %q", err, want)
			}
		}
	}
	for _, c := range []struct {
		from, to, section string
		index             int
		field             string
	}{
		{`"K": 64`, `"K": 96`, "layout", -1, "K"},
		{`"sigma": 40`, `"sigma": 39`, "layout", -1, ""},
		{`"sigma": 40`, `"sigma": 41`, "layout", -1, "w"},
		{`"n": 4`, `"n": 5`, "x", -1, ""},
		{`"s": 3`, `"s": 2`, "layout", -1, "s"},
		{`"x": [`, `"x": [1,`, "x", -1, ""},
		{`"shares": {`, `"shares": {"z": 1,`, "shares", -1, "z"},
		{`"shares": {
  "x": [`, `"shares": {
  "x": [[],`, "shares", -1, "x"},
		{`"keys": [`, `"keys": [5,`, "keys", -1, ""},
		{`"messages": [`, `"messages": [{},`, "messages", -1, ""},
		{`"owner": 0`, `"owner": 1`, "messages", 0, "owner"},
		{`"peer": 1`, `"peer": 2`, "messages", 0, "peer"},
		{`"pair": "xy"`, `"pair": "xx"`, "messages[0].responses", 1, "pair"},
		{`"exponents": [`, `"exponents": ["1",`, "messages[0].responses", 0, "exponents"},
		{`"masks": [`, `"masks": ["01",`, "messages[0].responses", 0, "masks"},
		{`"rerandomizer": "`, `"rerandomizer": "fffffff`, "messages[0].responses", 0, "rerandomizer"},
		{`"share_peer": "`, `"share_peer": "-`, "messages[0].responses", 0, "share_peer"},
		{`"output_shares": {`, `"output_shares": {"x": [],`, "output_shares", -1, "x"},
		{`"mean_x": "`, `"mean_x": "9`, "stats_exact", -1, "mean_x"},
		{`"stats_float": {`, `"stats_float": {"median": 1.0,`, "stats_float", -1, "median"},
		{`"r": -1.0`, `"r": -1.00`, "stats_float", -1, "r"},
	} {
		_, err := Check("f", mutate(t, files["protocol"], c.from, c.to), "")
		var bad *Error
		if !errors.As(err, &bad) || bad.Section != c.section || bad.Index != c.index || bad.Field != c.field || bad.Reason == "" {
			t.Errorf("%s -> %s: want section %q, entry %d, field %q, got %#v", c.from, c.to, c.section, c.index, c.field, err)
		}
	}
	for _, text := range []string{"", "[]", "{", `{"format": "paillier-vectors-1"}`, `{"set": "test"}`} {
		var bad *Error
		if _, err := Check("f", []byte(text), ""); !errors.As(err, &bad) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var noKernel *paillier.KeyError
	if _, err := Check("f", files["djn"], "abacus"); !errors.As(err, &noKernel) {
		t.Errorf("an unknown kernel: %v", err)
	}
}

// Labels of sets: anything but a damaged usual one.
func TestSets(t *testing.T) {
	for set, good := range map[string]bool{"public": true, "hidden": true, "hospital-7": true, "pubic": true, "publib": false, "hiddem": false, "": false, strings.Repeat("x", 41): false} {
		if (badSet(set) == "") != good {
			t.Errorf("%q: %q", set, badSet(set))
		}
	}
}

// Numbers of the statistics are written as Python writes them.
func TestFloatText(t *testing.T) {
	for x, want := range map[float64]string{0: "0.0", 1: "1.0", -2.5: "-2.5", 1e15: "1000000000000000.0", 1e16: "1e+16", 1e-4: "0.0001", 1.5e-5: "1.5e-05", 1e300: "1e+300"} {
		if got := floatText(x); got != want {
			t.Errorf("%v is written %s, not %s", x, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	r := Report{Checked: map[string]int{"b": 2, "a": 3}}
	if r.Total() != 5 || fmt.Sprint(r.Sections()) != "[a b]" {
		t.Error(r.Total(), r.Sections())
	}
}
