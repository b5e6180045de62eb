package fuse

import (
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// A merger is the layout of the fusion of several tables: the ciphertext columns of all of them, those with the same
// content once.
type merger struct {
	table   ctfile.Table
	columns [][]int // columns[input][c]: the input's column that goes into column c of the result, or -1
}

// signatures are what is in each ciphertext column of a table: which quantities, in which slots. Columns are multiplied
// only with columns of the same signature. Bounds may differ as long as the slots are the same. at are the columns.
func signatures(t *ctfile.Table, at map[string]int) []string {
	out := make([][]byte, len(t.Columns))
	var slot []byte
	for _, m := range t.Measures {
		slot = strconv.AppendQuote(slot[:0], m.Name)
		for _, names := range [][]string{m.Terms, m.Given} {
			slot = append(slot, ':')
			for _, name := range names {
				slot = strconv.AppendQuote(slot, name)
			}
		}
		for _, n := range []int{m.Decimals, m.Width, m.Slots, m.Stride, m.Offset} {
			slot = strconv.AppendInt(append(slot, ' '), int64(n), 10)
		}
		for part, name := range m.InColumns { // which part of a block
			c := at[name]
			out[c] = strconv.AppendInt(append(append(out[c], slot...), ' '), int64(part), 10)
		}
	}
	texts := make([]string, len(out))
	for c := range out {
		texts[c] = string(out[c])
	}
	return texts
}

// measureIndex is where the measures of a table are, by name.
func measureIndex(t *ctfile.Table) map[string]int {
	at := make(map[string]int, len(t.Measures))
	for i := range t.Measures {
		at[t.Measures[i].Name] = i
	}
	return at
}

// fuseRandomizers says what is known of the randomizers of sums of the inputs: what every footer says.
func fuseRandomizers(inputs []enctable.Input) paillier.Randomizers {
	of := paillier.OwnRandomizers
	for _, in := range inputs {
		of = of.And(paillier.Randomizers(in.Table.Randomizers))
	}
	return of
}

// merge checks that tables can be fused and lays out the result. Owners may hold different measures: those of all of them
// are in the result, as missing where an owner lacks them. A measure that two owners hold must be packed alike.
func merge(inputs []enctable.Input) (*merger, error) {
	first := inputs[0].Table
	m := &merger{table: *first}
	m.table.Columns, m.table.Measures, m.table.RowGroups, m.table.Source = nil, nil, nil, ""
	for _, in := range inputs {
		if err := sameKeyAndLayout(inputs[0], in); err != nil {
			return nil, err
		}
	}
	var err error
	if m.table.Preparation, m.table.Samples, err = agree(inputs); err != nil { // asked before the layout, which follows from it
		return nil, err
	}
	m.table.Randomizers = string(fuseRandomizers(inputs))
	if m.table.Noise, m.table.WeightMax, err = fuseNoise(inputs); err != nil {
		return nil, err
	}
	columns := map[string]int{} // of the result, by signature
	type held struct {
		measure int    // of the result
		owner   string // the file that had it first
		columns []int  // of the result that hold it
	}
	have := map[string]held{} // the measures seen so far
	measures := measureIndex(first)
	for _, in := range inputs {
		t := in.Table
		if err := comparable(inputs[0], measures, in); err != nil {
			return nil, err
		}
		m.table.MaxAdds = min(m.table.MaxAdds, t.MaxAdds)
		m.table.TestKey = m.table.TestKey || t.TestKey
		places := column.IndexNames(t.Columns)
		to := make([]int, 0, len(t.Columns))
		for _, s := range signatures(t, places) {
			c, ok := columns[s]
			if !ok {
				c = len(columns)
				columns[s] = c
			}
			to = append(to, c)
		}
		for _, q := range t.Measures {
			at := make([]int, len(q.InColumns))
			for i, name := range q.InColumns {
				at[i] = to[places[name]]
			}
			if had, ok := have[q.Name]; ok {
				mine := &m.table.Measures[had.measure]
				if mine.Decimals != q.Decimals {
					return nil, otherDecimals(in.File, q, had.owner, mine.Decimals)
				}
				if !slices.Equal(had.columns, at) {
					return nil, column.Refuse(in.File, "measure %s is packed differently than in %s", column.Quote(q.Name), had.owner).
						InColumn(q.Name).WithHint("All owners must give the same ‹measure› list in the same order, with the same max, ‹square›, ‹product› and ‹max_adds›.")
				}
				mine.Bound = slots.LargerBound(mine.Bound, q.Bound)
				continue
			}
			have[q.Name] = held{len(m.table.Measures), in.File, at}
			q.InColumns = nil // named below
			m.table.Measures = append(m.table.Measures, q)
		}
		from := slices.Repeat([]int{-1}, len(columns))
		for i := len(to) - 1; i >= 0; i-- { // of two columns with one signature the first
			from[to[i]] = i
		}
		m.columns = append(m.columns, from)
	}
	for c := range len(columns) {
		m.table.Columns = append(m.table.Columns, slots.ColumnName(m.table.IDs, c))
	}
	for i := range m.columns {
		for len(m.columns[i]) < len(columns) {
			m.columns[i] = append(m.columns[i], -1)
		}
	}
	for i := range m.table.Measures {
		q := &m.table.Measures[i]
		for _, c := range have[q.Name].columns {
			q.InColumns = append(q.InColumns, m.table.Columns[c])
		}
	}
	return m, nil
}

// comparable refuses two tables whose rows cannot be combined. measures is the measureIndex of a.
func comparable(a enctable.Input, measures map[string]int, b enctable.Input) error {
	if err := sameKeyAndLayout(a, b); err != nil {
		return err
	}
	s, t := a.Table, b.Table
	for _, q := range t.Measures { // asked before the size of blocks, which follows from it
		if i, ok := measures[q.Name]; ok && s.Measures[i].Decimals != q.Decimals {
			return otherDecimals(b.File, q, a.File, s.Measures[i].Decimals)
		}
	}
	if s.BlockRecords != t.BlockRecords {
		return column.Refuse(b.File, "blocks of %d records, but %s has blocks of %d", t.BlockRecords, a.File, s.BlockRecords).
			WithHint("All owners must give the same measures, max, ‹square›, ‹product› and ‹max_adds›, so that blocks are of one size.")
	}
	if !slices.Equal(s.IDs, t.IDs) {
		return column.Refuse(b.File, "id columns %q, but %s has %q", t.IDs, a.File, s.IDs).
			WithHint("All owners must name the same id columns in the same order.")
	}
	for i, f := range b.IDs {
		if !arrow.TypeEqual(f.Type, a.IDs[i].Type) {
			return column.Refuse(b.File, "ids of type %s, but %s has %s", enctable.RecordType(f.Type), a.File, enctable.RecordType(a.IDs[i].Type)).
				InColumn(f.Name).WithHint("Encrypt with ‹universe› and one common reference list: its ids are used, and match as text.")
		}
	}
	return nil
}

// otherDecimals refuses a measure that has different decimals in another table.
func otherDecimals(file string, q ctfile.Measure, other string, had int) error {
	return column.Refuse(file, "measure %s has %s, in %s it has %d", column.Quote(q.Name), job.Count(q.Decimals, "decimal"), other, had).
		InColumn(q.Name).WithHint("All owners must encrypt a measure with the same decimals.")
}

// sameKeyAndLayout refuses two tables that cannot be fused.
func sameKeyAndLayout(a, b enctable.Input) error {
	s, t := a.Table, b.Table
	switch {
	case t.Total:
		return column.Refuse(b.File, "this is a total, which cannot be added to").WithHint("Fuse the tables that it was made of.")
	case s.Fingerprint != t.Fingerprint:
		return column.Refuse(b.File, "encrypted under key %s, but %s under key %s", job.ShortFingerprint(t.Fingerprint), a.File, job.ShortFingerprint(s.Fingerprint)).
			WithHint("Tables fuse only when they are encrypted under one key.")
	case s.Layout != t.Layout:
		return column.Refuse(b.File, "layout %s, but %s has layout %s", t.Layout, a.File, s.Layout).WithHint("All owners must use the same ‹layout›.")
	}
	return nil
}
