package roundtrip_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// owner encrypts a table of four records, as that of a named owner.
func (b *bench) owner(name, layout string, rowsPerFile int64) string {
	b.Helper()
	rows := "id,v\n1,5\n2,6\n3,7\n4,8\n"
	return b.encrypt(b.write(name+".csv", rows), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(b, "v:max=10")}, Layout: layout, Source: name, RowsPerFile: rowsPerFile})
}

// copyOf copies a table, and changes its footer, whose digest is computed anew.
func (b *bench) copyOf(file, name string, change func(*ctfile.Table)) string {
	b.Helper()
	r, err := ctfile.Open(context.Background(), blob.Local{}, file, column.ReadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	t := *r.Table()
	change(&t)
	ids := slices.Clone(r.Schema().Fields()[:len(t.IDs)])
	for i := range ids {
		if l, ok := ids[i].Type.(*arrow.ListType); ok {
			ids[i].Type = l.Elem()
		}
	}
	w, err := ctfile.Create(context.Background(), blob.Local{}, b.path(name), t, ids, ctfile.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	if _, err := column.Copy(context.Background(), w, r); err != nil {
		b.Fatal(err)
	}
	if err := w.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
	return b.path(name)
}

// Every table has an id of its own, and a sum has those of all tables in it, with their weights.
func TestSumsKnowTheirTables(t *testing.T) {
	b := newBench(t, paillier.MHL)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		one, two, three := b.owner("one-"+layout, layout, 0), b.owner("two-"+layout, layout, 0), b.owner("three-"+layout, layout, map[string]int64{slots.Records: 2, slots.Blocks: 0}[layout])
		first := b.fuse(layout+"1.cf.parquet", fuse.Request{In: []string{one, two}, Weights: []fuse.Weight{{File: two, Weight: -2}}})
		all := b.fuse(layout+"2.cf.parquet", fuse.Request{In: []string{first, three}, Weights: []fuse.Weight{{File: first, Weight: 3}}})
		total := b.fuse(layout+"3.cf.parquet", fuse.Request{In: []string{one, three}, By: []string{}})
		ids := map[string]string{}
		for _, file := range []string{one, two, first, all, total} {
			table := b.inspect(file)
			if len(table.TableID) != ctfile.IDDigits || ids[table.TableID] != "" {
				t.Errorf("%s has the id %q, as %s", file, table.TableID, ids[table.TableID])
			}
			ids[table.TableID] = file
		}
		entry := func(file, name string, weight int64) ctfile.Original {
			return ctfile.Original{ID: b.inspect(file).TableID, Weight: weight, Source: name + "-" + layout}
		}
		file := three
		if layout == slots.Records {
			file = b.partFiles(three, 2)[0]
		}
		for file, want := range map[string][]ctfile.Original{
			first: {entry(one, "one", 1), entry(two, "two", -2)},
			all:   {entry(one, "one", 3), entry(two, "two", -6), entry(file, "three", 1)},
			total: {entry(one, "one", 1), entry(file, "three", 1)},
		} {
			slices.SortFunc(want, func(a, b ctfile.Original) int { return a.Compare(&b) })
			got := b.inspect(file)
			if fmt.Sprint(got.Originals) != fmt.Sprint(want) || got.Unidentified != 0 || got.Repeats {
				t.Errorf("%s: %v, want %v", file, got.Originals, want)
			}
		}
	}
}

// files are the part files of a table.
func (b *bench) partFiles(dir string, want int) []string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.cf.parquet"))
	if err != nil || len(files) != want {
		b.Fatalf("%q, %v", files, err)
	}
	return files
}

// A table may be in a sum once, whatever its name is and in which sums it was before.
func TestTablesCountOnce(t *testing.T) {
	b := newBench(t, paillier.MHL)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		one, two, three := b.owner("one-"+layout, layout, 0), b.owner("two-"+layout, layout, 0), b.owner("three-"+layout, layout, 0)
		both := b.fuse(layout+"both.cf.parquet", fuse.Request{In: []string{one, two}})
		cases := map[string][]string{
			"copy":          {one, b.copyOf(one, layout+"copy.cf.parquet", func(*ctfile.Table) {})},
			"renamed":       {one, b.copyOf(one, layout+"renamed.cf.parquet", func(t *ctfile.Table) { t.Source, t.JobID = "another", "another" })},
			"in a sum":      {both, one},
			"in two sums":   {both, b.fuse(layout+"more.cf.parquet", fuse.Request{In: []string{one, three}})},
			"re-randomized": {one, b.fuse(layout+"fresh.cf.parquet", fuse.Request{In: []string{one}, Rerandomize: "always"})},
			"subtracted":    {both, b.fuse(layout+"minus.cf.parquet", fuse.Request{In: []string{one}, Weights: []fuse.Weight{{File: one, Weight: -1}}})},
		}
		if layout == slots.Records {
			parts := b.partFiles(b.owner("four", layout, 2), 2)
			sum := b.partFiles(b.fuse("sum.cf.parquet", fuse.Request{In: []string{one, two}, RowsPerFile: 2}), 2)
			cases["a part and the whole"] = []string{parts[0], b.fuse("four-sum.cf.parquet", fuse.Request{In: []string{filepath.Dir(parts[0])}})}
			cases["a part of a sum and the table"] = []string{sum[0], one}
			cases["a part of a sum and another sum"] = []string{sum[0], both}
			cases["a part of a sum twice"] = []string{sum[0], b.copyOf(sum[0], "part.cf.parquet", func(*ctfile.Table) {})}
		}
		for name, in := range cases {
			for _, by := range [][]string{nil, {}} {
				_, err := b.tryFuse("x.cf.parquet", fuse.Request{In: in, By: by})
				refused(t, err, "would be counted twice")
				for _, file := range in {
					if err == nil || !strings.Contains(err.Error(), file) {
						t.Errorf("%s, %s: %v does not name %s", layout, name, err, file)
					}
				}
				if _, err := os.Stat(b.path("x.cf.parquet")); err == nil {
					t.Errorf("%s, %s: something was written", layout, name)
				}
			}
		}
	}
}

// The files of a table have no row in common: fused one by one they give the table, whoever made it.
func TestPartsOfTablesCountOnce(t *testing.T) {
	b := newBench(t, paillier.MHL)
	one, two := b.owner("one", slots.Records, 0), b.owner("two", slots.Records, 0)
	for name, c := range map[string]struct {
		in     []string
		want   string
		owners int64
	}{
		"an owner's": {b.partFiles(b.owner("three", slots.Records, 2), 2), "5 6 7 8", 1},
		"a sum's":    {b.partFiles(b.fuse("sum.cf.parquet", fuse.Request{In: []string{one, two}, RowsPerFile: 1}), 4), "10 12 14 16", 2},
	} {
		halves := []string{b.fuse(name+"1.cf.parquet", fuse.Request{In: c.in[:1]}), b.fuse(name+"2.cf.parquet", fuse.Request{In: c.in[1:]})}
		for way, in := range map[string][]string{"at once": c.in, "in two steps": halves} {
			out := b.fuse(name+way+".cf.parquet", fuse.Request{In: in})
			var got []string
			for _, row := range b.decrypt(out) {
				got = append(got, row["v_sum"])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, %s: %v", name, way, got)
			}
			if n := b.inspect(out).Owners(); n != c.owners {
				t.Errorf("%s, %s: %d owners in %+v", name, way, n, b.inspect(out).Originals)
			}
			_, err := b.tryFuse("x.cf.parquet", fuse.Request{In: []string{out, c.in[0]}})
			refused(t, err, "would be counted twice")
		}
	}
}

// Who means it may count a table twice. That stays with every later sum, and no guarantee of privacy does.
func TestAllowRepeats(t *testing.T) {
	b := newBench(t, paillier.MHL)
	one, two := b.owner("one", slots.Records, 0), b.owner("two", slots.Records, 0)
	twice := b.fuse("twice.cf.parquet", fuse.Request{In: []string{one, b.copyOf(one, "copy.cf.parquet", func(*ctfile.Table) {})}, AllowRepeats: true})
	if rows := b.decrypt(twice); rows[0]["v_sum"] != "10" || rows[0]["v_count"] != "2" {
		t.Errorf("%v", rows)
	}
	later := b.fuse("later.cf.parquet", fuse.Request{In: []string{twice, two}})
	for _, file := range []string{twice, later} {
		if table := b.inspect(file); !table.Repeats || len(table.Originals) < 2 {
			t.Errorf("%s: %+v", file, table)
		}
		_, err := b.open(file, "out.csv", privacy.Request{Noise: privacy.NoiseRelease, Rho: "1", Records: 1, Budget: b.budget("1", "", "")})
		refused(t, err, "may be in the sum more than once")
	}
	if n := b.inspect(later).Owners(); n != 2 {
		t.Errorf("%d owners", n)
	}
	// One table taken out again is not in the sum.
	out := b.fuse("out.cf.parquet", fuse.Request{In: []string{later, one}, Weights: []fuse.Weight{{File: one, Weight: -2}}, AllowRepeats: true})
	if n := b.inspect(out).Owners(); n != 1 {
		t.Errorf("%d owners in a sum from which one was taken out: %+v", n, b.inspect(out).Originals)
	}
	spec := dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}
	for _, p := range []privacy.Request{{Noise: privacy.NoiseLocal, Rho: "1", Records: 1}, {Noise: privacy.NoiseShare, Rho: "1", Records: 1, Owners: 2, Honest: 1}} {
		e := encrypt.Request{Spec: spec, Privacy: p}
		if p.Noise == privacy.NoiseShare {
			e.Universe = []string{b.write("u.csv", "id\n1\n2\n")}
		}
		noisy := b.encrypt(b.write(p.Noise+".csv", "id,v\n1,5\n"), e)
		_, err := b.tryFuse("x.cf.parquet", fuse.Request{In: []string{noisy}, AllowRepeats: true})
		refused(t, err, "whose guarantee does not hold")
		if p.Noise == privacy.NoiseShare { // a table without noise may be fused with shares
			_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: []string{noisy, twice}})
			refused(t, err, "whose guarantee does not hold")
		}
	}
}

// A sum of tables of too few owners is not opened; those of earlier versions do not count.
func TestMinOwners(t *testing.T) {
	b := newBench(t, paillier.MHL)
	one, two := b.owner("one", slots.Records, 0), b.owner("two", slots.Records, 0)
	noID := func(t *ctfile.Table) { t.TableID = "" }
	old, other := b.copyOf(one, "old.cf.parquet", noID), b.copyOf(b.owner("three", slots.Records, 0), "other.cf.parquet", noID)
	both := b.fuse("both.cf.parquet", fuse.Request{In: []string{one, two}})
	mixed := b.fuse("mixed.cf.parquet", fuse.Request{In: []string{old, two}})
	open := func(in string, least int64) error {
		_, err := decrypt.Run(context.Background(), decrypt.Request{Unfused: true, Options: job.Options{Overwrite: true}, Key: keys.Of(b.key), In: in, Out: b.path("out.csv"), MinOwners: least})
		return err
	}
	for _, c := range []struct {
		in    string
		least int64
		want  string
	}{
		{both, 0, ""}, {both, 2, ""}, {both, 3, "the tables of 2 owners are in it, fewer than ‹min_owners› 3"},
		{one, 1, ""}, {one, 2, "the table of 1 owner is in it"},
		{mixed, 1, ""}, {mixed, 2, "tables with an id: 1, without: 1"}, {old, 1, "tables with an id: 0, without: 1"},
	} {
		if err := open(c.in, c.least); c.want != "" {
			refused(t, err, c.want)
		} else if err != nil {
			t.Errorf("%s, at least %d: %v", c.in, c.least, err)
		}
	}
	if err := open(both, -1); err == nil || !strings.Contains(err.Error(), "is negative") {
		t.Errorf("at least -1: %v", err)
	}
	// Of tables without an id only exact copies are recognised.
	_, err := b.tryFuse("x.cf.parquet", fuse.Request{In: []string{old, b.copyOf(old, "oldcopy.cf.parquet", func(t *ctfile.Table) { t.JobID = "y" })}})
	refused(t, err, "the same table as")
	table := b.inspect(b.fuse("olds.cf.parquet", fuse.Request{In: []string{old, other}}))
	if table.Unidentified != 2 || table.Originals != nil || table.TableID == "" {
		t.Errorf("%+v", table)
	}
}
