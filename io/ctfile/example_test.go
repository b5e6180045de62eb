package ctfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// exampleTable is the worked example of docs/file-format.md.
func exampleTable() Table {
	return Table{
		Scheme: SchemePaillier, Variant: "textbook", Bits: 64, Fingerprint: strings.Repeat("00112233", 8),
		PublicKey: json.RawMessage(`{"n":"ffffffffffffffc5"}`),
		Layout:    Blocks, BlockRecords: 2, IDs: []string{"gene"}, Columns: []string{"c0"},
		Measures: []Measure{
			{Name: "tpm", Terms: []string{"tpm"}, Given: []string{"tpm"}, Decimals: 1, Bound: "1000", Width: 15, Slots: 2, Stride: 21, InColumns: []string{"c0"}, Count: "tpm_count"},
			{Name: "tpm_count", Given: []string{"tpm"}, Bound: "1", Width: 6, Slots: 2, Stride: 21, Offset: 15, InColumns: []string{"c0"}},
		},
		MaxAdds: 16, AddsUsed: 1, Source: "hospital-a", JobID: "demo", TestKey: true,
	}
}

// exampleFile writes the example: genes A1, B22, C and two ciphertexts, bytes 0
// to 15 and 16 to 31.
func exampleFile(t testing.TB) *Table {
	t.Helper()
	table := exampleTable()
	cipher := &arrow.FixedSizeBinaryType{ByteWidth: table.CiphertextBytes()}
	schema := arrow.NewSchema([]arrow.Field{{Name: "gene", Type: arrow.ListOf(arrow.BinaryTypes.String)}, {Name: "c0", Type: cipher}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	genes := b.Field(0).(*array.ListBuilder)
	for _, block := range [][]string{{"A1", "B22"}, {"C"}} {
		genes.Append(true)
		genes.ValueBuilder().(*array.StringBuilder).AppendValues(block, nil)
	}
	for row := range 2 {
		v := make([]byte, cipher.ByteWidth)
		for i := range v {
			v[i] = byte(16*row + i)
		}
		b.Field(1).(*array.FixedSizeBinaryBuilder).Append(v)
	}
	path := write(t, table, 0, b.NewRecord())
	r, err := Open(ctx, blob.Local{}, path, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Table()
}

// TestDocumentedExample holds the worked example of docs/file-format.md against
// what is written.
func TestDocumentedExample(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "file-format.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := exampleFile(t)
	footer, err := table.footer()
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(footer[KeyTable]), "", "  "); err != nil {
		t.Fatal(err)
	}
	d := newDigests(1, 0)
	ids := array.NewStringBuilder(memory.DefaultAllocator)
	ids.AppendValues([]string{"A1", "B22", "C"}, nil)
	lists := blocksOf(memory.DefaultAllocator, ids.NewArray(), 2)
	if err := d.rows([]arrow.Array{lists}); err != nil {
		t.Fatal(err)
	}
	id := &d.ids[0]
	for what, want := range map[string]string{
		"the footer as JSON":      footer[KeyTable],
		"the footer, laid out":    pretty.String(),
		"the footer's digest":     footer[KeyDigest],
		"the ciphertexts' digest": table.RowGroups[0].SHA256,
		"the ids' digest":         table.RowGroups[0].IDsSHA256,
		"H(type)":                 fmt.Sprintf("%x", id.typ.Sum(nil)),
		"H(lists)":                fmt.Sprintf("%x", id.lists.Sum(nil)),
		"H(lengths)":              fmt.Sprintf("%x", id.lengths.Sum(nil)),
		"H(values)":               fmt.Sprintf("%x", id.values.Sum(nil)),
		"D(gene)":                 fmt.Sprintf("%x", id.sum()),
	} {
		if !bytes.Contains(doc, []byte(want)) {
			t.Errorf("%s is not in the document:\n%s", what, want)
		}
	}
}
