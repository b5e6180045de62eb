package roundtrip_test

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// cohort is a random table of one owner: some ids of a universe, a group, two nullable measures with 1 and 2 decimals.
func cohort(r *rand.Rand, universe int) [][]string {
	rows := [][]string{{"id", "ward", "x", "y"}}
	for i := range universe {
		if r.IntN(4) == 0 {
			continue
		}
		row := []string{fmt.Sprintf("p%03d", i), "w" + strconv.Itoa(r.IntN(3)), "", "NA"}
		if r.IntN(5) != 0 {
			row[2] = big.NewRat(r.Int64N(20001)-10000, 10).FloatString(1)
		}
		if r.IntN(6) != 0 {
			row[3] = big.NewRat(r.Int64N(200001)-100000, 100).FloatString(2)
		}
		rows = append(rows, row)
	}
	return rows
}

// plainSums adds rows up by the value of a key column ("" for all), for x alone, y alone and both.
func plainSums(t testing.TB, by func(row []string) string, weight []int64, tables ...[][]string) map[string][3]*plainMoments {
	out := map[string][3]*plainMoments{}
	for i, rows := range tables {
		for _, row := range rows[1:] {
			k := by(row)
			if _, ok := out[k]; !ok {
				out[k] = [3]*plainMoments{newMoments(), newMoments(), newMoments()}
			}
			p, zero := out[k], new(big.Rat)
			hasX, hasY := row[2] != "", row[3] != "NA"
			if hasX {
				p[0].add(weight[i], rat(t, row[2]), zero)
			}
			if hasY {
				p[1].add(weight[i], rat(t, row[3]), zero)
			}
			if hasX && hasY {
				p[2].add(weight[i], rat(t, row[2]), rat(t, row[3]))
			}
		}
	}
	return out
}

func compare(t testing.TB, where string, row map[string]string, p [3]*plainMoments) {
	t.Helper()
	for i, name := range []string{"x", "y"} {
		if rat(t, row[name+"_sum"]).Cmp(p[i].x) != 0 {
			t.Errorf("%s: %s_sum %s, want %s", where, name, row[name+"_sum"], p[i].x.FloatString(2))
		}
		if row[name+"_count"] != strconv.FormatInt(p[i].n, 10) {
			t.Errorf("%s: %s_count %s, want %d", where, name, row[name+"_count"], p[i].n)
		}
		equalNumber(t, where+" "+name+"_mean", row[name+"_mean"], p[i].mean())
		equalNumber(t, where+" "+name+"_var", row[name+"_var"], p[i].spread(p[i].xx, p[i].x, p[i].x))
	}
	equalNumber(t, where+" cov", row["x_y_cov"], p[2].spread(p[2].xy, p[2].x, p[2].y))
}

var bothMeasures = []string{"x:decimals=1:max=1000", "y:decimals=2:max=1000"}

func spec(t testing.TB) encrypt.Request {
	return encrypt.Request{Spec: dataset.Spec{IDs: []string{"id", "ward"}, Measures: measures(t, bothMeasures...), Squares: []string{"x", "y"}, Products: []string{"x*y"}}}
}

// Everything that a table can be asked for equals the plain computation: all variants, both ways to encrypt, by group,
// by id and in total, with negative and missing values, for every statistic.
func TestRecordsEqualThePlainComputation(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
		t.Run(string(variant), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(len(variant))))
			b := newBench(t, variant)
			var files []string
			var tables [][][]string
			for i := range 3 {
				rows := cohort(r, 40)
				tables = append(tables, rows)
				e := spec(t)
				if i == 1 {
					e.Key = keys.Of(b.key) // the owner's fast way gives ciphertexts that fuse with the others
				}
				files = append(files, b.encrypt(b.table(fmt.Sprintf("o%d.csv", i), rows), e))
			}
			once := []int64{1, 1, 1}
			id := func(row []string) string { return row[0] + row[1] }
			for name, c := range map[string]struct {
				by  []string
				key func(row []string) string
				of  func(row map[string]string) string
			}{
				"by record": {nil, id, func(row map[string]string) string { return row["id"] + row["ward"] }},
				"by ward":   {[]string{"ward"}, func(row []string) string { return row[1] }, func(row map[string]string) string { return row["ward"] }},
				"total":     {[]string{}, func([]string) string { return "" }, func(map[string]string) string { return "" }},
			} {
				want := plainSums(t, c.key, once, tables...)
				got := b.decrypt(b.fuse(name+".cf.parquet", fuse.Request{In: files, By: c.by}))
				if len(got) != len(want) {
					t.Errorf("%s: %d rows, want %d", name, len(got), len(want))
				}
				for _, row := range got {
					p, ok := want[c.of(row)]
					if !ok {
						t.Fatalf("%s: row %q that no owner has", name, c.of(row))
					}
					compare(t, name+" "+c.of(row), row, p)
				}
			}
		})
	}
}

func TestBlocksEqualThePlainComputation(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	b := newBench(t, paillier.DJN)
	universe := [][]string{{"id", "ward"}}
	for i := range 101 { // the last block is short
		universe = append(universe, []string{fmt.Sprintf("p%03d", i), ""})
	}
	for i := range universe[1:] {
		universe[i+1][1] = "-"
	}
	list := b.table("universe.csv", universe)
	var files []string
	var tables [][][]string
	for i := range 3 {
		rows := cohort(r, 101)
		for _, row := range rows[1:] {
			row[1] = "-"
		}
		r.Shuffle(len(rows)-1, func(i, j int) { rows[i+1], rows[j+1] = rows[j+1], rows[i+1] })
		tables = append(tables, rows)
		e := spec(t)
		e.Layout, e.Universe, e.MaxAdds = slots.Blocks, []string{list}, 400
		files = append(files, b.encrypt(b.table(fmt.Sprintf("o%d.csv", i), rows), e))
	}
	want := plainSums(t, func(row []string) string { return row[0] }, []int64{1, 1, 1}, tables...)
	got := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: files}))
	if len(got) != 101 {
		t.Fatalf("%d records, want 101", len(got))
	}
	empty := [3]*plainMoments{newMoments(), newMoments(), newMoments()}
	for i, row := range got {
		if row["id"] != universe[i+1][0] {
			t.Fatalf("record %d is %s, want %s: the universe's order", i, row["id"], universe[i+1][0])
		}
		p, ok := want[row["id"]]
		if !ok {
			p = empty
		}
		compare(t, row["id"], row, p)
	}
	total := b.decrypt(b.fuse("total.cf.parquet", fuse.Request{In: files, By: []string{}}))
	if len(total) != 1 {
		t.Fatalf("a total of %d rows", len(total))
	}
	compare(t, "total", total[0], plainSums(t, func([]string) string { return "" }, []int64{1, 1, 1}, tables...)[""])
}

func TestWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	b := newBench(t, paillier.MHL)
	weights := []int64{1, -2, 3}
	var files, blocks []string
	var tables [][][]string
	list := [][]string{{"id"}}
	for i := range 30 {
		list = append(list, []string{fmt.Sprintf("p%03d", i)})
	}
	universe := b.table("universe.csv", list)
	for i := range 3 {
		rows := cohort(r, 30)
		tables = append(tables, rows)
		in := b.table(fmt.Sprintf("o%d.csv", i), rows)
		e := spec(t)
		files = append(files, b.encrypt(in, e))
		in = b.table(fmt.Sprintf("b%d.csv", i), rows)
		e = spec(t)
		e.IDs, e.Layout, e.Universe, e.MaxAdds = []string{"id"}, slots.Blocks, []string{universe}, 500
		blocks = append(blocks, b.encrypt(in, e))
	}
	of := func(files []string) []fuse.Weight {
		return []fuse.Weight{{File: files[1], Weight: -2}, {File: files[2], Weight: 3}}
	}
	plain := func(by func([]string) string) map[string][3]*plainMoments {
		return plainSums(t, by, weights, tables...)
	}
	check := func(name string, row map[string]string, p [3]*plainMoments) {
		t.Helper()
		for i, m := range []string{"x", "y"} {
			if rat(t, row[m+"_sum"]).Cmp(p[i].x) != 0 || row[m+"_count"] != strconv.FormatInt(p[i].n, 10) {
				t.Errorf("%s: %s = %s of %s, want %s of %d", name, m, row[m+"_sum"], row[m+"_count"], p[i].x.FloatString(2), p[i].n)
			}
		}
	}
	wards := plain(func(row []string) string { return row[1] })
	for _, row := range b.decrypt(b.fuse("wards.cf.parquet", fuse.Request{In: files, By: []string{"ward"}, Weights: of(files)})) {
		check(row["ward"], row, wards[row["ward"]])
	}
	records := plain(func(row []string) string { return row[0] })
	for _, row := range b.decrypt(b.fuse("records.cf.parquet", fuse.Request{In: blocks, Weights: of(blocks)})) {
		if p, ok := records[row["id"]]; ok {
			check(row["id"], row, p)
		}
	}
	total := plain(func([]string) string { return "" })[""]
	check("total", b.decrypt(b.fuse("total.cf.parquet", fuse.Request{In: blocks, By: []string{}, Weights: of(blocks)}))[0], total)
}

// Multiplication is commutative and residues have one form: neither workers nor batches nor the order of the inputs
// change a byte of what the aggregator releases.
func TestFusionIsTheSameWhateverTheThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	b := newBench(t, paillier.DJN)
	var files []string
	for i := range 3 {
		files = append(files, b.encrypt(b.table(fmt.Sprintf("o%d.csv", i), cohort(r, 300)), spec(t)))
	}
	var first [][]byte
	for _, threads := range []int{1, 2, 5} {
		b.options.Threads = threads
		out := b.fuse(fmt.Sprintf("f%d.cf.parquet", threads), fuse.Request{In: files, By: []string{"ward"}})
		ct := ciphertexts(t, out)
		if first == nil {
			first = ct
		}
		if !slices.EqualFunc(first, ct, bytes.Equal) {
			t.Errorf("%d threads give other ciphertexts than 1", threads)
		}
	}
	slices.Reverse(files)
	byWard := func(out string) map[string]string {
		m := map[string]string{}
		for _, row := range b.decrypt(out) {
			m[row["ward"]] = row["x_sum"]
		}
		return m
	}
	forward, backward := byWard(b.path("f1.cf.parquet")), byWard(b.fuse("back.cf.parquet", fuse.Request{In: files, By: []string{"ward"}}))
	if len(forward) != 3 || fmt.Sprint(forward) != fmt.Sprint(backward) {
		t.Errorf("inputs in reverse order give %v, want %v", backward, forward)
	}
}

// Owners with different measures fuse into a table with all of them.
func TestUnionOfMeasures(t *testing.T) {
	b := newBench(t, paillier.MHL)
	one := b.encrypt(b.table("a.csv", [][]string{{"g", "x"}, {"1", "10"}, {"2", "20"}}), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=100")}})
	two := b.encrypt(b.table("b.csv", [][]string{{"g", "y"}, {"2", "5"}, {"3", "6"}}), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "y:max=100")}})
	both := b.encrypt(b.table("c.csv", [][]string{{"g", "x"}, {"3", "7"}}), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=100")}})
	var got []string
	for _, row := range b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: []string{one, two, both}})) {
		got = append(got, fmt.Sprint(row["g"], " ", row["x_sum"], "/", row["x_count"], " ", row["y_sum"], "/", row["y_count"]))
	}
	if want := []string{"1 10/1 0/0", "2 20/1 5/1", "3 7/1 6/1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMinGroup(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.table("a.csv", [][]string{{"ward", "x"}, {"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", ""}, {"a", "5"}, {"c", "7"}}),
		encrypt.Request{Spec: dataset.Spec{IDs: []string{"ward"}, Measures: measures(t, "x:max=100")}})
	out := b.path("f.cf.parquet")
	report, err := fuse.Run(context.Background(), fuse.Request{In: []string{in}, Out: out, By: []string{"ward"}, MinGroup: 2})
	if err != nil {
		t.Fatal(err)
	}
	rows := b.decrypt(out)
	if report.SmallGroups != 1 || len(rows) != 2 || rows[0]["ward"]+rows[0]["x_sum"] != "a9" || rows[1]["ward"]+rows[1]["x_sum"]+rows[1]["x_count"] != "c71" {
		t.Errorf("%v, %d groups dropped", rows, report.SmallGroups)
	}
}

// Fusing in two steps gives what one step gives, and the footers add the additions up.
func TestFusionOfFusions(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=100")}, MaxAdds: 4}
	var files []string
	for i := range 4 {
		files = append(files, b.encrypt(b.table(fmt.Sprintf("o%d.csv", i), [][]string{{"g", "x"}, {"a", strconv.Itoa(100 - i)}}), e))
	}
	left, right := b.fuse("l.cf.parquet", fuse.Request{In: files[:2]}), b.fuse("r.cf.parquet", fuse.Request{In: files[2:]})
	all := b.fuse("all.cf.parquet", fuse.Request{In: []string{left, right}})
	if rows := b.decrypt(all); rows[0]["x_sum"] != "394" || rows[0]["x_count"] != "4" {
		t.Errorf("%v", rows)
	}
	_, err := b.tryFuse("more.cf.parquet", fuse.Request{In: []string{all, files[0]}})
	if f := job.Explain(err); err == nil || f.Kind != job.Refused || f.Hint == "" {
		t.Errorf("a fifth addition where four fit: %+v", f)
	}
	if _, err := os.Stat(b.path("more.cf.parquet")); !os.IsNotExist(err) {
		t.Errorf("a refused fusion left a file: %v", err)
	}
}
