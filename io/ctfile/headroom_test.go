package ctfile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// anyTable is a table that may break any rule of slots and bounds, about as often as not.
func anyTable(r *rand.Rand) Table {
	t := recordsTable()
	t.Bits, t.TestKey = 64*(1+r.IntN(8)), true
	t.MaxAdds = []int64{1, 2, 3, 16, 1000, 1 << 20, 1<<20 + 1, math.MaxInt64}[r.IntN(8)]
	t.AddsUsed = r.Int64N(t.MaxAdds)
	if r.IntN(2) == 0 {
		t.Layout, t.BlockRecords = Blocks, 1+r.IntN(4)
		t.Total = r.IntN(3) == 0
	}
	if t.Total {
		t.IDs = nil
	}
	t.Columns = []string{"c0"}
	t.Measures = nil
	at := 0
	for i := range 1 + r.IntN(4) {
		m := Measure{Name: fmt.Sprint("m", i), Terms: []string{"x"}, Given: []string{"x"}, Slots: 1, InColumns: []string{"c0"}}
		if r.IntN(3) == 0 {
			m.Terms = []string{}
		}
		m.Width = 1 + r.IntN([]int{8, 70, 140}[r.IntN(3)])
		if t.Layout == Blocks {
			m.Slots, m.Stride = t.BlockRecords, m.Width+r.IntN(3)
		}
		m.Offset = at + r.IntN(3) - r.IntN(2)
		at = m.Offset + m.Width + (m.Slots-1)*m.Stride
		// A bound at the edge: the largest that fits, or one to three more or less.
		bound := new(big.Int).Lsh(big.NewInt(1), uint(max(0, m.Width-r.IntN(3))))
		bound.Sub(bound, big.NewInt(int64(r.IntN(3))))
		bound.Div(bound, big.NewInt(t.MaxAdds))
		if bound.Sign() < 0 {
			bound.SetInt64(0)
		}
		m.Bound = bound.String()
		t.Measures = append(t.Measures, m)
	}
	return t
}

// TestHeadroomOfAcceptedFooters: whatever footer is accepted, sums of as many values as it allows, at the edge of its bounds and
// of any signs, come back from the plaintext that they share.
func TestHeadroomOfAcceptedFooters(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	accepted, tight := 0, 0
	for range 60_000 {
		table := anyTable(r)
		if table.validateUnwritten() != nil {
			continue
		}
		accepted++
		n := make([]uint64, table.Bits/64)
		for i := range n {
			n[i] = r.Uint64()
		}
		n[0] |= 1
		n[len(n)-1] |= 1 << 63
		if r.IntN(2) == 0 {
			clear(n[1:])
			n[len(n)-1] |= 1 << 63 // the smallest modulus of its length
		}
		var slots []codec.Slot
		var sums []codec.Int
		for _, m := range table.Measures {
			limit, _ := new(big.Int).SetString(m.Bound, 10)
			limit.Mul(limit, big.NewInt(table.MaxAdds))
			if twice := new(big.Int).Lsh(limit, 1); twice.Cmp(new(big.Int).Lsh(big.NewInt(1), uint(m.Width))) >= 0 {
				t.Fatalf("bound %s, %d additions, width %d: accepted", m.Bound, table.MaxAdds, m.Width)
			}
			if limit.BitLen() == m.Width-1 {
				tight++
			}
			for s := range m.Slots {
				slots = append(slots, codec.Slot{Offset: m.Offset + s*m.stride(), Width: m.Width})
				sum := new(big.Int).Set(limit)
				switch r.IntN(4) {
				case 0:
					sum.Neg(sum)
				case 1:
					sum.SetInt64(0)
				}
				sums = append(sums, intOf(sum))
			}
		}
		order := make([]int, len(slots)) // a packer takes them from the lowest bit on
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(slots[i].Offset, slots[j].Offset) })
		at, values := slots, sums
		slots, sums = nil, nil
		for _, i := range order {
			slots, sums = append(slots, at[i]), append(sums, values[i])
		}
		p, err := codec.NewPacker(n, slots)
		if err != nil {
			t.Fatalf("%+v: %v", table.Measures, err)
		}
		m := make([]uint64, len(n))
		if err := p.Pack(m, sums); err != nil {
			t.Fatalf("%+v: %v", table.Measures, err)
		}
		got := make([]codec.Int, len(sums))
		if err := p.Unpack(got, m); err != nil {
			t.Fatalf("%+v: %v", table.Measures, err)
		}
		for i := range got {
			if got[i] != sums[i] {
				t.Fatalf("%+v: slot %d is %v, not %v", table.Measures, i, got[i], sums[i])
			}
		}
		if table.Total && table.Layout == Blocks {
			tuple := codec.Tuple{slots[len(slots)-1].Offset + slots[len(slots)-1].Width}
			if tuple[0] > codec.TotalRoom(table.Bits) {
				t.Fatalf("%+v: a total without room for its mask", table.Measures)
			}
		}
	}
	if accepted < 3000 || tight < 500 {
		t.Errorf("%d tables were accepted, with %d bounds at the edge: too few to tell", accepted, tight)
	}
}

func intOf(x *big.Int) codec.Int {
	v := new(big.Int).Set(x)
	if v.Sign() < 0 {
		v.Add(v, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	lo := new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	hi := new(big.Int).Rsh(v, 64).Uint64()
	return decimal128.New(int64(hi), lo)
}

// TestSignBit: the rule of the slots' width as it once stood, bound x max_adds < 2^width, is one bit short.
func TestSignBit(t *testing.T) {
	for _, c := range []struct {
		bound string
		adds  int64
		width int
		ok    bool
	}{
		{"4", 1, 3, false}, {"4", 1, 4, true}, {"3", 1, 3, true}, {"1", 16, 5, false}, {"1", 16, 6, true}, {"1", 15, 5, true},
		{"1", 1, 2, true}, {"0", 1, 2, true}, {"0", 1, 1, false}, {"2", 1, 2, false}, {"1000", 16, 14, false}, {"1000", 16, 15, true},
		{"1", math.MaxInt64, 63, false}, {"1", math.MaxInt64, 64, true}, {"170141183460469231731687303715884105727", 1, 127, false},
		{"170141183460469231731687303715884105727", 1, 128, true}, {"170141183460469231731687303715884105728", 1, 128, false},
		{"1", 1, 129, false},
	} {
		table := recordsTable()
		table.MaxAdds, table.AddsUsed = c.adds, 0
		table.Columns = []string{"c0"}
		table.Measures = []Measure{{Name: "x", Terms: []string{"x"}, Given: []string{"x"}, Bound: c.bound, Width: c.width, Slots: 1, InColumns: []string{"c0"}}}
		if err := table.validateUnwritten(); (err == nil) != c.ok {
			t.Errorf("bound %s, %d additions, %d bits: %v", c.bound, c.adds, c.width, err)
		}
	}
}

// TestMaskRoom: a total in blocks whose slots reach into the bits of its mask is refused.
func TestMaskRoom(t *testing.T) {
	for _, c := range []struct {
		layout     string
		offset     int
		total, ok  bool
		roomNeeded bool
	}{
		{Blocks, 2048 - 43 - 20, true, true, false},
		{Blocks, 2048 - 43 - 19, true, false, true},
		{Blocks, 2048 - 43 - 19, false, true, true},
		{Blocks, 2048 - 1 - 20, true, false, true},
		{Blocks, 2048 - 1 - 20, false, true, true},
		{Records, 2048 - 1 - 20, true, true, true},
	} {
		table := recordsTable()
		table.Layout, table.Total, table.Columns = c.layout, c.total, []string{"c0"}
		if c.layout == Blocks {
			table.BlockRecords = 1
		}
		if c.total {
			table.IDs = nil
		}
		table.MaxAdds = 16
		table.Measures = []Measure{{Name: "x", Terms: []string{"x"}, Given: []string{"x"}, Bound: "1", Width: 20, Slots: 1, Offset: c.offset, InColumns: []string{"c0"}}}
		if err := table.validateUnwritten(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err := table.CheckTotalRoom(); (err != nil) != c.roomNeeded {
			t.Errorf("%+v: room: %v", c, err)
		}
	}
	// Several slots: the last one counts.
	table := blocksTable()
	if err := table.CheckTotalRoom(); err != nil {
		t.Error(err)
	}
	table.Measures[0].Offset, table.Measures[1].Offset = 344-41, 344
	if err := table.CheckTotalRoom(); err == nil || !strings.Contains(err.Error(), `measure "tpm"`) || !strings.Contains(err.Error(), "mask") {
		t.Error(err)
	}
}

// TestTextsThatCannotBeShown are refused wherever a footer has text.
func TestTextsThatCannotBeShown(t *testing.T) {
	places := map[string]func(t *Table, text string){
		"an id column": func(t *Table, s string) { t.IDs[0] = s },
		"a ciphertext column": func(t *Table, s string) {
			t.Columns[0] = s
			t.Measures[0].InColumns[0] = s
			t.Measures[1].InColumns[0] = s
		},
		"a measure":         func(t *Table, s string) { t.Measures[0].Name = s },
		"a count":           func(t *Table, s string) { t.Measures[1].Name = s; t.Measures[0].Count = s; t.Measures[2].Count = s },
		"a term":            func(t *Table, s string) { t.Measures[0].Terms[0] = s },
		"a given column":    func(t *Table, s string) { t.Measures[2].Given[0] = s },
		"the source":        func(t *Table, s string) { t.Source = s },
		"the job":           func(t *Table, s string) { t.JobID = s },
		"a step's column":   func(t *Table, s string) { t.Preparation[0].On = s },
		"a step":            func(t *Table, s string) { t.Preparation[1].Step = s },
		"a step's value":    func(t *Table, s string) { t.Preparation[2].Value = s },
		"a sample":          func(t *Table, s string) { t.Samples[0] = s },
		"the fingerprint":   func(t *Table, s string) { t.Fingerprint = s },
		"the variant":       func(t *Table, s string) { t.Variant = s },
		"a share":           func(t *Table, s string) { t.Noise.Shares = []string{s} },
		"a group":           func(t *Table, s string) { t.Noise.Groups = []string{s} },
		"a number of noise": func(t *Table, s string) { t.Noise.Rho = s },
		"a text of the key": func(t *Table, s string) {
			t.PublicKey, _ = json.Marshal(map[string]any{"n": "1", "owner": []string{s}})
		},
		"a name within a key":  func(t *Table, s string) { t.PublicKey, _ = json.Marshal(map[string]any{"n": map[string]int{s: 1}}) },
		"a name of the key":    func(t *Table, s string) { t.PublicKey, _ = json.Marshal(map[string]int{s: 1}) },
		"the list of a share":  func(t *Table, s string) { t.Noise.List = s },
		"a mechanism of noise": func(t *Table, s string) { t.Noise.Mechanism = s },
	}
	valid := func() Table {
		table := recordsTable()
		table.Noise = &Noise{Place: "share", Mechanism: "discrete-gaussian", Rho: "1/2", Records: 1, Counts: "public", Owners: 3, Honest: 2, List: strings.Repeat("ab", 32),
			Quantities: []NoisyQuantity{{Name: "tpm*tpm", Sensitivity: "1", Parameter: "2", Tail: "3", Tables: 1}}}
		clone := table.clone()
		return *clone
	}
	table := valid()
	if err := table.validateUnwritten(); err != nil {
		t.Fatal(err)
	}
	for place, put := range places {
		for _, text := range []string{"a\x1b[2Jb", "a\u202eb", "a\nVERIFIED", "a\u2028b", "a\u200bb", "a\u009b1m", "a\ue000b", "a\xffb"} {
			table := valid()
			put(&table, text)
			err := table.validateUnwritten()
			if err == nil {
				t.Errorf("%s %q is accepted", place, text)
				continue
			}
			if strings.ContainsAny(err.Error(), "\x1b\n\u202e\u200b\u2028\u009b\ue000") {
				t.Errorf("%s: the error shows it raw: %q", place, err.Error())
			}
		}
	}
}

// wideFooter is the footer of a table of n measures with a count each, in as many columns, all with noise.
func wideFooter(t *testing.T, n int) map[string]string {
	table := recordsTable()
	table.Columns, table.Measures, table.RowGroups = nil, nil, []RowGroup{}
	table.Noise = &Noise{Place: "local", Mechanism: "discrete-laplace", Rho: "1/2", Records: 1, Counts: "public"}
	for i := range n {
		c := fmt.Sprint("c", i)
		table.Columns = append(table.Columns, c)
		table.Measures = append(table.Measures,
			Measure{Name: fmt.Sprint("m", i), Terms: []string{c}, Given: []string{c}, Bound: "1000000", Width: 41, Slots: 1, InColumns: []string{c}, Count: fmt.Sprint("n", i)},
			Measure{Name: fmt.Sprint("n", i), Terms: []string{}, Given: []string{c}, Bound: "1", Width: 22, Slots: 1, Offset: 41, InColumns: []string{c}})
		table.Noise.Quantities = append(table.Noise.Quantities, NoisyQuantity{Name: fmt.Sprint("m", n-1-i), Sensitivity: "1", Parameter: "2", Tail: "3", Tables: 1})
	}
	footer, err := table.footer()
	if err != nil {
		t.Fatal(err)
	}
	return footer
}

// TestWideFooters: reading and checking a footer takes time in proportion to its columns and measures.
func TestWideFooters(t *testing.T) {
	const few, many = 4_000, 40_000
	footers := map[int]map[string]string{few: wideFooter(t, few), many: wideFooter(t, many)}
	took := func(n int) time.Duration {
		began := time.Now()
		got, err := parseFooter(func(key string) []string { return []string{footers[n][key]} }, Footer{})
		if err != nil || len(got.Table.Columns) != n {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	growth := math.Inf(1)
	for range 5 { // others may use the machine
		growth = min(growth, float64(took(many))/float64(took(few)))
		if growth < 30 {
			break
		}
	}
	if growth >= 30 { // in proportion: 10; quadratic: 100
		t.Errorf("ten times the columns take %.0f times as long", growth)
	}
}

// TestManyCells: one measure of very many slots in very many columns is checked by the columns and not by the slots.
func TestManyCells(t *testing.T) {
	table := recordsTable()
	table.Layout, table.Columns, table.RowGroups = Blocks, nil, []RowGroup{}
	m := Measure{Name: "x", Terms: []string{"x"}, Given: []string{"x"}, Bound: "0", Width: 2, Slots: 1023, Stride: 2}
	for i := range 1025 {
		table.Columns = append(table.Columns, fmt.Sprint("column-with-a-long-name-", i))
	}
	m.InColumns = table.Columns
	table.BlockRecords = len(table.Columns) * m.Slots
	table.Measures = []Measure{m}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	other := m
	other.Name, other.Slots, other.Stride, other.Offset = "y", 1023, 2, 1
	table.Measures = []Measure{m, other}
	if err := table.Validate(); err == nil || !strings.Contains(err.Error(), `measure "y": its slot 0 in column "column-with-a-long-name-0" overlaps another`) {
		t.Error(err)
	}
}

// TestTooWide: a footer of more columns or measures than can be is refused for that.
func TestTooWide(t *testing.T) {
	table := recordsTable()
	table.Columns = make([]string, ColumnsMax)
	for i := range table.Columns {
		table.Columns[i] = fmt.Sprint(i)
	}
	if err := table.validateUnwritten(); err == nil || !strings.Contains(err.Error(), "262145 columns, more than 262144") {
		t.Error(err)
	}
	table = recordsTable()
	table.Measures = make([]Measure, MeasuresMax+1)
	if err := table.validateUnwritten(); err == nil || !strings.Contains(err.Error(), "262145 measures, more than 262144") {
		t.Error(err)
	}
	var refused *column.InputError
	if !errors.As(table.validateUnwritten(), &refused) || refused.Hint == "" {
		t.Errorf("%+v", refused)
	}
}
