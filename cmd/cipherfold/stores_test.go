package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
)

// bucket is an object store in this process.
type bucket struct {
	t       *testing.T
	server  *s3server.Server
	backend *s3mem.Backend
	query   string
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{t: t, backend: s3mem.New()}
	var err error
	if b.server, err = s3server.Start(b.backend); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Close() })
	if _, b.query, err = b.server.Bucket("data"); err != nil {
		t.Fatal(err)
	}
	b.query += "&anonymous=true"
	return b
}

func (b *bucket) put(key, text string) {
	b.t.Helper()
	if _, err := b.server.Put("data", key, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// get returns an object's text.
func (b *bucket) get(key string) string {
	b.t.Helper()
	resp, err := http.Get(b.server.URL + "/data/" + key)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: status %d, %v", key, resp.StatusCode, err)
	}
	return string(text)
}

// keys lists all objects.
func (b *bucket) keys() []string {
	b.t.Helper()
	list, err := b.backend.ListBucket("data", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		b.t.Fatal(err)
	}
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys
}

// line writes URLs into a command line: s3/KEY stands for the object's.
func (b *bucket) line(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		if key, ok := strings.CutPrefix(w, "s3/"); ok {
			words[i] = "s3://data/" + key + b.query
		}
	}
	return strings.Join(words, " ")
}

// From a data set in a bucket to the result in it, with requests that fail and that are slow.
func TestObjectStore(t *testing.T) {
	t.Parallel()
	p, b := newPlace(t), newBucket(t)
	b.put("public.json", string(p.read("public.json")))
	want := map[string][2]int{}
	for _, hospital := range []string{"a", "b"} {
		for year := 2024; year <= 2026; year++ {
			var text strings.Builder
			text.WriteString("ward,x\n")
			for i := range 40 {
				fmt.Fprintf(&text, "w%d,%d\n", i%4, i*year)
				sum := want[fmt.Sprint(year)]
				want[fmt.Sprint(year)] = [2]int{sum[0] + i*year, sum[1] + 1}
			}
			b.put(fmt.Sprintf("%s/year=%d/part-0.csv", hospital, year), text.String())
			b.put(fmt.Sprintf("%s/year=%d/_SUCCESS", hospital, year), "")
		}
	}
	inputs := b.keys()
	b.server.Inject(s3server.Faults{Seed: 11, Fail: 0.05, Lost: 0.02, Slow: 0.05, Delay: 50 * time.Millisecond})
	encrypt := "encrypt --key s3/public.json --id ward,year --measure x:max=1000000 "
	p.ok(b.line(encrypt + "--in s3/a --out s3/enc/a.cf.parquet"))
	p.ok(b.line(encrypt + "--in s3/b/year=* --out s3/enc/b --rows-per-file 50"))
	p.ok(b.line("fuse --in s3/enc/a.cf.parquet s3/enc/b --by year --out s3/fused.cf.parquet"))
	p.ok(b.line("decrypt --key @/secret.json --in s3/fused.cf.parquet --out s3/sums.csv"))
	p.ok(b.line("decrypt --key @/secret.json --in s3/fused.cf.parquet --out @/sums.csv"))
	p.ok(b.line("decrypt --key @/secret.json --in s3/fused.cf.parquet --out s3/sums --rows-per-file 2"))
	if out := p.ok(b.line("inspect s3/fused.cf.parquet s3/public.json")); !strings.Contains(out, "additions") {
		t.Errorf("inspect:\n%s", out)
	}
	b.server.Inject(s3server.Faults{})
	if c := b.server.Counts(); c.Failed == 0 || c.Slow == 0 {
		t.Errorf("of %d requests %d failed and %d were slow", c.Requests, c.Failed, c.Slow)
	}
	sums := b.get("sums.csv")
	if sums != string(p.read("sums.csv")) {
		t.Error("the result in the bucket is not the one on disk")
	}
	for year, s := range want {
		if line := fmt.Sprintf("\n%s,%d,%d,", year, s[0], s[1]); !strings.Contains(sums, line) {
			t.Errorf("no line %q in\n%s", line[1:], sums)
		}
	}
	made := []string{"enc/a.cf.parquet", "enc/b/_SUCCESS", "enc/b/part-00000.cf.parquet", "enc/b/part-00001.cf.parquet", "enc/b/part-00002.cf.parquet",
		"fused.cf.parquet", "sums.csv", "sums/_SUCCESS", "sums/part-00000.parquet", "sums/part-00001.parquet"}
	if got := b.keys(); len(got) != len(inputs)+len(made) {
		t.Errorf("the bucket holds %q", got)
	}
	for _, key := range made {
		b.get(key)
	}
}

// What goes wrong with a store says so, with its exit code, and leaves nothing.
func TestObjectStoreFailures(t *testing.T) {
	t.Parallel()
	p, b := newPlace(t), newBucket(t)
	b.put("a.csv", "id,x\n1,10\n")
	b.put("bad.csv", "id,x\n1,ten\n")
	b.put("there.cf.parquet", "")
	const key = "--key @/public.json --id id --measure x:max=100 "
	before := p.files()
	for _, tt := range []struct {
		line  string
		code  int
		cause string
	}{
		{"encrypt " + key + "--in s3/none.csv --out s3/o.cf.parquet", exitRefused, "no such object or directory"},
		{"encrypt " + key + "--in s3/bad.csv --out s3/o.cf.parquet", exitRefused, `"ten"`},
		{"encrypt " + key + "--in s3/a.csv --out s3/there.cf.parquet", exitRefused, "already exists"},
		{"encrypt " + key + "--in s3/a.csv --out s3/a.csv", exitUsage, "is an input and the output"},
		{"encrypt " + key + "--in s3/a.csv --out s3://elsewhere/o.cf.parquet" + b.query, exitRefused, "there is no bucket elsewhere"},
		{"encrypt " + key + "--in s3/a.csv --out hdfs://n/o.cf.parquet", exitRefused, "no store is known for hdfs://"},
		{"encrypt " + key + "--in gs://b/a.csv?anonymous=perhaps --out s3/o.cf.parquet", exitRefused, "is not understood"},
		{"decrypt --key @/secret.json --in s3/a.csv --out s3/o.csv", exitRefused, "not a Parquet file"},
		{"keygen --out s3/keys --plain --bits 1024 --insecure-test-key", exitUsage, "keys are made on this machine"},
	} {
		r := p.run(b.line(tt.line))
		if r.code != tt.code || !strings.Contains(r.err, tt.cause) || !strings.Contains(r.err, "\n  hint: ") {
			t.Errorf("%s\nexit code %d, want %d\n%s", tt.line, r.code, tt.code, r.err)
		}
	}
	if got := b.keys(); len(got) != 3 {
		t.Errorf("the bucket holds %q", got)
	}
	p.unchanged(before)
}
