package jobfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/cipherfold/cipherfold/engine/enginetest"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/growthtest"
)

// someSchemas have keys of every kind.
var someSchemas = map[string]Schema{
	"job":     {"name": Text, "dir": Text, "part_rows": Number},
	"encrypt": {"in": List, "out": Text, "id": List, "layout": Text, "max_adds": Number, "overwrite": Bool},
	"fuse":    {"in": List, "out": Text, "by": List},
	"decrypt": {"in": Text, "out": Text, "overwrite": Bool},
}

// someEnv is an environment of one variable.
func someEnv(name string) (string, bool) { return "2026-11-22", name == "DATE" }

// parse reads a job file of some verbs.
func parse(text string) (*File, error) {
	return Parse("job.toml", []byte(text), []string{"encrypt", "fuse", "decrypt"}, someSchemas, someEnv)
}

// document is a job file as TOML would have it.
func (f *File) document() map[string]any {
	table := func(t Table) map[string]any {
		out := map[string]any{}
		for key, v := range t.Keys {
			switch someSchemas[t.Name][key] {
			case List:
				out[key] = []string(v.Values)
			case Text:
				out[key] = v.Values[0]
			case Number:
				n, _ := strconv.ParseInt(v.Values[0], 10, 64)
				out[key] = n
			case Bool:
				out[key] = v.Values[0] == "true"
			}
		}
		return out
	}
	doc := map[string]any{"version": 1, "job": table(f.Job)}
	for _, s := range f.Steps {
		steps, _ := doc[s.Name].([]map[string]any)
		doc[s.Name] = append(steps, table(s))
	}
	return doc
}

// values are the values of a table without their lines.
func (t *Table) values() map[string]receipt.Values {
	out := map[string]receipt.Values{}
	for key, v := range t.Keys {
		out[key] = v.Values
	}
	return out
}

// FuzzParse reads job files. What is accepted means the same when it is written anew; what is not is a *job.UsageError that
// says in which line of which file.
func FuzzParse(f *testing.F) {
	const good = "version = 1\n[job]\nname = \"n\"\ndir = 'd'\npart_rows = 7\n"
	for _, text := range []string{
		good + "[[encrypt]]\nin = [\"a-${DATE}.csv\", \"b\"]\nid = \"id\"\nmax_adds = 1_000\noverwrite = true\n[[fuse]]\nin = \"*.cf\"\nby = []\n[[decrypt]]\nin = \"x\"\n",
		good + "[[fuse]]\n[[fuse]] # again\nin = '''a\nb'''\n[[encrypt]]\n\"out\" = \"\\u00e9\"\n",
		good + "[fuse]\nin = \"a\"\n", good, "version = 2\n", "[job]\n[[job]]\n", good + "[[fuse]]\nin = \"${HOME}\"\n", good + "[[fuse]]\nin = \"${DATE\"\n",
		good + "fuse = [{in = \"a\"}, {in = [\"b\"], out = \"c\"}]\n", "version = 1\njob = {name = \"x\"}\nencrypt = [[]]\n", good + "[[fuse]]\nin = [1, [2]]\nby = 1.5\n",
		"a.b.c = 1979-05-27T07:32:00Z", strings.Repeat("[", 1000), "version = 1\n" + strings.Repeat("[[fuse]]\n", 300), "\ufeffversion = 1", "version = 0x1\r\n[job]\r\n[[fuse]]\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		enginetest.Bounded(t, 16<<20+1000*len(text), func() {
			file, err := parse(text)
			if err != nil {
				var bad *job.UsageError
				if !errors.As(err, &bad) || !strings.HasPrefix(bad.Cause, "job.toml") {
					t.Fatalf("%v is no refusal of the file", err)
				}
				return
			}
			lines := 1 + strings.Count(text, "\n")
			for _, s := range append([]Table{file.Job}, file.Steps...) {
				for key, v := range s.Keys {
					if v.Line < 0 || v.Line > lines || s.Line < 0 || s.Line > lines {
						t.Errorf("%s in line %d, the table in line %d of %d", key, v.Line, s.Line, lines)
					}
				}
			}
			var again bytes.Buffer
			if err := toml.NewEncoder(&again).Encode(file.document()); err != nil {
				t.Fatal(err)
			}
			other, err := parse(again.String())
			if err != nil {
				t.Fatalf("written anew it is refused: %v\n%s", err, again.Bytes())
			}
			same := func(a, b Table) bool { return a.Name == b.Name && reflect.DeepEqual(a.values(), b.values()) }
			if !same(file.Job, other.Job) || !slices.EqualFunc(file.Steps, other.Steps, same) {
				t.Fatalf("written anew it means something else:\n%s", again.Bytes())
			}
		})
	})
}

// A job file of millions of brackets, of keys in keys or of steps is refused or read at once.
func TestLargeFiles(t *testing.T) {
	const head = "version = 1\n[job]\n"
	for name, text := range map[string]string{
		"lists in lists":   head + "name = " + strings.Repeat("[", BytesMax-100),
		"tables in tables": head + "name = " + strings.Repeat("{a=", 1<<20),
		"keys in keys":     head + strings.Repeat("a.", 1<<20) + "a = 1",
		"heads in heads":   head + "[" + strings.Repeat("'a'.", 1<<18) + "a]",
		"after a string":   head + `a = ["""\""]"""", 'x\', "\"", "]]]" ] # ]` + "\na" + strings.Repeat(".a", 100),
		"too long":         head + strings.Repeat("#", BytesMax),
	} {
		var bad *job.UsageError
		_, err := parse(text)
		if !errors.As(err, &bad) || !strings.HasPrefix(bad.Cause, "job.toml: ") || !strings.Contains(bad.Cause, "nested more than") && name != "too long" {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	const steps = StepsMax
	file, err := parse(head + strings.Repeat("[[fuse]]\nin = \"a\"\n", steps))
	if err != nil || len(file.Steps) != steps {
		t.Fatal(err)
	}
	for i, s := range file.Steps {
		if s.Line != 3+2*i || s.Keys["in"].Line != 4+2*i {
			t.Fatalf("step %d in line %d, in in line %d", i, s.Line, s.Keys["in"].Line)
		}
	}
}

// Job files with more steps, or with more texts for them, than can be compared soon are refused. Reading takes time in
// proportion to the file.
func TestLargeJobFiles(t *testing.T) {
	verbs, schemas := []string{"fuse"}, map[string]Schema{"job": {}, "fuse": {"in": List, "out": Text}}
	parse := func(text string) error {
		_, err := Parse("job.toml", []byte("version = 1\n[job]\n"+text), verbs, schemas, os.LookupEnv)
		return err
	}
	step := "[[fuse]]\nout = \"o\"\n"
	if err := parse(strings.Repeat(step, StepsMax)); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		strings.Repeat(step, StepsMax+1):                                                       "the job has 1001 steps, more than 1000",
		strings.Repeat("[[fuse]]\n", 200_000):                                                  "the job has 200000 steps, more than 1000",
		strings.Repeat(step, 999) + "[[fuse]]\nin = [" + strings.Repeat(`"",`, 20_000) + "]\n": "the job has 20999 values in 1000 steps",
	} {
		if err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for name, text := range map[string]func(n int) string{
		"texts":  func(n int) string { return "[[fuse]]\nin = [" + strings.Repeat(`"a",`, n) + "]\n" },
		"tables": func(n int) string { return strings.Repeat("[[fuse]]\n", n) },
		"keys": func(n int) string {
			var s strings.Builder
			s.WriteString("[[fuse]]\n")
			for i := range n {
				fmt.Fprintf(&s, "k%d = 1\n", i)
			}
			return s.String()
		},
		"variables": func(n int) string { return "[[fuse]]\nout = \"" + strings.Repeat("${PATH}", n) + "\"\n" },
		"lines":     func(n int) string { return "[[fuse]]\nout = \"\"\"" + strings.Repeat("\n", n) + "\"\"\"\n" },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, 5000, func(n int, work func(func())) {
				text := text(n)
				work(func() { _ = parse(text) })
			})
		})
	}
}
