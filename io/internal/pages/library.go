package pages

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// decoders are those of a file's columns, one for each shape that they have.
type decoders struct {
	mu  sync.Mutex
	all map[shape]*parquet.FileColumnChunk
}

// shape is what a decoder depends on.
type shape struct {
	kind        format.Type
	width       int
	outer       int
	list, items bool
}

// of returns the decoder of a column.
func (d *decoders) of(c *Column) (*parquet.FileColumnChunk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := shape{c.kind, c.width, c.outer, c.list, c.items}
	if k := d.all[s]; k != nil {
		return k, nil
	}
	k, err := s.decoder()
	if err != nil {
		return nil, err
	}
	if d.all == nil {
		d.all = make(map[shape]*parquet.FileColumnChunk)
	}
	d.all[s] = k
	return k, nil
}

// headerBytes is the buffer that parquet-go reads through: enough for the header of a page, which comes from memory. Larger pieces
// it reads without it. Every column has one, of tens of thousands at a time.
const headerBytes = 256

// decoder opens what parquet-go decodes columns of a shape with: a file without
// any data that has one such column, one row group of it, uncompressed. Its
// page cursors read what the guard of a chunk (see chunk.ReadAt) gives them.
// Nothing that the real file says but the column's physical shape gets there.
func (s shape) decoder() (*parquet.FileColumnChunk, error) {
	one := thrift.New[int32](1)
	repetition := func(optional bool) thrift.Null[format.FieldRepetitionType] {
		if optional {
			return thrift.New(format.Optional)
		}
		return thrift.New(format.Required)
	}
	schema := []format.SchemaElement{{Name: "schema", NumChildren: one}}
	var path []string
	group := func(r thrift.Null[format.FieldRepetitionType]) {
		schema = append(schema, format.SchemaElement{Name: "x", NumChildren: one, RepetitionType: r})
		path = append(path, "x")
	}
	for range s.outer - 1 {
		group(repetition(true))
	}
	leaf := format.SchemaElement{Name: "x", Type: thrift.New(s.kind), RepetitionType: repetition(s.outer > 0)}
	if s.list {
		group(repetition(s.outer > 0))
		group(thrift.New(format.Repeated))
		leaf.RepetitionType = repetition(s.items)
	}
	path = append(path, "x")
	if s.kind == format.FixedLenByteArray {
		leaf.TypeLength = thrift.New(int32(s.width))
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), format.FileMetaData{
		Version: 1,
		Schema:  append(schema, leaf),
		RowGroups: []format.RowGroup{{Columns: []format.ColumnChunk{{MetaData: format.ColumnMetaData{
			Type: s.kind, Encoding: []format.Encoding{format.Plain}, PathInSchema: path,
			DataPageOffset: int64(len(magic)), TotalCompressedSize: math.MaxInt64 - int64(len(magic)),
		}}}}},
	})
	if err != nil {
		return nil, err
	}
	file := append([]byte(magic), footer...)
	file = append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), magic...)
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(headerBytes))
	if err != nil {
		return nil, err
	}
	return f.RowGroups()[0].ColumnChunks()[0].(*parquet.FileColumnChunk), nil
}
