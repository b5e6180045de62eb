package job

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
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// gathered is a whole prepared table in memory: ids as keys, and 9 bytes for each value. Its rows are in the order of their
// keys when ids are tokens, otherwise in that of the source.
type gathered struct {
	file   string
	fields []arrow.Field // of the ids
	names  []string      // of the measures
	scales []int         // their decimals
	ids    *engine.Groups
	group  []int32  // per row: its id
	values []scaled // per measure, of all rows
	order  []int32  // rows as they are delivered
}

// gather reads the whole source.
func (x *preparer) gather(ctx context.Context, s source) (*gathered, error) {
	r, err := x.stream(ctx, s, append(x.names(), x.measures...))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	budget := engine.NewBudget(s.opts.Memory)
	g := &gathered{file: s.files[0], fields: r.Schema().Fields()[:len(x.ids)], names: x.measures, ids: engine.NewGroups(budget), values: make([]scaled, len(x.measures))}
	for _, name := range x.measures {
		g.scales = append(g.scales, x.prepared[name].Decimals)
	}
	add := &adding{gathered: g, x: x, budget: budget, counts: make([][]int64, len(x.measures))}
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

// adding fills a gathered table.
type adding struct {
	*gathered
	x      *preparer
	budget *engine.Budget
	counts [][]int64           // for means, per measure: how many values the row's is the sum of
	beyond map[beyondMax]place // sums that are beyond max by now
	batchV []scaled
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

// maximum is how far sums of duplicates may go when all rows are in: the declared max, or what fits.
func (a *adding) maximum(m int) int64 {
	if p := a.x.prepared[a.names[m]]; a.x.duplicates == DuplicatesSum && p.Bound > 0 {
		return p.Bound
	}
	return math.MaxInt64
}

func (a *adding) batch(b column.Batch) error {
	ids := len(a.fields)
	if err := checkIDs(b, ids); err != nil {
		return err
	}
	if a.batchV == nil {
		a.batchV = make([]scaled, len(a.names))
	}
	for m, name := range a.names {
		if err := scaleColumn(&a.batchV[m], b, ids+m, a.x.prepared[name].Measure); err != nil {
			return err
		}
	}
	for i := range int(b.NumRows()) {
		a.key = rowKey(a.key[:0], b.Columns()[:ids], i)
		id, added, err := a.ids.Index(a.key)
		if err != nil {
			return err
		}
		switch {
		case added || a.x.duplicates == "":
			if err := a.append(id, i); err != nil {
				return err
			}
		case a.x.duplicates == DuplicatesFirst:
		case a.x.duplicates == DuplicatesRefuse:
			e := b.Refuse(i, a.fields[0].Name, "duplicate id: a row before has the same")
			if len(a.names) == 0 {
				return e.WithHint("The universe lists every record once.")
			}
			return e.WithHint("Remove one of the rows, or choose what becomes of them by --duplicates sum, mean or first.")
		default:
			if err := a.combine(id, b, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// append adds row i of the batch.
func (a *adding) append(id int32, i int) error {
	if err := a.budget.Keep("the values of the source", int64(8+9*len(a.names)+8*len(a.counts))); err != nil {
		return err
	}
	if len(a.group) == math.MaxInt32 {
		return fmt.Errorf("more than %d rows to bring together", math.MaxInt32)
	}
	a.group = append(a.group, id)
	for m := range a.values {
		v := &a.values[m]
		v.v, v.ok = append(v.v, a.batchV[m].v[i]), append(v.ok, a.batchV[m].ok[i])
		if a.x.duplicates == DuplicatesMean {
			n := int64(0)
			if a.batchV[m].ok[i] {
				n = 1
			}
			a.counts[m] = append(a.counts[m], n)
		}
	}
	return nil
}

// combine adds row i of the batch to the row of its id. Rows are numbered as their ids. A sum may be beyond max for a while:
// whether it is in the end does not depend on the order of the rows.
func (a *adding) combine(id int32, b column.Batch, i int) error {
	for m := range a.values {
		if !a.batchV[m].ok[i] {
			continue
		}
		v := &a.values[m]
		sum := codec.FromInt64(v.v[id]).Add(codec.FromInt64(a.batchV[m].v[i]))
		if sum.Abs().Cmp(codec.FromInt64(math.MaxInt64)) > 0 {
			return b.Refuse(i, a.names[m], "overflows: the sum of this row's value and those before with the same id does not fit in 64 bits").
				WithHint("Declare fewer decimals, or scale the column down first.")
		}
		v.v[id], v.ok[id] = int64(sum.LowBits()), true
		if err := a.watch(beyondMax{id, m}, v.v[id], b, i); err != nil {
			return err
		}
		if a.x.duplicates == DuplicatesMean {
			a.counts[m][id]++
		}
	}
	return nil
}

// watch notes whether a sum is beyond max after row i of the batch.
func (a *adding) watch(at beyondMax, sum int64, b column.Batch, i int) error {
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

// settle refuses sums that are beyond max, the first of them in the order of the table, and makes means of sums.
func (a *adding) settle() error {
	if len(a.beyond) > 0 {
		at := slices.MinFunc(slices.Collect(maps.Keys(a.beyond)), func(x, y beyondMax) int { return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.m, y.m)) })
		p := a.beyond[at]
		return column.Refuse(p.file, "the sum of this row's value and those before with the same id is beyond max").AtRow(p.row).AtLine(p.line).InColumn(a.names[at.m]).
			WithHint("Raise max for every owner alike.")
	}
	if a.x.duplicates != DuplicatesMean {
		return nil
	}
	for m := range a.values {
		for row, n := range a.counts[m] {
			if n > 1 {
				a.values[m].v[row] = roundedQuotient(codec.FromInt64(a.values[m].v[row]), n)
			}
		}
	}
	return nil
}

// reader delivers columns of the table.
func (g *gathered) reader(columns []string) column.Reader {
	r := &gatheredReader{gathered: g}
	var fields []arrow.Field
	for _, name := range columns {
		if i := slices.IndexFunc(g.fields, func(f arrow.Field) bool { return f.Name == name }); i >= 0 {
			r.columns, fields = append(r.columns, -1-i), append(fields, g.fields[i])
			continue
		}
		m := slices.Index(g.names, name)
		if m < 0 {
			panic("job: a column of a gathered table that it does not have: " + name)
		}
		r.columns, fields = append(r.columns, m), append(fields, arrow.Field{Name: name, Type: preparedType(g.scales[m]), Nullable: true})
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r
}

type gatheredReader struct {
	*gathered
	columns []int // a measure, or -1 - an id column
	schema  *arrow.Schema
	at      int
}

func (r *gatheredReader) File() string          { return r.file }
func (r *gatheredReader) Schema() *arrow.Schema { return r.schema }
func (r *gatheredReader) Close() error          { return nil }

func (r *gatheredReader) Read(ctx context.Context) (column.Batch, error) {
	if err := ctx.Err(); err != nil {
		return column.Batch{}, err
	}
	rows := r.order[r.at:min(r.at+readRows, len(r.order))]
	if len(rows) == 0 {
		return column.Batch{}, io.EOF
	}
	keys := newKeyBuilder(r.fields)
	for _, row := range rows {
		if err := keys.append(r.ids.Key(r.group[row])); err != nil {
			return column.Batch{}, err
		}
	}
	ids := keys.arrays()
	defer releaseArrays(ids)
	var arrays []arrow.Array
	defer func() { releaseArrays(arrays) }()
	one := newScaled(len(rows))
	for _, c := range r.columns {
		if c < 0 {
			ids[-1-c].Retain()
			arrays = append(arrays, ids[-1-c])
			continue
		}
		for i, row := range rows {
			one.v[i], one.ok[i] = r.values[c].v[row], r.values[c].ok[row]
		}
		arrays = append(arrays, decimals(&one, r.scales[c]))
	}
	b := column.Batch{Record: array.NewRecord(r.schema, arrays, int64(len(rows))), File: r.file, Row: int64(r.at + 1)}
	r.at += len(rows)
	return b, nil
}
