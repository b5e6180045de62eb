package ctfile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// A table of two ciphertexts is written and read. Its footer says what the ciphertexts hold.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "rates.cf.parquet")

	table := ctfile.Table{
		Scheme: ctfile.SchemePaillier, Variant: "textbook", Bits: 64, TestKey: true,
		Fingerprint: strings.Repeat("00112233", 8), PublicKey: json.RawMessage(`{"n":"ffffffffffffffc5"}`),
		Layout: ctfile.Records, IDs: []string{"patient"}, Columns: []string{"c0"},
		Measures: []ctfile.Measure{{Name: "rate", Terms: []string{"rate"}, Given: []string{"rate"}, Bound: "300", Width: 20, Slots: 1, Stride: 20, InColumns: []string{"c0"}}},
		MaxAdds:  1024, AddsUsed: 1, Source: "north", JobID: "example",
	}
	ids := []arrow.Field{{Name: "patient", Type: arrow.BinaryTypes.String}}
	rows := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(append(ids, arrow.Field{Name: "c0", Type: &arrow.FixedSizeBinaryType{ByteWidth: table.CiphertextBytes()}}), nil))
	defer rows.Release()
	for i, id := range []string{"p1", "p2"} {
		rows.Field(0).(*array.StringBuilder).Append(id)
		ciphertext := make([]byte, table.CiphertextBytes())
		ciphertext[len(ciphertext)-1] = byte(i + 1)
		rows.Field(1).(*array.FixedSizeBinaryBuilder).Append(ciphertext)
	}
	record := rows.NewRecord()
	defer record.Release()

	w, err := ctfile.Create(ctx, blob.Local{}, file, table, ids, ctfile.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close() // the file appears with Commit, or not at all
	if err := w.Write(ctx, column.Batch{Record: record, File: "memory", Row: 1}); err != nil {
		panic(err)
	}
	if err := w.Commit(ctx); err != nil {
		panic(err)
	}

	r, err := ctfile.Open(ctx, blob.Local{}, file, column.ReadOptions{})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	t := r.Table()
	fmt.Println(t.Source, t.Layout, t.IDs, t.Measures[0].Name, "up to", t.Measures[0].Bound, "in magnitude,", t.MaxAdds, "additions")
	for {
		b, err := r.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(b.NumRows(), "rows from row", b.Row)
		b.Release()
	}
	// Output:
	// north records [patient] rate up to 300 in magnitude, 1024 additions
	// 2 rows from row 1
}
