package roundtrip_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// twoOwners fuses the tables of two owners by group.
func (b *bench) twoOwners(f fuse.Request) string {
	b.Helper()
	for i, rows := range []string{"p1,a,1,10\np2,a,2,20\np3,b,3,\np4,c,4,40\n", "p5,a,5,50\np6,b,6,60\np7,c,7,70\np8,c,8,80\np9,d,,90\n"} {
		f.In = append(f.In, b.encrypt(b.write(fmt.Sprintf("o%d.csv", i), "id,g,x,y\n"+rows), encrypt.Request{
			Spec: dataset.Spec{IDs: []string{"id", "g"}, Measures: measures(b, "x:max=100", "y:max=100"), Squares: []string{"x"}, Products: []string{"x*y"}}, Layout: slots.Records,
		}))
	}
	return b.fuse("f.cf.parquet", f)
}

// What rests on too few values is empty, and so is what would tell it: a ratio, a variance, a correlation, a count.
func TestMinCount(t *testing.T) {
	t.Parallel()
	b := newBench(t, paillier.DJN)
	var log strings.Builder
	in := b.twoOwners(fuse.Request{By: []string{"g"}})
	d := decrypt.Request{Key: keys.Of(b.key), In: in, Out: b.path("s.csv"), MinCount: 3, Further: stats.Further{Ratios: []string{"r=x/y"}}, Options: job.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	report, err := decrypt.Run(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `g,x_sum,x_count,x_mean,x_var,y_sum,y_count,y_mean,x_y_cov,x_y_cor,r
a,,,,,,,,,,
b,,,,,,,,,,
c,19,3,6.333333333333333,4.333333333333333,190,3,63.333333333333336,43.333333333333336,1,0.1
d,,,,,,,,,,
`
	text, err := os.ReadFile(d.Out)
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	// x has 2 values in b and none in d; y has 1 in both, and the pair 1 and none. Together they are too few: a, the first of the
	// smallest, goes as well.
	if s := report.Suppressed; s == nil || *s != (job.Suppressed{Least: 3, Small: 6, Further: 3}) || report.Single != 0 {
		t.Errorf("%+v", report.Suppressed)
	}
	if !strings.Contains(log.String(), "two owners") || strings.Contains(log.String(), "rest on one value") {
		t.Error(log.String())
	}

	// The same in a job, as one part, and never in parts.
	s, err := decrypt.Survey(t.Context(), d)
	if err != nil || !s.OnePart {
		t.Fatal(s, err)
	}
	part := b.path("part.parquet")
	parts := func(ranges ...job.Range) error {
		return decrypt.Parts(t.Context(), d, ranges, func(job.Range) string { return part }, func(job.Range, *job.Report) error { return nil })
	}
	if err := parts(job.Range{From: 0, To: 2}, job.Range{From: 2, To: 4}); err == nil || !strings.Contains(err.Error(), "cannot be decided in parts") {
		t.Error(err)
	}
	if err := parts(job.Range{From: 0, To: 4}); err != nil {
		t.Fatal(err)
	}
	d.Out = b.path("joined.csv")
	if _, err := decrypt.Join(t.Context(), d, []string{part}); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(d.Out); err != nil || string(text) != want {
		t.Errorf("joined: %v\n%s", err, text)
	}

	// Without it, sums of one value are counted and told of.
	log.Reset()
	d.MinCount, d.Out = 0, b.path("all.csv")
	if report, err = decrypt.Run(t.Context(), d); err != nil || report.Single != 2 || report.Suppressed != nil || !strings.Contains(log.String(), "rest on one value") {
		t.Errorf("%+v, %v\n%s", report, err, &log)
	}
}

// Counts that do not tell how many values there are suppress nothing: the request is refused.
func TestMinCountNeedsCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, paillier.DJN)
	weighted := b.twoOwners(fuse.Request{By: []string{"g"}, Weights: []fuse.Weight{{File: b.path("o0.cf.parquet"), Weight: 2}}})
	subtracted := b.fuse("g.cf.parquet", fuse.Request{In: []string{b.path("o0.cf.parquet"), b.path("o1.cf.parquet")}, By: []string{"g"}, Weights: []fuse.Weight{{File: b.path("o0.cf.parquet"), Weight: -1}}})
	repeated := b.fuse("h.cf.parquet", fuse.Request{In: []string{b.path("o0.cf.parquet"), b.path("o1.cf.parquet")}, By: []string{"g"}, AllowRepeats: true})
	for in, cause := range map[string]string{weighted: "multiplied by weights", subtracted: "multiplied by weights", repeated: "may be in the sum twice"} {
		_, err := decrypt.Run(context.Background(), decrypt.Request{Key: keys.Of(b.key), In: in, Out: b.path("s.csv"), MinCount: 2})
		if err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%v, want %q", err, cause)
		}
	}
}

// Blocks hide the same as records, whatever the number of workers.
func TestMinCountInBlocks(t *testing.T) {
	t.Parallel()
	b := newBench(t, paillier.DJN)
	universe := "id\n"
	rows := make([]string, 3)
	for i := range 200 {
		universe += fmt.Sprintf("r%03d\n", i)
		for o := range rows {
			if (i>>o)&1 == 1 || i%7 == 0 {
				rows[o] += fmt.Sprintf("r%03d,%d\n", i, i)
			}
		}
	}
	list := b.write("u.csv", universe)
	var texts []string
	for _, layout := range []string{slots.Records, slots.Blocks} {
		var in []string
		for o, text := range rows {
			in = append(in, b.encrypt(b.write(fmt.Sprintf("%s%d.csv", layout, o), "id,x\n"+text), encrypt.Request{
				Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=1000")}, Layout: layout, Universe: []string{list},
			}))
		}
		fused := b.fuse(layout+".cf.parquet", fuse.Request{In: in})
		for _, threads := range []int{1, 3} {
			out := fmt.Sprintf("%s-%d.csv", layout, threads)
			if _, err := decrypt.Run(t.Context(), decrypt.Request{Options: job.Options{Threads: threads}, Key: keys.Of(b.key), In: fused, Out: b.path(out), MinCount: 2}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(b.path(out))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Error("results differ")
		}
	}
	for i, row := range b.rows(b.path("records-1.csv")) {
		n := 0
		for o := range rows {
			if (i>>o)&1 == 1 || i%7 == 0 {
				n++
			}
		}
		if (row["x_sum"] == "") != (n < 2) {
			t.Errorf("record %d of %d owners: %v", i, n, row)
		}
	}
}

// A table that is no sum of several owners' is refused unless it is meant.
func TestUnfused(t *testing.T) {
	t.Parallel()
	b := newBench(t, paillier.DJN)
	b.twoOwners(fuse.Request{})
	one := b.path("o0.cf.parquet")
	open := func(in string, unfused bool) error {
		_, err := decrypt.Run(context.Background(), decrypt.Request{Options: job.Options{Overwrite: true}, Key: keys.Of(b.key), In: in, Out: b.path("s.csv"), Unfused: unfused})
		return err
	}
	for in, cause := range map[string]string{
		one: "not fused: it is the table of one owner",
		b.fuse("g.cf.parquet", fuse.Request{In: []string{one}, By: []string{"g"}}):                 "only one owner's table was fused",
		b.fuse("t.cf.parquet", fuse.Request{In: []string{b.path("g.cf.parquet")}, By: []string{}}): "only one owner's table was fused",
	} {
		if err := open(in, false); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, want %q", in, err, cause)
		}
		if err := open(in, true); err != nil {
			t.Error(err)
		}
		if _, err := decrypt.Survey(t.Context(), decrypt.Request{In: in, Out: b.path("u.csv")}); err == nil {
			t.Error("a job finds it out late")
		}
	}
	if err := open(b.path("f.cf.parquet"), false); err != nil {
		t.Error(err)
	}
}
