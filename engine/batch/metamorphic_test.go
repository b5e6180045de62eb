package batch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// people is so many records that their sums do not fit into the smallest memory that a fusion works with; fewer will do where
// everything takes long.
func people() int {
	return thoroughtest.Pick(500, 13000)
}

// A way is one way to get the sums of all people: everything that must not matter.
type way struct {
	Layout   string
	Tables   int // that the values are spread over
	FanIn    int // of them fused at a time, then their sums
	Shuffled bool
	PerFile  int64 // rows of a file of an encrypted table; 0: one file
	PartRows int64 // of the job
	Little   bool  // memory: the least that a fusion works with
	Attempts []attempt
}

// An attempt is a run of the job that is stopped before, or after, one of its operations on the disk, and loses what was not
// synced; the last one is not. Each goes on where the one before was.
type attempt struct {
	Threads int
	Kernel  string
	Stop    int64
	After   bool
}

// someWay chooses one.
func someWay(random *rand.Rand, kernels []string) way {
	w := way{
		Layout: []string{slots.Records, slots.Blocks}[random.IntN(2)], Tables: 2 + random.IntN(3), Shuffled: random.IntN(2) == 0, Little: random.IntN(3) > 0,
		PerFile: []int64{0, 0, 1500}[random.IntN(3)], PartRows: []int64{0, 1000, 2999}[random.IntN(3)],
	}
	w.FanIn = 2 + random.IntN(w.Tables-1)
	for stop := int64(1); stop > 0; {
		if stop = 0; random.IntN(3) > 0 && len(w.Attempts) < 3 {
			stop = 20 + random.Int64N(500)
		}
		w.Attempts = append(w.Attempts, attempt{1 + random.IntN(3), kernels[random.IntN(len(kernels))], stop, random.IntN(2) == 0})
	}
	return w
}

// values are the values of a person: two, one or none of them missing.
func values(person int) [2]string {
	v := [2]string{strconv.Itoa(person*person%1999 - 999), strconv.Itoa(person*7%1999 - 999)}
	if person%6 < 2 {
		v[person%6] = "NA"
	}
	return v
}

// sources writes the values, spread over tables, and the list of all people.
func (w way) sources(disk *blobtest.Mem, random *rand.Rand) {
	tables := make([][]string, w.Tables)
	all := "id\n"
	for i := range people() {
		for k, v := range values(i) {
			table := &tables[(i+k)%w.Tables]
			*table = append(*table, fmt.Sprintf("%05d,%s\n", i, v))
		}
		all += fmt.Sprintf("%05d\n", i)
	}
	disk.Put("all.csv", []byte(all))
	for k, rows := range tables {
		if w.Shuffled {
			random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		}
		disk.Put(fmt.Sprintf("in/%d.csv", k), []byte("id,x\n"+strings.Join(rows, "")))
	}
}

// job is the job that goes this way.
func (w way) job(disk blob.Disk, a attempt, memory int64) *batch.Job {
	j := &batch.Job{Name: "test", File: "job.toml", Dir: "dir", PartRows: w.PartRows, Options: job.Options{FS: disk, Disk: disk, Threads: a.Threads, Kernel: a.Kernel, Memory: memory}}
	key := func(context.Context) (keys.Key, error) {
		k, err := paillier.ParseKey(testKey().MarshalSecret()) // anew, for a kernel is chosen once for a key
		if err != nil {
			return keys.Key{}, err
		}
		return keys.Of(k), nil
	}
	step := func(s batch.Step, out string) {
		s.Key, s.Parameters = key, map[string]receipt.Values{"out": {out}}
		j.Steps = append(j.Steps, s)
	}
	var level []string
	for k := range w.Tables {
		e := &encrypt.Request{
			Spec: dataset.Spec{In: []string{fmt.Sprintf("in/%d.csv", k)}, IDs: []string{"id"}, Measures: []slots.Measure{{Name: "x", Bound: 1000}}}, Out: fmt.Sprintf("t%d", k), RowsPerFile: w.PerFile, Layout: w.Layout, MaxAdds: 1 << 10,
		}
		if w.Layout == slots.Blocks {
			e.Universe = []string{"all.csv"}
		}
		if e.RowsPerFile == 0 {
			e.Out += ".cf.parquet"
		}
		step(batch.Step{Request: e}, e.Out)
		level = append(level, e.Out)
	}
	for n := 0; len(level) > 1; n++ {
		some := level[:min(w.FanIn, len(level))]
		out := fmt.Sprintf("f%d.cf.parquet", n)
		step(batch.Step{Request: &fuse.Request{In: some, Out: out}}, out)
		level = append(level[len(some):], out)
	}
	step(batch.Step{Request: &decrypt.Request{Unfused: true, In: level[0], Out: "sums.csv"}}, "sums.csv")
	return j
}

// leastMemory is what a fusion of tables by record asks for when it has too little.
func leastMemory(t *testing.T, threads, tables int) int64 {
	t.Helper()
	disk := &blobtest.Mem{}
	w := way{Layout: slots.Records, Tables: tables, FanIn: tables}
	w.sources(disk, nil)
	if _, err := batch.Run(ctx, w.job(disk, attempt{Threads: 1}, 0), false); err != nil {
		t.Fatal(err)
	}
	u := fuse.Request{Options: job.Options{FS: disk, Disk: disk, Threads: threads, Memory: 1}, Out: "x"}
	for i := range tables {
		u.In = append(u.In, fmt.Sprintf("t%d.cf.parquet", i))
	}
	_, err := fuse.Run(ctx, u)
	var short *engine.BudgetError
	if !errors.As(err, &short) {
		t.Fatalf("fused within a byte: %v", err)
	}
	return short.Need
}

// Threads, the size of parts and of files, how many tables are fused at a time, the memory, the layout, the kernel, the order
// of the rows and where the job is stopped and goes on: the decrypted bytes are the same, and they are right. The ways are
// chosen at random: CIPHERFOLD_SEED sets the seed, which is told, and an exhaustive run takes many ways.
func TestMetamorphic(t *testing.T) {
	seed, ways := uint64(1), thoroughtest.Pick(2, 5)
	if s := os.Getenv("CIPHERFOLD_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if thoroughtest.AtLeast(thoroughtest.Exhaustive) {
		ways = 150
	}
	t.Logf("CIPHERFOLD_SEED=%d, %d ways", seed, ways)
	var kernels []string
	for _, k := range paillier.Kernels() {
		if k.Available {
			kernels = append(kernels, k.Name)
		}
	}
	want := "id,x_sum,x_count,x_mean\n"
	for i := range people() {
		sum, count := 0, 0
		for _, v := range values(i) {
			if n, err := strconv.Atoi(v); err == nil {
				sum, count = sum+n, count+1
			}
		}
		want += fmt.Sprintf("%05d,%d,%d,%s\n", i, sum, count, strconv.FormatFloat(float64(sum)/float64(count), 'g', -1, 64))
	}
	stopped, spilled := 0, int64(0)
	for n := range ways {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		w := someWay(random, kernels)
		disk := &blobtest.Mem{}
		w.sources(disk, random)
		memory := int64(0)
		if w.Little {
			memory = leastMemory(t, 3, w.FanIn)
		}
		for _, a := range w.Attempts {
			on, mode := blob.Disk(disk), blobtest.Crash
			if a.After {
				mode = blobtest.CrashAfter
			}
			if a.Stop > 0 {
				on = &blobtest.Faulty{FS: disk, FailAt: a.Stop, Mode: mode}
			}
			leaks := leaktest.Take()
			s, err := batch.Run(ctx, w.job(on, a, memory), true)
			leaks.Check(t, fmt.Sprintf("way %d, %+v", n, w))
			if err != nil && (a.Stop == 0 || !errors.Is(err, blobtest.ErrInjected)) {
				t.Fatalf("way %d, %+v: %v", n, w, err)
			}
			if err != nil {
				stopped++
				disk.TornPowerLoss(func(n int) int { return random.IntN(n + 1) })
			} else {
				for _, step := range s.Steps {
					spilled += step.Report.Spilled
				}
			}
		}
		if got, _ := disk.Get("sums.csv"); !bytes.Equal(got, []byte(want)) {
			a, b := strings.Split(string(got), "\n"), strings.Split(want, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("way %d, %+v: line %d is %q, want %q", n, w, i+1, a[i], b[i])
				}
			}
			t.Fatalf("way %d, %+v: %d lines, want %d", n, w, len(a), len(b))
		}
		if open := disk.Handles(); open != 0 {
			t.Fatalf("way %d, %+v: %d files are left open", n, w, open)
		}
	}
	if thoroughtest.AtLeast(thoroughtest.Thorough) && (stopped == 0 || spilled == 0) {
		t.Errorf("%d stops, %d bytes spilled: the ways are too alike", stopped, spilled)
	}
	t.Logf("%d stops, %d bytes spilled, kernels %q", stopped, spilled, kernels)
}
