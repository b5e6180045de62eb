package roundtrip_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// tree writes files of a directory tree.
func (b *bench) tree(files map[string]string) {
	b.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
			b.Fatal(err)
		}
		b.write(name, text)
	}
}

// sumsBy are NAME_sum/NAME_count by the values of some columns.
func sumsBy(rows []map[string]string, measure string, by ...string) map[string]string {
	out := map[string]string{}
	for _, row := range rows {
		var key []string
		for _, name := range by {
			key = append(key, row[name])
		}
		out[strings.Join(key, ",")] += row[measure+"_sum"] + "/" + row[measure+"_count"]
	}
	return out
}

// Folders KEY=VALUE are columns: ids, groups, and measures when they are numbers.
func TestPartitionFolders(t *testing.T) {
	b := newBench(t, paillier.DJN)
	b.tree(map[string]string{
		"data/site=A/year=2025/part-0.csv":     "id,x\n1,10\n2,20\n",
		"data/site=A/year=2026/part-0.csv":     "id,x\n1,30\n",
		"data/site=A/year=2026/part-1.csv":     "id,x\n3,40\n",
		"data/site=B%20b/year=2026/part-0.csv": "id,x\n1,500\n2,NA\n",
		"data/site=B%20b/year=2026/_SUCCESS":   "",
	})
	in := b.path("data")
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"site", "year", "id"}, Measures: measures(t, "x:max=1000")}}
	bySite := map[string]string{"A": "100/4", "B b": "500/1"}
	for _, pattern := range []string{"data", "data/*", "data/site=*/year=*", "data/*/*/*.csv"} {
		e.In, e.Out, e.Options, e.Key = []string{b.path(pattern)}, b.path("all.cf.parquet"), b.options, keys.Of(b.key.Public())
		e.Overwrite = true
		report, err := encrypt.Run(t.Context(), e)
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		if report.Records != 6 || report.Missing["x"] != 1 || len(report.Inputs) != 4 {
			t.Errorf("%s: %+v", pattern, report)
		}
		got := sumsBy(b.decrypt(b.fuse("by.cf.parquet", fuse.Request{In: []string{e.Out}, By: []string{"site"}})), "x", "site")
		if !maps.Equal(got, bySite) {
			t.Errorf("%s: by site %v, want %v", pattern, got, bySite)
		}
		got = sumsBy(b.decrypt(b.fuse("by2.cf.parquet", fuse.Request{In: []string{e.Out}, By: []string{"year", "site"}})), "x", "year", "site")
		if want := map[string]string{"2025,A": "30/2", "2026,A": "70/2", "2026,B b": "500/1"}; !maps.Equal(got, want) {
			t.Errorf("%s: by year and site %v, want %v", pattern, got, want)
		}
		for _, name := range []string{"by.cf.parquet", "by2.cf.parquet"} {
			if err := os.Remove(b.path(name)); err != nil {
				t.Fatal(err)
			}
		}
	}

	// As a measure; and * means the columns of the files.
	e = encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "year", "x:max=1000")}}
	e.In, e.Out, e.Key = []string{in}, b.path("year.cf.parquet"), keys.Of(b.key.Public())
	if _, err := encrypt.Run(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	total := b.decrypt(b.fuse("total.cf.parquet", fuse.Request{In: []string{e.Out}, By: []string{}}))
	if got, want := total[0]["year_sum"], fmt.Sprint(2025*2+2026*4); len(total) != 1 || got != want {
		t.Errorf("sum of years %s, want %s", got, want)
	}
	e = encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "*:max=1000"), In: []string{in}}, Out: b.path("star.cf.parquet"), Key: keys.Of(b.key.Public())}
	report, err := encrypt.Run(t.Context(), e)
	if err != nil || !slices.Equal(report.Measures, []string{"x"}) {
		t.Errorf("* means %v, %v", report, err)
	}
	// In blocks, and only folders as ids.
	e = encrypt.Request{Spec: dataset.Spec{IDs: []string{"year", "id"}, Measures: measures(t, "x:max=1000"), In: []string{b.path("data/site=A/*/*")}}, Layout: slots.Blocks, Out: b.path("b.cf.parquet"), Key: keys.Of(b.key.Public())}
	if _, err := encrypt.Run(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got, want := sumsBy(b.decrypt(e.Out), "x", "year", "id"), map[string]string{"2025,1": "10/1", "2025,2": "20/1", "2026,1": "30/1", "2026,3": "40/1"}; !maps.Equal(got, want) {
		t.Errorf("blocks: %v, want %v", got, want)
	}
	e = encrypt.Request{Spec: dataset.Spec{IDs: []string{"site"}, Measures: measures(t, "year"), In: []string{in}}, Out: b.path("s.cf.parquet"), Key: keys.Of(b.key.Public())}
	if _, err := encrypt.Run(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got, want := sumsBy(b.decrypt(b.fuse("s2.cf.parquet", fuse.Request{In: []string{e.Out}})), "year", "site"), map[string]string{"A": "8102/4", "B b": "4052/2"}; !maps.Equal(got, want) {
		t.Errorf("folders only: %v, want %v", got, want)
	}
}

func TestPartitionRefusals(t *testing.T) {
	b := newBench(t, paillier.DJN)
	const text = "id,x\n1,10\n"
	b.tree(map[string]string{
		"beside/a=1/p.csv": text, "beside/p.csv": text,
		"keys/a=1/p.csv": text, "keys/b=1/p.csv": text,
		"depth/a=1/p.csv": text, "depth/a=2/b=1/p.csv": text,
		"types/a=1/p.csv": text, "types/a=2/p.tsv": text,
		"both/x=1/p.csv":                             text,
		"twice/a=1/a=2/p.csv":                        text,
		"null/site=__HIVE_DEFAULT_PARTITION__/p.csv": text, "null/site=A/p.csv": text,
		"empty/a=1/.hidden": text,
	})
	for _, tt := range []struct{ in, id, about, cause string }{
		{"beside", "id", "beside", "the file p.csv is beside the partition folder a=1"},
		{"keys", "id", "keys", "the partition folders a=1 and b=1 are of different keys"},
		{"depth", "id", "depth/a=2/b=1/p.csv", "its folders have the keys a, b, those of"},
		{"types", "id", "types", "mixes types: p.csv and p.tsv"},
		{"both", "id", "both/x=1/p.csv", "the column is in the file, and a folder has that key"},
		{"twice", "id", "twice/a=1/a=2/p.csv", "two of its folders have the key"},
		{"null", "site,id", "null/site=__HIVE_DEFAULT_PARTITION__/p.csv", "missing"},
		{"empty", "id", "empty", "no part files"},
		{"keys/*/*", "id", "keys/b=1/p.csv", "the keys b"},
	} {
		e := encrypt.Request{Spec: dataset.Spec{IDs: strings.Split(tt.id, ","), Measures: measures(t, "x:max=1000"), In: []string{b.path(tt.in)}}, Out: b.path("o.cf.parquet"), Key: keys.Of(b.key.Public())}
		_, err := encrypt.Run(t.Context(), e)
		var input *column.InputError
		var file *blob.Error
		about, hint := "", ""
		if errors.As(err, &input) {
			about, hint = input.File, input.Hint
		} else if errors.As(err, &file) {
			about, hint = file.Path, file.Hint
		}
		if about != b.path(tt.about) || hint == "" || !strings.Contains(fmt.Sprint(err), tt.cause) {
			t.Errorf("%s: %v (about %s, hint %q), want %q about %s", tt.in, err, about, hint, tt.cause, tt.about)
		}
	}
	if slices.ContainsFunc(b.files(), func(name string) bool { return filepath.Ext(name) == ".parquet" }) {
		t.Errorf("a refusal left %q", b.files())
	}
}
