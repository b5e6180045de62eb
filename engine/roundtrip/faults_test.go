package roundtrip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// A chore is a small job of one verb, on a disk where all that it needs is there.
type chore struct {
	name  string
	out   []string // what it makes
	exact bool     // the same bytes every time
	do    func(ctx context.Context, o job.Options) error
}

// chores are small jobs of all verbs and ways, and puts on a disk what they need. Its files are named with a prefix.
func chores(t testing.TB, disk blob.Disk, prefix string, rows int) []chore {
	t.Helper()
	sk := testKey(t, paillier.DJN)
	in := func(name string) string { return prefix + name }
	put := func(name, text string) {
		u, err := disk.Create(t.Context(), in(name), blob.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Abort()
		if _, err := u.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var a, b strings.Builder
	a.WriteString("id,ward,x\n")
	b.WriteString("id,ward,x\n")
	for i := range rows {
		fmt.Fprintf(&a, "%d,w%d,%d\n", i, i%3, i-5)
		fmt.Fprintf(&b, "%d,w%d,%d\n", rows-1-i, i%2, 2*i)
	}
	put("a.csv", a.String())
	put("b.csv", b.String())
	encrypt := func(from, layout string, out string, key keys.Key) func(context.Context, job.Options) error {
		return func(ctx context.Context, o job.Options) error {
			e := encrypt.Request{Options: o, Key: key, Spec: dataset.Spec{In: []string{in(from)}, IDs: []string{"id"}, Measures: measures(t, "x:max=1000")}, Out: in(out), Layout: layout}
			if layout == slots.Records {
				e.IDs = append(e.IDs, "ward")
			}
			_, err := encrypt.Run(ctx, e)
			return err
		}
	}
	fuseFrom := func(from, out string, by []string) func(context.Context, job.Options) error {
		return func(ctx context.Context, o job.Options) error {
			_, err := fuse.Run(ctx, fuse.Request{Options: o, In: []string{in(from)}, Out: in(out), By: by})
			return err
		}
	}
	decrypt := func(from, out string) func(context.Context, job.Options) error {
		return func(ctx context.Context, o job.Options) error {
			_, err := decrypt.Run(ctx, decrypt.Request{Unfused: true, Options: o, Key: keys.Of(sk), In: in(from), Out: in(out)})
			return err
		}
	}
	public, secret := keys.Of(sk.Public()), keys.Of(sk)
	sound := job.Options{FS: disk, Disk: disk, Threads: 1}
	u := fuse.Request{In: []string{in("records-?")}, Out: in("merged"), By: []string{"id"}}
	run := func(k int, out string) func(context.Context, job.Options) error {
		return func(ctx context.Context, o job.Options) error {
			u := u
			u.Options = o
			n, _, err := fuse.Rows(ctx, u)
			if err != nil {
				return err
			}
			_, err = fuse.Part(ctx, u, job.Range{From: int64(k) * n / 2, To: int64(k+1) * n / 2}, in(out))
			return err
		}
	}
	for _, step := range []func(context.Context, job.Options) error{
		encrypt("a.csv", slots.Records, "records-a", public), encrypt("b.csv", slots.Records, "records-b", secret), encrypt("a.csv", slots.Blocks, "blocks-a", public), encrypt("a.csv", slots.Blocks, "blocks-c", secret),
		fuseFrom("records-?", "fused", []string{"id"}), fuseFrom("blocks-?", "fused-blocks", nil), run(0, "half-0"), run(1, "half-1"),
	} {
		if err := step(t.Context(), sound); err != nil {
			t.Fatal(err)
		}
	}
	return []chore{
		{"encrypt, records", []string{"out"}, false, encrypt("a.csv", slots.Records, "out", public)},
		{"encrypt, blocks", []string{"out"}, false, encrypt("a.csv", slots.Blocks, "out", secret)},
		{"fuse, by record", []string{"out"}, true, fuseFrom("records-?", "out", []string{"id"})},
		{"fuse, by group", []string{"out"}, true, fuseFrom("records-?", "out", []string{"ward"})},
		{"fuse, total", []string{"out"}, true, fuseFrom("records-?", "out", []string{})},
		{"fuse, blocks", []string{"out"}, true, fuseFrom("blocks-?", "out", nil)},
		{"fuse, one part", []string{"out"}, true, run(1, "out")},
		{"fuse, merge parts", []string{"merged"}, true, func(ctx context.Context, o job.Options) error {
			u := u
			u.Options = o
			_, err := fuse.Join(ctx, u, []string{in("half-0"), in("half-1")})
			return err
		}},
		{"decrypt, records", []string{"out.csv"}, true, decrypt("fused", "out.csv")},
		{"decrypt, blocks", []string{"out.csv"}, true, decrypt("fused-blocks", "out.csv")},
		{"decrypt to Parquet", []string{"out.parquet"}, true, decrypt("fused", "out.parquet")},
		{"inspect", nil, true, func(ctx context.Context, o job.Options) error {
			_, err := inspect.File(ctx, o, in("fused"), nil)
			return err
		}},
	}
}

// Every operation on a file fails, is cut short or takes longer, one after the other, in a small job of each verb: the job
// succeeds, with the same result, or fails with an error that names the file; then there is no output, and no other file,
// handle or goroutine is left.
func TestFaultsOfEveryVerb(t *testing.T) {
	step := thoroughtest.Pick[int64](7, 1)
	disk := &blobtest.Mem{}
	all := chores(t, disk, "", 12)
	before := disk.Names()
	for _, c := range all {
		if err := c.do(t.Context(), job.Options{FS: disk, Disk: disk, Threads: 1}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		whole := map[string][]byte{}
		for _, name := range c.out {
			whole[name], _ = disk.Get(name)
		}
		remove := func() {
			for _, name := range c.out {
				if err := disk.Remove(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		remove()
		var counts []string
		for mode, name := range map[blobtest.Mode]string{blobtest.Fail: "failed", blobtest.Short: "cut short", blobtest.Delay: "late"} {
			succeeded, refused := 0, 0
			for at := int64(1); ; at += step {
				leaks := leaktest.Take()
				faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: mode}
				err := c.do(t.Context(), job.Options{FS: faulty, Disk: faulty, Threads: 1 + int(at)%2})
				where := fmt.Sprintf("%s, operation %d %s", c.name, at, name)
				leaks.Check(t, where)
				if n := disk.Handles(); n != 0 {
					t.Fatalf("%s: %d files are left open", where, n)
				}
				if !faulty.Failed() {
					if err != nil {
						t.Fatalf("%s, without a fault: %v", c.name, err)
					}
					remove()
					break
				}
				names := disk.Names()
				if err == nil {
					succeeded++
					for name, data := range whole {
						if got, _ := disk.Get(name); c.exact && !bytes.Equal(got, data) {
							t.Errorf("%s: another result", where)
						}
					}
					remove()
					names = disk.Names()
				} else {
					refused++
					message := job.Explain(err).Message
					named := slices.ContainsFunc(slices.Concat(before, c.out, []string{"merged"}), func(name string) bool { return strings.Contains(message, name) })
					if !named && !strings.Contains(message, "records-?") && !strings.Contains(message, "blocks-?") {
						t.Errorf("%s: %q names no file", where, message)
					}
					if mode == blobtest.Fail && !errors.Is(err, blobtest.ErrInjected) {
						t.Errorf("%s: %v does not tell why", where, err)
					}
				}
				if !slices.Equal(names, before) {
					t.Fatalf("%s: %v; files %q, before %q", where, err, names, before)
				}
			}
			if mode == blobtest.Delay && refused > 0 {
				t.Errorf("%s: %d jobs failed of slowness alone", c.name, refused)
			}
			counts = append(counts, fmt.Sprintf("%s %d (%d succeeded)", name, succeeded+refused, succeeded))
		}
		slices.Sort(counts)
		t.Logf("%s: %s", c.name, strings.Join(counts, ", "))
	}
}

// After a job of any verb, on a real disk, that succeeded, failed or was cancelled at some moment, no goroutine runs, no file is
// open and no other file is there.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	prefix := dir + "/"
	var disk blob.Local
	all := chores(t, disk, prefix, 300)
	files := func() []string {
		names, err := disk.ReadDir(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	before := files()
	random := rand.New(rand.NewPCG(1, 2))
	o := job.Options{FS: disk, Disk: disk, Threads: 3}
	for _, c := range all {
		outcomes := map[string]int{}
		attempt := func(ctx context.Context, o job.Options, what string) time.Duration {
			leaks := leaktest.Take()
			start := time.Now()
			err := c.do(ctx, o)
			took := time.Since(start)
			leaks.Check(t, c.name+", "+what)
			switch {
			case err == nil:
				outcomes["succeeded"]++
				for _, name := range c.out {
					if err := disk.Remove(t.Context(), prefix+name); err != nil {
						t.Error(err)
					}
				}
			case errors.Is(err, context.Canceled):
				outcomes["cancelled"]++
			default:
				outcomes["failed"]++
			}
			if now := files(); !slices.Equal(now, before) {
				t.Fatalf("%s, %s: files %q, before %q", c.name, what, now, before)
			}
			return took
		}
		took := attempt(t.Context(), o, "sound")
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		attempt(canceled, o, "cancelled before")
		for range thoroughtest.Pick(2, 8) {
			ctx, cancel := context.WithCancel(t.Context())
			timer := time.AfterFunc(time.Duration(random.Int64N(int64(took))), cancel)
			attempt(ctx, o, "cancelled")
			timer.Stop()
			cancel()
		}
		for at := range int64(4) {
			faulty := &blobtest.Faulty{FS: disk, FailAt: 1 + at}
			o := o
			o.FS, o.Disk = faulty, faulty
			attempt(t.Context(), o, "failing")
		}
		t.Logf("%s: %v", c.name, outcomes)
		if outcomes["succeeded"] == 0 || outcomes["failed"] == 0 || outcomes["cancelled"] == 0 {
			t.Errorf("%s: %v", c.name, outcomes)
		}
	}
}

// A fusion whose sums do not fit into memory goes through runs in a temporary file: its operations fail, are cut short or come
// late, too, and so do those on its inputs and output. An exhaustive run tries every operation where otherwise a sample
// is tried.
func TestFaultsOfSpilling(t *testing.T) {
	b := newBench(t, paillier.MHL)
	s := newStock(b, "x")
	random := rand.New(rand.NewPCG(3, 4))
	rows := make([]stockRow, 9000)
	for i := range rows {
		rows[i] = stockRow{random.Int64N(20000), random.IntN(256)}
	}
	in := []string{s.write(b, "a", rows[:4000]), s.write(b, "b", rows[4000:])}
	scratch := b.path("scratch")
	if err := (blob.Local{}).MakeDir(t.Context(), scratch); err != nil {
		t.Fatal(err)
	}
	out := b.path("out.cf.parquet")
	fuse := func(disk blob.Disk, memory int64, threads int) (*job.Report, error) {
		o := job.Options{FS: disk, Disk: disk, ScratchDir: scratch, Memory: memory, Threads: threads, Overwrite: true}
		return fuse.Run(t.Context(), fuse.Request{Options: o, In: in, Out: out, By: []string{"id"}})
	}
	var short *engine.BudgetError
	if _, err := fuse(blob.Local{}, 1, 2); !errors.As(err, &short) {
		t.Fatalf("fused within a byte: %v", err)
	}
	report, err := fuse(blob.Local{}, short.Need, 2)
	if err != nil || report.Spilled == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	whole := readFile(t, out)
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	before := b.files()
	for mode, name := range map[blobtest.Mode]string{blobtest.Fail: "failed", blobtest.Short: "cut short", blobtest.Delay: "late"} {
		succeeded, refused := 0, 0
		for at := int64(1); ; at++ {
			if !thoroughtest.AtLeast(thoroughtest.Exhaustive) {
				at += random.Int64N(60)
			}
			leaks := leaktest.Take()
			faulty := &blobtest.Faulty{FS: blob.Local{}, FailAt: at, Mode: mode}
			_, err := fuse(faulty, short.Need, 1+int(at)%2)
			where := fmt.Sprintf("operation %d %s", at, name)
			leaks.Check(t, where)
			if err == nil {
				if !bytes.Equal(readFile(t, out), whole) {
					t.Errorf("%s: another result", where)
				}
				if err := os.Remove(out); err != nil {
					t.Fatal(err)
				}
			}
			if now := b.files(); !slices.Equal(now, before) {
				t.Fatalf("%s: %v; files %q, before %q", where, err, now, before)
			}
			if !faulty.Failed() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if err == nil {
				succeeded++
				continue
			}
			refused++
			message := job.Explain(err).Message
			if !slices.ContainsFunc(append(slices.Clone(in), out, scratch), func(name string) bool { return strings.Contains(message, name) }) {
				t.Errorf("%s: %q names no file", where, message)
			}
			if mode == blobtest.Delay || mode == blobtest.Fail && !errors.Is(err, blobtest.ErrInjected) {
				t.Errorf("%s: %v", where, err)
			}
		}
		t.Logf("fuse, spilling: %s %d (%d succeeded)", name, succeeded+refused, succeeded)
	}
}
