package dataset

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// pivotTable turns a long table, a row for each value, into a wide one, a row for each record. The texts of one column
// become the names of columns, and those of another their values.
type pivotTable struct {
	name, value string      // columns of the long table
	ids         []string    // which name a record
	normal      []ids.Field // how: two spellings of an id are one record

	loaded bool
	file   string
	fields []arrow.Field // of the ids
	rows   *engine.Groups
	places []column.Span // per record: its first row
	names  []string      // of the columns made, ascending
	cells  map[string]*cells
}

// cells are the values of one column made, as text.
type cells struct {
	at   []int32 // per record: 1 + index into ends, or 0; may be shorter than there are records
	ends []uint32
	text []byte
}

// newPivot reads NAME_COLUMN:VALUE_COLUMN.
func newPivot(spec string, columns []ids.Column) (*pivotTable, error) {
	p := &pivotTable{}
	for _, c := range columns {
		for _, f := range c.Fields {
			p.ids, p.normal = append(p.ids, f.Column), append(p.normal, f)
		}
	}
	ids := p.ids
	name, value, ok := strings.Cut(spec, ":")
	if !ok || name == "" || value == "" || name == value {
		return nil, job.Misuse("Write ‹pivot› 'Cell line:TPM': the column with the names, and the one with the values.", "‹pivot› %s is not NAME_COLUMN:VALUE_COLUMN", column.Quote(spec))
	}
	if slices.Contains(ids, name) || slices.Contains(ids, value) {
		return nil, job.Misuse("Name the columns of a record's id in ‹id›, without those two.", "‹pivot› %s names a column of ‹id›", column.Quote(spec))
	}
	p.name, p.value = name, value
	return p, nil
}

const pivotNamesMax = 1 << 16

// load reads the whole long table, once.
func (p *pivotTable) load(ctx context.Context, s Source) error {
	if p.loaded {
		return nil
	}
	r, err := s.OpenFiles(ctx, append(slices.Clone(p.ids), p.name, p.value))
	if err != nil {
		return err
	}
	defer r.Close()
	budget := engine.NewBudget(s.Opts.Memory)
	p.file, p.rows, p.cells, p.places, p.names = s.Files[0], engine.NewGroups(budget), map[string]*cells{}, nil, nil
	p.fields = slices.Clone(r.Schema().Fields()[:len(p.ids)])
	columns := make([]ids.Column, len(p.ids))
	for k, f := range p.fields {
		if err := ids.CheckType(p.file, f); err != nil {
			return err
		}
		columns[k] = ids.Column{Name: f.Name, Fields: p.normal[k : k+1]}
		p.fields[k] = columns[k].Field(p.fields[k : k+1])
	}
	var key []byte
	err = column.Each(ctx, r, func(b column.Batch) error {
		n := len(p.ids)
		if err := ids.CheckPresent(b, n); err != nil {
			return err
		}
		idColumns := make([]arrow.Array, 0, n)
		defer func() { ids.Release(idColumns) }()
		for k := range columns {
			arr, err := columns[k].Values(b, k, nil)
			if err != nil {
				return err
			}
			idColumns = append(idColumns, arr)
		}
		names, values := b.Column(n), b.Column(n+1)
		kept := int64(0)
		for i := range int(b.NumRows()) {
			if names.IsNull(i) {
				return b.Refuse(i, p.name, "the name is missing").WithHint("Every row names the column that its value is of.")
			}
			key = ids.AppendKey(key[:0], idColumns, i)
			row, added, err := p.rows.Index(key)
			if err != nil {
				return err
			}
			if added {
				file, at := b.Place(i)
				p.places = append(p.places, column.Span{File: file, Row: at, Line: b.Line(i), Len: 1})
				kept += 40
			}
			size, err := p.add(b, i, row, names.ValueStr(i), values)
			if err != nil {
				return err
			}
			kept += size
		}
		return budget.Keep("the values of the long table", kept)
	})
	if err != nil {
		return err
	}
	for name := range p.cells {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	p.loaded = true
	return nil
}

// add puts the value of row i of a batch into its place, and returns how much memory that took.
func (p *pivotTable) add(b column.Batch, i int, row int32, name string, values arrow.Array) (int64, error) {
	c := p.cells[name]
	if c == nil {
		if len(p.cells) >= pivotNamesMax {
			return 0, b.Refuse(i, p.name, "more than %d different names", pivotNamesMax).WithHint("Check which of the two columns of ‹pivot› has the names.")
		}
		c = &cells{}
		p.cells[strings.Clone(name)] = c
	}
	before := int64(cap(c.at))*4 + int64(cap(c.ends))*4 + int64(cap(c.text))
	if need := int(row) + 1; need > len(c.at) {
		c.at = slices.Grow(c.at, need-len(c.at))[:need]
	}
	if c.at[row] != 0 {
		return 0, b.Refuse(i, p.name, "a row before has a value for %s of the same record", column.Quote(name)).
			WithHint("A record has one value of each name. Add what tells the rows apart to ‹id›, or remove one of them.")
	}
	if values.IsValid(i) {
		text := values.ValueStr(i)
		if _, err := slots.ParseFloat(text); err != nil { // asked here, where the row is known
			return 0, slots.RefuseValue(b, i, slots.Measure{Name: p.value}, text, err)
		}
		if len(c.text)+len(text) > math.MaxUint32 {
			return 0, b.Refuse(i, p.value, "more than 4 GiB of values of %s", column.Quote(name)).WithHint("Split the table.")
		}
		c.text = append(c.text, text...)
		c.ends = append(c.ends, uint32(len(c.text)))
		c.at[row] = int32(len(c.ends))
	} else {
		c.at[row] = -1 // there, and missing
	}
	return int64(cap(c.at))*4 + int64(cap(c.ends))*4 + int64(cap(c.text)) - before, nil
}

// schema is that of the wide table.
func (p *pivotTable) schema() *arrow.Schema {
	fields := slices.Clone(p.fields)
	for _, name := range p.names {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// reader delivers columns of the wide table.
func (p *pivotTable) reader(columns []string) (column.Reader, error) {
	all := p.schema()
	at, err := column.Select(p.file, column.Names(all), columns)
	if err != nil {
		return nil, err
	}
	return &pivotReader{pivotTable: p, at: at, project: column.ProjectSchema(all, at)}, nil
}

type pivotReader struct {
	*pivotTable
	at      []int
	project *arrow.Schema
	row     int
}

func (r *pivotReader) File() string          { return r.file }
func (r *pivotReader) Schema() *arrow.Schema { return r.project }
func (r *pivotReader) Close() error          { return nil }

// pivotRows is how many records are delivered at a time: wide ones have many columns.
const pivotRows = 1 << 10

func (r *pivotReader) Read(ctx context.Context) (column.Batch, error) {
	if err := ctx.Err(); err != nil {
		return column.Batch{}, err
	}
	from, to := r.row, min(r.row+pivotRows, r.rows.Len())
	if from == to {
		return column.Batch{}, io.EOF
	}
	keys := ids.NewKeyBuilder(r.fields)
	b := column.Batch{}
	for row := from; row < to; row++ {
		if err := keys.Append(r.rows.Key(int32(row))); err != nil {
			return column.Batch{}, err
		}
		b.Spans = column.AppendSpan(b.Spans, r.places[row])
	}
	idColumns := keys.Arrays()
	defer ids.Release(idColumns)
	var arrays []arrow.Array
	defer func() { ids.Release(arrays) }()
	for _, c := range r.at {
		if c < len(r.fields) {
			idColumns[c].Retain()
			arrays = append(arrays, idColumns[c])
			continue
		}
		arrays = append(arrays, r.cells[r.names[c-len(r.fields)]].array(from, to))
	}
	b.Record = array.NewRecord(r.project, arrays, int64(to-from))
	b.File, b.Row = b.Spans[0].File, b.Spans[0].Row
	r.row = to
	return b, nil
}

// array returns the values of the records from..to.
func (c *cells) array(from, to int) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	for row := from; row < to; row++ {
		if row >= len(c.at) || c.at[row] <= 0 {
			b.AppendNull()
			continue
		}
		k := c.at[row] - 1
		start := uint32(0)
		if k > 0 {
			start = c.ends[k-1]
		}
		b.BinaryBuilder.Append(c.text[start:c.ends[k]])
	}
	return b.NewArray()
}
