package batch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

var ctx = context.Background()

var testKey = sync.OnceValue(func() *paillier.SecretKey {
	k, err := paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, 512, true)
	if err != nil {
		panic(err)
	}
	return k
})

// owners are the sources of two owners with the same records.
func owners(rows int) map[string]string {
	var a, b strings.Builder
	a.WriteString("id,ward,x,y\n")
	b.WriteString("id,ward,x,y\n")
	for i := range rows {
		y := fmt.Sprintf("%d.%d", i%17, i%10)
		if i%5 == 0 {
			y = "NA"
		}
		fmt.Fprintf(&a, "%d,%c,%d,%s\n", i, 'a'+i%3, 1000-i*i%911, y) // both owners find the same bound
		fmt.Fprintf(&b, "%d,%c,%d,%s\n", i, 'a'+i%3, 1000-i*7%911, y)
	}
	return map[string]string{"in/a.csv": a.String(), "in/b.csv": b.String()}
}

// newDisk is a disk with the sources.
func newDisk(rows int) *blobtest.Mem {
	m := &blobtest.Mem{}
	for name, text := range owners(rows) {
		m.Put(name, []byte(text))
	}
	return m
}

// newJob is a job of all verbs and both layouts: per owner two tables, a fusion in blocks, one by id and one by ward, and
// the decryption of all three.
func newJob(disk blob.Disk, partRows int64) *batch.Job {
	j := &batch.Job{Name: "test", File: "job.toml", Dir: "dir", PartRows: partRows, Options: job.Options{FS: disk, Disk: disk, Threads: 2}}
	key := func(context.Context) (keys.Key, error) { return keys.Of(testKey()), nil }
	for _, owner := range []string{"a", "b"} {
		for _, layout := range []string{slots.Records, slots.Blocks} {
			out := fmt.Sprintf("%s.%s.cf.parquet", owner, layout)
			j.Steps = append(j.Steps, batch.Step{Key: key, Parameters: map[string]receipt.Values{"out": {out}, "layout": {layout}}, Request: &encrypt.Request{
				Spec: dataset.Spec{In: []string{"in/" + owner + "*.csv"}, IDs: []string{"id", "ward"}, Measures: []slots.Measure{{Name: "x"}, {Name: "y", Decimals: 1, Bound: 1000}}}, Out: out, Layout: layout, MaxAdds: 1 << 10,
			}})
		}
	}
	fuse := func(layout, out string, by ...string) {
		j.Steps = append(j.Steps, batch.Step{Parameters: map[string]receipt.Values{"out": {out}, "by": by}, Request: &fuse.Request{
			In: []string{"*." + layout + ".cf.parquet"}, Out: out, By: by,
		}})
		result := strings.TrimSuffix(out, ".fused.parquet") + ".csv"
		j.Steps = append(j.Steps, batch.Step{Key: key, Parameters: map[string]receipt.Values{"out": {result}}, Request: &decrypt.Request{Unfused: true, In: out, Out: result}})
	}
	fuse(slots.Blocks, "blocks.fused.parquet")
	fuse(slots.Records, "records.fused.parquet")
	fuse(slots.Records, "wards.fused.parquet", "ward")
	return j
}

// results are the decrypted tables.
var results = []string{"blocks.csv", "records.csv", "wards.csv"}

// want is what an undisturbed run makes of the sources.
func want(t testing.TB, rows int) map[string][]byte {
	t.Helper()
	disk := newDisk(rows)
	if _, err := batch.Run(ctx, newJob(disk, 0), false); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range results {
		data, ok := disk.Get(name)
		if !ok || len(data) < 10 {
			t.Fatalf("%s: %q", name, data)
		}
		out[name] = data
	}
	return out
}

// check compares what a job that is done left behind.
func check(t testing.TB, disk *blobtest.Mem, want map[string][]byte) {
	t.Helper()
	for name, data := range want {
		if got, _ := disk.Get(name); !bytes.Equal(got, data) {
			t.Errorf("%s differs: %d bytes, want %d", name, len(got), len(data))
		}
	}
	if n := disk.Handles(); n != 0 {
		t.Errorf("%d files are left open", n)
	}
	checkStray(t, disk, true)
}

// checkStray looks for files that should not be there.
func checkStray(t testing.TB, disk *blobtest.Mem, finished bool) {
	t.Helper()
	for _, name := range disk.Names() {
		switch {
		case path.Dir(name) == "in":
		case path.Dir(name) == "." && finished:
		case path.Dir(name) == "dir":
		case strings.HasPrefix(name, "dir/parts/") && !finished:
		default:
			t.Errorf("stray file %s", name)
		}
	}
}
