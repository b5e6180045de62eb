package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
)

// Fusions of every kind, divided among shards, give the files and the reports of one run.
func TestFuseInShards(t *testing.T) {
	p := newPlace(t)
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where the job's receipt is signed
	all := []string{"id"}
	for i := range 150 {
		all = append(all, fmt.Sprint(i))
	}
	p.lines("all.csv", all...)
	for _, owner := range []string{"a", "b"} {
		lines := []string{"id,ward,x"}
		for i := range 150 {
			if i%7 != int(owner[0]-'a') {
				lines = append(lines, fmt.Sprintf("%d,%c,%d", i, 'a'+i*i%7, i%90))
			}
		}
		p.lines(owner+".csv", lines...)
		p.ok(fmt.Sprintf("encrypt --quiet --key @/public.json --in @/%[1]s.csv --out @/%[1]s.cf.parquet --id id --id ward --measure x:max=100", owner))
		p.ok(fmt.Sprintf("encrypt --quiet --key @/public.json --in @/%[1]s.csv --out @/%[1]s.blocks.cf.parquet --id id --measure x:max=100 --layout blocks --universe @/all.csv --max-adds 1000", owner))
	}
	const text = `version = 1
[job]
name = "fusions"
dir = "%[1]s/%[2]s/job"
[[fuse]]
in = ["%[1]s/a.cf.parquet", "%[1]s/b.cf.parquet"]
rows_per_file = 40
count_unmatched = true
out = "%[1]s/%[2]s/ids"
[[fuse]]
in = ["%[1]s/a.cf.parquet", "%[1]s/b.cf.parquet"]
by = "ward"
min_group = 40
out = "%[1]s/%[2]s/wards.cf.parquet"
[[fuse]]
in = ["%[1]s/a.cf.parquet", "%[1]s/b.cf.parquet"]
by = []
out = "%[1]s/%[2]s/total.cf.parquet"
[[fuse]]
in = ["%[1]s/a.blocks.cf.parquet", "%[1]s/b.blocks.cf.parquet"]
out = "%[1]s/%[2]s/blocks.cf.parquet"
`
	reports := map[string][]any{}
	for _, name := range []string{"whole", "shards"} {
		p.mkdir(name)
		p.write(name+".toml", fmt.Sprintf(text, p.dir, name))
		line := "run"
		if name == "shards" {
			line = "merge"
			for _, i := range []int{2, 1, 3} {
				if out := p.ok(fmt.Sprintf("shard --quiet @/shards.toml %d/3 --lineage @/e.jsonl", i)); !strings.Contains(out, " parts done") {
					t.Errorf("shard %d printed %s", i, out)
				}
			}
		}
		var s batch.Summary
		if err := json.Unmarshal([]byte(p.ok(line+" --quiet --json @/"+name+".toml")), &s); err != nil {
			t.Fatal(err)
		}
		for _, s := range s.Steps {
			r := s.Report
			if r.Unmatched != nil {
				reports[name] = append(reports[name], *r.Unmatched)
			}
			reports[name] = append(reports[name], r.Records, r.Ciphertexts, r.Values, r.SmallGroups, r.Kernel, r.Key)
		}
	}
	if len(reports["whole"]) != 25 || !reflect.DeepEqual(reports["whole"], reports["shards"]) {
		t.Errorf("reported %v, in shards %v", reports["whole"], reports["shards"])
	}
	for _, e := range p.events("e.jsonl") { // shards tell of what they work for, and not of the parts
		var in, out []string
		for _, d := range e.Inputs {
			in = append(in, strings.TrimPrefix(d.Name, p.dir+"/"))
		}
		for _, d := range e.Outputs {
			out = append(out, strings.TrimPrefix(d.Name, p.dir+"/"))
		}
		equal(t, "outputs of a shard", out, []string{"shards/ids", "shards/wards.cf.parquet", "shards/total.cf.parquet", "shards/blocks.cf.parquet"})
		if slices.Sort(in); len(slices.Compact(in)) != 4 {
			t.Errorf("inputs of a shard: %q", in)
		}
	}
	whole, shards := map[string]string{}, map[string]string{}
	for name, digest := range p.files() {
		if rest, ok := strings.CutPrefix(name, "whole/"); ok && !strings.HasPrefix(rest, "job/") {
			whole[rest] = digest
		} else if rest, ok := strings.CutPrefix(name, "shards/"); ok && !strings.HasPrefix(rest, "job/") {
			shards[rest] = digest
		}
	}
	if len(whole) < 8 || !reflect.DeepEqual(whole, shards) {
		t.Errorf("files %v, in shards %v", whole, shards)
	}
}

// Shards are counted from 1, or as some schedulers do from 0.
func TestParseShard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		fromZero bool
		i, n     int // 0: refused
	}{
		{"1/1", false, 1, 1}, {"3/16", false, 3, 16}, {"16/16", false, 16, 16}, {"0/16", false, 0, 0}, {"17/16", false, 0, 0}, {"0/1", true, 1, 1}, {"15/16", true, 16, 16},
		{"16/16", true, 0, 0}, {"-1/16", true, 0, 0}, {"", false, 0, 0}, {"3", false, 0, 0}, {"3/", false, 0, 0}, {"/3", true, 0, 0}, {"a/b", false, 0, 0}, {"1/2/3", false, 0, 0},
		{"1/0", false, 0, 0}, {"1/-1", true, 0, 0}, {"1/1048576", false, 1, 1 << 20}, {"1/1048577", false, 0, 0},
	} {
		i, n, err := parseShard(c.text, c.fromZero)
		if (err != nil) != (c.n == 0) || i != c.i || n != c.n {
			t.Errorf("%q, from zero %v: %d/%d, %v", c.text, c.fromZero, i, n, err)
		}
	}
}
