package roundtrip_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// fuseInParts fuses by runs of ranges that end at `cuts`, in random order, some twice, and returns the result.
func fuseInParts(b *bench, random *rand.Rand, u fuse.Request, cuts []int64) (string, error) {
	b.Helper()
	ctx := context.Background()
	n, _, err := fuse.Rows(ctx, u)
	if err != nil {
		b.Fatal(err)
	}
	var runs []string
	from := int64(0)
	for _, to := range append(cuts, n) {
		name := b.path(fmt.Sprintf("run-%d", from))
		if _, err := fuse.Part(ctx, u, job.Range{From: from, To: to}, name); err != nil {
			b.Fatal(err)
		}
		runs = append(runs, name)
		if random.IntN(2) == 0 { // again, beside it: a shard that was retried
			if _, err := fuse.Part(ctx, u, job.Range{From: from, To: to}, name+"-again"); err != nil {
				b.Fatal(err)
			}
			if !bytes.Equal(readFile(b, name), readFile(b, name+"-again")) && u.Rerandomize != "always" && (len(u.Weights) == 0 || u.Rerandomize == "never") {
				b.Errorf("rows %d to %d folded twice give two files", from, to)
			}
			runs = append(runs, name+"-again")
		}
		from = to
	}
	random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	u.Out = b.path("merged.cf.parquet")
	_, err = fuse.Join(ctx, u, runs)
	for _, name := range runs {
		os.Remove(name)
	}
	return u.Out, err
}

// However a fusion is cut into parts, merging them gives the file of the fusion in one step.
func TestFuseInParts(t *testing.T) {
	b := newBench(t, paillier.MHL)
	random := rand.New(rand.NewPCG(3, 4))
	x, y := newStock(b, "x"), newStock(b, "y", "z")
	rows := func(n int, sorted bool) []stockRow {
		list := make([]stockRow, n)
		for i := range list {
			list[i] = stockRow{random.Int64N(thoroughtest.Pick[int64](700, 2000)), random.IntN(256)}
		}
		if sorted {
			return sortedRows(list)
		}
		return list
	}
	n := thoroughtest.Pick(1000, 3000)
	records := []string{x.write(b, "x1", rows(n, false)), x.write(b, "x2", rows(n*5/6, true)), y.write(b, "y1", rows(n/2, false))}
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=100")}, Layout: slots.Blocks, MaxAdds: 5000, Key: keys.Of(b.key)}
	var blocks []string
	for owner := range 3 {
		table := [][]string{{"id", "v"}}
		for i := range thoroughtest.Pick(251, 701) {
			table = append(table, []string{fmt.Sprintf("p%03d", i), fmt.Sprint((i*(owner+3))%100 - 50)})
		}
		blocks = append(blocks, b.encrypt(b.table(fmt.Sprintf("b%d.csv", owner), table), e))
	}
	for name, u := range map[string]fuse.Request{
		"by id":               {In: records, By: []string{"id"}},
		"by both":             {In: records},
		"by name":             {In: records, By: []string{"name"}, MinGroup: 10},
		"everything":          {In: records, By: []string{}},
		"weighted":            {In: records, By: []string{"id"}, Weights: []fuse.Weight{{File: records[1], Weight: -3}}, Rerandomize: "never"},
		"blocks":              {In: blocks},
		"blocks, rerandomize": {In: blocks, Rerandomize: "always"},
		"blocks, weighted":    {In: blocks, Weights: []fuse.Weight{{File: blocks[2], Weight: 5}}, Rerandomize: "never"},
		"total of blocks":     {In: blocks, By: []string{}, Weights: []fuse.Weight{{File: blocks[0], Weight: 2}}},
		"weighted, refreshed": {In: records, By: []string{"id"}, Weights: []fuse.Weight{{File: records[0], Weight: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			u.Options = job.Options{Overwrite: true, Threads: 2}
			u.Out = b.path("whole.cf.parquet")
			if _, err := fuse.Run(context.Background(), u); err != nil {
				t.Fatal(err)
			}
			n, _, err := fuse.Rows(context.Background(), u)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(5, uint64(len(name))))
			for _, cuts := range [][]int64{{}, {1, n / 3, n - 1}} {
				out, err := fuseInParts(b, random, u, cuts)
				if err != nil {
					t.Fatal(err)
				}
				isRandom := u.Rerandomize == "always" || u.Weights != nil && u.Rerandomize == "" || strings.HasPrefix(name, "total")
				if !isRandom && !bytes.Equal(readFile(t, out), readFile(t, u.Out)) {
					t.Fatalf("cut at %d: another file than in one step", cuts)
				}
				got, want := b.decrypt(out), b.decrypt(u.Out)
				if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
					t.Fatalf("cut at %d: other sums than in one step", cuts)
				}
			}
		})
	}
}

// Parts that do not belong together, that are damaged or that are not all are refused, and nothing is written.
func TestFuseRunsRefuses(t *testing.T) {
	b := newBench(t, paillier.MHL)
	s := newStock(b, "x")
	in := []string{s.write(b, "one", []stockRow{{3, 1}, {1, 2}, {2, 3}, {1, 4}}), s.write(b, "two", []stockRow{{3, 1}, {9, 2}})}
	u := fuse.Request{In: in, By: []string{"id"}, Options: job.Options{Overwrite: true}, Out: b.path("out.cf.parquet")}
	run := func(u fuse.Request, from, to int64) string {
		t.Helper()
		name := b.path(fmt.Sprintf("run-%d-%d-%d", from, to, len(u.By)))
		if _, err := fuse.Part(context.Background(), u, job.Range{From: from, To: to}, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	first, second, third := run(u, 0, 2), run(u, 2, 5), run(u, 5, 6)
	refuse := func(name, message string, u fuse.Request, runs ...string) {
		t.Helper()
		_, err := fuse.Join(context.Background(), u, runs)
		f := job.Explain(err)
		if err == nil || !strings.Contains(f.Message, message) || f.Hint == "" {
			t.Errorf("%s: %+v", name, f)
		}
		if _, err := os.Stat(u.Out); !os.IsNotExist(err) {
			t.Errorf("%s: there is an output", name)
		}
	}
	refuse("the first is missing", "rows 0 to 2 is missing", u, second, third)
	refuse("one in the middle is missing", "rows 2 to 5 is missing", u, third, first)
	refuse("the last is missing", "rows 5 to 6 is missing", u, first, second)
	refuse("none", "rows 0 to 6 is missing", u)
	refuse("two cuts", "are in another part, too", u, first, second, third, run(u, 1, 3))
	other := u
	other.By = nil
	refuse("grouped by something else", "a part of another fusion", u, run(other, 0, 6))
	other = u
	other.In = []string{in[1], in[0]}
	refuse("inputs in another order", "a part of another fusion", other, first, second, third)
	other = u
	other.MinGroup = 2
	refuse("another ‹min_group›", "a part of another fusion", other, first, second, third)
	s.write(b, "more", []stockRow{{3, 1}, {9, 2}, {9, 3}})
	whole := readFile(t, in[1])
	if err := os.Rename(b.path("more"), in[1]); err != nil {
		t.Fatal(err)
	}
	refuse("an input was changed", "a part of another fusion", u, first, second, third)
	if err := os.WriteFile(in[1], whole, 0o644); err != nil {
		t.Fatal(err)
	}
	refuse("not a run", "not a run file", u, first, second, in[0])
	good := readFile(t, second)
	for i := 0; i < len(good); i += 1 + len(good)/60 {
		bad := slices.Clone(good)
		bad[i] ^= 4
		if err := os.WriteFile(second, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		refuse(fmt.Sprintf("byte %d of %d changed", i, len(good)), "", u, first, second, third)
		if err := os.WriteFile(second, good[:i], 0o644); err != nil {
			t.Fatal(err)
		}
		refuse(fmt.Sprintf("cut off at %d of %d", i, len(good)), "damaged", u, first, second, third)
	}
	if err := os.WriteFile(second, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fuse.Join(context.Background(), u, []string{third, first, second}); err != nil {
		t.Error(err)
	}
	for _, r := range []job.Range{{From: -1, To: 2}, {From: 3, To: 3}, {From: 0, To: 7}, {From: 4, To: 2}} {
		if _, err := fuse.Part(context.Background(), u, r, b.path("run")); job.Explain(err).Kind != job.Usage {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// A run whose rows are not those of its range, as no fusion writes it, is refused by its name.
func TestRunsOfOtherRows(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, paillier.MHL)
	table := [][]string{{"id", "v"}}
	for i := range 700 {
		table = append(table, []string{fmt.Sprint(i), fmt.Sprint(i % 100)})
	}
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=100")}, Layout: slots.Blocks, MaxAdds: 1000, Key: keys.Of(b.key)}
	u := fuse.Request{In: []string{b.encrypt(b.table("a.csv", table), e)}, Out: b.path("out.cf.parquet")}
	n, _, err := fuse.Rows(ctx, u)
	if err != nil || n < 3 {
		t.Fatal(n, err)
	}
	part := func(from, to int64) string {
		name := b.path(fmt.Sprintf("run-%d-%d", from, to))
		if _, err := fuse.Part(ctx, u, job.Range{From: from, To: to}, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// pretend says that a run is of other blocks than those in it.
	pretend := func(name string, from, to int64) string {
		in, err := sums.OpenFile(ctx, blob.Local{}, name)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		d := in.Description
		shape := sums.Shape{Key: b.key.Public(), Slots: len(d.Sums)}
		source, err := in.Source(shape, sums.NewPool(1<<20, shape))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := source.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Release()
		d.From, d.To = from, to
		forged := b.path(fmt.Sprintf("forged-%d-%d", from, to))
		out, err := sums.CreateFile(ctx, blob.Local{}, forged, shape, d)
		if err != nil {
			t.Fatal(err)
		}
		keys, ct := &sums.Keys{}, make([][]byte, shape.Slots)
		for i := range rows.Len() {
			keys.Data = append(keys.Data, rows.Key(i)...)
			keys.End()
			for slot := range ct {
				sum, _ := rows.Sum(i, slot)
				ct[slot] = append(ct[slot], sum...)
			}
		}
		if err := out.Append(&sums.Rows{Keys: keys, Sums: ct, Size: d.Size}); err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		return forged
	}
	for name, c := range map[string]struct {
		runs          []string
		file, message string
	}{
		"one too few":       {[]string{pretend(part(0, n-1), 0, n)}, fmt.Sprintf("forged-0-%d", n), "rows are missing"},
		"not those":         {[]string{part(0, 1), pretend(part(2, n), 1, n)}, fmt.Sprintf("forged-1-%d", n), "block 2 is not where it should be"},
		"more than a range": {[]string{pretend(part(0, n), 0, n-1), part(n-1, n)}, fmt.Sprintf("run-%d-%d", n-1, n), "rows are left over"},
	} {
		_, err := fuse.Join(ctx, u, c.runs)
		if f := job.Explain(err); err == nil || f.File != b.path(c.file) || !strings.Contains(f.Message, c.message) || f.Hint == "" {
			t.Errorf("%s: %+v", name, f)
		}
		if _, err := os.Stat(u.Out); !os.IsNotExist(err) {
			t.Errorf("%s: there is an output", name)
		}
	}
}
