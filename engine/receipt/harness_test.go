package receipt_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

var ctx = context.Background()

// testKey is a small key, made once.
var testKey = sync.OnceValue(func() *paillier.SecretKey {
	k, err := paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, 1024, true)
	if err != nil {
		panic(err)
	}
	return k
})

// place is a directory with a source, a.csv, and a signer.
type place struct {
	testing.TB
	dir     string
	signer  *receipt.Signer
	private *receipt.Private // of the receipt that was signed last
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{TB: t, dir: t.TempDir()}
	var err error
	if p.signer, err = receipt.LoadOrCreateSigner(ctx, p.path("receipt.key")); err != nil {
		t.Fatal(err)
	}
	p.write("a.csv", "id,x\na,1\nb,\nc,30\n")
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o644); err != nil {
		p.Fatal(err)
	}
}

func (p *place) read(name string) []byte {
	p.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil {
		p.Fatal(err)
	}
	return data
}

// encryption is that of a.csv as a.cf.parquet on a file system.
func (p *place) encryption(fs blob.FS) encrypt.Request {
	m, err := slots.ParseMeasure("x:max=100")
	if err != nil {
		p.Fatal(err)
	}
	return encrypt.Request{
		Options: job.Options{FS: fs}, Key: keys.Of(testKey()), Spec: dataset.Spec{In: []string{p.path("a.csv")}, IDs: []string{"id"}, Measures: []slots.Measure{m}}, Out: p.path("a.cf.parquet"),
	}
}

// encrypt makes a.cf.parquet and returns a signed receipt of it.
func (p *place) encrypt() []byte {
	p.Helper()
	return p.sign(p.unsigned())
}

// sign signs a receipt and keeps its private part.
func (p *place) sign(r *receipt.Receipt) []byte {
	p.Helper()
	data, private, err := r.Sign(p.signer)
	if err == nil {
		p.private, err = receipt.ParsePrivate("r.private.json", private)
	}
	if err != nil {
		p.Fatal(err)
	}
	return data
}

// with are options that open what the last receipt commits to, in this directory.
func (p *place) with(o receipt.VerifyOptions) receipt.VerifyOptions {
	o.Private = p.private
	if o.Base == "" {
		o.Base = p.dir
	}
	return o
}

// unsigned makes a.cf.parquet and returns what a receipt of it says.
func (p *place) unsigned() *receipt.Receipt {
	p.Helper()
	recorder := receipt.NewRecorder(blob.Local{}, 2)
	report, err := encrypt.Run(ctx, p.encryption(recorder))
	if err != nil {
		p.Fatal(err)
	}
	return p.receipt(recorder, report)
}

// receipt is what a recorder and a report make together.
func (p *place) receipt(recorder *receipt.Recorder, report *job.Report) *receipt.Receipt {
	p.Helper()
	r, err := p.tryReceipt(recorder, report)
	if err != nil {
		p.Fatal(err)
	}
	return r
}

func (p *place) tryReceipt(recorder *receipt.Recorder, report *job.Report) (*receipt.Receipt, error) {
	inputs, outputs, err := recorder.Files(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range report.Inputs {
		receipt.SetRows(inputs, in.File, in.Rows)
	}
	key := receipt.Key(report.Key)
	return &receipt.Receipt{
		Inputs: inputs, Outputs: outputs, Started: time.Now(), Ended: time.Now(), Program: receipt.ThisProgram(), Machine: receipt.ThisMachine(),
		Steps: []receipt.Step{{
			Verb: "encrypt", Parameters: map[string]receipt.Values{"measure": {"x:max=100"}, "by": {}, "id": {"id", "more"}}, Key: &key, Kernel: report.Kernel,
			Records: report.Records, Ciphertexts: report.Ciphertexts, Values: report.Values, Missing: report.Missing, Dropped: map[string]int64{"unlisted": 2},
			Inputs: []string{p.path("a.csv")}, Outputs: []string{p.path("a.cf.parquet")}, Started: time.Now(), Ended: time.Now(),
		}},
	}, nil
}

// refused checks that an error says what it must, and that it is about the file.
func refused(t testing.TB, err error, file string, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("not refused")
		return
	}
	f := job.Explain(err)
	if f.Kind != job.Refused || f.File != file || f.Hint == "" {
		t.Errorf("%+v, want a refusal of %s with a hint", f, file)
	}
	for _, part := range parts {
		if !strings.Contains(f.Message, part) {
			t.Errorf("%s\ndoes not say %q", f.Message, part)
		}
	}
}

func verify(p *place, data []byte) (*receipt.Report, error) {
	return receipt.Verify(ctx, blob.Local{}, data, p.with(receipt.VerifyOptions{Name: "r.json", Threads: 2}))
}

func flipped(data []byte, i int, mask byte) []byte {
	out := append([]byte(nil), data...)
	out[i] ^= mask
	return out
}
