package fuse

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// What was computed from a table that does not say that its randomizers are powers of hs may have any others.
func TestFuseRandomizers(t *testing.T) {
	inputs := func(said ...string) (list []enctable.Input) {
		for _, s := range said {
			list = append(list, enctable.Input{Table: &ctfile.Table{Variant: "djn", Randomizers: s}, Weight: 1})
		}
		return list
	}
	const own = ctfile.RandomizersOwn
	for _, test := range []struct {
		inputs []enctable.Input
		want   paillier.Randomizers
	}{
		{inputs(own), paillier.OwnRandomizers}, {inputs(own, own, own), paillier.OwnRandomizers}, {inputs(""), paillier.AnyRandomizers},
		{inputs("", own), paillier.AnyRandomizers}, {inputs(own, own, ""), paillier.AnyRandomizers},
	} {
		if got := fuseRandomizers(test.inputs); got != test.want {
			t.Errorf("%d inputs: %q, want %q", len(test.inputs), got, test.want)
		}
	}
	if string(paillier.OwnRandomizers) != own {
		t.Errorf("a footer says %q, the arithmetic %q", own, paillier.OwnRandomizers)
	}
}

// wideInput is a table of n measures and their counts, with steps for each, n/27 of them to a column.
func wideInput(name string, n int) enctable.Input {
	t := &ctfile.Table{Scheme: "paillier", Variant: "djn", Bits: 2048, Fingerprint: "f", Layout: ctfile.Records, IDs: []string{"id"}, MaxAdds: 1 << 20, AddsUsed: 1, Rows: 1}
	for m := range n {
		c := m / 27
		if c == len(t.Columns) {
			t.Columns = append(t.Columns, fmt.Sprint("ct", c))
		}
		gene := fmt.Sprint("gene", m)
		q := ctfile.Measure{Name: gene, Terms: []string{gene}, Given: []string{gene}, Bound: "100", Width: 52, Slots: 1, Offset: m % 27 * 74, InColumns: t.Columns[c : c+1], Count: "n|" + gene}
		count := q
		count.Name, count.Terms, count.Bound, count.Width, count.Offset, count.Count = "n|"+gene, []string{}, "1", 22, q.Offset+52, ""
		t.Measures = append(t.Measures, q, count)
		t.Preparation = append(t.Preparation, ctfile.Step{On: gene, Step: "range", Value: "0.."}, ctfile.Step{On: gene, Step: "log2"})
	}
	return enctable.Input{File: name, Table: t, IDs: []arrow.Field{{Name: "id", Type: arrow.BinaryTypes.String}}, Weight: 1}
}

// Planning takes time in proportion to the measures.
func TestWidePlanning(t *testing.T) {
	const few, many = 500, 5_000
	took := func(n int) float64 {
		inputs := []enctable.Input{wideInput("a", n), wideInput("b", n)}
		start := time.Now()
		m, err := merge(inputs)
		if err != nil {
			t.Fatal(err)
		}
		statistics, err := stats.ForTable(&m.table)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start).Seconds()
		if len(m.table.Measures) != 2*n || len(m.table.Columns) != (n+26)/27 || len(m.table.Preparation) != 2*n || len(statistics) != 3*n {
			t.Fatalf("%d measures in %d columns with %d steps, %d statistics", len(m.table.Measures), len(m.table.Columns), len(m.table.Preparation), len(statistics))
		}
		return took
	}
	growth := math.Inf(1)
	for range 8 { // others may use the machine
		if growth = min(growth, took(many)/took(few)); growth < 30 {
			return
		}
	}
	t.Errorf("ten times the measures take %.0f times as long; quadratic would be 100", growth)
}
