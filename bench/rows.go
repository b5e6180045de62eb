package bench

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/column"
)

// WriteRows writes rows 0, 1, 2 and so on, each of which row appends, and commits w.
func WriteRows(ctx context.Context, w column.Writer, schema *arrow.Schema, rows int, row func(b *array.RecordBuilder, i int)) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	const batchRows = 1 << 12
	for first := 0; first < rows; first += batchRows {
		for i := first; i < min(first+batchRows, rows); i++ {
			row(b, i)
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
