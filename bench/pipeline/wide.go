package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/arrowio"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// A wide table has an id, a group and many measures, as samples of an expression matrix have. It is fused by group.
const (
	groupColumn = "grp"
	groups      = 5
)

// wide says whether tables have many measures.
func (p *path) wide() bool { return p.measures > 1 }

func measureName(m int) string { return valueColumn + strconv.Itoa(m) }

// input is an owner's table.
func (p *path) input(dir string, owner int) string {
	if !p.wide() {
		return filepath.Join(dir, inputName(owner))
	}
	return filepath.Join(dir, fmt.Sprintf("owner%d-%d.parquet", owner, p.measures))
}

// result is the decrypted table. Three columns for each measure can be more than Parquet files have here.
func (p *path) result(dir string) string {
	if p.wide() {
		return filepath.Join(dir, "opened.arrow")
	}
	return filepath.Join(dir, "opened.parquet")
}

func (p *path) encryptArgs(o *Options, in, out string) []string {
	if !p.wide() {
		return o.encryptArgs(p.keys, in, out, p.layout)
	}
	return o.args("encrypt", "--key", filepath.Join(p.keys, "public.json"), "--in", in, "--out", out, "--id", idColumn+","+groupColumn,
		"--measure", fmt.Sprintf("%s:max=%d", slots.AllColumns, valueMax), "--layout", p.layout)
}

func (p *path) fuseArgs(o *Options, out string) []string {
	args := o.args("fuse", "--out", out)
	if p.wide() {
		args = append(args, "--by", groupColumn)
	}
	return args
}

func (p *path) check(ctx context.Context, name string, o *Options) error {
	if p.wide() {
		return checkGroups(ctx, name, o.Owners, o.Rows, p.measures)
	}
	return checkOutput(ctx, name, o.Owners, o.Rows)
}

// writeWide makes an owner's wide table.
func writeWide(ctx context.Context, name string, owner, rows, measures int) error {
	fields := []arrow.Field{{Name: idColumn, Type: arrow.PrimitiveTypes.Int64}, {Name: groupColumn, Type: arrow.PrimitiveTypes.Int64}}
	for m := range measures {
		fields = append(fields, arrow.Field{Name: measureName(m), Type: arrow.PrimitiveTypes.Int32})
	}
	schema := arrow.NewSchema(fields, nil)
	w, err := parquetio.Create(ctx, blob.Local{}, name, schema, column.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Close()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	next := ownerValues(owner)
	const cells = 1 << 20
	some := max(1, cells/measures)
	for first := 0; first < rows; first += some {
		for id := first; id < min(first+some, rows); id++ {
			b.Field(0).(*array.Int64Builder).Append(int64(id))
			b.Field(1).(*array.Int64Builder).Append(int64(id % groups))
			for m := range measures {
				b.Field(2 + m).(*array.Int32Builder).Append(int32(next()))
			}
		}
		batch := column.Batch{Record: b.NewRecord()}
		err := w.Write(ctx, batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	return w.Commit(ctx)
}

// checkGroups compares a decrypted table with the plain sums of all owners' wide tables, group by group.
func checkGroups(ctx context.Context, name string, owners, rows, measures int) error {
	sums, counts := make([][]int64, groups), make([]int64, groups)
	for g := range sums {
		sums[g] = make([]int64, measures)
	}
	for owner := range owners {
		next := ownerValues(owner)
		for id := range rows {
			counts[id%groups]++
			for m := range measures {
				sums[id%groups][m] += next()
			}
		}
	}
	wanted := []string{groupColumn}
	for m := range measures {
		wanted = append(wanted, measureName(m)+"_sum", measureName(m)+"_count")
	}
	r, err := arrowio.Open(ctx, blob.Local{}, name, column.ReadOptions{Columns: wanted})
	if err != nil {
		return err
	}
	defer r.Close()
	seen := make([]bool, groups)
	err = column.Each(ctx, r, func(b column.Batch) error {
		columns := make([]*array.Int64, len(wanted))
		for c := range columns {
			var ok bool
			if columns[c], ok = b.Column(c).(*array.Int64); !ok {
				return fmt.Errorf("column %s is of type %s", b.ColumnName(c), b.Column(c).DataType())
			}
		}
		for i := range int(b.NumRows()) {
			g := columns[0].Value(i)
			if g < 0 || g >= groups || seen[g] {
				return fmt.Errorf("group %d is none of the input's, or comes twice", g)
			}
			seen[g] = true
			for m := range measures {
				if sum, count := columns[1+2*m].Value(i), columns[2+2*m].Value(i); sum != sums[g][m] || count != counts[g] {
					return fmt.Errorf("group %d, %s: sum %d of %d values; the plain sum is %d of %d", g, measureName(m), sum, count, sums[g][m], counts[g])
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for g, there := range seen {
		if !there && counts[g] > 0 {
			return fmt.Errorf("%s: group %d is missing", name, g)
		}
	}
	return nil
}
