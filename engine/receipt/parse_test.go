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

// sample is a small receipt with one of everything.
func sample() *Receipt {
	rows := int64(3)
	key := Key{Fingerprint: strings.Repeat("0123", 16), Scheme: "paillier", Variant: "djn", Bits: 2048}
	table := &Table{Key: key, Layout: "blocks", BlockRecords: 5, IDs: []string{"id"}, Measures: []Measure{{"x <&> \u2028", 1, "100"}}, MaxAdds: 8, AddsUsed: 1, Source: "a", JobID: "j"}
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
	data, err := r.Sign(s)
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
	again, err := got.Sign(s)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("signed again, it differs (%v)", err)
	}
}

// The format stays what it is: receipts that were written are read, and written again to the byte.
func TestGolden(t *testing.T) {
	const name = "testdata/v1.json"
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &Signer{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
	if data, err := sample().Sign(s); err != nil || !bytes.Equal(data, golden) {
		t.Errorf("%v, signed\n%s", err, data)
	}
	if _, err := Parse(name, golden, nil); err != nil {
		t.Error(err)
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
	good, err := sample().Sign(s)
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
		if _, err := r.Sign(s); err == nil || !strings.Contains(err.Error(), want) {
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
	if _, err := r.Sign(s); err == nil || !strings.Contains(err.Error(), "is not UTF-8") {
		t.Error(err)
	}
	if _, err := Parse("r.json", good, nil); err != nil {
		t.Error(err)
	}
}

// JSON that says the same in other bytes, or more than a receipt has, is refused although it is rightly signed.
func TestStrictJSON(t *testing.T) {
	s := testSigner(t)
	data, err := sample().Sign(s)
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
	data, err := sample().Sign(s)
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
