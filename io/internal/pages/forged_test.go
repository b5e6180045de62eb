package pages

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

var ctx = context.Background()

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// file puts pages and a footer together.
func file(pages, footer []byte) []byte {
	b := append([]byte(magic), pages...)
	b = append(b, footer...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
	return append(b, magic...)
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantRefused checks that err is an InputError, on a file named f.
func wantRefused(t testing.TB, err error, text string) *column.InputError {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) {
		t.Fatalf("%v is not an InputError", err)
	}
	if !strings.Contains(e.Error(), text) || e.File != "f" || e.Hint == "" {
		t.Errorf("%#v (%q) lacks %q, the file's name, or a hint", e, e.Error(), text)
	}
	return e
}

func open(b []byte) (*File, error) { return Open("f", bytes.NewReader(b), int64(len(b))) }

// TestForgedFooters: none of the numbers in them is believed.
func TestForgedFooters(t *testing.T) {
	list := func(field byte, n uint64, kind byte) []byte {
		b := []byte{field<<4 | thriftList, 0xf0 | kind}
		return binary.AppendUvarint(b, n)
	}
	nested := bytes.Repeat([]byte{0x1c}, 1<<20) // a structure in a structure in ...
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "the file is empty", nil},
		{"csv", "not a Parquet file", []byte("gene,tpm\nA,1\n")},
		{"short", "ends too early", []byte("PAR1PAR1")},
		{"no footer", "there is no Parquet footer", []byte("PAR1 and then something else")},
		{"encrypted", "Parquet's own encryption", []byte("PARE........PARE")},
		{"footer longer than the file", "claims 4294967295 bytes", append([]byte("PAR1\xff\xff\xff\xff"), magic...)},
		{"two billion schema elements", "ends in the middle", file(nil, append(list(2, math.MaxInt32, thriftStruct), 0))},
		{"two billion row groups", "ends in the middle", file(nil, append(list(4, math.MaxInt32, thriftStruct), 0))},
		{"two billion numbers", "ends in the middle", file(nil, append(list(4, math.MaxInt32, thriftI64), 0))},
		{"empty structures", "structures in", file(nil, append(append(list(4, 1<<20, thriftStruct), make([]byte, 1<<20)...), 0))},
		{"deep", "nested too deeply", file(nil, nested)},
		{"long text", "ends in the middle", file(nil, binary.AppendUvarint([]byte{6<<4 | thriftBinary}, math.MaxInt32))},
		{"garbage", "malformed", file(nil, bytes.Repeat([]byte{0x1f}, 100))},
		{"nothing", "has no schema", file(nil, []byte{0})},
		{"trailing", "follow the metadata", file(nil, []byte{0, 0})},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := allocated()
			_, err := open(c.file)
			if n := allocated() - before; n > uint64(8<<20+10*len(c.file)) {
				t.Errorf("it allocated %d bytes", n)
			}
			wantRefused(t, err, c.want)
		})
	}
}

// metadata is that of a file with one required INT64 column and a row group.
func metadata(rows int64, chunk format.ColumnMetaData) format.FileMetaData {
	chunk.Type = format.Int64
	chunk.PathInSchema = []string{"x"}
	return format.FileMetaData{
		Version: 1,
		Schema: []format.SchemaElement{
			{Name: "schema", NumChildren: thrift.New[int32](1)},
			{Name: "x", Type: thrift.New(format.Int64), RepetitionType: thrift.New(format.Required)},
		},
		NumRows:   rows,
		RowGroups: []format.RowGroup{{NumRows: rows, Columns: []format.ColumnChunk{{MetaData: chunk}}}},
	}
}

func TestForgedSchemas(t *testing.T) {
	group := func(name string, children int32) format.SchemaElement {
		return format.SchemaElement{Name: name, NumChildren: thrift.New(children)}
	}
	leaf := format.SchemaElement{Name: "x", Type: thrift.New(format.Int64)}
	var deep []format.SchemaElement
	for range 20_000 {
		deep = append(deep, group("g", 1))
	}
	for _, c := range []struct {
		want   string
		change func(m *format.FileMetaData)
	}{
		{"nested deeper", func(m *format.FileMetaData) { m.Schema = append(deep, leaf) }},
		{"claims 2147483647 children", func(m *format.FileMetaData) { m.Schema[0].NumChildren.V = math.MaxInt32 }},
		{"claims -1 children", func(m *format.FileMetaData) { m.Schema[0].NumChildren.V = -1 }},
		{"1 elements too many", func(m *format.FileMetaData) { m.Schema = append(m.Schema, leaf) }},
		{"root is a column", func(m *format.FileMetaData) { m.Schema = m.Schema[1:] }},
		{"1 column chunks for 2 columns", func(m *format.FileMetaData) {
			m.Schema = append(m.Schema, leaf)
			m.Schema[0].NumChildren.V = 2
		}},
		{"claims -1 rows", func(m *format.FileMetaData) { m.NumRows = -1 }},
		{"fewer than the footer claims", func(m *format.FileMetaData) { m.NumRows = math.MaxInt64 }},
		{"more than the footer leaves", func(m *format.FileMetaData) { m.RowGroups[0].NumRows = math.MaxInt64 }},
		{"more than the footer leaves", func(m *format.FileMetaData) { m.RowGroups[0].NumRows = -1 }},
	} {
		m := metadata(1, format.ColumnMetaData{})
		c.change(&m)
		_, err := open(file(nil, marshal(t, m)))
		wantRefused(t, err, c.want)
	}
}

// readOne reads the one column of a file in batches of 1000 rows, at most ten.
func readOne(b []byte) error {
	f, err := open(b)
	if err != nil {
		return err
	}
	s := NewScan(f, f.Columns(), ScanOptions{BatchRows: 1000, Threads: 1, Mem: memory.DefaultAllocator})
	defer s.Close()
	for range 10 {
		batch, err := s.Read(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		batch.Release()
	}
	return nil
}

// TestForgedPages: none of the numbers in a page's head, or in the metadata of
// its chunk, is believed.
func TestForgedPages(t *testing.T) {
	const rows = 100
	values := make([]byte, 8*rows)
	right := func() (format.PageHeader, []byte) {
		return format.PageHeader{
			Type: format.DataPage, UncompressedPageSize: int32(len(values)), CompressedPageSize: int32(len(values)),
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: rows, Encoding: format.Plain}),
		}, values
	}
	type change = func(h *format.PageHeader, body *[]byte, m *format.FileMetaData)
	chunk := func(m *format.FileMetaData) *format.ColumnMetaData { return &m.RowGroups[0].Columns[0].MetaData }
	for i, c := range []struct {
		want   string
		change change
	}{
		{"", func(*format.PageHeader, *[]byte, *format.FileMetaData) {}},
		{"a page claims 2147483647 bytes", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.CompressedPageSize = math.MaxInt32 }},
		{"a page claims -1 bytes", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.CompressedPageSize = -1 }},
		{"when decompressed", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.UncompressedPageSize = math.MaxInt32 }},
		{"not the 799 claimed", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.UncompressedPageSize-- }},
		{"claims 2147483647 values", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) {
			h.DataPageHeader.V.NumValues = math.MaxInt32
		}},
		{"claims -7 values", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.DataPageHeader.V.NumValues = -7 }},
		{"ends too early", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.DataPageHeader.V.NumValues = 99 }},
		{"encoded as", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.DataPageHeader.V.Encoding = 77 }},
		{"without a dictionary", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) {
			h.DataPageHeader.V.Encoding = format.RLEDictionary
		}},
		{"unknown type 9", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.Type = 9 }},
		{"malformed", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.Type = format.DataPageV2 }},
		{"checksum", func(h *format.PageHeader, _ *[]byte, _ *format.FileMetaData) { h.CRC = 5 }},
		{"9223372036854775807 values in 100 rows", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).NumValues = math.MaxInt64 }},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) {
			chunk(m).TotalCompressedSize = math.MaxInt64
		}},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) {
			chunk(m).TotalCompressedSize = math.MinInt64
		}},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).DataPageOffset = math.MaxInt64 }},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).DataPageOffset = -1 }},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).DataPageOffset = 0 }},
		{"lie outside", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).DictionaryPageOffset = 1 }},
		{"700 are left", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).TotalCompressedSize -= 100 }},
		{"the schema says", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).Type = format.Double }},
		{"in another file", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) {
			m.RowGroups[0].Columns[0].FilePath = "/etc/passwd"
		}},
		{"cannot hold", func(h *format.PageHeader, _ *[]byte, m *format.FileMetaData) {
			chunk(m).Codec = format.Snappy
			h.UncompressedPageSize = 200 << 20
		}},
		{"compressed data is malformed", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).Codec = format.Zstd }},
		{"compressed by", func(_ *format.PageHeader, _ *[]byte, m *format.FileMetaData) { chunk(m).Codec = format.LZO }},
		// Two billion values in a hundred, which parquet-go would make room for.
		{"delta encoded data is malformed", func(h *format.PageHeader, body *[]byte, _ *format.FileMetaData) {
			h.DataPageHeader.V.Encoding = format.DeltaBinaryPacked
			copy(*body, []byte{0x80, 0x01, 4, 0xff, 0xff, 0xff, 0xff, 0x07, 0})
		}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			h, body := right()
			body = bytes.Clone(body)
			m := metadata(rows, format.ColumnMetaData{NumValues: rows, DataPageOffset: 4})
			c.change(&h, &body, &m)
			page := append(marshal(t, h), body...)
			chunk(&m).TotalCompressedSize += int64(len(page))
			before := allocated()
			err := readOne(file(page, marshal(t, m)))
			if n := allocated() - before; n > 16<<20 {
				t.Errorf("it allocated %d bytes", n)
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantRefused(t, err, c.want); e.RowGroup != 1 || e.Column != "x" {
				t.Errorf("row group %d, column %q: %v", e.RowGroup, e.Column, err)
			}
		})
	}
}

// TestForgedContents: a few bytes in a page do not stand for gigabytes.
func TestForgedContents(t *testing.T) {
	const rows = 100
	uvarints := func(v ...uint64) (b []byte) {
		for _, v := range v {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	run := func(value ...byte) []byte { return append(uvarints(math.MaxInt32<<1), value...) }
	packed := uvarints(math.MaxInt32<<1|1, 0)
	prefix := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...) }
	lengths := func(n, first, minDelta uint64) []byte { // n lengths that differ by minDelta
		b := uvarints(128, 4, n, first)
		for left := int(n) - 1; left > 0; left -= 128 {
			b = append(append(b, uvarints(minDelta)...), 0, 0, 0, 0)
		}
		return b
	}
	whole := prefix(append(uvarints(rows<<1), 1)) // levels of values all there
	for _, c := range []struct {
		name, want string
		kind       format.Type
		optional   bool
		dictionary bool
		encoding   format.Encoding
		body       []byte
	}{
		{"levels", "run-length", format.Int64, true, false, format.Plain, join(prefix(run(1)), make([]byte, 8*rows))},
		{"packed levels", "run-length", format.Int64, true, false, format.Plain, join(prefix(packed), make([]byte, 8*rows))},
		{"too few levels", "run-length", format.Int64, true, false, format.Plain, join(prefix(uvarints(8, 1)), make([]byte, 8*rows))},
		{"nulls", "", format.Int64, true, false, format.Plain, join(prefix(uvarints(rows<<1, 0)), nil)},
		{"fewer values than levels tell of", "a page ends before", format.Int64, true, false, format.Plain, join(whole, make([]byte, 8*rows-1))},
		{"indices", "run-length", format.Int64, false, true, format.RLEDictionary, join([]byte{1}, run(0))},
		{"indices of 32 bits", "run-length", format.Int64, false, true, format.RLEDictionary, join([]byte{32}, run(0, 0, 0, 0))},
		{"indices of 33 bits", "run-length", format.Int64, false, true, format.RLEDictionary, join([]byte{33}, run(0, 0, 0, 0, 0))},
		{"indices of no bits", "run-length", format.Int64, false, true, format.RLEDictionary, join([]byte{0}, packed)},
		{"indices that are not there", "the dictionary lacks", format.Int64, false, true, format.RLEDictionary, join([]byte{8}, uvarints(rows<<1, 1))},
		{"negative indices", "the dictionary lacks", format.Int64, false, true, format.RLEDictionary, join([]byte{32}, uvarints(rows<<1), []byte{0xff, 0xff, 0xff, 0xff})},
		{"too few indices", "a page ends before", format.Int64, false, true, format.RLEDictionary, join([]byte{8}, uvarints((rows-1)<<1, 0))},
		{"a dictionary that is used", "", format.Int64, false, true, format.RLEDictionary, join([]byte{8}, uvarints(rows<<1, 0))},
		{"booleans", "run-length", format.Boolean, false, false, format.RLE, prefix(run(1))},
		{"too few bits", "a page ends before", format.Boolean, false, false, format.Plain, make([]byte, 12)},
		{"differences", "delta encoded", format.Int64, false, false, format.DeltaBinaryPacked, uvarints(128, 4, math.MaxInt32, 0, 0, 0, 0, 0, 0)},
		{"differences of 65 bits", "delta encoded", format.Int64, false, false, format.DeltaBinaryPacked, append(uvarints(128, 4, rows, 0, 0), bytes.Repeat([]byte{65}, 1000)...)},
		{"blocks", "delta encoded", format.Int64, false, false, format.DeltaBinaryPacked, uvarints(1<<31, 1, rows, 0, 0, 0)},
		{"too few differences", "a page ends before", format.Int32, false, false, format.DeltaBinaryPacked, lengths(rows-1, 0, 0)},
		{"lengths", "delta encoded", format.ByteArray, false, false, format.DeltaLengthByteArray, uvarints(128, 4, math.MaxInt32, 0)},
		{"shared bytes", "exceed", format.ByteArray, false, false, format.DeltaByteArray,
			join(lengths(rows, 0, 10<<20), lengths(rows, 20<<20, 0), make([]byte, 10<<20))},
		{"lengths of the rest", "delta encoded", format.ByteArray, false, false, format.DeltaByteArray,
			join(lengths(rows, 0, 0), uvarints(128, 4, math.MaxInt32, 0, 0, 0, 0, 0, 0))},
		{"long strings", "exceeds what is left", format.ByteArray, false, false, format.Plain, bytes.Repeat([]byte{0xff}, 4*rows)},
		{"too few strings", "a page ends before", format.ByteArray, false, false, format.Plain, make([]byte, 4*(rows-1))},
		{"split", "a page ends before", format.Int64, false, false, format.ByteStreamSplit, make([]byte, 8*rows-1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pages []byte
			if c.dictionary {
				pages = append(marshal(t, format.PageHeader{
					Type: format.DictionaryPage, UncompressedPageSize: 8, CompressedPageSize: 8,
					DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: 1}),
				}), make([]byte, 8)...)
			}
			pages = join(pages, marshal(t, format.PageHeader{
				Type: format.DataPage, UncompressedPageSize: int32(len(c.body)), CompressedPageSize: int32(len(c.body)),
				DataPageHeader: thrift.New(format.DataPageHeader{
					NumValues: rows, Encoding: c.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
				}),
			}), c.body)
			m := metadata(rows, format.ColumnMetaData{NumValues: rows, DataPageOffset: 4, TotalCompressedSize: int64(len(pages))})
			m.Schema[1].Type.V, m.RowGroups[0].Columns[0].MetaData.Type = c.kind, c.kind
			if c.optional {
				m.Schema[1].RepetitionType.V = format.Optional
			}
			b := file(pages, marshal(t, m))
			before := allocated()
			err := readOne(b)
			if n := allocated() - before; n > uint64(16<<20+8*len(b)) {
				t.Errorf("it allocated %d bytes", n)
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantRefused(t, err, c.want); e.RowGroup != 1 || e.Column != "x" {
				t.Errorf("row group %d, column %q: %v", e.RowGroup, e.Column, err)
			}
		})
	}
}

// TestManyValues: a page whose values take no bytes has as many as are allowed.
func TestManyValues(t *testing.T) {
	for _, rows := range []int32{PageValuesMax, PageValuesMax + 1} {
		runs := append(binary.AppendUvarint(nil, uint64(rows)<<1), 0)
		body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(runs))), runs...)
		page := append(marshal(t, format.PageHeader{
			Type: format.DataPage, UncompressedPageSize: int32(len(body)), CompressedPageSize: int32(len(body)),
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: rows, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}),
		}), body...)
		m := metadata(int64(rows), format.ColumnMetaData{NumValues: int64(rows), DataPageOffset: 4, TotalCompressedSize: int64(len(page))})
		m.Schema[1].RepetitionType.V = format.Optional
		before := allocated()
		err := readOne(file(page, marshal(t, m)))
		if n := allocated() - before; n > 16*PageValuesMax {
			t.Errorf("%d values made it allocate %d bytes", rows, n)
		}
		if rows <= PageValuesMax {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		wantRefused(t, err, "the limit is 16777216")
	}
}

// failing is a file whose disk breaks.
type failing struct{ io.ReaderAt }

var errDisk = errors.New("disk on fire")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off == 4 {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestReadFailure: what goes wrong in reading is not blamed on the file.
func TestReadFailure(t *testing.T) {
	m := metadata(1, format.ColumnMetaData{NumValues: 1, DataPageOffset: 4, TotalCompressedSize: 50})
	b := file(make([]byte, 50), marshal(t, m))
	f, err := Open("f", failing{bytes.NewReader(b)}, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s := NewScan(f, f.Columns(), ScanOptions{BatchRows: 1, Mem: memory.DefaultAllocator})
	_, err = s.Read(ctx)
	var refused *column.InputError
	if !errors.Is(err, errDisk) || errors.As(err, &refused) || !strings.Contains(err.Error(), "f") {
		t.Errorf("%v", err)
	}
}
