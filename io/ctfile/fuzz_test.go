package ctfile

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/column"
)

// FuzzTable reads the JSON of footers. What is valid comes back as it went;
// what is not is an InputError.
func FuzzTable(f *testing.F) {
	for _, table := range []Table{recordsTable(), blocksTable()} {
		table.Rows = 7
		table.RowGroups = []RowGroup{{Rows: 7, SHA256: table.Fingerprint, IDsSHA256: table.Fingerprint}}
		if table.Layout == Blocks {
			table.RowGroups[0].Rows = 2
		}
		footer, err := table.clone().footer()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(footer[KeyTable])
	}
	f.Add(`{"x_y":{"a":[1,2]},"measures":[{"slots":9223372036854775807,"stride":9223372036854775807}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := parseTable(text)
		if err == nil {
			err = table.Validate()
		}
		if err != nil {
			var refused *column.InputError
			if !errors.As(err, &refused) || refused.Hint == "" {
				t.Fatalf("%v is not an InputError with a hint", err)
			}
			return
		}
		footer, err := table.footer()
		if err != nil {
			t.Fatal(err)
		}
		read, err := parseFooter(func(key string) []string { return []string{footer[key]} }, Footer{})
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		again := read.Table
		// The public key is kept as text, in which white space may change.
		var was, is any
		if json.Unmarshal(table.PublicKey, &was) != nil || json.Unmarshal(again.PublicKey, &is) != nil || !reflect.DeepEqual(was, is) {
			t.Errorf("public key %s, was %s", again.PublicKey, table.PublicKey)
		}
		again.PublicKey = table.PublicKey
		if len(again.FooterDigest) != 64 {
			t.Errorf("the digest of the footer is %q", again.FooterDigest)
		}
		again.FooterDigest = table.FooterDigest
		if !reflect.DeepEqual(again, table) {
			t.Errorf("%+v, was %+v", again, table)
		}
	})
}

// FuzzFile reads what may be no file at all.
func FuzzFile(f *testing.F) {
	for _, small := range smallFiles {
		file, _ := smallFile(f, small.table, small.ids)
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		batches, err := readBytes(b, column.ReadOptions{BatchRows: 64, Mem: mem})
		column.ReleaseAll(batches)
		var refused *column.InputError
		if err != nil && err != io.EOF && !errors.As(err, &refused) {
			t.Fatalf("%v is not an InputError", err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 600<<20 {
			t.Fatalf("%d bytes made it allocate %d", len(b), n)
		}
	})
}
