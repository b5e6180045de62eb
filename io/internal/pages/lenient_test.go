package pages

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// good is a file of one INT64 column x of three rows, and beside it what change makes of the footer.
func good(t testing.TB, change func(m *format.FileMetaData)) []byte {
	t.Helper()
	var body []byte
	for _, v := range []uint64{7, 8, 9} {
		body = binary.LittleEndian.AppendUint64(body, v)
	}
	page := append(marshal(t, format.PageHeader{Type: format.DataPage, UncompressedPageSize: 24, CompressedPageSize: 24,
		DataPageHeader: thrift.New(format.DataPageHeader{NumValues: 3, Encoding: format.Plain})}), body...)
	m := metadata(3, format.ColumnMetaData{NumValues: 3, TotalCompressedSize: int64(len(page)), TotalUncompressedSize: int64(len(page)), DataPageOffset: 4})
	change(&m)
	return file(page, marshal(t, m))
}

// beside adds a column to the footer that nobody asks for.
func beside(elements []format.SchemaElement, chunks ...format.ColumnChunk) func(m *format.FileMetaData) {
	return func(m *format.FileMetaData) {
		m.Schema = append(m.Schema, elements...)
		m.Schema[0].NumChildren.V++
		for i := range m.RowGroups {
			m.RowGroups[i].Columns = append(m.RowGroups[i].Columns, chunks...)
		}
	}
}

// readX reads column x.
func readX(b []byte) ([]int64, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	for _, c := range f.Columns() {
		if c.Name == "x" {
			s := NewScan(f, []*Column{c}, ScanOptions{BatchRows: 10, Threads: 1, Mem: memory.DefaultAllocator})
			defer s.Close()
			batch, err := s.Read(ctx)
			if err != nil {
				return nil, err
			}
			defer batch.Release()
			return append([]int64{}, batch.Column(0).(*array.Int64).Int64Values()...), nil
		}
	}
	return nil, nil
}

// TestOddColumnsBesideAGoodOne: whatever a footer says of columns that nobody asks for, the others are read.
func TestOddColumnsBesideAGoodOne(t *testing.T) {
	leaf := func(typ format.Type, length int32, logical format.LogicalTypeValue) []format.SchemaElement {
		e := format.SchemaElement{Name: "odd", Type: thrift.New(typ), RepetitionType: thrift.New(format.Optional), LogicalType: format.LogicalType{Value: logical}}
		if length > 0 {
			e.TypeLength = thrift.New(length)
		}
		return []format.SchemaElement{e}
	}
	converted := func(typ format.Type, length int32, c deprecated.ConvertedType) []format.SchemaElement {
		e := leaf(typ, length, nil)
		e[0].ConvertedType = thrift.New(c)
		return e
	}
	group := func(n int32, logical format.LogicalTypeValue) format.SchemaElement {
		return format.SchemaElement{Name: "odd", NumChildren: thrift.New(n), RepetitionType: thrift.New(format.Optional), LogicalType: format.LogicalType{Value: logical}}
	}
	chunk := func(typ format.Type) format.ColumnChunk {
		return format.ColumnChunk{MetaData: format.ColumnMetaData{Type: typ, NumValues: 3, DataPageOffset: 4}}
	}
	nothing := func(*format.FileMetaData) {}
	for name, c := range map[string]struct {
		change func(m *format.FileMetaData)
		want   string // of the error about the odd column, if it has one; "-" if it can be read
		column string
	}{
		"nothing":             {nothing, "", ""},
		"interval":            {beside(converted(format.FixedLenByteArray, 12, deprecated.Interval), chunk(format.FixedLenByteArray)), "INTERVAL", "odd"},
		"geometry":            {beside(leaf(format.ByteArray, 0, &format.GeometryType{}), chunk(format.ByteArray)), "GEOMETRY", "odd"},
		"geography":           {beside(leaf(format.ByteArray, 0, &format.GeographyType{}), chunk(format.ByteArray)), "GEOGRAPHY", "odd"},
		"a converted type":    {beside(converted(format.Int32, 0, 99), chunk(format.Int32)), "converted type 99", "odd"},
		"a physical type":     {beside(leaf(77, 0, nil), chunk(77)), "unknown physical type 77", "odd"},
		"decimal of 76":       {beside(leaf(format.FixedLenByteArray, 32, &format.DecimalType{Precision: 76}), chunk(format.FixedLenByteArray)), "at most 38 digits", "odd"},
		"text in integers":    {beside(leaf(format.Int32, 0, &format.StringType{}), chunk(format.Int32)), "cannot be stored as", "odd"},
		"bytes of no length":  {beside(leaf(format.FixedLenByteArray, 0, nil), chunk(format.FixedLenByteArray)), "without a length", "odd"},
		"time of no unit":     {beside(leaf(format.Int64, 0, &format.TimeType{Unit: format.TimeUnit{Value: new(format.NanoSeconds)}}), chunk(format.Int64)), "-", "odd"},
		"half":                {beside(leaf(format.FixedLenByteArray, 2, new(format.Float16Type)), chunk(format.FixedLenByteArray)), "-", "odd"},
		"half of 4 bytes":     {beside(leaf(format.FixedLenByteArray, 4, new(format.Float16Type)), chunk(format.FixedLenByteArray)), "2 bytes", "odd"},
		"null":                {beside(leaf(format.Int32, 0, new(format.NullType)), chunk(format.Int32)), "-", "odd"},
		"int96":               {beside(leaf(format.Int96, 0, nil), chunk(format.Int96)), "-", "odd"},
		"a map":               {beside(append([]format.SchemaElement{group(1, new(format.MapType)), group(1, nil)}, leaf(format.Int32, 0, nil)...), chunk(format.Int32)), "type map", "odd"},
		"variant":             {beside(append([]format.SchemaElement{group(1, &format.VariantType{})}, leaf(format.ByteArray, 0, nil)...), chunk(format.ByteArray)), "VARIANT", "odd"},
		"a structure":         {beside(append([]format.SchemaElement{group(1, nil)}, leaf(format.Int32, 0, nil)...), chunk(format.Int32)), "-", "odd.odd"},
		"an empty structure":  {beside([]format.SchemaElement{group(0, nil)}), "", ""},
		"a list of nothing":   {beside([]format.SchemaElement{group(0, new(format.ListType))}), "plain values", "odd"},
		"Hadoop's LZ4":        {beside(leaf(format.Int32, 0, nil), withCodec(chunk(format.Int32), format.Lz4)), "LZ4 of Hadoop", "odd"},
		"LZO":                 {beside(leaf(format.Int32, 0, nil), withCodec(chunk(format.Int32), format.LZO)), "compressed by LZO", "odd"},
		"an unknown codec":    {beside(leaf(format.Int32, 0, nil), withCodec(chunk(format.Int32), 88)), "unknown codec 88", "odd"},
		"encrypted":           {beside(leaf(format.Int32, 0, nil), format.ColumnChunk{EncryptedColumnMetadata: []byte("secret")}), "is encrypted", "odd"},
		"encrypted by footer": {beside(leaf(format.Int32, 0, nil), format.ColumnChunk{CryptoMetadata: format.ColumnCryptoMetaData{Value: new(format.EncryptionWithFooterKey)}}), "is encrypted", "odd"},
		"in another file":     {beside(leaf(format.Int32, 0, nil), format.ColumnChunk{FilePath: "b.parquet"}), "in another file", "odd"},
		"of the same name": {func(m *format.FileMetaData) {
			beside(leaf(format.Int32, 0, nil), chunk(format.Int32))(m)
			beside(leaf(format.Int32, 0, nil), chunk(format.Int32))(m)
		}, "-", "odd"},
		"far away":       {beside(leaf(format.Int32, 0, nil), format.ColumnChunk{MetaData: format.ColumnMetaData{Type: format.Int32, NumValues: 3, DataPageOffset: math.MaxInt64, TotalCompressedSize: math.MaxInt64}}), "-", "odd"},
		"of minus rows":  {beside(leaf(format.Int32, 0, nil), format.ColumnChunk{MetaData: format.ColumnMetaData{Type: format.Int32, NumValues: -3}}), "-", "odd"},
		"no sum of rows": {func(m *format.FileMetaData) { m.NumRows = 0 }, "", ""},
	} {
		b := good(t, c.change)
		if got, err := readX(b); err != nil || len(got) != 3 || got[0] != 7 || got[2] != 9 {
			t.Errorf("beside %s: %v, %v", name, got, err)
		}
		f, err := open(b)
		if err != nil {
			continue // told above
		}
		for _, col := range f.Columns() {
			if col.Name == "x" {
				continue
			}
			switch {
			case col.Name != c.column:
				t.Errorf("%s: a column called %s", name, col.Name)
			case c.want == "-" && col.Err != nil:
				t.Errorf("%s: %v", name, col.Err)
			case c.want != "-" && (col.Err == nil || !strings.Contains(col.Err.Error(), c.want) || col.Type == ""):
				t.Errorf("%s: %v (%s)", name, col.Err, col.Type)
			}
		}
	}
}

func withCodec(c format.ColumnChunk, codec format.CompressionCodec) format.ColumnChunk {
	c.MetaData.Codec = codec
	return c
}

// raw is a structure in the compact protocol, field by field, each a difference of numbers, a type and bytes.
func raw(fields ...any) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 3 {
		b = append(b, byte(fields[i].(int))<<4|byte(fields[i+1].(int)))
		switch v := fields[i+2].(type) {
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case int:
			b = binary.AppendVarint(b, int64(v))
		case []byte:
			b = append(b, v...)
		}
	}
	return append(b, 0)
}

// TestLenientMetadata: fields that are optional, by the format or by custom, may be missing, and those that are not known may hold
// anything.
func TestLenientMetadata(t *testing.T) {
	list := func(n int, elements ...byte) []byte { return append([]byte{byte(n)<<4 | thriftStruct}, elements...) }
	element := func(name string) []byte { return raw(1, thriftI32, 2, 2, thriftI32, 0, 1, thriftBinary, name) } // INT64, REQUIRED
	root := raw(4, thriftBinary, "schema", 1, thriftI32, 1)
	page := append(raw(1, thriftI32, 0, 1, thriftI32, 24, 1, thriftI32, 24, 2, thriftStruct, raw(1, thriftI32, 3, 1, thriftI32, 0)), make([]byte, 24)...)
	page[len(page)-8] = 5
	chunk := raw(3, thriftStruct, raw(1, thriftI32, 2, 3, thriftI32, 0, 1, thriftI64, 3, 2, thriftI64, len(page), 2, thriftI64, 4))
	groups := list(1, raw(1, thriftList, list(1, chunk...), 2, thriftI64, 3)...)
	schema := func(elements ...[]byte) []byte {
		var all []byte
		for _, e := range elements {
			all = append(all, e...)
		}
		return list(len(elements), all...)
	}
	bare := []any{2, thriftList, schema(root, element("x")), 1, thriftI64, 3, 1, thriftList, groups}
	for name, footer := range map[string][]byte{
		"the least":               raw(bare...),
		"a key without a value":   raw(append(bare, 1, thriftList, list(2, append(raw(1, thriftBinary, "k"), raw(1, thriftBinary, "k2", 1, thriftBinary, "v")...)...))...),
		"a key that is a number":  raw(append(bare, 1, thriftList, list(1, raw(1, thriftI32, 7)...))...),
		"a field of tomorrow":     raw(append(bare, 11, thriftStruct, raw(1, thriftDouble, []byte("8 bytes!"), 1, thriftMap, []byte{0}))...),
		"odd orders of columns":   raw(append(bare, 3, thriftList, list(1, raw(3, thriftStruct, raw())...))...),
		"a type of tomorrow":      raw(2, thriftList, schema(raw(4, thriftBinary, "schema", 1, thriftI32, 2), element("x"), raw(1, thriftI32, 6, 2, thriftI32, 0, 1, thriftBinary, "odd", 6, thriftStruct, []byte{0x0c, 0xc8, 0x01, 0, 0})), 1, thriftI64, 3, 1, thriftList, list(1, raw(1, thriftList, list(2, append(append([]byte{}, chunk...), raw()...)...), 2, thriftI64, 3)...)),
		"a column of no metadata": raw(2, thriftList, schema(raw(4, thriftBinary, "schema", 1, thriftI32, 2), element("x"), element("odd")), 1, thriftI64, 3, 1, thriftList, list(1, raw(1, thriftList, list(2, append(append([]byte{}, chunk...), raw()...)...), 2, thriftI64, 3)...)),
		"no sum of rows, wrong":   raw(2, thriftList, schema(root, element("x")), 1, thriftI64, 0, 1, thriftList, groups),
	} {
		got, err := readX(file(page, footer))
		if err != nil || len(got) != 3 || got[2] != 5 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	f, err := open(file(page, raw(append(bare, 1, thriftList, list(2, append(raw(1, thriftBinary, "k"), raw(1, thriftBinary, "k", 1, thriftBinary, "v")...)...))...)))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Values("k"); len(got) != 2 || got[0] != "" || got[1] != "v" {
		t.Errorf("%q", got)
	}
	// What is asked for must be told.
	for name, c := range map[string][]byte{
		"type":                    raw(3, thriftStruct, raw(4, thriftI32, 0, 1, thriftI64, 3, 2, thriftI64, len(page), 2, thriftI64, 4)),
		"compression":             raw(3, thriftStruct, raw(1, thriftI32, 2, 4, thriftI64, 3, 2, thriftI64, len(page), 2, thriftI64, 4)),
		"number of values":        raw(3, thriftStruct, raw(1, thriftI32, 2, 3, thriftI32, 0, 3, thriftI64, len(page), 2, thriftI64, 4)),
		"offset":                  raw(3, thriftStruct, raw(1, thriftI32, 2, 3, thriftI32, 0, 1, thriftI64, 3, 2, thriftI64, len(page))),
		"does not say the column": raw(),
	} {
		footer := raw(2, thriftList, schema(root, element("x")), 1, thriftI64, 3, 1, thriftList, list(1, raw(1, thriftList, list(1, c...), 2, thriftI64, 3)...))
		_, err := readX(file(page, footer))
		wantRefused(t, err, name)
	}
	// A plain footer of a file with encrypted columns is signed.
	signed := append(raw(append(bare, 4, thriftStruct, raw(1, thriftStruct, raw()))...), make([]byte, signatureBytes)...)
	if got, err := readX(file(page, signed)); err != nil || len(got) != 3 {
		t.Errorf("a signed footer: %v, %v", got, err)
	}
	_, err = readX(file(page, append(signed, 0)))
	wantRefused(t, err, "bytes follow the metadata")
	_, err = readX(file(page, append(raw(bare...), make([]byte, signatureBytes)...)))
	wantRefused(t, err, "bytes follow the metadata")
}

// TestHalves: every FLOAT16 is the FLOAT of the same value.
func TestHalves(t *testing.T) {
	for i := range 1 << 16 {
		got := halfToFloat(uint16(i))
		var want float32
		exponent, fraction := i>>10&0x1f, i&0x3ff
		switch {
		case exponent == 0x1f && fraction != 0:
			if got == got {
				t.Fatalf("%04x is %v, not NaN", i, got)
			}
			continue
		case exponent == 0x1f:
			want = float32(math.Inf(1 - i>>15*2))
		default: // (-1)^sign x 2^(exponent-15) x 1.fraction, or 2^-14 x 0.fraction
			v := math.Ldexp(float64(1024+fraction), exponent-25)
			if exponent == 0 {
				v = math.Ldexp(float64(fraction), -24)
			}
			want = float32(math.Copysign(v, 1-float64(i>>15)*2))
		}
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("%04x is %v, want %v", i, got, want)
		}
	}
}

// TestNullColumns hold no value: with one, they are refused.
func TestNullColumns(t *testing.T) {
	read := func(def []byte, values int) (arrow.Array, error) {
		body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(def))), def...)
		body = append(body, make([]byte, 4*values)...)
		page := append(marshal(t, format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(len(body)), CompressedPageSize: int32(len(body)),
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: 3, Encoding: format.Plain, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})}), body...)
		m := metadata(3, format.ColumnMetaData{NumValues: 3, TotalCompressedSize: int64(len(page)), DataPageOffset: 4})
		m.Schema[1] = format.SchemaElement{Name: "x", Type: thrift.New(format.Int32), RepetitionType: thrift.New(format.Optional), LogicalType: format.LogicalType{Value: new(format.NullType)}}
		m.RowGroups[0].Columns[0].MetaData.Type = format.Int32
		f, err := open(file(page, marshal(t, m)))
		if err != nil {
			return nil, err
		}
		s := NewScan(f, f.Columns(), ScanOptions{BatchRows: 10, Threads: 1, Mem: memory.DefaultAllocator})
		defer s.Close()
		b, err := s.Read(ctx)
		if err != nil {
			return nil, err
		}
		return b.Column(0), nil
	}
	got, err := read([]byte{3 << 1, 0}, 0) // a run of three 0
	if err != nil || got.NullN() != 3 || got.DataType().ID() != arrow.STRING {
		t.Errorf("%v, %v", got, err)
	}
	_, err = read([]byte{3 << 1, 1}, 3)
	wantRefused(t, err, "a value in a column whose type says that there is none")
}
