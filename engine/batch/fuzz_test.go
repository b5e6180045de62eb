package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

var ctx = context.Background()

// someSchemas have keys of every kind.
var someSchemas = map[string]Schema{
	"job":     {"name": Text, "dir": Text, "part_rows": Number},
	"encrypt": {"in": List, "out": Text, "id": List, "layout": Text, "max_adds": Number, "overwrite": Bool},
	"fuse":    {"in": List, "out": Text, "by": List},
	"decrypt": {"in": Text, "out": Text, "overwrite": Bool},
}

// someEnv is an environment of one variable.
func someEnv(name string) (string, bool) { return "2026-11-22", name == "DATE" }

// bounded fails when f allocates more than `most` bytes, whatever of it was freed.
func bounded(t *testing.T, most uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > most {
		t.Fatalf("%d bytes were allocated, more than %d", n, most)
	}
}

// refusal fails unless an error is one about bad input, which names the file and says what to do.
func refusal(t *testing.T, err error, file string) {
	t.Helper()
	var bad *column.InputError
	if !errors.As(err, &bad) || bad.File != file || bad.Hint == "" {
		t.Fatalf("%v is no refusal of %s with a hint", err, file)
	}
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

// FuzzFile reads job files. What is accepted means the same when it is written anew; what is not is a *job.UsageError that
// says in which line of which file.
func FuzzFile(f *testing.F) {
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
		bounded(t, 16<<20+1000*uint64(len(text)), func() {
			file, err := ParseFile("job.toml", []byte(text), someSchemas, someEnv)
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
			other, err := ParseFile("job.toml", again.Bytes(), someSchemas, someEnv)
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

// somePlan is a plan of three steps.
func somePlan() *PlanFile {
	rows := int64(3)
	return &PlanFile{
		Version: Version, ID: "0123456789abcdef", Name: "n", Created: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Program: receipt.Program{Name: "cipherfold", Version: "1"},
		Steps: []PlannedStep{
			{Name: "encrypt-1", Verb: "encrypt", Parameters: map[string]receipt.Values{"id": {"a", "b"}, "layout": {"records"}}, Level: 1, Inputs: []string{"in.csv"}, Out: "t"},
			{Name: "fuse-1", Verb: "fuse", After: []string{"encrypt-1"}, Level: 2, Inputs: []string{"t"}, Out: "f"},
			{Name: "decrypt-1", Verb: "decrypt", After: []string{"fuse-1"}, Level: 3, Inputs: []string{"f"}, Out: "x.csv"},
		},
		Inputs: []receipt.File{{Path: "in.csv", Bytes: 9, SHA256: strings.Repeat("ab", 32), Rows: &rows}},
	}
}

// planned is a disk with a plan in the directory d.
func planned(t testing.TB) (*blobtest.Mem, *PlanFile) {
	disk, p := &blobtest.Mem{}, somePlan()
	if err := p.write(ctx, disk, path.Join("d", planName)); err != nil {
		t.Fatal(err)
	}
	return disk, p
}

// line is an entry as a line of a journal.
func line(t testing.TB, e entry) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// sealLines puts the right checksum before every line but the last one, if that is not whole.
func sealLines(data []byte) []byte {
	var out []byte
	for text := range bytes.Lines(data) {
		if _, rest, ok := bytes.Cut(text, []byte(" ")); ok && bytes.HasSuffix(rest, []byte("\n")) {
			out = fmt.Appendf(out, "%08x %s", crc32.Checksum(rest[:len(rest)-1], castagnoli), rest)
			continue
		}
		out = append(out, text...)
	}
	return out
}

// someJournal is one in which everything is told.
func someJournal(t testing.TB, plan string) []byte {
	part, at := 0, time.Date(2026, 11, 22, 1, 2, 4, 5, time.UTC)
	file := &receipt.File{Path: "parts/encrypt-1.0.parquet", Bytes: 5, SHA256: strings.Repeat("cd", 32)}
	report := &job.Report{Out: "t", Records: 3, Ciphertexts: 6, Inputs: []job.InputReport{{File: "in.csv", Rows: 3}}}
	var out []byte
	for _, e := range []entry{
		{Event: began, Time: at, Plan: plan}, {Event: keyed, Time: at, Step: "encrypt-1", Key: "k"}, {Event: working, Time: at, Step: "encrypt-1"},
		{Event: made, Time: at, Step: "encrypt-1", Part: &part, Cut: "c", File: file, Report: report}, {Event: writing, Time: at, Step: "encrypt-1", File: file},
		{Event: done, Time: at, Step: "encrypt-1", Outputs: []receipt.File{*file}, Report: report}, {Event: finished, Time: at},
	} {
		out = append(out, line(t, e)...)
	}
	return out
}

// FuzzJournal reads journals, with the checksums that they have or with right ones. What is accepted is the same when it is
// written anew, and never more than what was there before the first line that is not whole.
func FuzzJournal(f *testing.F) {
	_, p := planned(f)
	good := someJournal(f, p.digest)
	for _, data := range [][]byte{good, good[:len(good)-1], good[:len(good)-9], bytes.ToUpper(good), append(bytes.Clone(good), "torn"...), []byte("\n"), []byte("00000000 \n00000000 \n")} {
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Add(bytes.ReplaceAll(good, []byte(`"part":0`), []byte(`"part":-9223372036854775808`)), true)
	f.Add(bytes.ReplaceAll(good, []byte(`"file":{`), []byte(`"file":null,"cut":{`)), true)
	f.Add(bytes.ReplaceAll(good, []byte("encrypt-1"), []byte("encrypt-9")), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = sealLines(data)
		}
		bounded(t, 16<<20+1000*uint64(len(data)), func() {
			disk, _ := planned(t)
			name := path.Join("d", journalName)
			disk.Put(name, data)
			defer func() {
				if n := disk.Handles(); n != 0 {
					t.Errorf("%d files are left open", n)
				}
			}()
			entries, valid, err := readJournal(ctx, disk, name)
			if err != nil {
				refusal(t, err, name)
				return
			}
			if valid > int64(len(data)) || valid > 0 && data[valid-1] != '\n' || bytes.Count(data[:valid], []byte("\n")) != len(entries) {
				t.Fatalf("%d entries in %d of %d bytes", len(entries), valid, len(data))
			}
			var anew []byte
			for _, e := range entries {
				anew = append(anew, line(t, e)...)
			}
			disk.Put("anew", anew)
			again, all, err := readJournal(ctx, disk, "anew")
			if err != nil || all != int64(len(anew)) || len(again) != len(entries) {
				t.Fatalf("written anew: %d entries in %d of %d bytes, %v", len(again), all, len(anew), err)
			}
			for i, e := range again {
				if a, b := line(t, entries[i]), line(t, e); !bytes.Equal(a, b) {
					t.Fatalf("%s, written anew %s", a, b)
				}
			}
			s, err := readState(ctx, disk, "d")
			if err != nil {
				refusal(t, err, name)
				return
			}
			if s.valid != valid || s.began != (len(entries) > 0) || s.level() < 0 || s.level() > 3 {
				t.Fatalf("%+v", s)
			}
		})
	})
}

// FuzzPlan reads plans. One that is accepted is the same job when it is written anew.
func FuzzPlan(f *testing.F) {
	disk, _ := planned(f)
	good, _ := disk.Get(path.Join("d", planName))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(bytes.ToUpper(good))
	f.Add(bytes.ReplaceAll(good, []byte("1"), []byte("-1e9")))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"steps":[{"name":"a","level":-9},{"parameters":{"":[]}}],"inputs":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, 16<<20+1000*uint64(len(data)), func() {
			disk := &blobtest.Mem{}
			disk.Put("p", data)
			p, err := readPlan(ctx, disk, "p")
			if err != nil {
				refusal(t, err, "p")
				return
			}
			digest := p.digest
			if err := p.write(ctx, disk, "q"); err != nil {
				t.Fatal(err)
			}
			again, err := readPlan(ctx, disk, "q")
			if err != nil || again.digest != p.digest {
				t.Fatalf("written anew: %v", err)
			}
			if err := again.sameJob("q", p.Steps); err != nil {
				t.Fatal(err)
			}
			a, _ := disk.Get("q")
			if err := again.write(ctx, disk, "r"); err != nil {
				t.Fatal(err)
			}
			if b, _ := disk.Get("r"); !bytes.Equal(a, b) {
				t.Fatalf("%s, written anew %s", a, b)
			}
			if bytes.Equal(a, data) != (digest == p.digest) {
				t.Errorf("digests %s and %s", digest, p.digest)
			}
		})
	})
}

// FuzzCut reads the files that say how a step is divided. The parts of one that is accepted are all rows, once.
func FuzzCut(f *testing.F) {
	for _, text := range []string{
		`{"rows":10,"part_rows":3,"shards":2,"encrypt":{}}`, `{"rows":0,"part_rows":1,"decrypt":{}}`, `{"rows":9223372036854775807,"part_rows":9223372036854775806}`,
		`{"rows":9223372036854775807,"part_rows":1}`, `{"rows":-1,"part_rows":1}`, `{"rows":1,"part_rows":0}`, `{"rows":1048577,"part_rows":1}`, `{"rows":1e3}`, `{`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, 256<<20+1000*uint64(len(data)), func() {
			disk := &blobtest.Mem{}
			disk.Put("c", data)
			c, err := readCut(ctx, disk, "c")
			if err != nil {
				refusal(t, err, "c")
				return
			}
			at := int64(0)
			ranges := c.ranges()
			for _, r := range ranges {
				if r.From != at || r.To < at || r.To == at && c.Rows > 0 || r.To-at > c.PartRows {
					t.Fatalf("%+v: part %+v after %d", c, r, at)
				}
				at = r.To
			}
			if at != c.Rows || len(ranges) == 0 || len(ranges) > partsMax {
				t.Fatalf("%+v: %d parts with %d rows", c, len(ranges), at)
			}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			disk.Put("d", text)
			again, err := readCut(ctx, disk, "d")
			if err != nil {
				t.Fatal(err)
			}
			if other, err := json.Marshal(again); err != nil || !bytes.Equal(text, other) {
				t.Fatalf("%s, written anew %s, %v", text, other, err)
			}
		})
	})
}

// However many rows there are and whatever the user wishes, there are not too many parts, and a cut can be read again.
func TestCutsHaveBounds(t *testing.T) {
	const most = 1<<63 - 1
	for _, rows := range []int64{0, 1, 2, partsMax, partsMax + 1, 1 << 40, 1 << 62} {
		for _, partRows := range []int64{0, 1, 7, 1 << 30, most} {
			for _, align := range []int64{1, 48} {
				for _, shards := range []int{0, 1, 100, 1000, ShardsMax} {
					if c := newCut(rows, align, 512, fusePartBytes, partRows, shards, fusePartsMax); len(c.ranges()) > fusePartsMax {
						t.Errorf("%d rows, parts of %d, %d together, %d shards: %d parts of a fusion", rows, partRows, align, shards, len(c.ranges()))
					}
					c := newCut(rows, align, 512, partBytes, partRows, shards, partsMax)
					text, err := json.Marshal(c)
					if err != nil {
						t.Fatal(err)
					}
					disk := &blobtest.Mem{}
					disk.Put("c", text)
					if _, err := readCut(ctx, disk, "c"); err != nil || c.PartRows%align != 0 {
						t.Errorf("%d rows, parts of %d, %d together, %d shards: %s, %v", rows, partRows, align, shards, text, err)
					}
				}
			}
		}
	}
}

// Every shard has about as much to do, and no part is larger than it would be without shards.
func TestShardsAreEven(t *testing.T) {
	for _, rows := range []int64{1, 5, 16, 17, 100, 1798, 1_000_003} {
		for _, align := range []int64{1, 36} {
			for _, partRows := range []int64{0, 36, 5000} {
				for _, n := range []int{1, 3, 16, 100} {
					c, alone := newCut(rows, align, 512, partBytes, partRows, n, partsMax), newCut(rows, align, 512, partBytes, partRows, 0, partsMax)
					ranges := c.ranges()
					per, load := len(ranges)/n+1, make([]int64, n)
					for k, r := range ranges {
						load[shardOf(k, len(ranges), n)-1] += r.To - r.From
					}
					if most := slices.Max(load); most > rows/int64(n)+int64(per)*align || c.PartRows > alone.PartRows {
						t.Errorf("%d rows, %d together, parts of %d, %d shards: parts of %d, alone %d; at most %d rows in a shard", rows, align, partRows, n, c.PartRows, alone.PartRows, most)
					}
				}
			}
		}
	}
}

// Every part belongs to one shard, however many there are.
func TestShardOf(t *testing.T) {
	for _, parts := range []int{1, 2, 128, partsMax} {
		for _, n := range []int{1, 3, ShardsMax} {
			for _, part := range []int{0, parts / 2, parts - 1} {
				if i := shardOf(part, parts, n); i < 1 || i > n {
					t.Errorf("part %d of %d is that of shard %d of %d", part, parts, i, n)
				}
			}
		}
	}
}

// A job file of millions of brackets, of keys in keys or of steps is refused or read at once.
func TestLargeFiles(t *testing.T) {
	const head = "version = 1\n[job]\n"
	for name, text := range map[string]string{
		"lists in lists":   head + "name = " + strings.Repeat("[", FileBytesMax-100),
		"tables in tables": head + "name = " + strings.Repeat("{a=", 1<<20),
		"keys in keys":     head + strings.Repeat("a.", 1<<20) + "a = 1",
		"heads in heads":   head + "[" + strings.Repeat("'a'.", 1<<18) + "a]",
		"after a string":   head + `a = ["""\""]"""", 'x\', "\"", "]]]" ] # ]` + "\na" + strings.Repeat(".a", 100),
		"too long":         head + strings.Repeat("#", FileBytesMax),
	} {
		var bad *job.UsageError
		_, err := ParseFile("job.toml", []byte(text), someSchemas, someEnv)
		if !errors.As(err, &bad) || !strings.HasPrefix(bad.Cause, "job.toml: ") || !strings.Contains(bad.Cause, "nested more than") && name != "too long" {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	const steps = 20000
	file, err := ParseFile("job.toml", []byte(head+strings.Repeat("[[fuse]]\nin = \"a\"\n", steps)), someSchemas, someEnv)
	if err != nil || len(file.Steps) != steps {
		t.Fatal(err)
	}
	for i, s := range file.Steps {
		if s.Line != 3+2*i || s.Keys["in"].Line != 4+2*i {
			t.Fatalf("step %d in line %d, in in line %d", i, s.Line, s.Keys["in"].Line)
		}
	}
}
