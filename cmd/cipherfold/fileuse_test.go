package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
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

// usedFiles is a place with files of every kind that verbs use.
func usedFiles(t *testing.T) *place {
	p := newPlace(t)
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where receipts are signed
	owners("records")(p)
	p.mkdir("sub")
	p.lines("ids.csv", "id", "a", "b", "c")
	p.lines("z.csv", "measure,mean,sd", "x,0,1")
	p.lines("in.vcf", "##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB", "1\t1\t.\tA\tG\t.\t.\t.\tGT\t0/1\t1/1")
	p.lines("people.txt", "A")
	p.lines("pass.txt", "a passphrase for tests")
	p.seal("secret.json", "secret.age", "a passphrase for tests")
	p.ok("keygen --token-key @/token.key")
	p.ok("budget @/budget.json --epsilon 2 --delta 1e-6 --about everyone")
	p.ok("fuse --quiet --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet --receipt @/kept.json")
	for _, owner := range []string{"a", "b"} {
		p.ok(fmt.Sprintf("summarize --quiet --in @/%s.csv --out @/sums-%[1]s.csv --id id --measure x:max=100", owner))
	}
	if err := os.Rename(p.path("config/cipherfold/receipt.key"), p.path("signer.key")); err != nil {
		t.Fatal(err)
	}
	return p
}

// usesOf are the verbs that write files, and job files: lines with all files that they read, and all ways to say what they
// write. {out} stands for what is written, {other} for an output that is no other file.
var usesOf = []struct {
	name, line string
	inputs     []string // read by the line
	outputs    []string // "" begins with the usual output
}{
	{"encrypt", "encrypt --overwrite --key @/public.json --in @/a.csv --id id --measure x:max=100:zscore --universe @/ids.csv --constants @/z.csv --disjoint-from @/b.cf.parquet --tokenize id --token-key @/token.key",
		[]string{"a.csv", "public.json", "ids.csv", "z.csv", "b.cf.parquet", "token.key"}, []string{"--noise local --epsilon 1 --person-records 1 --out new.cf.parquet --budget {out}"}},
	{"encrypt of samples", "encrypt --overwrite --key @/secret.age --passphrase-file @/pass.txt --in @/in.vcf --id chrom,pos,ref,alt --measure AC:max=9 --samples @/people.txt --noise share --noise-groups @/ids.csv --owners 2 --honest 1 --epsilon 1 --person-records 1",
		[]string{"secret.age", "pass.txt", "in.vcf", "people.txt", "ids.csv"}, nil},
	{"fuse", "fuse --overwrite --in @/a.cf.parquet @/b.cf.parquet --weight @/a.cf.parquet=2", []string{"a.cf.parquet", "b.cf.parquet"}, nil},
	{"decrypt", "decrypt --overwrite --key @/secret.age --passphrase-file @/pass.txt --in @/f.cf.parquet", []string{"f.cf.parquet", "secret.age", "pass.txt"},
		[]string{"--out new.csv --noise release --epsilon 1 --person-records 1 --budget {out}"}},
	{"release", "decrypt --overwrite --key @/secret.json --in @/f.cf.parquet --noise release --epsilon 1 --person-records 1 --budget @/budget.json", []string{"f.cf.parquet", "secret.json", "budget.json"}, nil},
	{"summarize", "summarize --overwrite --in @/a.csv --id id --measure x:max=100:zscore --constants @/z.csv", []string{"a.csv", "z.csv"}, nil},
	{"combine", "combine --overwrite --in @/sums-a.csv @/sums-b.csv", []string{"sums-a.csv", "sums-b.csv"}, nil},
	{"assoc", "assoc --overwrite --cases @/sums-a.csv --controls @/sums-b.csv --test welch --measure x", []string{"sums-a.csv", "sums-b.csv"}, nil},
	{"tokens", "tokens --overwrite --in @/a.csv --id id --tokenize id --token-key @/token.key", []string{"a.csv", "token.key"}, nil},
}

// jobText is a job that uses files of every kind. {encrypt}, {fuse} and {decrypt} stand for the outputs of its steps.
const jobText = `version = 1
[job]
dir = "{dir}/job"
overwrite = true
[[encrypt]]
key = "{dir}/public.json"
in = ["{dir}/a.csv"]
id = ["id"]
measure = ["x:max=100:zscore"]
universe = ["{dir}/ids.csv"]
constants = ["{dir}/z.csv"]
disjoint_from = ["{dir}/b.cf.parquet"]
tokenize = ["id"]
token_key = "{dir}/token.key"
out = "{encrypt}"
[[fuse]]
in = ["{encrypt}", "{dir}/f.cf.parquet"]
out = "{fuse}"
weight = ["{dir}/f.cf.parquet=2"]
[[decrypt]]
key = "{dir}/secret.age"
passphrase_file = "{dir}/pass.txt"
in = "{fuse}"
out = "{decrypt}"
noise = "release"
epsilon = "1"
person_records = 1
budget = "{budget}"
`

// sampled are some spellings of a file: in a quick run one, another one each time.
func (p *place) sampled(file string) []string {
	all := p.spellings(file)
	n := thoroughtest.Pick(1, len(all))
	p.spelled++
	out := make([]string, n)
	for i := range out {
		out[i] = all[(p.spelled*5+i)%len(all)]
	}
	return out
}

// refusedAll runs a line for every spelling of a file, in place of {out}: each is refused, and nothing is written.
func (p *place) refusedAll(name, file, line string, before map[string]string) {
	p.t.Helper()
	for _, spelling := range p.sampled(file) {
		full := strings.ReplaceAll(line, "{out}", spelling)
		if strings.Contains(line, "{profile}") {
			full = strings.ReplaceAll(line, "{profile}", filepath.Dir(spelling))
		}
		if r := p.run(full); r.code != exitUsage || !strings.Contains(r.err, "hint: ") || r.out != "" {
			p.t.Errorf("%s: %s\nexit code %d\n%s%s", name, full, r.code, r.out, r.err)
		}
	}
	p.unchanged(before)
}

// TestOutputsAreNoOtherFiles: whatever a verb writes is refused when it is another of its files, by every spelling of it, and
// nothing is written.
func TestOutputsAreNoOtherFiles(t *testing.T) {
	p := usedFiles(t)
	for _, v := range usesOf {
		for _, file := range v.inputs {
			p.spellings(file) // makes the links
		}
	}
	p.spellings("signer.key")
	before := p.files()
	for _, v := range usesOf {
		other := "@/new.csv"
		if strings.HasPrefix(v.line, "encrypt") || strings.HasPrefix(v.line, "fuse") {
			other = "@/new.cf.parquet"
		}
		outputs := append([]string{"--out {out}", "--out {other} --receipt {out}", "--out {other} --metrics-file {out}", "--out {other} --lineage {out}",
			"--out {other} --receipt @/r.json --receipt-key @/signer.key --metrics-file {out}"}, v.outputs...)
		for _, output := range outputs {
			line := v.line + " " + strings.ReplaceAll(output, "{other}", other)
			for _, file := range v.inputs {
				p.refusedAll(v.name, file, line, before)
			}
			if strings.Contains(output, "signer.key") {
				p.refusedAll(v.name, "signer.key", line, before)
			}
		}
		// Outputs that are each other, and files beside those that are named.
		for _, pair := range []string{"--out {other} --receipt {linked}", "--out {other} --metrics-file {linked}", "--out {other} --receipt @/r.json --metrics-file @/sub/../r.json", "--out {other} --metrics-file @/m --lineage @/./m",
			"--out {other} --metrics-file @/sub/cpu.pprof --profile @/linked/sub", "--out {other} --receipt @/sub/heap.pprof --profile @/sub", "--out {other} --profile @/sub --lineage @/linked/sub/trace.out",
			"--out {other} --receipt @/r.json --receipt-key @/signer.key --metrics-file @/linked/signer.key.pub"} {
			line := v.line + " " + strings.NewReplacer("{other}", other, "{linked}", strings.Replace(other, "@/", "@/linked/", 1)).Replace(pair)
			if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, "are the same file") {
				t.Errorf("%s\nexit code %d\n%s", line, r.code, r.err)
			}
		}
		p.unchanged(before)
		if t.Failed() {
			return
		}
	}
	// An output of part files replaces a directory.
	p.mkdir("d")
	p.write("d/public.json", string(p.read("public.json")))
	for _, line := range []string{
		"encrypt --overwrite --rows-per-file 1 --key @/linked/d/public.json --in @/a.csv --id id --measure x:max=100 --out @/d",
		"fuse --overwrite --rows-per-file 1 --in @/a.cf.parquet --out @/d --metrics-file @/linked/d/m.prom",
		"fuse --overwrite --rows-per-file 1 --in @/a.cf.parquet --out @/d/ --receipt @/linked/d/r.json",
	} {
		before := p.files()
		if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, "one is a directory that the other is in") {
			t.Errorf("%s\nexit code %d\n%s", line, r.code, r.err)
		}
		p.unchanged(before)
	}
	// The tables of powers that encrypt keeps beside a public key.
	for _, file := range keys.CacheFiles("public.json") {
		before := p.files()
		if r := p.run("encrypt --key @/public.json --in @/a.csv --id id --measure x:max=100 --table-cache on --out @/linked/" + file); r.code != exitUsage || !strings.Contains(r.err, "--table-cache") {
			t.Errorf("exit code %d\n%s", r.code, r.err)
		}
		p.unchanged(before)
	}
}

// TestOutputsOfJobsAreNoOtherFiles is the same for the steps of a job, and for what run, shard and merge write.
func TestOutputsOfJobsAreNoOtherFiles(t *testing.T) {
	p := usedFiles(t)
	inputs := []string{"a.csv", "public.json", "ids.csv", "z.csv", "b.cf.parquet", "f.cf.parquet", "token.key", "secret.age", "pass.txt", "budget.json", "job.toml"}
	write := func(outputs map[string]string) {
		all := map[string]string{"dir": p.dir, "encrypt": p.path("new.cf.parquet"), "fuse": p.path("all.cf.parquet"), "decrypt": p.path("all.csv"), "budget": p.path("budget.json")}
		text := jobText
		for _, m := range []map[string]string{outputs, all} {
			for name, file := range m {
				text = strings.ReplaceAll(text, "{"+name+"}", file)
			}
		}
		p.write("job.toml", text)
	}
	write(nil)
	for _, file := range inputs {
		p.spellings(file)
	}
	verbs := []string{"run @/job.toml", "shard @/job.toml 1/2", "merge @/job.toml"}
	for _, output := range []string{"encrypt", "fuse", "decrypt", "budget"} {
		for _, file := range inputs {
			if output == "budget" && file == "budget.json" {
				continue
			}
			for _, spelling := range p.sampled(file) {
				write(map[string]string{output: strings.ReplaceAll(spelling, "@/", p.dir+"/")})
				before := p.files()
				for _, verb := range append(verbs, "plan @/job.toml --shards 2") {
					if r := p.run(verb); r.code != exitUsage || !strings.Contains(r.err, "hint: ") || r.out != "" {
						t.Errorf("%s, %s is %s: exit code %d\n%s%s", verb, output, spelling, r.code, r.out, r.err)
					}
				}
				p.unchanged(before)
			}
		}
	}
	if t.Failed() {
		return
	}
	// Outputs of two steps.
	for _, pair := range [][2]string{{"encrypt", "fuse"}, {"fuse", "encrypt"}} {
		for _, spelling := range []string{p.path("linked/x.cf.parquet"), p.path("sub/../x.cf.parquet"), "file://" + p.path("x.cf.parquet")} {
			write(map[string]string{pair[0]: p.path("x.cf.parquet"), pair[1]: spelling})
			before := p.files()
			for _, verb := range verbs {
				if r := p.run(verb); r.code != exitUsage || !strings.Contains(r.err, "write to the same file") {
					t.Errorf("%s, %s: exit code %d\n%s%s", verb, spelling, r.code, r.out, r.err)
				}
			}
			p.unchanged(before)
		}
	}
	// What is written beside a job.
	write(nil)
	before := p.files()
	for _, verb := range verbs {
		for _, file := range inputs {
			for _, flag := range []string{"--metrics-file {out}", "--lineage {out}"} {
				p.refusedAll(verb, file, verb+" "+flag, before)
			}
		}
		for _, flags := range []string{"--metrics-file @/linked/new.cf.parquet", "--lineage @/./all.cf.parquet", "--metrics-file @/sub/../all.csv", "--metrics-file @/linked/job/job.json", "--lineage @/job/journal",
			"--metrics-file @/linked/job/parts/x", "--metrics-file @/m --lineage @/linked/m", "--metrics-file @/sub/cpu.pprof --profile @/linked/sub"} {
			if r := p.run(verb + " " + flags); r.code != exitUsage || !strings.Contains(r.err, "hint: ") {
				t.Errorf("%s %s: exit code %d\n%s", verb, flags, r.code, r.err)
			}
		}
		p.unchanged(before)
	}
}

// TestKeysAreNotReplacedByThemselves: keygen and inspect --export do not replace what they read.
func TestKeysAreNotReplacedByThemselves(t *testing.T) {
	p := usedFiles(t)
	p.spellings("secret.json")
	p.spellings("pass.txt")
	before := p.files()
	p.refusedAll("export", "secret.json", "inspect @/secret.json --overwrite --export {out}", before)
	p.refusedAll("passphrase", "pass.txt", "inspect @/secret.age --passphrase-file @/pass.txt --overwrite --export {out}", before)
	p.refusedAll("import", "secret.json", "keygen --plain --insecure-test-key --overwrite --out @/ --import {out}", before)
	p.refusedAll("import", "secret.json", "keygen --plain --insecure-test-key --overwrite --out @/linked --import {out}", before)
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
	// Cases and controls are two tables.
	p.ok("summarize --quiet --in @/a.csv --out @/sums.csv --id id --measure x:max=100")
	for _, spelling := range p.spellings("sums.csv") {
		if r := p.run("assoc --cases @/sums.csv --test welch --measure x --out @/new.csv --controls " + spelling); r.code != exitUsage || !strings.Contains(r.err, "is given twice") {
			t.Errorf("%s: exit code %d\n%s", spelling, r.code, r.err)
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
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where the job's receipt is signed
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
	n, pairs := 0, 0
	for _, in := range []string{relative, p.path("linked"), p.path("sub/../tables"), relative + "/*.cf.parquet", "file://" + p.path("tables")} {
		for _, out := range []string{p.path("tables/all.cf.parquet"), p.path("linked/all.cf.parquet"), relative + "/all.cf.parquet"} {
			if pairs++; pairs%thoroughtest.Pick(4, 1) != 0 {
				continue
			}
			os.Remove(p.path("tables/all.cf.parquet"))
			var first []byte
			for night := range 3 {
				n++
				p.write("job.toml", fmt.Sprintf("version = 1\n[job]\nname = \"night%d\"\ndir = %q\noverwrite = true\n[[fuse]]\nin = [%q]\nout = %q\nrerandomize = \"never\"\n", n, p.path(fmt.Sprint("job", n)), in, out))
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

// TestNamesOfObjects: an object is the same by whatever other parameters its URL has.
func TestNamesOfObjects(t *testing.T) {
	p := newPlace(t)
	b := newBucket(t)
	owners("records")(p)
	for _, name := range []string{"a.csv", "a.cf.parquet", "b.cf.parquet", "public.json"} {
		b.put(name, string(p.read(name)))
	}
	url := func(key, query string) string { return "s3://data/" + key + query }
	keys := b.keys()
	for _, more := range []string{b.query, strings.Replace(b.query, "us-east-1", "eu-west-1", 1), "?anonymous=true&" + strings.TrimSuffix(b.query[1:], "&anonymous=true"), strings.Replace(b.query, "127.0.0.1", "localhost", 1)} {
		for line, want := range map[string]string{
			"encrypt --key @/public.json --id id --measure x:max=100 --out @/new.cf.parquet --in '" + url("a.csv", b.query) + "' '" + url("a.csv", more) + "'":                             "is given twice",
			"fuse --out @/new.cf.parquet --in '" + url("a.cf.parquet", b.query) + "' '" + url("a.cf.parquet", more) + "'":                                                                  "is given twice",
			"fuse --overwrite --in '" + url("a.cf.parquet", b.query) + "' '" + url("b.cf.parquet", b.query) + "' --out '" + url("a.cf.parquet", more) + "'":                                "is an input and the output",
			"fuse --overwrite --in '" + url("a.cf.parquet", b.query) + "' --out @/new.cf.parquet --receipt '" + url("a.cf.parquet", more) + "'":                                            "are the same file",
			"encrypt --overwrite --key '" + url("public.json", b.query) + "' --in @/a.csv --id id --measure x:max=100 --out @/new.cf.parquet --receipt '" + url("public.json", more) + "'": "are the same file",
		} {
			if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, want) {
				t.Errorf("%s\nexit code %d\n%s", line, r.code, r.err)
			}
		}
	}
	if now := b.keys(); strings.Join(now, " ") != strings.Join(keys, " ") || b.get("a.cf.parquet") != string(p.read("a.cf.parquet")) || b.get("public.json") != string(p.read("public.json")) {
		t.Errorf("objects: %q", now)
	}
}
