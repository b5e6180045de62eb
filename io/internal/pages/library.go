package pages

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// decoder opens what parquet-go decodes the column's pages with: a file without any data that has this column alone,
// one row group of it, uncompressed. Its page cursors read what the guard of a chunk (see chunk.ReadAt) gives them. Of
// the real file, only the column's physical shape gets there.
func (c *Column) decoder() (*parquet.FileColumnChunk, error) {
	one := thrift.New[int32](1)
	repetition := func(optional bool) thrift.Null[format.FieldRepetitionType] {
		if optional {
			return thrift.New(format.Optional)
		}
		return thrift.New(format.Required)
	}
	schema := []format.SchemaElement{{Name: "schema", NumChildren: one}}
	leaf := format.SchemaElement{Name: "x", Type: thrift.New(c.kind), RepetitionType: repetition(c.optional)}
	path := []string{"x"}
	if c.list {
		schema = append(schema,
			format.SchemaElement{Name: "x", NumChildren: one, RepetitionType: repetition(c.optional)},
			format.SchemaElement{Name: "x", NumChildren: one, RepetitionType: thrift.New(format.Repeated)})
		leaf.RepetitionType = repetition(c.items)
		path = []string{"x", "x", "x"}
	}
	if c.kind == format.FixedLenByteArray {
		leaf.TypeLength = thrift.New(int32(c.width))
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), format.FileMetaData{
		Version: 1,
		Schema:  append(schema, leaf),
		RowGroups: []format.RowGroup{{Columns: []format.ColumnChunk{{MetaData: format.ColumnMetaData{
			Type: c.kind, Encoding: []format.Encoding{format.Plain}, PathInSchema: path,
			DataPageOffset: int64(len(magic)), TotalCompressedSize: math.MaxInt64 - int64(len(magic)),
		}}}}},
	})
	if err != nil {
		return nil, err
	}
	file := append([]byte(magic), footer...)
	file = append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), magic...)
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	return f.RowGroups()[0].ColumnChunks()[0].(*parquet.FileColumnChunk), nil
}
