package papers

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// Columns of the sources' tables.
const (
	idColumn    = "id"
	valueColumn = "value"
	valueMax    = 65_535 // values are 0..valueMax
)

// batchRows is the number of rows that travel together.
const batchRows = 1 << 16

// sourceValues is the stream of a source's values, the same in every run and for every number of records.
func sourceValues(source int) func() int64 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(source))
	random := rand.New(rand.NewChaCha8(seed))
	return func() int64 { return random.Int64N(valueMax + 1) }
}

// writeSource makes a source's table: ids 0, 1, 2 and so on, and values.
func writeSource(ctx context.Context, name string, source, records int) error {
	return writeTable(ctx, name, records, sourceValues(source))
}

func writeTable(ctx context.Context, name string, records int, next func() int64) error {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: idColumn, Type: arrow.PrimitiveTypes.Int64}, {Name: valueColumn, Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	w, err := parquetio.Create(ctx, blob.Local{}, name, schema, column.WriteOptions{Overwrite: true})
	if err != nil {
		return err
	}
	defer w.Close()
	return bench.WriteRows(ctx, w, schema, records, func(b *array.RecordBuilder, id int) {
		b.Field(0).(*array.Int64Builder).Append(int64(id))
		b.Field(1).(*array.Int64Builder).Append(next())
	})
}

// eachValue reads a table's ids and a column of integers, in the order of the rows.
func eachValue(ctx context.Context, name, measure string, f func(id, value int64)) error {
	r, err := parquetio.Open(ctx, blob.Local{}, name, column.ReadOptions{Columns: []string{idColumn, measure}, BatchRows: batchRows})
	if err != nil {
		return err
	}
	defer r.Close()
	return column.Each(ctx, r, func(b column.Batch) error {
		ids, okID := b.Column(0).(*array.Int64)
		values, okValue := b.Column(1).(*array.Int64)
		if !okID || !okValue {
			return fmt.Errorf("%s: ids of type %s, values of type %s", name, b.Column(0).DataType(), b.Column(1).DataType())
		}
		for i := range int(b.NumRows()) {
			f(ids.Value(i), values.Value(i))
		}
		return nil
	})
}
