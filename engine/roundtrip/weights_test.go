package roundtrip_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Weights become the smallest integers in the same proportion, or rounded ones.
func TestParseWeights(t *testing.T) {
	for _, c := range []struct {
		weights, variances string
		digits             int
		want               string // weights, and whether every input needs one
	}{
		{"a=2 b=-3", "", 0, "2 -3 false"},
		{"a=0.5 b=1.25", "", 0, "2 5 true"},
		{"a=1/3 b=-1/2", "", 0, "2 -3 true"},
		{"a=4 b=6/3", "", 0, "4 2 false"},
		{"", "a=0.04 b=0.25", 0, "25 4 true"},
		{"a=2", "b=0.5", 0, "1 1 true"}, {"", "a=0.04 b=0.1", 0, "5 2 true"},
		{"a=1 b=3", "", 2, "33 100 true"},
		{"", "a=0.000123 b=0.0004567", 3, "1000 269 true"},
		{"a=0.1/0.3 b=1", "", 0, "1 3 true"},
	} {
		out, all, err := fuse.ParseWeights(strings.Fields(c.weights), strings.Fields(c.variances), c.digits)
		var got []any
		for _, w := range out {
			got = append(got, w.Weight)
		}
		if text := strings.Trim(fmt.Sprint(append(got, all)), "[]"); err != nil || text != c.want {
			t.Errorf("%s %s: %s, %v, want %s", c.weights, c.variances, text, err, c.want)
		}
	}
	for _, c := range []struct {
		weights, variances string
		digits             int
	}{
		{"a", "", 0}, {"a=", "", 0}, {"=1", "", 0}, {"a=x", "", 0}, {"a=1/0", "", 0}, {"a=1/-2", "", 0}, {"a=0", "", 0}, {"a=0.0", "", 0}, {"a=1e3", "", 0},
		{"a=9223372036854775808", "", 0}, {"a=-9223372036854775808", "", 0}, {"", "a=0", 0}, {"", "a=-1", 0}, {"a=1/1000000000039 b=1/1000000000061", "", 0},
		{"a=1 b=10000", "", 3}, {"a=1", "", -1}, {"a=1", "", 10}, {"a=0.0000000000000000001", "", 0},
	} {
		if out, _, err := fuse.ParseWeights(strings.Fields(c.weights), strings.Fields(c.variances), c.digits); job.Explain(orNone(err)).Kind != job.Usage {
			t.Errorf("%s %s %d: %v, %v", c.weights, c.variances, c.digits, out, err)
		}
	}
}

// The mean of a weighted fusion is the weighted mean: with weights 1/variance, that of inverse-variance weighting.
func TestWeightedMeans(t *testing.T) {
	for _, layout := range []string{slots.Records, slots.Blocks} {
		b := newBench(t, paillier.MHL)
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=2:max=100")}, Layout: layout, MaxAdds: 1 << 20}
		x := b.encrypt(b.csv("x.csv", "g,x", "a,1.5", "b,~", "c,-7"), e)
		y := b.encrypt(b.csv("y.csv", "g,x", "a,2.25", "b,4", "c,~"), e)
		weights, all, err := fuse.ParseWeights([]string{x + "=2/3"}, []string{y + "=0.4"}, 0) // 2/3 and 5/2: 4 and 15
		if err != nil {
			t.Fatal(err)
		}
		rows := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: []string{x, y}, Weights: weights, WeighAll: all}))
		mean := func(num, den int64) string { return float(big.NewRat(num, den)) }
		for i, want := range []string{mean(4*150+15*225, 100*19), mean(4, 1), mean(-7, 1)} {
			equalNumber(t, layout, rows[i]["x_mean"], want)
		}
		if got := cells(rows, "x_count"); got != "19 15 4" {
			t.Errorf("%s: counts %s", layout, got)
		}
		_, err = b.tryFuse("g.cf.parquet", fuse.Request{In: []string{x, y}, Weights: weights[:1], WeighAll: true})
		if f := job.Explain(orNone(err)); f.Kind != job.Usage || !strings.Contains(f.Message, "y.cf.parquet has no weight") {
			t.Errorf("%v", err)
		}
	}
}

// IDs that are not everywhere are counted, in whatever order they come and however often.
func TestUnmatched(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:max=100")}}
	in := []string{
		b.encrypt(b.csv("x.csv", "g,x", "a,1", "b,2", "c,3", "a,4"), e),
		b.encrypt(b.csv("y.csv", "g,x", "c,1", "a,2", "d,3"), e),
		b.encrypt(b.csv("z.csv", "g,x", "e,1", "c,2", "e,3"), e),
	}
	for n, want := range map[int]int64{1: 0, 2: 2, 3: 4} {
		o := fuse.Request{In: in[:n], Out: b.path(fmt.Sprintf("f%d.cf.parquet", n)), Unmatched: true}
		report, err := fuse.Run(t.Context(), o)
		if err != nil || report.Unmatched == nil || *report.Unmatched != want {
			t.Errorf("%d inputs: %+v, %v", n, report, err)
		}
	}
	if _, err := b.tryFuse("g.cf.parquet", fuse.Request{In: in, By: []string{}, Unmatched: true}); job.Explain(orNone(err)).Kind != job.Usage {
		t.Errorf("%v", err)
	}
}
