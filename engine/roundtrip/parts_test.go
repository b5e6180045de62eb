package roundtrip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// ranges cuts n rows into ranges of `each`.
func ranges(n, each int64) []job.Range {
	var out []job.Range
	for from := int64(0); from < n; from += each {
		out = append(out, job.Range{From: from, To: min(n, from+each)})
	}
	return out
}

// encryptInParts encrypts every part by a call of its own and joins them.
func (b *bench) encryptInParts(e encrypt.Request, rows int64) {
	b.Helper()
	ctx := context.Background()
	s, err := encrypt.Survey(ctx, e)
	if err != nil {
		b.Fatal(err)
	}
	name := func(r job.Range) string { return fmt.Sprintf("%s.%d.parquet", e.Out, r.From) }
	var names []string
	records := int64(0)
	all := ranges(s.Records, rows*s.BlockRecords)
	for i := len(all) - 1; i >= 0; i-- { // from the last to the first: no part needs another
		err := encrypt.Parts(ctx, e, s, "0123456789abcdef0123456789abcdef", all[i:i+1], name, func(r job.Range, report *job.Report) error {
			records += report.Records
			names = append([]string{name(r)}, names...)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	joined, err := enctable.Join(ctx, e.Options, names, e.Out, 0, trust.Seal{})
	if err != nil || joined != records || joined != s.Records {
		b.Fatalf("%d records joined of %d encrypted and %d surveyed, %v", joined, records, s.Records, err)
	}
}

func (b *bench) decryptInParts(d decrypt.Request, rows int64) {
	b.Helper()
	ctx := context.Background()
	s, err := decrypt.Survey(ctx, decrypt.Request{Unfused: true, Options: d.Options, In: d.In, Out: d.Out})
	if err != nil {
		b.Fatal(err)
	}
	name := func(r job.Range) string { return fmt.Sprintf("%s.%d.parquet", d.Out, r.From) }
	var names []string
	err = decrypt.Parts(ctx, d, ranges(s.Rows, rows), name, func(r job.Range, _ *job.Report) error {
		names = append(names, name(r))
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	d.Key = keys.Key{}
	if n, err := decrypt.Join(ctx, d, names); err != nil || n != s.Records {
		b.Fatalf("%d records joined of %d, %v", n, s.Records, err)
	}
}

// Parts encrypted and decrypted one by one come out as the whole does, byte for byte.
func TestPartsAreTheWhole(t *testing.T) {
	b := newBench(t, paillier.DJN)
	rows := [][]string{{"id", "x", "y"}}
	list := [][]string{{"id"}}
	for i := range thoroughtest.Pick(210, 700) {
		rows = append(rows, []string{fmt.Sprint(i), fmt.Sprint(i * i % 997), []string{"1.5", "-2.25", "NA"}[i%3]})
	}
	for i := range thoroughtest.Pick(450, 1500) {
		list = append(list, []string{fmt.Sprint(i - 100)})
	}
	in, universe := b.table("in.csv", rows), b.table("universe.csv", list)
	for name, e := range map[string]encrypt.Request{
		"records":  {Layout: slots.Records},
		"blocks":   {Layout: slots.Blocks, Spec: dataset.Spec{Squares: []string{"x"}}},
		"universe": {Layout: slots.Blocks, Universe: []string{universe}},
	} {
		t.Run(name, func(t *testing.T) {
			e.Key, e.In, e.IDs, e.Measures = keys.Of(b.key), []string{in}, []string{"id"}, measures(t, "x", "y:decimals=2:max=100")
			whole, parts := e, e
			whole.Out, parts.Out = b.path(name+"-whole.cf.parquet"), b.path(name+"-parts.cf.parquet")
			if _, err := encrypt.Run(context.Background(), whole); err != nil {
				t.Fatal(err)
			}
			b.encryptInParts(parts, 7)
			key := keys.Of(b.key)
			for _, ext := range []string{".parquet", ".csv"} {
				d := decrypt.Request{Unfused: true, Key: key, In: whole.Out, Out: b.path(name + "-whole" + ext)}
				if _, err := decrypt.Run(context.Background(), d); err != nil {
					t.Fatal(err)
				}
				p := decrypt.Request{Unfused: true, Key: key, In: parts.Out, Out: b.path(name + "-parts" + ext)}
				b.decryptInParts(p, 5)
				want, err := os.ReadFile(d.Out)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(p.Out); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes in parts, %d as a whole, %v", ext, len(got), len(want), err)
				}
			}
		})
	}
}

// A source that is not as it was surveyed is refused.
func TestPartsOfAnotherSource(t *testing.T) {
	b := newBench(t, paillier.DJN)
	in := b.write("in.csv", "id,x\n1,5\n2,6\n3,7\n")
	e := encrypt.Request{Key: keys.Of(b.key.Public()), Spec: dataset.Spec{In: []string{in}, IDs: []string{"id"}, Measures: measures(t, "*")}, Out: b.path("out.cf.parquet")}
	s, err := encrypt.Survey(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"id,x\n1,5\n2,6\n3,7\n4,8\n": "the source changed since the encryption began: it goes on after 3 records",
		"id,x\n1,5\n2,6\n":           "the source changed since the encryption began: it ends after 2 records, of 3",
		"id,x\n1,5\n2,300\n3,7\n":    "is beyond max=255",
		"id,y\n1,5\n2,6\n3,7\n":      "measure 1 is \"y\" where it was \"x\"",
		"id,x,y\n1,5,1\n2,6,1\n":     "it has 2 measures where there were 1",
		"id,x\n1,5\n2,6\n,7\n4,4\n":  "the id is missing",
	} {
		b.write("in.csv", text)
		err := encrypt.Parts(context.Background(), e, s, "0123456789abcdef0123456789abcdef", ranges(3, 3), func(job.Range) string { return b.path("part.parquet") }, func(job.Range, *job.Report) error { return nil })
		var refused *column.InputError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err := os.Remove(filepath.Join(b.dir, "part.parquet")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: a part is left: %v", text, err)
		}
	}
}
