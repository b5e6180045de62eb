package receipt_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
)

// A receipt of an encryption says what was read and written, and verifies.
func TestReceiptSaysWhatHappened(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	report, err := verify(p, data)
	if err != nil {
		t.Fatal(err)
	}
	public := p.signer.Public()
	if trusted, err := receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{PublicKey: &public})); err != nil || !trusted.Trusted || report.Trusted {
		t.Errorf("by the signer's key: %v", err)
	}
	r := report.Receipt
	if r.Signer.ID() != public.ID() || len(r.Inputs) != 1 || len(r.Outputs) != 1 || len(report.Files) != 2 {
		t.Fatalf("%+v", r)
	}
	in, out := report.Files[0].File, r.Outputs[0]
	if in.Path != p.path("a.csv") || in.Bytes != int64(len(p.read("a.csv"))) || in.Rows == nil || *in.Rows != 3 || in.Table != nil {
		t.Errorf("input %+v", in)
	}
	want := testKey().Public()
	if out.Path != p.path("a.cf.parquet") || out.Bytes != int64(len(p.read("a.cf.parquet"))) || out.Rows == nil || *out.Rows != 3 || out.Table == nil ||
		out.Table.Fingerprint != want.Fingerprint() || out.Table.Bits != 1024 || !out.Table.TestKey || out.Table.Variant != "djn" || out.Table.Layout != "records" {
		t.Errorf("output %+v", out)
	}
	if len(out.Table.Measures) != 1 || out.Table.Measures[0] != (receipt.Measure{Name: "x", Bound: "100"}) {
		t.Errorf("measures %+v", out.Table.Measures)
	}
	s := r.Steps[0]
	if s.Verb != "encrypt" || s.Key.Fingerprint != want.Fingerprint() || s.Kernel == "" || s.Records != 3 || s.Missing["x"] != 1 || s.Dropped["unlisted"] != 2 ||
		len(s.Parameters["by"]) != 0 || s.Parameters["by"] == nil || len(s.Parameters["id"]) != 2 || s.Parameters["measure"][0] != "x:max=100" {
		t.Errorf("step %+v", s)
	}
	if r.ExitCode != 0 || r.Program.Go == "" || r.Machine.Cores < 1 || r.Started.IsZero() || r.Started.Location().String() != "UTC" {
		t.Errorf("%+v", r)
	}
	if bytes.Contains(data, []byte(testKey().Public().Fingerprint())) {
		t.Error("the payload is not encoded: a change of its bytes could go unnoticed")
	}
}

// Any changed byte of the receipt is refused, whatever it is changed to, and so is one that is cut off, added or removed.
func TestVerifyRefusesEveryChangedByteOfTheReceipt(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	public := p.signer.Public()
	masks := []byte{1, 2, 4, 8, 16, 32, 64, 128, 255, 0x0a ^ 0x20, 0x0a ^ 0x0d}
	try := func(what string, i int, changed []byte) {
		if _, err := receipt.Parse("r.json", changed, nil); err == nil {
			t.Errorf("%s of byte %d of %d: accepted", what, i, len(data))
		}
	}
	step := thoroughtest.Pick(7, 1)
	for i := 0; i < len(data); i += step {
		for _, mask := range masks {
			try("change", i, flipped(data, i, mask))
		}
		if _, err := receipt.Parse("r.json", flipped(data, i, 1), &public); err == nil {
			t.Errorf("change of byte %d of %d: accepted by the signer's key", i, len(data))
		}
		try("removal", i, append(append([]byte(nil), data[:i]...), data[i+1:]...))
		try("doubling", i, append(append([]byte(nil), data[:i+1]...), data[i:]...))
		try("cutting", i, data[:i])
		for _, c := range []byte(" \n\t,A=") {
			try("insertion", i, append(append(append([]byte(nil), data[:i]...), c), data[i:]...))
		}
	}
	try("appending", len(data), append(data[:len(data):len(data)], '\n'))
	try("appending", len(data), append(data[:len(data):len(data)], data...))
	if _, err := receipt.Parse("r.json", data, &public); err != nil {
		t.Fatal(err)
	}
}

// Any changed byte of an input or output is refused, with the name of the file and what differs.
func TestVerifyRefusesEveryChangedByteOfAFile(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	step := thoroughtest.Pick(7, 1)
	for _, name := range []string{"a.csv", "a.cf.parquet"} {
		good := p.read(name)
		for i := 0; i < len(good); i += step {
			p.write(name, string(flipped(good, i, 1<<(i%8))))
			_, err := verify(p, data)
			refused(t, err, p.path(name), "SHA-256")
		}
		p.write(name, string(good[:len(good)-1]))
		_, err := verify(p, data)
		refused(t, err, p.path(name), "bytes, the receipt says")
		p.write(name, string(good)+"\n")
		_, err = verify(p, data)
		refused(t, err, p.path(name), "bytes, the receipt says")
		p.write(name, string(good))
	}
	if _, err := verify(p, data); err != nil {
		t.Error(err)
	}
}

// Missing files are refused unless they may be missing; then the report says that they were not checked.
func TestVerifyMissing(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	os.Remove(p.path("a.csv"))
	_, err := verify(p, data)
	refused(t, err, p.path("a.csv"), "this input of the job is missing")
	_, err = receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{SkipOutputs: true}))
	refused(t, err, p.path("a.csv"), "missing")
	report, err := receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{SkipInputs: true}))
	if err != nil {
		t.Fatal(err)
	}
	if report.Files[0].Status != receipt.Skipped || report.Files[1].Status != receipt.Same {
		t.Errorf("%+v", report.Files)
	}
	// What may be missing may not be different.
	p.write("a.csv", "id,x\na,1\nb,\nc,31\n")
	_, err = receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{SkipInputs: true}))
	refused(t, err, p.path("a.csv"), "SHA-256")
}

// Relative names start from the base, absolute ones and URLs do not.
func TestVerifyBase(t *testing.T) {
	p := newPlace(t)
	t.Chdir(p.dir)
	p.TB = t
	dir := p.dir
	p.dir = "" // names in the receipt are relative
	data := p.encrypt()
	if _, err := verify(p, data); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	_, err := verify(p, data)
	refused(t, err, "a.csv", "missing")
	if _, err := receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{Base: dir})); err != nil {
		t.Error(err)
	}
}

// A signer who lies about a table is found out: the digest is right, what is said of the footer is not.
func TestVerifyComparesFooters(t *testing.T) {
	p := newPlace(t)
	for name, c := range map[string]struct {
		lie  func(r *receipt.Receipt)
		want string
	}{
		"other key": {func(r *receipt.Receipt) {
			other := strings.Repeat("ab", 32)
			r.Outputs[0].Table.Fingerprint, r.Steps[0].Key.Fingerprint = other, other
		}, "is encrypted under the key"},
		"other rows": {func(r *receipt.Receipt) { n := int64(4); r.Outputs[0].Rows = &n }, "its footer promises 3 records, the receipt 4"},
		"no rows":    {func(r *receipt.Receipt) { r.Outputs[0].Rows = nil }, "its footer promises 3 records, the receipt none"},
		"a bound":    {func(r *receipt.Receipt) { r.Outputs[0].Table.Measures[0].Bound = "7" }, "its footer says something else"},
		"no table":   {func(r *receipt.Receipt) { r.Outputs[0].Table, r.Steps[0].Verb = nil, "decrypt" }, "it is an encrypted table, and the receipt does not say so"},
		"a table":    {func(r *receipt.Receipt) { r.Inputs[0].Table = r.Outputs[0].Table }, "calls it an encrypted table, and it is none"},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(p.path("a.cf.parquet"))
			r := p.unsigned()
			c.lie(r)
			_, err := verify(p, p.sign(r))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// Somebody else's signature is refused by the key that must have signed.
func TestVerifyOtherSigner(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	other, err := receipt.LoadOrCreateSigner(ctx, p.path("other.key"))
	if err != nil {
		t.Fatal(err)
	}
	public := other.Public()
	_, err = receipt.Parse("r.json", data, &public)
	refused(t, err, "r.json", "signed by the key", p.signer.Public().ID(), other.Public().ID())
}

// Without the private part files in the clear are not opened, and nothing is known of them. With one that belongs to another
// receipt, or that says something else, the receipt is refused.
func TestVerifyWithoutThePrivatePart(t *testing.T) {
	p := newPlace(t)
	data := p.encrypt()
	os.Remove(p.path("a.csv")) // which nobody then looks for
	report, err := receipt.Verify(ctx, blob.Local{}, data, receipt.VerifyOptions{Base: p.dir})
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Files[0]; f.Status != receipt.Closed || f.File.SHA256 != "" || f.File.Bytes != 0 || f.File.Rows != nil || report.Files[1].Status != receipt.Same {
		t.Errorf("%+v", report.Files)
	}
	if report.Receipt.Steps[0].Missing != nil || report.Receipt.Steps[0].Dropped != nil {
		t.Errorf("%+v", report.Receipt.Steps[0])
	}
	first := p.private
	other := p.with(receipt.VerifyOptions{Name: "r.json"})
	p.write("a.csv", "id,x\na,1\nb,\nc,31\n")
	os.Remove(p.path("a.cf.parquet"))
	data = p.encrypt()
	_, err = receipt.Verify(ctx, blob.Local{}, data, other)
	refused(t, err, "r.json", "the private part is that of another receipt")
	lie := *p.private
	lie.Files, p.private = first.Files, &lie
	_, err = verify(p, data)
	refused(t, err, "r.json", "does not fit the receipt")
}

// A receipt may be forged by whoever had it signed: nothing outside the base is opened, by whatever name, and no server that it
// names is spoken to.
func TestVerifyOpensNothingElsewhere(t *testing.T) {
	p := newPlace(t)
	p.encrypt()
	for _, dir := range []string{"base", "base/sub", "elsewhere"} {
		if err := os.Mkdir(p.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.write("elsewhere/a.csv", "secret")
	if err := os.Symlink(p.path("elsewhere"), p.path("base/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../elsewhere/a.csv", p.path("base/a.csv")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(p.path("base"))
	os.Remove(p.path("a.cf.parquet"))
	for _, name := range []string{
		p.path("elsewhere/a.csv"), "/etc/passwd", "../elsewhere/a.csv", "sub/../../elsewhere/a.csv", "link/a.csv", "a.csv", "link/none.csv", "../none", "./../elsewhere/a.csv",
		"s3://bucket/a.csv", "s3://bucket/a.csv?endpoint=http://127.0.0.1:1", "gs://bucket/a", "azblob://c/a", "file://" + p.path("elsewhere/a.csv"), "http://127.0.0.1:1/a", "S3://bucket/a", "unknown://x",
	} {
		os.Remove(p.path("a.cf.parquet"))
		r := p.unsigned()
		r.Inputs[0].Path, r.Steps[0].Inputs[0] = name, name
		data := p.sign(r)
		for _, base := range []string{"", p.path("base")} {
			opened := &openings{FS: blob.Local{}}
			_, err := receipt.Verify(ctx, opened, data, receipt.VerifyOptions{Name: "r.json", Private: p.private, Base: base, SkipInputs: true, SkipOutputs: true})
			refused(t, err, "r.json", "outside of")
			for _, got := range opened.names {
				if !strings.HasPrefix(got, "a.cf.parquet") && got != p.path("base/a.cf.parquet") {
					t.Errorf("%s in base %q: %s was opened", name, base, got)
				}
			}
		}
		opened := &openings{FS: blob.Local{}}
		_, _ = receipt.Verify(ctx, opened, data, receipt.VerifyOptions{Name: "r.json", Private: p.private, Anywhere: true, SkipInputs: true, SkipOutputs: true})
		for _, got := range opened.names {
			if strings.Contains(got, "endpoint") {
				t.Errorf("%s: %s was opened", name, got)
			}
		}
	}
}

// openings notes what is opened.
type openings struct {
	blob.FS
	mu    sync.Mutex
	names []string
}

func (o *openings) Open(ctx context.Context, name string) (blob.File, error) {
	o.mu.Lock()
	o.names = append(o.names, name)
	o.mu.Unlock()
	return o.FS.Open(ctx, name)
}
