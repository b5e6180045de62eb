package dataset

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// materialized is a whole prepared table in memory: ids as keys, and 9 bytes for each value. Its rows are in the order of their
// keys when ids are tokens, otherwise in that of the source.
type materialized struct {
	file   string
	fields []arrow.Field // of the ids
	names  []string      // of the measures
	scales []int         // their decimals
	ids    *engine.Groups
	group  []int32        // per row: its id
	values []slots.Scaled // per measure, of all rows
	order  []int32        // rows as they are delivered
}

// materialize reads the whole source.
func (x *preparer) materialize(ctx context.Context, s Source) (*materialized, error) {
	r, err := x.stream(ctx, s, append(x.names(), x.measures...))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	budget := engine.NewBudget(s.Opts.Memory)
	g := &materialized{file: s.Files[0], fields: r.Schema().Fields()[:len(x.IDs)], names: x.measures, ids: engine.NewGroups(budget), values: make([]slots.Scaled, len(x.measures))}
	for _, name := range x.measures {
		g.scales = append(g.scales, x.prepared[name].Decimals)
	}
	add := &materializing{materialized: g, x: x, budget: budget, counts: make([][]int64, len(x.measures))}
	if err := column.Each(ctx, r, add.batch); err != nil {
		return nil, err
	}
	if err := add.settle(); err != nil {
		return nil, err
	}
	g.order = make([]int32, len(g.group))
	for i := range g.order {
		g.order[i] = int32(i)
	}
	if x.tokenises() {
		slices.SortStableFunc(g.order, func(a, b int32) int { return bytes.Compare(g.ids.Key(g.group[a]), g.ids.Key(g.group[b])) })
	}
	return g, nil
}

// materializing fills a gathered table.
type materializing struct {
	*materialized
	x      *preparer
	budget *engine.Budget
	counts [][]int64           // for means, per measure: how many values the row's is the sum of
	beyond map[beyondMax]place // sums that are beyond max by now
	batchV []slots.Scaled
	key    []byte
}

// beyondMax is the sum of a measure of an id.
type beyondMax struct {
	id int32
	m  int
}

// place is the row that a sum became too large with.
type place struct {
	file      string
	row, line int64
}

const placeBytes = 64

// maximum is the largest sum of duplicates when all rows are in: the declared max, or what fits.
func (a *materializing) maximum(m int) int64 {
	if p := a.x.prepared[a.names[m]]; a.x.duplicates == slots.DuplicatesSum && p.Bound > 0 {
		return p.Bound
	}
	return math.MaxInt64
}

func (a *materializing) batch(b column.Batch) error {
	idColumns := len(a.fields)
	if err := ids.CheckPresent(b, idColumns); err != nil {
		return err
	}
	if a.batchV == nil {
		a.batchV = make([]slots.Scaled, len(a.names))
	}
	for m, name := range a.names {
		if err := slots.ScaleColumn(&a.batchV[m], b, idColumns+m, a.x.prepared[name].Measure); err != nil {
			return err
		}
	}
	for i := range int(b.NumRows()) {
		a.key = ids.AppendKey(a.key[:0], b.Columns()[:idColumns], i)
		id, added, err := a.ids.Index(a.key)
		if err != nil {
			return err
		}
		switch {
		case added || a.x.duplicates == "":
			if err := a.append(id, i); err != nil {
				return err
			}
		case a.x.duplicates == slots.DuplicatesFirst:
		case a.x.duplicates == slots.DuplicatesRefuse:
			e := b.Refuse(i, a.fields[0].Name, "duplicate id: a row before has the same")
			if len(a.names) == 0 {
				return e.WithHint("The universe lists every record once.")
			}
			return e.WithHint("Remove one of the rows, or choose what becomes of them by ‹duplicates› sum, mean or first.")
		default:
			if err := a.combine(id, b, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// append adds row i of the batch.
func (a *materializing) append(id int32, i int) error {
	if err := a.budget.Keep("the values of the source", int64(8+9*len(a.names)+8*len(a.counts))); err != nil {
		return err
	}
	if len(a.group) == math.MaxInt32 {
		return fmt.Errorf("more than %d rows to bring together", math.MaxInt32)
	}
	a.group = append(a.group, id)
	for m := range a.values {
		v := &a.values[m]
		v.V, v.Ok = append(v.V, a.batchV[m].V[i]), append(v.Ok, a.batchV[m].Ok[i])
		if a.x.duplicates == slots.DuplicatesMean {
			n := int64(0)
			if a.batchV[m].Ok[i] {
				n = 1
			}
			a.counts[m] = append(a.counts[m], n)
		}
	}
	return nil
}

// combine adds row i of the batch to the row of its id. Rows are numbered as their ids. A sum may exceed max for a
// while: the outcome does not depend on the order of the rows.
func (a *materializing) combine(id int32, b column.Batch, i int) error {
	for m := range a.values {
		if !a.batchV[m].Ok[i] {
			continue
		}
		v := &a.values[m]
		sum := codec.FromInt64(v.V[id]).Add(codec.FromInt64(a.batchV[m].V[i]))
		if sum.Abs().Cmp(codec.FromInt64(math.MaxInt64)) > 0 {
			return b.Refuse(i, a.names[m], "overflows: the sum of this row's value and those before with the same id does not fit in 64 bits").
				WithHint("Declare fewer decimals, or scale the column down first.")
		}
		v.V[id], v.Ok[id] = int64(sum.LowBits()), true
		if err := a.watch(beyondMax{id, m}, v.V[id], b, i); err != nil {
			return err
		}
		if a.x.duplicates == slots.DuplicatesMean {
			a.counts[m][id]++
		}
	}
	return nil
}

// watch notes whether a sum exceeds max after row i of the batch.
func (a *materializing) watch(at beyondMax, sum int64, b column.Batch, i int) error {
	limit := a.maximum(at.m)
	_, was := a.beyond[at]
	switch is := sum > limit || sum < -limit; {
	case is && !was:
		if err := a.budget.Keep("the places of sums beyond max", placeBytes); err != nil {
			return err
		}
		if a.beyond == nil {
			a.beyond = map[beyondMax]place{}
		}
		file, row := b.Place(i)
		a.beyond[at] = place{file: file, row: row, line: b.Line(i)}
	case was && !is:
		delete(a.beyond, at)
	}
	return nil
}

// settle refuses sums that exceed max, the first of them in the order of the table, and turns sums into means.
func (a *materializing) settle() error {
	if len(a.beyond) > 0 {
		at := slices.MinFunc(slices.Collect(maps.Keys(a.beyond)), func(x, y beyondMax) int { return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.m, y.m)) })
		p := a.beyond[at]
		return column.Refuse(p.file, "the sum of this row's value and those before with the same id is beyond max").AtRow(p.row).AtLine(p.line).InColumn(a.names[at.m]).
			WithHint("Raise max for every owner alike.")
	}
	if a.x.duplicates != slots.DuplicatesMean {
		return nil
	}
	for m := range a.values {
		for row, n := range a.counts[m] {
			if n > 1 {
				a.values[m].V[row] = roundedQuotient(codec.FromInt64(a.values[m].V[row]), n)
			}
		}
	}
	return nil
}

// reader delivers columns of the table.
func (g *materialized) reader(columns []string) column.Reader {
	r := &materializedReader{materialized: g}
	var fields []arrow.Field
	measures := column.IndexNames(g.names)
	for _, name := range columns {
		if i := slices.IndexFunc(g.fields, func(f arrow.Field) bool { return f.Name == name }); i >= 0 {
			r.columns, fields = append(r.columns, -1-i), append(fields, g.fields[i])
			continue
		}
		m, ok := measures[name]
		if !ok {
			panic("job: a column of a gathered table that it does not have: " + name)
		}
		r.columns, fields = append(r.columns, m), append(fields, arrow.Field{Name: name, Type: preparedType(g.scales[m]), Nullable: true})
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r
}

type materializedReader struct {
	*materialized
	columns []int // a measure, or -1 - an id column
	schema  *arrow.Schema
	at      int
}

func (r *materializedReader) File() string          { return r.file }
func (r *materializedReader) Schema() *arrow.Schema { return r.schema }
func (r *materializedReader) Close() error          { return nil }

func (r *materializedReader) Read(ctx context.Context) (column.Batch, error) {
	if err := ctx.Err(); err != nil {
		return column.Batch{}, err
	}
	rows := r.order[r.at:min(r.at+batchRows(len(r.columns)), len(r.order))]
	if len(rows) == 0 {
		return column.Batch{}, io.EOF
	}
	keys := ids.NewKeyBuilder(r.fields)
	for _, row := range rows {
		if err := keys.Append(r.ids.Key(r.group[row])); err != nil {
			return column.Batch{}, err
		}
	}
	idColumns := keys.Arrays()
	defer ids.Release(idColumns)
	var arrays []arrow.Array
	defer func() { ids.Release(arrays) }()
	one := slots.NewScaled(len(rows))
	for _, c := range r.columns {
		if c < 0 {
			idColumns[-1-c].Retain()
			arrays = append(arrays, idColumns[-1-c])
			continue
		}
		for i, row := range rows {
			one.V[i], one.Ok[i] = r.values[c].V[row], r.values[c].Ok[row]
		}
		arrays = append(arrays, decimals(&one, r.scales[c]))
	}
	b := column.Batch{Record: array.NewRecord(r.schema, arrays, int64(len(rows))), File: r.file, Row: int64(r.at + 1)}
	r.at += len(rows)
	return b, nil
}
