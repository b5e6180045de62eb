package slots

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Layouts of an encrypted table.
const (
	Records = "records" // one row per record, whose measures share ciphertexts
	Blocks  = "blocks"  // one row per block of consecutive records; each measure has its own ciphertexts
)

// LayOut places the quantities of measures in ciphertexts of keyBits-bit keys. It fills in the columns, measures and
// block size of t, whose Layout and MaxAdds are given. Noise makes the bound of a quantity larger by its tail. Every
// sum is shown to fit before anything is encrypted.
func LayOut(t *ctfile.Table, keyBits int, measures []Measure, tuples [][]Quantity, tails map[string]codec.Bound) error {
	type slot struct {
		Quantity
		bound    codec.Bound
		decimals int
		width    int
	}
	slots := make([][]slot, len(tuples))
	widths := make([]codec.Tuple, len(tuples))
	maxAdds := codec.BoundOf(uint64(t.MaxAdds))
	for i, tuple := range tuples {
		for _, q := range tuple {
			s := slot{Quantity: q, bound: codec.BoundOf(1)}
			for _, m := range q.Terms {
				s.bound = s.bound.Times(codec.BoundOf(uint64(measures[m].Bound)))
				s.decimals += measures[m].Decimals
			}
			what := QuantityName(Names(measures, q.Terms), Names(measures, q.Given))
			if tail := tails[what]; tail != nil {
				s.bound = s.bound.Plus(tail)
			}
			sum := s.bound.Times(maxAdds)
			if sum.Cmp(codec.PowerOfTen(codec.MaxDigits)) >= 0 {
				return column.Refuse("", "no headroom: a sum of %d values of %s, each up to %s, can exceed %d digits", t.MaxAdds, column.Quote(what), s.bound, codec.MaxDigits).
					WithHint("Lower max, decimals or ‹max_adds›.")
			}
			if s.decimals > codec.MaxDigits {
				return job.Misuse("Lower decimals.", "%s has %d decimals and a result can have %d", column.Quote(what), s.decimals, codec.MaxDigits)
			}
			s.width = codec.SlotWidth(s.bound.BitLen(), t.MaxAdds)
			slots[i] = append(slots[i], s)
			widths[i] = append(widths[i], s.width)
		}
	}
	var places []codec.Place
	var columns int
	var err error
	if t.Layout == Blocks {
		places, columns, t.BlockRecords, err = codec.PlanBlocks(keyBits, widths)
	} else {
		places, columns, err = codec.PlanRecords(keyBits, widths)
	}
	if err != nil {
		return column.Refuse("", "no headroom: %w", err).WithHint("Use a larger key, or lower max, decimals or ‹max_adds›.")
	}
	for c := range columns {
		t.Columns = append(t.Columns, ColumnName(t.IDs, c))
	}
	for i, tuple := range slots {
		p := places[i]
		offset := p.Offset
		count := QuantityName(nil, Names(measures, tuple[0].Given))
		for _, s := range tuple {
			m := ctfile.Measure{
				Name: QuantityName(Names(measures, s.Terms), Names(measures, s.Given)), Terms: Names(measures, s.Terms), Given: Names(measures, s.Given),
				Decimals: s.decimals, Bound: s.bound.String(), Width: s.width,
				Slots: p.Slots, Stride: p.Stride, Offset: offset, InColumns: t.Columns[p.First : p.First+p.Columns],
			}
			if len(s.Terms) > 0 {
				m.Count = count
			}
			t.Measures = append(t.Measures, m)
			offset += s.width
		}
	}
	return nil
}

// NamesOf are the names of measures.
func NamesOf(measures []Measure) []string {
	out := make([]string, len(measures))
	for i, m := range measures {
		out[i] = m.Name
	}
	return out
}

// Names are the names of those of the measures that indices are of.
func Names(measures []Measure, indices []int) []string {
	out := make([]string, len(indices))
	for i, m := range indices {
		out[i] = measures[m].Name
	}
	return out
}

// A plan is a table's layout prepared for packing and unpacking: for every ciphertext column, what its slots hold.
type Plan struct {
	Records int // per row of the table
	Columns []packedColumn
}

type packedColumn struct {
	Packer *codec.Packer
	Cells  []cell // one per slot of the packer
}

// cell is one slot: a quantity (an index into Table.Measures) of one record of the row.
type cell struct{ Quantity, Record int }

// NewPlan reads the layout from a table. n is N in little-endian words.
func NewPlan(t *ctfile.Table, n []uint64) (*Plan, error) {
	p := &Plan{Records: max(1, t.BlockRecords), Columns: make([]packedColumn, len(t.Columns))}
	type placed struct {
		cell
		codec.Slot
	}
	slots := make([][]placed, len(t.Columns))
	places := column.IndexNames(t.Columns)
	for q, m := range t.Measures {
		for r := range p.Records {
			c := places[m.InColumns[r/m.Slots]]
			slots[c] = append(slots[c], placed{cell{q, r}, codec.Slot{Offset: m.Offset + r%m.Slots*m.Stride, Width: m.Width}})
		}
	}
	for c, list := range slots {
		slices.SortFunc(list, func(a, b placed) int { return cmp.Compare(a.Offset, b.Offset) })
		at := make([]codec.Slot, len(list))
		for i, s := range list {
			at[i] = s.Slot
			p.Columns[c].Cells = append(p.Columns[c].Cells, s.cell)
		}
		packer, err := codec.NewPacker(n, at)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", t.Columns[c], err)
		}
		p.Columns[c].Packer = packer
	}
	return p, nil
}

// RoundBound is the smallest 2^(8j) - 1 that v fits in. A bound found in the data is rounded up to it, so that the
// table tells the size of its largest value only roughly, and owners with data alike arrive at the same layout.
func RoundBound(v int64) int64 {
	n := max(8, (bits.Len64(uint64(v))+7)/8*8)
	if n >= 64 {
		return math.MaxInt64
	}
	return 1<<n - 1
}

// ColumnName is the name of a table's c-th ciphertext column. IDs come first and keep their names.
func ColumnName(ids []string, c int) string {
	name := fmt.Sprintf("ct%d", c)
	for slices.Contains(ids, name) {
		name = "_" + name
	}
	return name
}

// LargerBound returns the larger of two bounds written in decimal, which tables have been checked to hold.
func LargerBound(a, b string) string {
	x, errX := codec.ParseBound(a)
	y, errY := codec.ParseBound(b)
	if errX != nil || errY == nil && x.Cmp(y) < 0 {
		return b
	}
	return a
}

// Default numbers of additions.
const (
	MaxAddsBlocks  = 1 << 10
	MaxAddsRecords = 1 << 20
	MaxAddsLimit   = 1 << 40
)

// Exceeds reports |v| > limit.
func Exceeds(v codec.Int, limit codec.Bound) bool {
	a := v.Abs()
	return codec.Bound{a.LowBits(), uint64(a.HighBits())}.Cmp(limit) > 0
}

// BaseMeasures lists the measures that were given, without squares, products and counts.
func BaseMeasures(t *ctfile.Table) []ctfile.Measure {
	var out []ctfile.Measure
	for _, m := range t.Measures {
		if len(m.Terms) == 1 && len(m.Given) == 1 {
			out = append(out, m)
		}
	}
	return out
}
