package ids

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/io/column"
)

// ValuesOf is values of a batch that has the named columns of the source in any order.
func (c *Column) ValuesOf(b column.Batch, columns []string, key *Tokeniser) (arrow.Array, error) {
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, f := range c.Fields {
		i := slices.Index(columns, f.Column)
		fields, arrays = append(fields, b.Schema().Field(i)), append(arrays, b.Column(i))
	}
	part := b
	part.Record = array.NewRecord(arrow.NewSchema(fields, nil), arrays, b.NumRows())
	defer part.Release()
	return c.Values(part, 0, key)
}
