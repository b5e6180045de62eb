package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// tableOf is a footer with measures and pairs of them.
func tableOf(t *testing.T, measures []string, products [][2]string) *ctfile.Table {
	t.Helper()
	var list []slots.Measure
	for _, name := range measures {
		list = append(list, slots.Measure{Name: name, Bound: 100})
	}
	tuples, err := slots.Quantities(list, measures, products)
	if err != nil {
		t.Fatal(err)
	}
	table := &ctfile.Table{Layout: slots.Records, MaxAdds: 1 << 20}
	if err := slots.LayOut(table, 3072, list, tuples, nil); err != nil {
		t.Fatal(err)
	}
	return table
}

// counted are records whose counts are given, by the names of the quantities.
func counted(t *testing.T, table *ctfile.Table, records []map[string]int64) [][]codec.Int {
	t.Helper()
	sums := make([][]codec.Int, len(table.Measures))
	for q, m := range table.Measures {
		sums[q] = make([]codec.Int, len(records))
		for r, counts := range records {
			if n, ok := counts[m.Name]; ok {
				sums[q][r] = codec.FromInt64(n)
			}
		}
	}
	return sums
}

// suppress hides in all records, in as many passes as it takes, and returns the names of the hidden counts of each record.
func suppress(t *testing.T, table *ctfile.Table, least int64, records []map[string]int64) ([][]string, *Tally) {
	t.Helper()
	s := NewSuppression(table, least)
	sums := counted(t, table, records)
	for {
		half := len(records) / 2
		first, second := s.NewTally(), s.NewTally() // two workers
		out := make([][]string, len(records))
		for _, part := range []struct {
			tally    *Tally
			from, to int
		}{{second, half, len(records)}, {first, 0, half}} {
			piece := make([][]codec.Int, len(sums))
			for q := range sums {
				piece[q] = sums[q][part.from:part.to]
			}
			hidden := s.Hide(part.tally, piece, part.to-part.from, func(r int) Place { return Place{Row: int64(part.from + r)} })
			for q, m := range table.Measures {
				for r := 0; hidden != nil && hidden[q] != nil && r < part.to-part.from; r++ {
					if hidden[q][r] {
						out[part.from+r] = append(out[part.from+r], m.Name)
					}
				}
			}
		}
		first.Add(second)
		if !s.Again(first) {
			return out, first
		}
	}
}

func TestSuppress(t *testing.T) {
	one := tableOf(t, []string{"a"}, nil)
	two := tableOf(t, []string{"a", "b"}, [][2]string{{"a", "b"}})
	three := tableOf(t, []string{"a", "b", "c"}, [][2]string{{"a", "b"}, {"a", "c"}})
	a := func(n ...int64) (out []map[string]int64) {
		for _, x := range n {
			out = append(out, map[string]int64{"n|a": x})
		}
		return out
	}
	ab := func(n ...int64) map[string]int64 { return map[string]int64{"n|a": n[0], "n|b": n[1], "n|a&b": n[2]} }
	abc := func(n ...int64) map[string]int64 {
		return map[string]int64{"n|a": n[0], "n|b": n[1], "n|c": n[2], "n|a&b": n[3], "n|a&c": n[4]}
	}
	for name, c := range map[string]struct {
		table   *ctfile.Table
		records []map[string]int64
		want    string
		further int64
	}{
		"enough":                                {one, a(5, 9, 6), "[] [] []", 0},
		"too few, and the total tells":          {one, a(8, 4, 6, 6), "[] [n|a] [n|a] []", 1},
		"too few twice, and together enough":    {one, a(8, 4, 6, 3), "[] [n|a] [] [n|a]", 0},
		"none alone would be known to be none":  {one, a(0, 9, 6), "[n|a] [] [n|a]", 1},
		"none twice would be, too":              {one, a(0, 9, 0, 6), "[n|a] [] [n|a] [n|a]", 1},
		"none of a pair":                        {two, []map[string]int64{ab(9, 9, 0), ab(9, 9, 9), ab(8, 8, 8)}, "[n|a&b] [] [n|a&b]", 1},
		"none and few look the same":            {one, a(0, 9, 1), "[n|a] [n|a] [n|a]", 1},
		"all of it":                             {one, a(1, 0), "[n|a] [n|a]", 0},
		"a pair of few":                         {two, []map[string]int64{ab(9, 9, 4), ab(14, 14, 9), ab(9, 9, 9)}, "[n|a&b] [n|a&b] []", 1},
		"a pair that lacks few of its measure":  {two, []map[string]int64{ab(10, 9, 9), ab(9, 9, 9)}, "[n|a&b] []", 0},
		"the same, and others lack many":        {two, []map[string]int64{ab(10, 9, 9), ab(9, 9, 9), ab(19, 9, 9)}, "[n|a&b] [] [n|a&b]", 1},
		"a measure takes its pairs with it":     {two, []map[string]int64{ab(4, 9, 4), ab(8, 8, 8), ab(9, 9, 9)}, "[n|a n|a&b] [n|a n|a&b] []", 2},
		"two pairs of one measure, differently": {three, []map[string]int64{abc(30, 20, 19, 20, 19)}, "[n|a&b n|a&c]", 0},
		"two pairs of one measure, alike":       {three, []map[string]int64{abc(30, 20, 20, 20, 20)}, "[]", 0},
	} {
		hidden, tally := suppress(t, c.table, 5, c.records)
		var got []string
		for _, names := range hidden {
			slices.Sort(names)
			slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
			got = append(got, fmt.Sprint(names))
		}
		if x := fmt.Sprint(got); x != "["+c.want+"]" || tally.Further != c.further {
			t.Errorf("%s: %s and %d further, want %s and %d", name, x, tally.Further, c.want, c.further)
		}
	}
}

// Sums that rest on one value are counted when nothing is hidden. Pairs are not: they have no statistics of one record.
func TestSingle(t *testing.T) {
	table := tableOf(t, []string{"a", "b"}, [][2]string{{"a", "b"}})
	hidden, tally := suppress(t, table, 0, []map[string]int64{{"n|a": 1, "n|b": 1, "n|a&b": 1}, {"n|a": 2, "n|b": 0}, {"n|a": 1, "n|b": 7, "n|a&b": 1}})
	if tally.Single != 3 || slices.ContainsFunc(hidden, func(names []string) bool { return names != nil }) {
		t.Errorf("%d, %v", tally.Single, hidden)
	}
}

// Whoever knows the totals over all records learns sums of no fewer than the least number of values, and of no count that it
// is 0: of each measure and pair, and of what is in a measure and not in its pair. The oracle adds up what is hidden, in random
// tables.
func TestNoDifferenceTells(t *testing.T) {
	table := tableOf(t, []string{"a", "b"}, [][2]string{{"a", "b"}})
	r := rand.New(rand.NewPCG(14, 1))
	for range 2000 {
		least := 2 + r.Int64N(6)
		records := make([]map[string]int64, 1+r.IntN(6))
		for i := range records {
			both, onlyA, onlyB := r.Int64N(12), max(0, r.Int64N(12)-6), max(0, r.Int64N(12)-6)
			records[i] = map[string]int64{"n|a": both + onlyA, "n|b": both + onlyB, "n|a&b": both}
		}
		hidden, tally := suppress(t, table, least, records)
		var cells int64
		for _, of := range []struct{ unit, plus string }{{"n|a", ""}, {"n|b", ""}, {"n|a&b", ""}, {"n|a&b", "n|a"}, {"n|a&b", "n|b"}} {
			var hiddenValues, visibleValues, all int64
			hiddenZero := false
			for i, names := range hidden {
				n := records[i][of.unit]
				if of.plus != "" {
					n = records[i][of.plus] - n
				}
				all += n
				if slices.Contains(names, of.unit) {
					hiddenValues += n
					hiddenZero = hiddenZero || of.plus == "" && n == 0
					if of.plus == "" {
						cells++
					}
					continue
				}
				visibleValues += n
				if n > 0 && n < least || of.plus == "" && n < least {
					t.Fatalf("least %d, %v: record %d shows %d values of %v", least, records, i, n, of)
				}
			}
			if (hiddenValues > 0 || hiddenZero) && hiddenValues < least && visibleValues > 0 {
				t.Fatalf("least %d, %v: hidden %v: %d values of %v are the total %d without the others", least, records, hidden, hiddenValues, of, all)
			}
		}
		if cells != tally.Small+tally.Further {
			t.Fatalf("%d are hidden, and %d and %d were counted", cells, tally.Small, tally.Further)
		}
	}
}
