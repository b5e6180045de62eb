package ctfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// memFS has one file, f.
func memFS(b []byte) blob.FS {
	fs := new(blobtest.Mem)
	fs.Put("f", b)
	return fs
}

// readBytes reads a file to its end.
func readBytes(file []byte, opts column.ReadOptions) ([]column.Batch, error) {
	r, err := Open(ctx, memFS(file), "f", opts)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return column.Collect(ctx, r)
}

// span is a part of a file and what is in it.
type span struct {
	from, to int
	group    int // 1-based
	column   string
}

// pagesOf maps the contents of a file's pages, and their heads.
func pagesOf(t testing.TB, file []byte) (bodies, heads []span) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for g, group := range f.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			index, err := chunk.OffsetIndex()
			if err != nil {
				t.Fatal(err)
			}
			name := f.Root().Columns()[i].Name()
			for p := range index.NumPages() {
				at, end := int(index.Offset(p)), int(index.Offset(p)+index.CompressedPageSize(p))
				var head format.PageHeader
				if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(file[at:end])).Decode(&head); err != nil {
					t.Fatal(err)
				}
				body := end - int(head.CompressedPageSize)
				heads = append(heads, span{at, body, g + 1, name})
				bodies = append(bodies, span{body, end, g + 1, name})
			}
		}
	}
	return bodies, heads
}

func in(spans []span, at int) (span, bool) {
	for _, s := range spans {
		if s.from <= at && at < s.to {
			return s, true
		}
	}
	return span{}, false
}

// smallFile is an encrypted table of some row groups in few bytes.
func smallFile(t testing.TB, table Table, ids arrow.DataType) ([]byte, arrow.Record) {
	t.Helper()
	table.Bits, table.TestKey, table.MaxAdds = 128, true, 1000
	sum := &table.Measures[0]
	sum.Bound, sum.Width, sum.Stride = "100", 18, 40
	count := Measure{Name: "tpm_count", Given: []string{"tpm"}, Bound: "1", Width: 11, Slots: sum.Slots, Stride: 40, Offset: 18, InColumns: sum.InColumns}
	if table.Layout == Records {
		count.InColumns = []string{"c1"}
	}
	table.Measures = []Measure{*sum, count}
	rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(3, 3)), []arrow.DataType{ids}, 37)
	file, err := os.ReadFile(write(t, table, 2*32*6, rec))
	if err != nil {
		t.Fatal(err)
	}
	return file, rec
}

var smallFiles = []struct {
	table Table
	ids   arrow.DataType
}{
	{recordsTable(), arrow.BinaryTypes.String},
	{recordsTable(), arrow.PrimitiveTypes.Int16},
	{blocksTable(), arrow.BinaryTypes.Binary},
	{blocksTable(), &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
}

// same says whether the batches are the record's rows.
func same(batches []column.Batch, want arrow.Record) bool {
	at := int64(0)
	for _, b := range batches {
		if at+b.NumRows() > want.NumRows() {
			return false
		}
		rows := want.NewSlice(at, at+b.NumRows())
		if !array.RecordEqual(b.Record, rows) {
			return false
		}
		at += b.NumRows()
	}
	return at == want.NumRows()
}

// TestFlips flips a bit of every third byte or so of small files, another third
// at each change of them. In the contents of a page it is always found, and the
// row group named; elsewhere, what is not found does not matter: the rows are
// the same.
func TestFlips(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i, small := range smallFiles {
		file, rec := smallFile(t, small.table, small.ids)
		bodies, heads := pagesOf(t, file)
		found := map[string]int{}
		for at := range file {
			if r.IntN(thoroughtest.Pick(12, 3)) > 0 {
				continue
			}
			bad := bytes.Clone(file)
			bad[at] ^= 1 << r.IntN(8)
			batches, err := readBytes(bad, column.ReadOptions{BatchRows: 9, Threads: 1 + at%2})
			body, inBody := in(bodies, at)
			head, inHead := in(heads, at)
			switch {
			case err == nil && (inBody || !same(batches, rec)):
				t.Fatalf("file %d: byte %d flipped (in a page: %v) and not found", i, at, inBody)
			case err != nil:
				e := wantInputError(t, err, "f: ")
				if where := max(body.group, head.group); where > 0 && e.RowGroup != where {
					t.Fatalf("file %d: byte %d of row group %d flipped: %v", i, at, where, err)
				}
				found[fmt.Sprint(inBody, inHead)]++
			}
			column.ReleaseAll(batches)
		}
		t.Logf("file %d of %d bytes: refused by flips in page contents, heads, elsewhere: %d %d %d", i, len(file),
			found["true false"], found["false true"], found["false false"])
	}
}

// TestEveryTruncation cuts small files off everywhere.
func TestEveryTruncation(t *testing.T) {
	for _, small := range smallFiles[1:3] {
		file, _ := smallFile(t, small.table, small.ids)
		for n := range file {
			if n%thoroughtest.Pick(7, 1) > 0 {
				continue
			}
			_, err := readBytes(file[:n], column.ReadOptions{})
			var e *column.InputError
			if !errors.As(err, &e) || e.File != "f" {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
		}
	}
}

// TestSwappedRows exchanges two ciphertexts, which no checksum of a page body
// sees when that is made right, but the digest does.
func TestSwappedRows(t *testing.T) {
	file, _ := smallFile(t, recordsTable(), arrow.BinaryTypes.String)
	bodies, heads := pagesOf(t, file)
	for i, b := range bodies {
		if b.column != "c1" || b.group != 2 {
			continue
		}
		page := file[b.from:b.to]
		const width = 32
		swapped := bytes.Clone(page[:width])
		copy(page, page[width:2*width])
		copy(page[width:], swapped)
		head := file[heads[i].from:heads[i].to]
		var h format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), head, &h); err != nil {
			t.Fatal(err)
		}
		var old, sum [5]byte
		n := binary.PutVarint(old[:], int64(h.CRC))
		m := binary.PutVarint(sum[:], int64(int32(crc32.ChecksumIEEE(page))))
		if n != m || bytes.Count(head, old[:n]) != 1 {
			t.Fatal("the checksums differ in length, which they do not with this seed")
		}
		copy(head[bytes.Index(head, old[:n]):], sum[:m])
	}
	_, err := readBytes(file, column.ReadOptions{})
	if e := wantInputError(t, err, "do not match their digest"); e.RowGroup != 2 {
		t.Error(err)
	}
}
