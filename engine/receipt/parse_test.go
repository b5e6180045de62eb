package receipt

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is a small receipt of version 1 with one of everything.
func sample() *Receipt {
	r := fresh()
	r.old = true
	return r
}

// fresh is the same of today's version, before anything is sealed.
func fresh() *Receipt {
	rows := int64(3)
	key := Key{Fingerprint: strings.Repeat("0123", 16), Scheme: "paillier", Variant: "djn", Bits: 2048}
	table := &Table{Key: key, Layout: "blocks", BlockRecords: 5, IDs: []string{"id"}, Measures: []Measure{{"x <&>", 1, "100"}}, MaxAdds: 8, AddsUsed: 1, Source: "a", JobID: "j"}
	when := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	return &Receipt{
		Job: "nightly", Inputs: []File{{Path: "in.csv", Bytes: 5, SHA256: strings.Repeat("a", 64)}},
		Outputs: []File{{Path: "out.cf.parquet", Bytes: 7, SHA256: strings.Repeat("b", 64), Rows: &rows, Table: table}},
		Steps: []Step{{
			Verb: "encrypt", Parameters: map[string]Values{"measure": {"x"}, "by": {}, "id": {"a", "b"}}, Key: &key, Kernel: "ifma", Records: 3, Ciphertexts: 1, Values: 3,
			Missing: map[string]int64{"x": 1}, Filled: map[string]int64{}, Dropped: map[string]int64{"unlisted": 2}, Inputs: []string{"in.csv"}, Outputs: []string{"out.cf.parquet"}, Started: when, Ended: when,
		}},
		Started: when, Ended: when, Program: Program{Name: "cipherfold", Version: "v1", Commit: "c", Modified: true, Go: "go1.26"}, Machine: Machine{"linux", "amd64", "cpu", 2},
	}
}

func testSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := LoadOrCreateSigner(context.Background(), filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign wraps a payload as Sign does, whatever is in it.
func (s *Signer) sign(payload []byte) []byte {
	text, err := encodeJSON(&envelope{
		Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType,
		Signatures: []signature{{s.Public().ID(), base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, pae(payloadType, payload)))}},
	})
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

// What is signed is read back the same.
func TestSignAndParse(t *testing.T) {
	r, s := sample(), testSigner(t)
	data, err := r.sign(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("r.json", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(got)
	if !bytes.Equal(a, b) {
		t.Errorf("read\n%s\nsigned\n%s", b, a)
	}
	again, err := got.sign(s)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("signed again, it differs (%v)", err)
	}
}

// The format stays what it is: receipts that were written are read, and written again to the byte.
func TestGolden(t *testing.T) {
	const name = "testdata/v1-signed.json"
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &Signer{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
	if data, err := sample().sign(s); err != nil || !bytes.Equal(data, golden) {
		t.Errorf("%v, signed\n%s", err, data)
	}
	if _, err := Parse(name, golden, nil); err != nil {
		t.Error(err)
	}
}

// A receipt that was written before names had to be such that they can be shown is refused for its name, not misread.
func TestGoldenWithASeparator(t *testing.T) {
	golden, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("v1.json", golden, nil); err == nil || !strings.Contains(err.Error(), "cannot be shown") {
		t.Error(err)
	}
}

// Today's receipts have no digest, size or count of what is not encrypted. Their private part brings all of it back.
func TestSealAndOpen(t *testing.T) {
	r, s := fresh(), testSigner(t)
	data, private, err := r.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range []string{strings.Repeat("a", 64), "missing", "filled", "dropped", "unlisted", `"bytes":5`} {
		if bytes.Contains(payload, []byte(told)) {
			t.Errorf("%s is in\n%s", told, payload)
		}
	}
	got, err := Parse("r.json", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePrivate("r.private.json", private)
	if err != nil || p.Receipt != got.digest {
		t.Fatal(p, err)
	}
	f, ok, err := p.openings().open(got.Inputs[0], Input)
	if want := fresh().Inputs[0]; err != nil || !ok || f.SHA256 != want.SHA256 || f.Bytes != want.Bytes || f.Rows != nil {
		t.Errorf("%+v, %v, %v", f, ok, err)
	}
	if err := p.openCounts(got); err != nil || got.Steps[0].Missing["x"] != 1 || got.Steps[0].Dropped["unlisted"] != 2 {
		t.Errorf("%+v, %v", got.Steps[0], err)
	}
	if _, again, err := fresh().Sign(s); err != nil || bytes.Equal(again, private) {
		t.Error("two receipts have the same salts", err)
	}
	other := *p
	other.Files = []Opening{p.Files[0]}
	other.Files[0].Bytes++
	if _, _, err := other.openings().open(got.Inputs[0], Input); err == nil {
		t.Error("another size opens the commitment")
	}
	rows := int64(0)
	other.Files[0].Bytes, other.Files[0].Rows = p.Files[0].Bytes, &rows
	if _, _, err := other.openings().open(got.Inputs[0], Input); err == nil {
		t.Error("no rows and 0 rows open the commitment")
	}
	if _, ok, err := other.openings().open(got.Inputs[0], Output); ok || err != nil {
		t.Error("an input is opened as an output", err)
	}
	other.Counts = &Counts{p.Counts.Salt, []StepCounts{{map[string]int64{"x": 2}, map[string]int64{}, map[string]int64{"unlisted": 2}}}}
	if err := other.openCounts(got); err == nil {
		t.Error("other counts open the commitment")
	}
	for name, text := range map[string]string{"empty": "", "receipt": string(data), "version": strings.Replace(string(private), `"version":1`, `"version":2`, 1),
		"member": strings.Replace(string(private), `"version":1`, `"version":1,"x":1`, 1), "escape": strings.Replace(string(private), "in.csv", `in\u001b.csv`, 1)} {
		if _, err := ParsePrivate("r.private.json", []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// No receipt of today's version is signed or read that has what it must not.
func TestReceiptsTellNothing(t *testing.T) {
	s := testSigner(t)
	for want, change := range map[string]func(r *Receipt){
		"from which its content could be guessed": func(r *Receipt) { r.Inputs[0] = fresh().Inputs[0] },
		"the commitment to in.csv": func(r *Receipt) {
			r.Inputs[0].Path, r.Steps[0].Inputs[0], r.Inputs[0].Commitment = "in.csv", "in.csv", "ab"
		},
		"the commitment to its counts":                     func(r *Receipt) { r.counts = "" },
		`the text "in\x1b[2J.csv" cannot be shown`:         func(r *Receipt) { r.Inputs[0].Path, r.Steps[0].Inputs[0] = "in\x1b[2J.csv", "in\x1b[2J.csv" },
		"it has a format character (U+202E)":               func(r *Receipt) { r.Job = "\u202e" },
		"it has a control character (U+000A)":              func(r *Receipt) { r.Machine.CPU = "x\nThe signature is right" },
		"it has a control character (U+000D)":              func(r *Receipt) { r.Program.Version = "\r" },
		"it has a control character (U+0007)":              func(r *Receipt) { r.Steps[0].Kernel = "\a" },
		"it has a format character (U+200B)":               func(r *Receipt) { r.Steps[0].Parameters = map[string]Values{"a\u200b": {"b"}} },
		"it has a control character (U+009B)":              func(r *Receipt) { r.Steps[0].Parameters = map[string]Values{"a": {"b", "\u009b31m"}} },
		"it has a character that cannot be shown (U+2029":  func(r *Receipt) { r.Outputs[0].Table.Source = "\u2029" },
		"it has a format character (U+2066), which is not": func(r *Receipt) { r.Outputs[0].Table.Measures[0].Name = "\u2066" },
	} {
		r := fresh()
		if _, err := r.seal(); err != nil {
			t.Fatal(err)
		}
		change(r)
		if want == "the commitment to in.csv" {
			want = `the commitment to "in.csv"`
		}
		if _, err := r.sign(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("signing: %v, want %q", err, want)
		}
		r.Signer = s.Public()
		x := r.statement()
		payload, err := encodeJSON(&x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("r.json", s.sign(payload), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reading: %v, want %q", err, want)
		}
	}
	r := fresh()
	data, _, err := r.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"size beside a commitment":   {`"annotations":{}`, `"annotations":{"bytes":5}`},
		"rows beside a commitment":   {`"annotations":{}`, `"annotations":{"rows":5}`},
		"digest beside a commitment": {`"digest":{"commitment"`, `"digest":{"sha256":"` + strings.Repeat("a", 64) + `","commitment"`},
		"counts":                     {`"inputs":["in.csv"]`, `"missing":{"x":1},"inputs":["in.csv"]`},
	} {
		changed := bytes.Replace(payload, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, payload) {
			t.Fatalf("%s: nothing was changed in %s", name, payload)
		}
		if _, err := Parse("r.json", s.sign(changed), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What was asked for may have characters that cannot be shown; they are told as escapes.
func TestParametersAreEscaped(t *testing.T) {
	r := fresh()
	r.Steps[0].Parameters = map[string]Values{"null": {"\t", "NA"}}
	data, _, err := r.Sign(testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("r.json", data, nil)
	if err != nil || got.Steps[0].Parameters["null"][0] != `\t` {
		t.Errorf("%+v, %v", got, err)
	}
}

// PAE is as DSSE's protocol has it; the example is the one of its specification.
func TestPAE(t *testing.T) {
	if got := string(pae("http://example.com/HelloWorld", []byte("hello world"))); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Error(got)
	}
}

// What no receipt may say is neither signed nor, when somebody signed it, read.
func TestInvalidReceipts(t *testing.T) {
	s := testSigner(t)
	good, err := sample().sign(s)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(r *Receipt){
		"there is no step":                           func(r *Receipt) { r.Steps = nil },
		"there is no output":                         func(r *Receipt) { r.Outputs, r.Steps[0].Outputs = nil, nil },
		"the job failed: its exit code was 3":        func(r *Receipt) { r.ExitCode = 3 },
		"a file has no name":                         func(r *Receipt) { r.Inputs[0].Path = "" },
		"comes twice":                                func(r *Receipt) { r.Inputs = append(r.Inputs, r.Inputs[0]) },
		"negative size":                              func(r *Receipt) { r.Inputs[0].Bytes = -1 },
		"is not 64 hex digits":                       func(r *Receipt) { r.Inputs[0].SHA256 = strings.Repeat("A", 64) },
		"which is no file of the receipt":            func(r *Receipt) { r.Steps[0].Inputs = []string{"other.csv"} },
		"which is not encrypted under its key":       func(r *Receipt) { r.Outputs[0].Table = nil },
		"out.cf.parquet\", which is not encrypted":   func(r *Receipt) { r.Steps[0].Key = &Key{Fingerprint: "other"} },
		"wrote \"out.cf.parquet\", which is not enc": func(r *Receipt) { r.Steps[0].Key = nil },
	} {
		r := sample()
		change(r)
		if _, err := r.sign(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("signing: %v, want %q", err, want)
		}
		r.Signer = s.Public()
		x := r.statement()
		payload, err := encodeJSON(&x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("r.json", s.sign(payload), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reading: %v, want %q", err, want)
		}
	}
	r := sample()
	r.Inputs[0].Path = "\xff"
	if _, err := r.sign(s); err == nil || !strings.Contains(err.Error(), "is not UTF-8") {
		t.Error(err)
	}
	if _, err := Parse("r.json", good, nil); err != nil {
		t.Error(err)
	}
}

// JSON that says the same in other bytes, or more than a receipt has, is refused although it is rightly signed.
func TestStrictJSON(t *testing.T) {
	s := testSigner(t)
	data, err := sample().sign(s)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown member":        {`"version":1`, `"version":1,"x":2`},
		"repeated member":       {`"version":1`, `"version":1,"version":1`},
		"other case":            {`"version":1`, `"Version":1`},
		"white space":           {`"version":1`, `"version": 1`},
		"other number":          {`"version":1`, `"version":1.0`},
		"other version":         {`"version":1`, `"version":2`},
		"other order":           {`"exit_code":0,"program":`, `"program":`},
		"escape":                {`"nightly"`, `"\u006eightly"`},
		"null":                  {`"missing":{"x":1}`, `"missing":null`},
		"parameter of a number": {`"by":[]`, `"by":7`},
		"parameter of a list":   {`"measure":"x"`, `"measure":["x"]`},
		"other time":            {`2026-01-02T03:04:05.678Z`, `2026-01-02T03:04:05.678+00:00`},
		"other type":            {"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v2"},
		"other predicate":       {"receipt/v1", "receipt/v2"},
		"other algorithm":       {`"ed25519"`, `"rsa"`},
		"other key id":          {s.Public().ID(), strings.Repeat("0", 64)},
		"deep":                  {`"by":[]`, `"by":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)},
	} {
		changed := bytes.Replace(payload, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, payload) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := Parse("r.json", s.sign(changed), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "line": "\n", "null": "null\n", "number": "1\n", "list": "[]\n", "object": "{}\n", "no signature": `{"payload":"","payloadType":"` + payloadType + `","signatures":[]}` + "\n",
		"two signatures": strings.Replace(string(data), `"signatures":[`, `"signatures":[{"keyid":"","sig":""},`, 1),
		"payload type":   strings.Replace(string(data), "vnd.in-toto+json", "vnd.in-toto+jsom", 1),
	} {
		if _, err := Parse("r.json", []byte(text), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A receipt that would make its reader allocate much is refused before it does.
func TestTooLarge(t *testing.T) {
	for name, text := range map[string]string{
		"objects": `{"_type":"","subject":[` + strings.Repeat(`{},`, objectsMax) + `{}]}`,
		"strings": `{"_type":"","subject":[` + strings.Repeat(`0,`, stringsMax) + `0]}`,
		"bytes":   strings.Repeat(" ", bytesMax+1),
	} {
		allocated := testing.AllocsPerRun(1, func() {
			if err := decodeJSON([]byte(text), new(statement)); err == nil || err.Error() != "it is too large" {
				t.Errorf("%s: %v", name, err)
			}
		})
		if allocated > 10 {
			t.Errorf("%s: %g allocations", name, allocated)
		}
	}
}

// FuzzParse feeds whole receipts to the reader. One that is accepted is written the same again.
func FuzzParse(f *testing.F) {
	s := testSigner(f)
	data, err := sample().sign(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(bytes.ToUpper(data))
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"","sig":""}]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse("r.json", data, nil)
		if err != nil {
			return
		}
		if err := r.validate(); err != nil {
			t.Errorf("accepted: %v", err)
		}
		var e envelope
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		if again, err := encodeJSON(&e); err != nil || !bytes.Equal(append(again, '\n'), data) {
			t.Errorf("written again it is %q, %v", again, err)
		}
	})
}

// FuzzStatement feeds payloads to the reader, as if each were rightly signed. One that is accepted is written the same again.
func FuzzStatement(f *testing.F) {
	r := sample()
	r.Signer = testSigner(f).Public()
	x := r.statement()
	payload, err := encodeJSON(&x)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"","predicate":{}}`))
	f.Add(bytes.ReplaceAll(payload, []byte("1"), []byte("-9223372036854775808")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := readStatement(payload)
		if err != nil {
			return
		}
		x := r.statement()
		if again, err := encodeJSON(&x); err != nil || !bytes.Equal(again, payload) {
			t.Errorf("read %s\nwritten %s, %v", payload, again, err)
		}
	})
}
