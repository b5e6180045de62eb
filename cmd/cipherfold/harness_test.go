package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/arrowio"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/csvio"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// TestMain takes the terminal away, so that nothing ever waits for a passphrase, and the user's home, so that nothing is
// kept there for next time, nor anything beside a key because of it.
func TestMain(m *testing.M) {
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		os.Setenv(name, os.DevNull)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	os.Stdin = null
	os.Exit(m.Run())
}

// place is a fresh directory in which a test runs command lines. It starts with public.json and secret.json of a key of
// 1024 bits, the same for the whole test binary.
type place struct {
	t   *testing.T
	dir string

	spelled int // how many files were spelled in some way
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	p.key("", "djn")
	return p
}

// testKeys are the keys made so far: files by their names, and fingerprints.
var testKeys = struct {
	sync.Mutex
	files        map[string]map[string][]byte
	fingerprints map[string]string
}{files: map[string]map[string][]byte{}, fingerprints: map[string]string{}}

// testKey makes a key once for the test binary.
func testKey(name string) map[string][]byte {
	testKeys.Lock()
	defer testKeys.Unlock()
	if files := testKeys.files[name]; files != nil {
		return files
	}
	dir, err := os.MkdirTemp("", "cipherfold-test-key-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	variant, _, _ := strings.Cut(name, " ")
	args := []string{"keygen", "--json", "--quiet", "--plain", "--variant", variant, "--out", dir, "--bits", "1024", "--insecure-test-key"}
	if strings.HasSuffix(name, "2048") {
		args[len(args)-2] = "2048"
	}
	var out bytes.Buffer
	if code := run(context.Background(), args, &out, &out); code != 0 {
		panic(out.String())
	}
	var made struct{ Fingerprint string }
	if err := json.Unmarshal(out.Bytes(), &made); err != nil {
		panic(err)
	}
	files := map[string][]byte{}
	for _, f := range []string{"public.json", "secret.json"} {
		if files[f], err = os.ReadFile(filepath.Join(dir, f)); err != nil {
			panic(err)
		}
	}
	testKeys.files[name], testKeys.fingerprints[name] = files, made.Fingerprint
	return files
}

// nameKeys replaces the fingerprints of test keys, and their beginnings, by the names of the keys in angle brackets.
func nameKeys(s string) string {
	testKeys.Lock()
	defer testKeys.Unlock()
	for name, fingerprint := range testKeys.fingerprints {
		s = strings.ReplaceAll(strings.ReplaceAll(s, fingerprint, "<"+name+">"), fingerprint[:16], "<"+name+">")
	}
	return s
}

// key puts public.json and secret.json of the named key into a subdirectory. A name is a variant, and more to tell it from
// other keys of the variant; one that ends in 2048 has that many bits.
func (p *place) key(dir, name string) {
	p.t.Helper()
	for file, data := range testKey(name) {
		p.write(filepath.Join(dir, file), string(data))
	}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil { // some are secrets
		p.t.Fatal(err)
	}
}

func (p *place) mkdir(name string) {
	p.t.Helper()
	if err := os.Mkdir(p.path(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

// lines writes a text file of lines.
func (p *place) lines(name string, lines ...string) {
	p.t.Helper()
	p.write(name, strings.Join(lines, "\n")+"\n")
}

// seal encrypts a file under a passphrase as keygen does, but so that a guess costs next to nothing.
func (p *place) seal(from, to, passphrase string) {
	p.t.Helper()
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		p.t.Fatal(err)
	}
	recipient.SetWorkFactor(8)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err == nil {
		_, err = w.Write(p.read(from))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(to, out.String())
}

// patch replaces one string in a file by another of the same length, at least once.
func (p *place) patch(name, old, new string) {
	p.t.Helper()
	data := p.read(name)
	if len(old) != len(new) || !bytes.Contains(data, []byte(old)) {
		p.t.Fatalf("%s: cannot patch %q to %q", name, old, new)
	}
	p.write(name, strings.ReplaceAll(string(data), old, new))
}

// truncate cuts a file to a part of its length.
func (p *place) truncate(name string, part float64) {
	p.t.Helper()
	data := p.read(name)
	p.write(name, string(data[:int(float64(len(data))*part)]))
}

// result is what a command line did.
type result struct {
	code     int
	out, err string // standard output and error, without the place's directory, and with names for the fingerprints of test keys
}

// run executes a command line: words separated by blanks, quoted with ' where they contain some. "@/" stands for the
// place's directory.
func (p *place) run(line string) result {
	return p.runContext(context.Background(), line)
}

func (p *place) runContext(ctx context.Context, line string) result {
	var out, err bytes.Buffer
	code := run(ctx, p.words(line), &out, &err)
	bare := func(b *bytes.Buffer) string {
		return nameKeys(strings.ReplaceAll(strings.ReplaceAll(b.String(), p.dir+"/", ""), p.dir, "."))
	}
	return result{code, bare(&out), bare(&err)}
}

func (p *place) words(line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " \n\t"); line != ""; line = strings.TrimLeft(line, " \n\t") {
		var word strings.Builder
		quoted := false
		i := 0
		for ; i < len(line) && (quoted || !strings.ContainsRune(" \n\t", rune(line[i]))); i++ {
			if line[i] == '\'' {
				quoted = !quoted
			} else {
				word.WriteByte(line[i])
			}
		}
		words = append(words, strings.ReplaceAll(word.String(), "@/", p.dir+"/"))
		line = line[i:]
	}
	return words
}

// ok runs a command line that must succeed, and returns what it printed.
func (p *place) ok(line string) string {
	p.t.Helper()
	r := p.run(line)
	if r.code != exitDone {
		p.t.Fatalf("cipherfold %s\nexit code %d\n%s%s", line, r.code, r.out, r.err)
	}
	return r.out
}

// okJSON runs a command line that must succeed with --json and decodes what it printed.
func okJSON[T any](p *place, line string) T {
	p.t.Helper()
	var v T
	out := p.ok(line + " --json --json-private")
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&v); err != nil || d.More() {
		p.t.Fatalf("cipherfold %s --json printed no single JSON value (%v):\n%s", line, err, out)
	}
	return v
}

// files returns the digest of every file below the place's directory, hidden ones too, where links lead, and every directory.
func (p *place) files() map[string]string {
	p.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(p.dir, path)
		if d.IsDir() {
			all[name+"/"] = ""
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			all[name] = "link to " + to
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		all[name] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// unchanged fails when files of the place were added, changed or removed since `before`.
func (p *place) unchanged(before map[string]string) {
	p.t.Helper()
	after := p.files()
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if had, ok := before[name]; !ok {
			p.t.Errorf("%s was left behind", name)
		} else if had != after[name] {
			p.t.Errorf("%s was changed", name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			p.t.Errorf("%s was removed", name)
		}
	}
}

// table writes a table in the format of the name's extension. The header is NAME:TYPE words, a row is words; ~ is null.
func (p *place) table(name, header string, rows ...string) {
	p.t.Helper()
	schema, record := record(p.t, header, rows...)
	defer record.Release()
	create := map[string]func(context.Context, blob.FS, string, *arrow.Schema, column.WriteOptions) (column.Writer, error){
		".parquet": parquetio.Create, ".arrow": arrowio.Create, ".feather": arrowio.Create, ".csv": csvio.Create, ".tsv": csvio.Create, ".csv.gz": csvio.Create, ".tsv.gz": csvio.Create,
	}[blob.Ext(name)]
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	w, err := create(context.Background(), blob.Local{}, p.path(name), schema, column.WriteOptions{Overwrite: true})
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Close()
	if record.NumRows() > 0 {
		if err := w.Write(context.Background(), column.Batch{Record: record}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := w.Commit(context.Background()); err != nil {
		p.t.Fatal(err)
	}
}

var types = map[string]arrow.DataType{
	"text": arrow.BinaryTypes.String, "bool": arrow.FixedWidthTypes.Boolean, "date": arrow.FixedWidthTypes.Date32,
	"int8": arrow.PrimitiveTypes.Int8, "int16": arrow.PrimitiveTypes.Int16, "int32": arrow.PrimitiveTypes.Int32, "int64": arrow.PrimitiveTypes.Int64,
	"uint8": arrow.PrimitiveTypes.Uint8, "uint16": arrow.PrimitiveTypes.Uint16, "uint32": arrow.PrimitiveTypes.Uint32, "uint64": arrow.PrimitiveTypes.Uint64,
	"float": arrow.PrimitiveTypes.Float32, "double": arrow.PrimitiveTypes.Float64,
	"decimal": &arrow.Decimal128Type{Precision: 20, Scale: 3}, "time": &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"},
	"seconds": &arrow.TimestampType{Unit: arrow.Second}, "binary": arrow.BinaryTypes.Binary, "fixed": &arrow.FixedSizeBinaryType{ByteWidth: 3},
}

func record(t *testing.T, header string, rows ...string) (*arrow.Schema, arrow.Record) {
	t.Helper()
	var fields []arrow.Field
	for _, word := range strings.Fields(header) {
		name, typ, _ := strings.Cut(word, ":")
		if types[typ] == nil {
			t.Fatalf("no type %q", typ)
		}
		fields = append(fields, arrow.Field{Name: name, Type: types[typ], Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range rows {
		words := strings.Fields(row)
		if len(words) != len(fields) {
			t.Fatalf("row %q under header %q", row, header)
		}
		for i, word := range words {
			if word == "~" {
				b.Field(i).AppendNull()
			} else if err := b.Field(i).AppendValueFromString(word); err != nil {
				t.Fatalf("row %q: %v", row, err)
			}
		}
	}
	return schema, b.NewRecord()
}

// opened is a table that was read back: its columns, in order, and its values as text, "~" for null.
type opened struct {
	columns []string
	types   map[string]string
	rows    []map[string]string
}

// open reads a table in any format, encrypted or not.
func (p *place) open(name string) opened {
	p.t.Helper()
	open := map[string]func(context.Context, blob.FS, string, column.ReadOptions) (column.Reader, error){
		".parquet": parquetio.Open, ".arrow": arrowio.Open, ".csv": csvio.Open, ".tsv": csvio.Open,
	}[blob.Ext(name)]
	r, err := open(context.Background(), blob.Local{}, p.path(name), column.ReadOptions{Nulls: []string{""}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	o := opened{columns: column.Names(r.Schema()), types: map[string]string{}}
	for _, f := range r.Schema().Fields() {
		o.types[f.Name] = f.Type.String()
	}
	batches, err := column.Collect(context.Background(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, b := range batches {
		for i := range int(b.NumRows()) {
			row := map[string]string{}
			for c, name := range o.columns {
				row[name] = "~"
				if b.Column(c).IsValid(i) {
					row[name] = b.Column(c).ValueStr(i)
				}
			}
			o.rows = append(o.rows, row)
		}
		b.Release()
	}
	return o
}

// line returns a row's values of the named columns, separated by blanks.
func (o opened) line(i int, columns ...string) string {
	var out []string
	for _, c := range columns {
		v, ok := o.rows[i][c]
		if !ok {
			v = "no column " + c
		}
		out = append(out, v)
	}
	return strings.Join(out, " ")
}

// crafted is an encrypted table to be changed and written with valid digests.
type crafted struct {
	t     *testing.T
	Table ctfile.Table
	N     *big.Int
	cts   [][]byte // per ciphertext column
	ids   []arrow.Array
}

// craft reads an encrypted table, lets f change it, and writes it as `to`.
func (p *place) craft(from, to string, f func(c *crafted)) {
	p.t.Helper()
	r, err := ctfile.Open(context.Background(), blob.Local{}, p.path(from), column.ReadOptions{BatchRows: 1 << 20})
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(context.Background(), r)
	if err != nil || len(batches) != 1 {
		p.t.Fatalf("%d batches, error %v", len(batches), err)
	}
	defer batches[0].Release()
	c := &crafted{t: p.t, Table: *r.Table()}
	c.Table.Measures = slices.Clone(c.Table.Measures)
	var key struct{ N string }
	if err := json.Unmarshal(c.Table.PublicKey, &key); err != nil {
		p.t.Fatal(err)
	}
	c.N = hexInt(p.t, key.N)
	ids := len(c.Table.IDs)
	c.ids = batches[0].Columns()[:ids:ids]
	for _, arr := range batches[0].Columns()[ids:] {
		c.cts = append(c.cts, slices.Clone(column.FixedBytes(arr)))
	}
	f(c)
	var fields []arrow.Field
	for i, name := range c.Table.IDs {
		fields = append(fields, arrow.Field{Name: name, Type: c.ids[i].DataType()})
	}
	w, err := ctfile.Create(context.Background(), blob.Local{}, p.path(to), c.Table, fields, ctfile.Options{Overwrite: true})
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Close()
	columns := c.ids
	size := c.Table.CiphertextBytes()
	rows := len(c.cts[0]) / size
	for i, ct := range c.cts {
		data := array.NewData(w.Schema().Field(ids+i).Type, rows, []*memory.Buffer{nil, memory.NewBufferBytes(ct)}, nil, 0, 0)
		columns = append(columns, array.NewFixedSizeBinaryData(data))
	}
	if err := w.Write(context.Background(), column.Batch{Record: array.NewRecord(w.Schema(), columns, int64(rows))}); err != nil {
		p.t.Fatal(err)
	}
	if err := w.Commit(context.Background()); err != nil {
		p.t.Fatal(err)
	}
}

// set replaces the ciphertext of a row and column, both from 0.
func (c *crafted) set(row, col int, value *big.Int) {
	size := c.Table.CiphertextBytes()
	value.FillBytes(c.cts[col][row*size : (row+1)*size])
}

// square is N².
func (c *crafted) square() *big.Int { return new(big.Int).Mul(c.N, c.N) }

// secret returns a number of secret.json of the place.
func (p *place) secret(file, name string) *big.Int {
	p.t.Helper()
	var key map[string]any
	if err := json.Unmarshal(p.read(file), &key); err != nil {
		p.t.Fatal(err)
	}
	return hexInt(p.t, fmt.Sprint(key[name]))
}

func hexInt(t *testing.T, s string) *big.Int {
	t.Helper()
	x, ok := new(big.Int).SetString(s, 16)
	if !ok {
		t.Fatalf("%q is no hexadecimal number", s)
	}
	return x
}
