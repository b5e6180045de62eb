package enctable

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Rows is a chunk encrypted: rows of the table.
type Rows struct {
	IDs         []arrow.Array // of the records
	Ciphertexts [][]byte      // per ciphertext column
	Rows        int
	Free        func()
}

func (s Rows) Release() { s.Free() }

// WriteRows writes rows of ciphertexts with their ids, which become lists in blocks.
func WriteRows(ctx context.Context, w Writer, s Rows, records int, blocks bool) error {
	idColumns := s.IDs
	if blocks {
		idColumns = ids.Blocks(idColumns, records)
		defer ids.Release(idColumns)
	}
	rec := Record(w.Schema(), idColumns, s.Ciphertexts, s.Rows)
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

// batchBytes is the size of the ciphertexts that travel together.
const batchBytes = 256 << 10

// BatchRows is how many rows of a table make a batch: a multiple of the 8 lanes of vector kernels.
func BatchRows(columns, ciphertextSize int) int {
	rows := batchBytes / (columns * ciphertextSize)
	return min(max(rows/8*8, 8), 1024)
}

// TupleWidths returns the slot widths of the tuple that each column of a blocks table holds.
func TupleWidths(t *ctfile.Table) []codec.Tuple {
	out := make([]codec.Tuple, len(t.Columns))
	places := column.IndexNames(t.Columns)
	for _, m := range t.Measures {
		for _, name := range m.InColumns {
			c := places[name]
			out[c] = append(out[c], m.Width)
		}
	}
	return out
}

// RefuseCiphertext adds the place to a kernel's error about the i-th ciphertext of a batch.
func RefuseCiphertext(b column.Batch, name string, err error) error {
	var bad *paillier.CiphertextError
	if errors.As(err, &bad) {
		return b.Refuse(bad.Index, name, "invalid ciphertext: %s", bad.Reason).
			WithHint("The file was changed after it was written, or made by other software.")
	}
	return fmt.Errorf("column %s: %w", name, err)
}

// CheckTuples refuses a layout that the format allows but whose total cannot be read (codec.Total). The slots of a
// tuple must follow each other from bit 0 on, in the order of the measures, in ciphertexts of their own and without
// gaps.
func CheckTuples(t *ctfile.Table) error {
	type tuple struct {
		first ctfile.Measure
		width int
	}
	var tuples []*tuple
	tupleOf := map[string]*tuple{} // by what is given
	taken := map[string]bool{}
	for _, m := range t.Measures {
		given := slots.KeyOf(nil, m.Given)
		x := tupleOf[given]
		if x == nil {
			x = &tuple{first: m}
			tupleOf[given], tuples = x, append(tuples, x)
			for _, name := range m.InColumns {
				if taken[name] {
					return fmt.Errorf("column %s holds values of several measures", column.Quote(name))
				}
				taken[name] = true
			}
		}
		if m.Offset != x.width || m.Slots != x.first.Slots || m.Stride != x.first.Stride || !slices.Equal(m.InColumns, x.first.InColumns) {
			return fmt.Errorf("the slots of %s are not where the order of the measures puts them", column.Quote(m.Name))
		}
		x.width += m.Width
	}
	for _, x := range tuples {
		if x.width != x.first.Stride {
			return fmt.Errorf("the slots of %s have gaps", column.Quote(x.first.Name))
		}
	}
	return nil
}
