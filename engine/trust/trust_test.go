package trust

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

var ctx = context.Background()

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// wantRefusal demands an InputError with a hint that says so.
func wantRefusal(t *testing.T, err error, want string) {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want a refusal with %q", err, want)
	}
}

func newSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignerFiles(t *testing.T) {
	s := newSigner(t)
	for name, passphrase := range map[string][]byte{SecretFile: []byte("correct horse battery staple"), SecretPlain: nil} {
		dir := t.TempDir()
		public, secret, err := WriteSigner(ctx, job.Options{}, dir, s, passphrase)
		if err != nil || secret != dir+"/"+name || public != dir+"/"+PublicFile {
			t.Fatalf("%s, %s, %v", public, secret, err)
		}
		if info, err := os.Stat(secret); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		asked := 0
		got, err := ReadSigner(ctx, blob.Local{}, secret, func() ([]byte, error) { asked++; return passphrase, nil })
		if err != nil || got.Fingerprint() != s.Fingerprint() || (asked == 1) != (passphrase != nil) {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
		if passphrase != nil {
			_, err = ReadSigner(ctx, blob.Local{}, secret, func() ([]byte, error) { return []byte("another passphrase"), nil })
			wantRefusal(t, err, "the passphrase is wrong")
		}
		_, err = ReadSigner(ctx, blob.Local{}, public, nil)
		wantRefusal(t, err, "this is the public part")
		if _, _, err := WriteSigner(ctx, job.Options{}, dir, newSigner(t), passphrase); err == nil {
			t.Error("a key was replaced without being asked")
		}
		if data, err := os.ReadFile(secret); err != nil || passphrase != nil && strings.Contains(string(data), "PRIVATE") {
			t.Errorf("%v: the key is in the clear", err)
		}
	}
	for want, text := range map[string]string{
		"it is not PEM":      "hello",
		"PEM of type":        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"the key is damaged": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		_, err := ReadSigner(ctx, blob.Local{}, write(t, text), nil)
		wantRefusal(t, err, want)
	}
}

func TestPolicy(t *testing.T) {
	one, two, key := strings.Repeat("1", 64), strings.Repeat("2", 64), strings.Repeat("a", 64)
	p, err := ReadPolicy(ctx, blob.Local{}, write(t, "\ufeff# a study\r\nkey "+key+"\n\n  owner a\t"+one+" weight=-2 # twice\nowner b "+two+"\naggregator x "+one+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Fingerprint != key || len(p.owners) != 2 || p.owners[0] != (party{"a", one, -2}) || p.owners[1] != (party{"b", two, 1}) || len(p.aggregators) != 1 || p.aggregators[0] != (party{"x", one, 1}) {
		t.Errorf("%+v", p)
	}
	for text, want := range map[string]string{
		"":                                         "lists no owner",
		"aggregator a " + one:                      "lists no owner",
		"owner a":                                  "is not: key FINGERPRINT",
		"Owner a " + one:                           "is not: key FINGERPRINT",
		"owner a " + one + " weight=1 more":        "is not: key FINGERPRINT",
		"aggregator a " + one + " weight=1":        "is not: key FINGERPRINT",
		"owner a " + one[:63]:                      "is no fingerprint of a signer",
		"owner a " + strings.Repeat("A", 64):       "is no fingerprint of a signer",
		"owner a " + one + " weight=0":             "is not weight=N",
		"owner a " + one + " weigh=1":              "is not weight=N",
		"owner a " + one + "\nowner a " + two:      "is listed before",
		"owner a " + one + "\nowner b " + one:      "is listed before",
		"owner a " + one + "\naggregator a " + two: "is listed before",
		"owner \x1b[2J " + one:                     "cannot be shown",
		"key " + key + "\nkey " + key:              "there is a key already",
		"key 12":                                   "is no fingerprint",
	} {
		_, err := ReadPolicy(ctx, blob.Local{}, write(t, text+"\n"))
		wantRefusal(t, err, want)
	}
}

// signed is a table with its signature, as it is read.
func signed(t testing.TB, s *Signer) *ctfile.Table {
	t.Helper()
	table := &ctfile.Table{TableID: strings.Repeat("0", 32), Fingerprint: strings.Repeat("a", 64), Layout: ctfile.Records, IDs: []string{"id"}, Rows: 7,
		Measures: []ctfile.Measure{{Name: "x", Terms: []string{"x"}, Given: []string{"x"}, Bound: "9", Width: 10, Slots: 1, InColumns: []string{"ct0"}}}}
	table.FooterDigest = strings.Repeat("d", 64)
	var err error
	if table.Signature, table.Statements, err = (Seal{Signer: s}).Footer(table, table.FooterDigest); err != nil {
		t.Fatal(err)
	}
	return table
}

// A footer may name as many tables as the format allows, and carry the same statements in many files. Checking takes time in
// proportion to them: comparing each with each would take minutes.
func TestManyTables(t *testing.T) {
	owner := newSigner(t)
	p, err := ReadPolicy(ctx, blob.Local{}, write(t, "owner one "+owner.Fingerprint()+"\naggregator two "+newSigner(t).Fingerprint()+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var carried []Signed
	for i := range 1000 { // of one table
		x := Signed{Statement: Statement{Kind: kindTable, Fingerprint: strings.Repeat("a", 64), TableID: fmt.Sprintf("%032x", 0), Part: i + 1, IDs: []string{"id"}}}
		x.PublicKey = hex.EncodeToString(owner.key.Public().(ed25519.PublicKey))
		x.Signature = hex.EncodeToString(ed25519.Sign(owner.key, x.Statement.message()))
		carried = append(carried, x)
	}
	table := signed(t, owner)
	table.Signature, table.Statements, err = Seal{Carried: carried}.Footer(table, table.FooterDigest)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ctfile.OriginalsMax {
		table.Originals = append(table.Originals, ctfile.Original{ID: fmt.Sprintf("%032x", i), Weight: 1})
	}
	in := Input{Name: "sum", Table: table}
	for range 200 {
		in.Files = append(in.Files, table)
	}
	start := time.Now()
	_, err = p.CheckSum(in)
	wantRefusal(t, err, "table 00000000 is not signed by an owner")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("%d tables in %d files took %v", len(table.Originals), len(in.Files), took)
	}
}

// Any change of what is signed, of the signature, and of how it is written is refused.
func TestSignature(t *testing.T) {
	s := newSigner(t)
	table := signed(t, s)
	x, err := Signature("f", table)
	if err != nil || x.Signer() != s.Fingerprint() || x.Statement.Kind != kindTable || x.Statement.Rows != 7 {
		t.Fatalf("%+v, %v", x, err)
	}
	for want, change := range map[string]func(*ctfile.Table){
		"the key is":                    func(t *ctfile.Table) { t.Fingerprint = strings.Repeat("b", 64) },
		"the table's id is":             func(t *ctfile.Table) { t.TableID = strings.Repeat("1", 32) },
		"the part is":                   func(t *ctfile.Table) { t.Part = 2 },
		"the source is":                 func(t *ctfile.Table) { t.Source = "x" },
		"the layout is":                 func(t *ctfile.Table) { t.Layout = ctfile.Blocks },
		"the id columns is":             func(t *ctfile.Table) { t.IDs = []string{"ward"} },
		"the number of records is":      func(t *ctfile.Table) { t.Rows++ },
		"the digest of the measures is": func(t *ctfile.Table) { t.Measures = []ctfile.Measure{t.Measures[0], {Name: "y"}} },
		"the kind is":                   func(t *ctfile.Table) { t.Unidentified = 1 },
		"the statements on the tables":  func(t *ctfile.Table) { t.Statements = "[]" },
		"something else in the footer":  func(t *ctfile.Table) { t.FooterDigest = strings.Repeat("e", 64) },
		"the signature is not one of":   func(t *ctfile.Table) { t.Signature = strings.Replace(t.Signature, `"rows":7`, `"rows":8`, 1) },
		"byte for byte":                 func(t *ctfile.Table) { t.Signature += " " },
		"its signature is damaged":      func(t *ctfile.Table) { t.Signature = `{"statement":{},"more":1}` },
		"it has no Ed25519 key": func(t *ctfile.Table) {
			t.Signature = strings.Replace(t.Signature, `"public_key":"`, `"public_key":"00`, 1)
		},
	} {
		c := *table
		change(&c)
		_, err := Signature("f", &c)
		wantRefusal(t, err, want)
	}
	// Another's key in the place of the signer's does not make the signature its own.
	other := signed(t, newSigner(t))
	var mine, theirs Signed
	if err := errors.Join(json.Unmarshal([]byte(table.Signature), &mine), json.Unmarshal([]byte(other.Signature), &theirs)); err != nil {
		t.Fatal(err)
	}
	mine.PublicKey = theirs.PublicKey
	text, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	c := *table
	c.Signature = string(text)
	_, err = Signature("f", &c)
	wantRefusal(t, err, "the signature is not one of the statement")
	// A receipt's envelope, or anything else that is signed by the same key, begins otherwise.
	if message := string(mine.Statement.message()); !strings.HasPrefix(message, domain+`{"kind":"table"`) {
		t.Errorf("%q", message)
	}
	c = *table
	c.Signature = ""
	if x, err := Signature("f", &c); x != nil || err != nil {
		t.Errorf("%v, %v", x, err)
	}
}

// Statements that a sum carries are each signed, in order, and on tables of owners.
func TestCarried(t *testing.T) {
	s := newSigner(t)
	var list []Signed
	for i := range 3 {
		table := signed(t, s)
		table.TableID = strings.Repeat(string(rune('0'+i)), 32)
		text, _, err := (Seal{Signer: s}).Footer(table, table.FooterDigest)
		if err != nil {
			t.Fatal(err)
		}
		var x Signed
		if err := json.Unmarshal([]byte(text), &x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	carry := func(list []Signed) *ctfile.Table {
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return &ctfile.Table{Statements: string(text)}
	}
	if got, err := Carried("f", carry(list)); err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	_, err := Carried("f", carry([]Signed{list[1], list[0]}))
	wantRefusal(t, err, "not as the format has them")
	_, err = Carried("f", carry([]Signed{list[0], list[0]}))
	wantRefusal(t, err, "not as the format has them")
	bad := list[1]
	bad.Statement.Rows++
	_, err = Carried("f", carry([]Signed{list[0], bad}))
	wantRefusal(t, err, "its statement on table")
	_, err = Carried("f", &ctfile.Table{Statements: "[] "})
	wantRefusal(t, err, "are damaged")
}

// Texts from a file make no check fail but by a refusal.
func FuzzSignature(f *testing.F) {
	s, err := NewSigner()
	if err != nil {
		f.Fatal(err)
	}
	table := signed(f, s)
	f.Add(table.Signature, "["+table.Signature+"]")
	f.Add("{}", "[{}]")
	f.Fuzz(func(t *testing.T, signature, statements string) {
		c := *table
		c.Signature, c.Statements = signature, statements
		x, err := Signature("f", &c)
		if e := (*column.InputError)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("%v", err)
		}
		if x != nil && (signature != table.Signature || statements != "") {
			t.Errorf("a signature that nobody made: %q", signature)
		}
		if _, err := Carried("f", &c); err != nil && !errors.As(err, new(*column.InputError)) {
			t.Errorf("%v", err)
		}
	})
}
