package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// Columns of a pipeline's tables.
const (
	idColumn    = "id"
	valueColumn = "value"
	valueMax    = math.MaxInt32 // of |value|
)

// ownerValues is the stream of an owner's values, the same in every run: uniform in -valueMax..valueMax.
func ownerValues(owner int) func() int64 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(owner))
	random := rand.New(rand.NewChaCha8(seed))
	return func() int64 { return random.Int64N(2*valueMax+1) - valueMax }
}

// writeInput makes an owner's Parquet table: ids 0, 1, 2 and so on, and values.
func writeInput(ctx context.Context, name string, owner, rows int) error {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: idColumn, Type: arrow.PrimitiveTypes.Int64}, {Name: valueColumn, Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	w, err := parquetio.Create(ctx, blob.Local{}, name, schema, column.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Close()
	next := ownerValues(owner)
	return bench.WriteRows(ctx, w, schema, rows, func(b *array.RecordBuilder, id int) {
		b.Field(0).(*array.Int64Builder).Append(int64(id))
		b.Field(1).(*array.Int32Builder).Append(int32(next()))
	})
}

// checkOutput compares a decrypted table with the plain sums of all owners.
func checkOutput(ctx context.Context, name string, owners, rows int) error {
	want := make([]int64, rows)
	for owner := range owners {
		next := ownerValues(owner)
		for id := range want {
			want[id] += next()
		}
	}
	r, err := parquetio.Open(ctx, blob.Local{}, name, column.ReadOptions{Columns: []string{idColumn, valueColumn + "_sum", valueColumn + "_count"}})
	if err != nil {
		return err
	}
	defer r.Close()
	seen, records := make([]bool, rows), 0
	err = column.Each(ctx, r, func(b column.Batch) error {
		records += int(b.NumRows())
		return checkBatch(b, seen, want, int64(owners))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if records != rows {
		return fmt.Errorf("%s: %d records, not %d", name, records, rows)
	}
	return nil
}

func checkBatch(b column.Batch, seen []bool, want []int64, owners int64) error {
	var columns [3]*array.Int64
	for i := range columns {
		var ok bool
		if columns[i], ok = b.Column(i).(*array.Int64); !ok {
			return fmt.Errorf("column %s is of type %s", b.ColumnName(i), b.Column(i).DataType())
		}
	}
	for i := range int(b.NumRows()) {
		id, sum, count := columns[0].Value(i), columns[1].Value(i), columns[2].Value(i)
		switch {
		case id < 0 || id >= int64(len(want)) || seen[id]:
			return fmt.Errorf("id %d is none of the input's, or comes twice", id)
		case sum != want[id] || count != owners:
			return fmt.Errorf("id %d: sum %d of %d values; the plain sum is %d of %d", id, sum, count, want[id], owners)
		}
		seen[id] = true
	}
	return nil
}
