package enctable

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/io/column"
)

// Rows is a chunk encrypted: rows of the table.
type Rows struct {
	Ids  []arrow.Array // of the records
	Ct   [][]byte      // per ciphertext column
	Rows int
	Free func()
}

func (s Rows) Release() { s.Free() }

// WriteRows writes rows of ciphertexts with their ids, which become lists in blocks.
func WriteRows(ctx context.Context, w Writer, s Rows, records int, blocks bool) error {
	idColumns := s.Ids
	if blocks {
		idColumns = ids.Blocks(idColumns, records)
		defer ids.Release(idColumns)
	}
	rec := Record(w.Schema(), idColumns, s.Ct, s.Rows)
	defer rec.Release()
	return w.Write(ctx, column.Batch{Record: rec})
}

// Record joins id columns and ciphertext columns into a record, without copying.
func Record(schema *arrow.Schema, idColumns []arrow.Array, ct [][]byte, rows int) arrow.Record {
	columns := slices.Clone(idColumns)
	for i, bytes := range ct {
		t := schema.Field(len(idColumns) + i).Type
		data := array.NewData(t, rows, []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
		columns = append(columns, array.NewFixedSizeBinaryData(data))
		data.Release()
	}
	rec := array.NewRecord(schema, columns, int64(rows))
	ids.Release(columns[len(idColumns):])
	return rec
}
