package job

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// readTable returns what an encrypted table says of itself, and its id columns (lists in blocks).
func readTable(ctx context.Context, o Options, file string) (*ctfile.Table, []arrow.Field, error) {
	r, err := ctfile.Open(ctx, o.FS, file, column.ReadOptions{})
	if err != nil {
		return nil, nil, err
	}
	t := r.Table()
	return t, slices.Clone(r.Schema().Fields()[:len(t.IDs)]), r.Close()
}

// warnOfTestKey says that a table under a key below 2048 bits protects nothing.
func warnOfTestKey(o Options, test bool) {
	if test {
		o.Log.Warn("test key: below 2048 bits, it protects nothing")
	}
}

// plainOutput refuses a name for an encrypted table that promises another format.
func plainOutput(name string) error {
	ext := blob.Ext(name)
	if _, plain := formats[ext]; plain && ext != ".parquet" {
		return usage("Name it something.cf.parquet.", "%s: an encrypted table is always Parquet", name)
	}
	return nil
}

// newTable starts the footer of an encrypted table: its scheme and key.
func newTable(pk *paillier.PublicKey) ctfile.Table {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return ctfile.Table{
		Scheme: "paillier", Variant: string(pk.Variant()), Bits: pk.Bits(), Fingerprint: pk.Fingerprint(),
		PublicKey: json.RawMessage(pk.MarshalPublic()), TestKey: pk.Test(), JobID: hex.EncodeToString(id),
	}
}

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

// merge checks that tables can be fused and lays out the result. Owners may hold different measures: those of all of them
// are in the result, as missing where an owner lacks them. A measure that two owners hold must be packed alike.
func merge(inputs []input) (*merger, error) {
	first := inputs[0].table
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
	if m.table.Noise, m.table.WeightMax, err = fuseNoise(inputs); err != nil {
		return nil, err
	}
	var signatures [][]ctfile.Measure
	decimals := map[string]int{}   // of the measures seen so far,
	owner := map[string]string{}   // the file that had them first,
	columnOf := map[string][]int{} // and the columns of the result that hold them
	for _, in := range inputs {
		t := in.table
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
					return nil, otherDecimals(in.file, q, owner[q.Name], decimals[q.Name])
				}
				if !slices.Equal(had, at) {
					return nil, column.Refuse(in.file, "measure %s is packed differently than in %s", column.Quote(q.Name), owner[q.Name]).
						InColumn(q.Name).WithHint("All owners must give the same --measure list in the same order, with the same max, --square, --product and --max-adds.")
				}
				i := slices.IndexFunc(m.table.Measures, func(x ctfile.Measure) bool { return x.Name == q.Name })
				m.table.Measures[i].Bound = larger(m.table.Measures[i].Bound, q.Bound)
				continue
			}
			decimals[q.Name], owner[q.Name], columnOf[q.Name] = q.Decimals, in.file, at
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
		m.table.Columns = append(m.table.Columns, columnName(m.table.IDs, c))
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

// comparable refuses two tables whose rows cannot be brought together.
func comparable(a, b input) error {
	if err := sameKeyAndLayout(a, b); err != nil {
		return err
	}
	s, t := a.table, b.table
	for _, q := range t.Measures { // asked before the size of blocks, which follows from it
		if i := slices.IndexFunc(s.Measures, func(x ctfile.Measure) bool { return x.Name == q.Name }); i >= 0 && s.Measures[i].Decimals != q.Decimals {
			return otherDecimals(b.file, q, a.file, s.Measures[i].Decimals)
		}
	}
	if s.BlockRecords != t.BlockRecords {
		return column.Refuse(b.file, "blocks of %d records, but %s has blocks of %d", t.BlockRecords, a.file, s.BlockRecords).
			WithHint("All owners must give the same measures, max, --square, --product and --max-adds, so that blocks are of one size.")
	}
	if !slices.Equal(s.IDs, t.IDs) {
		return column.Refuse(b.file, "id columns %q, but %s has %q", t.IDs, a.file, s.IDs).
			WithHint("All owners must name the same id columns in the same order.")
	}
	for i, f := range b.ids {
		if !arrow.TypeEqual(f.Type, a.ids[i].Type) {
			return column.Refuse(b.file, "ids of type %s, but %s has %s", elem(f.Type), a.file, elem(a.ids[i].Type)).
				InColumn(f.Name).WithHint("Encrypt with --universe and one common reference list: its ids are used, and match as text.")
		}
	}
	return nil
}

// otherDecimals refuses a measure that another table has with other decimals.
func otherDecimals(file string, q ctfile.Measure, other string, had int) error {
	return column.Refuse(file, "measure %s has %s, in %s it has %d", column.Quote(q.Name), count(q.Decimals, "decimal"), other, had).
		InColumn(q.Name).WithHint("All owners must encrypt a measure with the same decimals.")
}

// sameKeyAndLayout refuses two tables that no fusion can bring together.
func sameKeyAndLayout(a, b input) error {
	s, t := a.table, b.table
	switch {
	case t.Total:
		return column.Refuse(b.file, "this is a total, which cannot be added to").WithHint("Fuse the tables that it was made of.")
	case s.Fingerprint != t.Fingerprint:
		return column.Refuse(b.file, "encrypted under key %s, but %s under key %s", short(t.Fingerprint), a.file, short(s.Fingerprint)).
			WithHint("Tables fuse only when they are encrypted under one key.")
	case s.Layout != t.Layout:
		return column.Refuse(b.file, "layout %s, but %s has layout %s", t.Layout, a.file, s.Layout).WithHint("All owners must use the same --layout.")
	}
	return nil
}

// elem is the type of a record's id: what a block's list is made of.
func elem(t arrow.DataType) arrow.DataType {
	if l, ok := t.(*arrow.ListType); ok {
		return l.Elem()
	}
	return t
}
