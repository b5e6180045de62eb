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

// signature is what is in a ciphertext column: which quantities, in which slots. Columns are multiplied only with columns
// of the same signature.
func signature(t *ctfile.Table, name string) []ctfile.Measure {
	var out []ctfile.Measure
	for _, m := range t.Measures {
		part := slices.Index(m.InColumns, name)
		if part < 0 {
			continue
		}
		m.InColumns = []string{strconv.Itoa(part)} // which part of a block
		m.Bound = ""                               // bounds may differ as long as the slots are the same
		out = append(out, m)
	}
	return out
}

func sameSlots(a, b ctfile.Measure) bool {
	return a.Name == b.Name && slices.Equal(a.Terms, b.Terms) && slices.Equal(a.Given, b.Given) && a.Decimals == b.Decimals &&
		a.Width == b.Width && a.Slots == b.Slots && a.Stride == b.Stride && a.Offset == b.Offset && slices.Equal(a.InColumns, b.InColumns)
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
	var signatures [][]ctfile.Measure
	decimals := map[string]int{}   // of the measures seen so far,
	owner := map[string]string{}   // the file that had them first,
	columnOf := map[string][]int{} // and the columns of the result that hold them
	for _, in := range inputs {
		t := in.Table
		if err := comparable(inputs[0], in); err != nil {
			return nil, err
		}
		m.table.MaxAdds = min(m.table.MaxAdds, t.MaxAdds)
		m.table.TestKey = m.table.TestKey || t.TestKey
		to := make([]int, 0, len(t.Columns))
		for _, name := range t.Columns {
			s := signature(t, name)
			c := slices.IndexFunc(signatures, func(x []ctfile.Measure) bool { return slices.EqualFunc(x, s, sameSlots) })
			if c < 0 {
				c = len(signatures)
				signatures = append(signatures, s)
			}
			to = append(to, c)
		}
		for _, q := range t.Measures {
			at := make([]int, len(q.InColumns))
			for i, name := range q.InColumns {
				at[i] = to[slices.Index(t.Columns, name)]
			}
			if had, ok := columnOf[q.Name]; ok {
				if decimals[q.Name] != q.Decimals {
					return nil, otherDecimals(in.File, q, owner[q.Name], decimals[q.Name])
				}
				if !slices.Equal(had, at) {
					return nil, column.Refuse(in.File, "measure %s is packed differently than in %s", column.Quote(q.Name), owner[q.Name]).
						InColumn(q.Name).WithHint("All owners must give the same ‹measure› list in the same order, with the same max, ‹square›, ‹product› and ‹max_adds›.")
				}
				i := slices.IndexFunc(m.table.Measures, func(x ctfile.Measure) bool { return x.Name == q.Name })
				m.table.Measures[i].Bound = slots.LargerBound(m.table.Measures[i].Bound, q.Bound)
				continue
			}
			decimals[q.Name], owner[q.Name], columnOf[q.Name] = q.Decimals, in.File, at
			q.InColumns = nil // named below
			m.table.Measures = append(m.table.Measures, q)
		}
		from := make([]int, len(signatures))
		for i := range from {
			from[i] = slices.Index(to, i)
		}
		m.columns = append(m.columns, from)
	}
	for c := range signatures {
		m.table.Columns = append(m.table.Columns, slots.ColumnName(m.table.IDs, c))
	}
	for i := range m.columns {
		for len(m.columns[i]) < len(signatures) {
			m.columns[i] = append(m.columns[i], -1)
		}
	}
	for i := range m.table.Measures {
		q := &m.table.Measures[i]
		for _, c := range columnOf[q.Name] {
			q.InColumns = append(q.InColumns, m.table.Columns[c])
		}
	}
	return m, nil
}

// comparable refuses two tables whose rows cannot be combined.
func comparable(a, b enctable.Input) error {
	if err := sameKeyAndLayout(a, b); err != nil {
		return err
	}
	s, t := a.Table, b.Table
	for _, q := range t.Measures { // asked before the size of blocks, which follows from it
		if i := slices.IndexFunc(s.Measures, func(x ctfile.Measure) bool { return x.Name == q.Name }); i >= 0 && s.Measures[i].Decimals != q.Decimals {
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
