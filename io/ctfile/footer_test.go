package ctfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// object is a JSON object to be tampered with.
type object = map[string]any

// forgery is a file of which everything can be wrong.
type forgery struct {
	footer map[string][]string // values of keys; KeyTable and its digest are set from table unless given
	table  object
	fields []arrow.Field
	rec    arrow.Record
	raw    map[string]bool
	groups int // rows in a row group
}

// forge starts from a file that would be right.
func forge(t testing.TB, table Table) *forgery {
	t.Helper()
	rec := table.rows(memory.DefaultAllocator, rand.New(rand.NewPCG(1, 1)), []arrow.DataType{arrow.BinaryTypes.String}, 23)
	file := write(t, table, 1, rec) // a row group for each row
	right, batches, err := read(file, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	column.ReleaseAll(batches)
	text, err := json.Marshal(right)
	if err != nil {
		t.Fatal(err)
	}
	f := &forgery{footer: map[string][]string{}, rec: rec, raw: map[string]bool{}, groups: 1}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&f.table); err != nil {
		t.Fatal(err)
	}
	ids := rec.Schema().Fields()[:1]
	if f.fields, err = table.fields(ids); err != nil {
		t.Fatal(err)
	}
	for _, name := range table.Columns {
		f.raw[name] = true
	}
	return f
}

// measure returns measure i for tampering.
func (f *forgery) measure(i int) object { return f.table["measures"].([]any)[i].(object) }

// bytes writes the file.
func (f *forgery) bytes(t testing.TB) []byte {
	t.Helper()
	if _, ok := f.footer[KeyVersion]; !ok {
		f.footer[KeyVersion] = []string{Version}
	}
	if _, ok := f.footer[KeyTable]; !ok {
		text, err := json.Marshal(f.table)
		if err != nil {
			t.Fatal(err)
		}
		f.footer[KeyTable] = []string{string(text)}
	}
	if _, ok := f.footer[KeyDigest]; !ok {
		sum := sha256.Sum256([]byte(strings.Join(f.footer[KeyTable], "")))
		f.footer[KeyDigest] = []string{hex.EncodeToString(sum[:])}
	}
	var out bytes.Buffer
	w, err := pages.NewWriter(&out, f.fields, pages.WriterOptions{RowGroupRows: f.groups, Raw: f.raw})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(f.rec.Columns()[:len(f.fields)], int(f.rec.NumRows())); err != nil {
		t.Fatal(err)
	}
	for key, values := range f.footer {
		for _, v := range values {
			w.SetMetadata(key, v)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForgeryStartsRight(t *testing.T) {
	for _, table := range []Table{recordsTable(), blocksTable()} {
		f := forge(t, table)
		f.table["x_note"] = object{"any": "thing"} // fields to be ignored
		f.measure(0)["x_note"] = 1
		f.table["preparation"] = []any{object{"on": "HR", "step": "range", "value": "0..400"}, object{"step": "duplicates", "x_note": 1}}
		f.table["samples"] = []string{"0000000000000001", "00000000000000ff"}
		f.table["part"], f.table["last_part"] = 3, true
		if _, err := readBytes(f.bytes(t), column.ReadOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func TestFooterRefused(t *testing.T) {
	blocks := blocksTable()
	for _, c := range []struct {
		want   string
		tamper func(f *forgery)
	}{
		{`part is -1`, func(f *forgery) { f.table["part"] = -1 }},
		{`part is 0`, func(f *forgery) { f.table["last_part"] = true }},
		{`not as the format has it`, func(f *forgery) { f.table["part"] = "1" }},
		{`not an encrypted table`, func(f *forgery) { f.footer[KeyVersion] = nil }},
		{`version "2" of the format is not known`, func(f *forgery) { f.footer[KeyVersion] = []string{"2"} }},
		{`version "" of`, func(f *forgery) { f.footer[KeyVersion] = []string{""} }},
		{`no key "cipherfold.table"`, func(f *forgery) { f.footer[KeyTable] = nil }},
		{`no key "cipherfold.table.sha256"`, func(f *forgery) { f.footer[KeyDigest] = nil }},
		{`does not match its digest`, func(f *forgery) { f.footer[KeyDigest] = []string{strings.Repeat("0", 64)} }},
		{`not valid JSON`, func(f *forgery) { f.footer[KeyTable] = []string{`{"scheme":`} }},
		{`not valid JSON`, func(f *forgery) { f.footer[KeyTable] = []string{`[]`} }},
		{`text after the end`, func(f *forgery) { f.footer[KeyTable] = []string{`{}{}`} }},
		{`occurs twice`, func(f *forgery) { f.footer[KeyTable] = []string{`{"rows":1,"rows":2}`} }},
		{`not UTF-8`, func(f *forgery) { f.footer[KeyTable] = []string{"{\"source\":\"\xff\"}"} }},
		{`randomizers "h"`, func(f *forgery) { f.table["randomizers"] = "h" }},
		{`randomizers "hs" are not known with the variant "textbook"`, func(f *forgery) { f.table["variant"], f.table["randomizers"] = "textbook", "hs" }},
		{`unknown field "rows2"`, func(f *forgery) { f.table["rows2"] = 1 }},
		{`unknown field "Rows"`, func(f *forgery) { f.table["Rows"] = 1 }},
		{`unknown field "scale" of measures`, func(f *forgery) { f.measure(0)["scale"] = 1 }},
		{`unknown field "why" of preparation`, func(f *forgery) { f.table["preparation"] = []any{object{"step": "log2", "why": ""}} }},
		{`the footer's preparation are not a list`, func(f *forgery) { f.table["preparation"] = "log2" }},
		{`a step without a name`, func(f *forgery) { f.table["preparation"] = []any{object{"on": "x"}} }},
		{`preparation: "log\n2" is not a line`, func(f *forgery) { f.table["preparation"] = []any{object{"step": "log\n2"}} }},
		{`samples: "A" is not 16 hex digits`, func(f *forgery) { f.table["samples"] = []string{"A"} }},
		{`samples: they are not in ascending order`, func(f *forgery) { f.table["samples"] = []string{"0000000000000001", "0000000000000001"} }},
		{`unknown field "md5" of row_groups`, func(f *forgery) { f.table["row_groups"].([]any)[0].(object)["md5"] = "" }},
		{`measures are not a list`, func(f *forgery) { f.table["measures"] = 7 }},
		{`not as the format has it`, func(f *forgery) { f.table["bits"] = "2048" }},
		{`not as the format has it`, func(f *forgery) { f.table["rows"] = json.Number("1e999") }},
		{`scheme "elgamal" is not known`, func(f *forgery) { f.table["scheme"] = "elgamal" }},
		{`variant "DJN" is not known`, func(f *forgery) { f.table["variant"] = "DJN" }},
		{`a key of 512 bits that is not marked`, func(f *forgery) { delete(f.table, "test_key") }},
		{`a key of 100 bits`, func(f *forgery) { f.table["bits"] = 100 }},
		{`a key of -64 bits`, func(f *forgery) { f.table["bits"] = -64 }},
		{`a key of 16384 bits`, func(f *forgery) { f.table["bits"] = 16384 }},
		{`not 64 hex digits`, func(f *forgery) { f.table["fingerprint"] = "ABCD" }},
		{`public key is not a JSON object`, func(f *forgery) { f.table["public_key"] = "n" }},
		{`public key is not a JSON object`, func(f *forgery) { delete(f.table, "public_key") }},
		{`layout "rows" is not known`, func(f *forgery) { f.table["layout"] = "rows" }},
		{`block_records is 5 in the layout "records"`, func(f *forgery) { f.table["layout"] = Records }},
		{`block_records is 0`, func(f *forgery) { f.table["block_records"] = 0 }},
		{`block_records is 1048577`, func(f *forgery) { f.table["block_records"] = 1<<20 + 1 }},
		{`a total has id columns`, func(f *forgery) { f.table["total"] = true }},
		{`rows is -1`, func(f *forgery) { f.table["rows"] = -1 }},
		{`the column name "" is empty`, func(f *forgery) { f.table["ids"] = []string{""} }},
		{`has a control character (U+000A)`, func(f *forgery) { f.table["ids"] = []string{"a\nb"} }},
		{`white space`, func(f *forgery) { f.table["columns"] = []string{"c0", " c1"} }},
		{`is longer than`, func(f *forgery) { f.measure(0)["name"] = strings.Repeat("x", 1025) }},
		{`two are called "c0"`, func(f *forgery) { f.table["columns"] = []string{"c0", "c0"} }},
		{`two are called "c0"`, func(f *forgery) { f.table["ids"] = []string{"c0"} }},
		{`no ciphertext column`, func(f *forgery) { f.table["columns"] = []string{} }},
		{`source is not a line`, func(f *forgery) { f.table["source"] = "a\x1b[2Jb" }},
		{`max_adds is 0`, func(f *forgery) { f.table["max_adds"] = 0 }},
		{`adds_used is 1048577`, func(f *forgery) { f.table["adds_used"] = 1<<20 + 1 }},
		{`adds_used is -1`, func(f *forgery) { f.table["adds_used"] = -1 }},
		{`there is no measure`, func(f *forgery) { f.table["measures"] = []any{} }},
		{`two are called "tpm"`, func(f *forgery) { f.measure(1)["name"] = "tpm" }},
		{`its count "n" does not exist`, func(f *forgery) { f.measure(0)["count"] = "n" }},
		{`its count "tpm" is not a count`, func(f *forgery) { f.measure(0)["count"] = "tpm" }},
		{`is a count and has a count`, func(f *forgery) { f.measure(1)["count"] = "tpm_count" }},
		{`decimals is 39`, func(f *forgery) { f.measure(0)["decimals"] = 39 }},
		{`a count with decimals`, func(f *forgery) { f.measure(1)["decimals"] = 1 }},
		{`the bound "1e6"`, func(f *forgery) { f.measure(0)["bound"] = "1e6" }},
		{`the bound "-1"`, func(f *forgery) { f.measure(0)["bound"] = "-1" }},
		{`the bound "007"`, func(f *forgery) { f.measure(0)["bound"] = "007" }},
		{`the bound ""`, func(f *forgery) { f.measure(0)["bound"] = "" }},
		{`and the sign need more than the slot's 41 bits`, func(f *forgery) { f.measure(0)["bound"] = "4194304" }},
		{`the slots overlap or are none`, func(f *forgery) { f.measure(0)["width"] = 0 }},
		{`the slots overlap or are none`, func(f *forgery) { f.measure(0)["slots"] = 0 }},
		{`the slots overlap or are none`, func(f *forgery) { f.measure(0)["stride"] = 40 }},
		{`the slots overlap or are none`, func(f *forgery) { f.measure(0)["offset"] = -1 }},
		{`do not fit a plaintext of 511 bits`, func(f *forgery) { f.measure(0)["offset"] = 345 }},
		{`do not fit a plaintext of 511 bits`, func(f *forgery) { f.measure(0)["slots"] = int64(1) << 62; f.measure(0)["stride"] = int64(1) << 62 }},
		{`do not fit a plaintext of 511 bits`, func(f *forgery) { f.measure(0)["width"] = int64(1) << 62; f.measure(0)["stride"] = int64(1) << 62 }},
		{`its slot 0 in column "c0" overlaps another`, func(f *forgery) { f.measure(1)["offset"] = 40 }},
		{`its slot 0 in column "c0" overlaps another`, func(f *forgery) { f.measure(1)["offset"] = 0 }},
		{`it is in no column`, func(f *forgery) { f.measure(0)["in_columns"] = []string{} }},
		{`two are called "c1"`, func(f *forgery) { f.measure(0)["in_columns"] = []string{"c1", "c1"} }},
		{`no ciphertext column "c2"`, func(f *forgery) { f.measure(0)["in_columns"] = []string{"c0", "c2"} }},
		{`which need 2`, func(f *forgery) { f.measure(0)["in_columns"] = []string{"c0"} }},
		{`which need 3`, func(f *forgery) { f.measure(0)["slots"] = 2 }},
		{`holds no measure`, func(f *forgery) { f.table["columns"] = []string{"c0", "c1", "c2"} }},
		{`a digest is not 64 hex digits`, func(f *forgery) { f.table["row_groups"].([]any)[1].(object)["ids_sha256"] = "" }},
		{`row_groups: 0 rows`, func(f *forgery) { f.table["row_groups"].([]any)[1].(object)["rows"] = 0 }},
		{`where 26 records make 6`, func(f *forgery) { f.table["rows"] = 26 }},
		{`where 20 records make 4`, func(f *forgery) { f.table["rows"] = 20 }},
		{`the block has 3 ids, not 4`, func(f *forgery) { f.table["rows"] = 24 }},
		{`the ids do not match their digest`, func(f *forgery) { f.table["row_groups"].([]any)[1].(object)["ids_sha256"] = strings.Repeat("0", 64) }},
		{`the ciphertexts do not match their digest`, func(f *forgery) {
			f.table["row_groups"].([]any)[1].(object)["ciphertext_sha256"] = strings.Repeat("0", 64)
		}},
		{`the file has 5 row groups, its footer 4`, func(f *forgery) {
			f.table["row_groups"] = f.table["row_groups"].([]any)[:4]
			f.table["rows"] = 20
		}},
		{`row group 1: it has 2 rows, the footer says 1`, func(f *forgery) {
			f.groups = 2
			g := f.table["row_groups"].([]any)
			g[2].(object)["rows"] = 3
			f.table["row_groups"] = g[:3]
		}},
		{`the file has 2 columns, its footer 3`, func(f *forgery) { f.fields = f.fields[:2] }},
		{`should be the id column "gene"`, func(f *forgery) { f.fields[0].Name = "g" }},
		{`should be the ciphertext column "c0"`, func(f *forgery) { f.fields[1].Name = "c9" }},
		{`an id column allows nulls`, func(f *forgery) { f.fields[0].Nullable = true }},
		{`an id column allows nulls`, func(f *forgery) { f.fields[0].Type = arrow.ListOf(arrow.BinaryTypes.String) }},
		{`no whole number of blocks, and it is not the last part`, func(f *forgery) { f.table["part"] = 1 }},
		{`not required fixed-length bytes of 128`, func(f *forgery) { f.fields[2].Nullable = true }},
		{`not required fixed-length bytes of 192`, func(f *forgery) { f.table["bits"] = 768 }},
		{`the values are compressed`, func(f *forgery) { delete(f.raw, "c1") }},
	} {
		f := forge(t, blocks)
		c.tamper(f)
		_, err := readBytes(f.bytes(t), column.ReadOptions{})
		t.Run(c.want, func(t *testing.T) { wantInputError(t, err, c.want) })
	}
}

// TestDuplicateKeys: which of the two counts is nobody's guess.
func TestDuplicateKeys(t *testing.T) {
	for _, key := range []string{KeyVersion, KeyTable, KeyDigest} {
		values := func(k string) []string {
			if k == key {
				return []string{Version, Version}
			}
			return []string{Version}
		}
		if _, err := parseFooter(values, Footer{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the key %q 2 times", key)) {
			t.Errorf("%s twice: %v", key, err)
		}
	}
}

// TestCreateRefuses: what must not be read is not written either.
func TestCreateRefuses(t *testing.T) {
	ids := []arrow.Field{{Name: "gene", Type: arrow.BinaryTypes.String}}
	for _, c := range []struct {
		want   string
		tamper func(t *Table)
		ids    []arrow.Field
	}{
		{want: `begins or ends with white space`, tamper: func(t *Table) { t.Measures[0].Name = "tpm " }, ids: ids},
		{want: `overlaps another`, tamper: func(t *Table) { t.Measures[1].Offset = 3 }, ids: ids},
		{want: `0 id columns are given`, tamper: func(*Table) {}},
		{want: `id column 1 is "x"`, tamper: func(*Table) {}, ids: []arrow.Field{{Name: "x", Type: arrow.BinaryTypes.String}}},
		{want: `Parquet has no seconds`, tamper: func(*Table) {}, ids: []arrow.Field{{Name: "gene", Type: arrow.FixedWidthTypes.Timestamp_s}}},
	} {
		table := recordsTable()
		c.tamper(&table)
		_, err := Create(ctx, memFS(nil), "out.cf.parquet", table, c.ids, Options{})
		if e := wantInputError(t, err, c.want); e.File != "out.cf.parquet" {
			t.Errorf("file %q", e.File)
		}
	}
}

// TestFieldNames holds the lists of known fields against the types.
func TestFieldNames(t *testing.T) {
	text, err := json.Marshal(Table{TestKey: true, Total: true, Measures: make([]Measure, 1), RowGroups: make([]RowGroup, 1), PublicKey: json.RawMessage("{}"),
		Preparation: []Step{{On: "x", Step: "y", Value: "z"}}, Samples: []string{""}, Part: 1, LastPart: true, WeightMax: 1, Noise: &Noise{}, Randomizers: RandomizersOwn,
		TableID: "0", Originals: []Original{{Source: "s", Parts: []string{""}}}, Unidentified: 1, Repeats: true})
	if err != nil {
		t.Fatal(err)
	}
	var top object
	if err := json.Unmarshal(text, &top); err != nil {
		t.Fatal(err)
	}
	check := func(got object, fields []string) {
		if len(got) != len(fields) {
			t.Errorf("%d fields, %d are known", len(got), len(fields))
		}
		for name := range got {
			if !slices.Contains(fields, name) {
				t.Errorf("field %q is not known", name)
			}
		}
	}
	check(top, tableFields)
	check(top["measures"].([]any)[0].(object), measureFields)
	check(top["row_groups"].([]any)[0].(object), rowGroupFields)
	check(top["preparation"].([]any)[0].(object), stepFields)
	check(top["originals"].([]any)[0].(object), originalFields)
}
