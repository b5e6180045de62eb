package batch_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// smallRows is enough for several parts in every step of a small job.
const smallRows = 30

// sample steps through the operations of a job: every one of them, or some.
func sample(random *rand.Rand, at int64) int64 {
	if thoroughtest.AtLeast(thoroughtest.Exhaustive) {
		return at + 1
	}
	return at + 1 + random.Int64N(thoroughtest.Pick[int64](400, 120))
}

// Every operation on the disk fails once, in one of several ways: the job succeeds, or fails with an error that says why
// and leaves no output but whole ones; then it is resumed, and its results are those of an undisturbed run.
func TestFaults(t *testing.T) {
	w := want(t, smallRows)
	for name, mode := range map[string]blobtest.Mode{
		"fail": blobtest.Fail, "short": blobtest.Short, "delay": blobtest.Delay, "crash": blobtest.Crash, "crash after": blobtest.CrashAfter,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(mode)))
			succeeded, failed := 0, 0
			for at := sample(random, 0); ; at = sample(random, at) {
				disk := newDisk(smallRows)
				faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: mode}
				_, err := batch.Run(ctx, newJob(faulty, 10), false)
				if !faulty.Failed() {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					break
				}
				if err == nil {
					succeeded++
				} else {
					failed++
					if !clear(err, mode) {
						t.Errorf("unclear error: %v", err)
					}
				}
				if n := disk.Handles(); n != 0 {
					t.Errorf("%d files are left open", n)
				}
				checkWhole(t, disk, w)
				if _, err := batch.Run(ctx, newJob(disk, 10), true); err != nil {
					t.Errorf("resumed: %v", err)
				}
				check(t, disk, w)
				if t.Failed() {
					t.Fatalf("fault at operation %d", at)
				}
			}
			t.Logf("%d runs with a fault: %d succeeded all the same, %d failed and were resumed", succeeded+failed, succeeded, failed)
		})
	}
}

// clear reports whether an error says what was done to the disk.
func clear(err error, mode blobtest.Mode) bool {
	if mode == blobtest.Short { // a file that ends too early is told in many ways
		return err.Error() != "" && job.Explain(err).Message != ""
	}
	return errors.Is(err, blobtest.ErrInjected)
}

// checkWhole checks the outputs that a run left which did not come to its end.
func checkWhole(t *testing.T, disk *blobtest.Mem, want map[string][]byte) {
	t.Helper()
	for _, name := range disk.Names() {
		data, _ := disk.Get(name)
		switch {
		case path.Dir(name) != ".":
		case path.Ext(name) == ".csv":
			if !bytes.Equal(data, want[name]) {
				t.Errorf("%s is not whole: %d bytes", name, len(data))
			}
		default:
			r, err := ctfile.Open(ctx, disk, name, column.ReadOptions{})
			if err == nil {
				_, err = column.Copy(ctx, nowhere{}, r)
				r.Close()
			}
			if err != nil {
				t.Errorf("%s is not whole: %v", name, err)
			}
		}
	}
}

// nowhere is a column.Writer that drops everything.
type nowhere struct{}

func (nowhere) Write(context.Context, column.Batch) error { return nil }
func (nowhere) Commit(context.Context) error              { return nil }
func (nowhere) Close() error                              { return nil }

// The power goes at every operation: what was not synced is lost, or some of it. The job goes on all the same.
func TestPowerLoss(t *testing.T) {
	w := want(t, smallRows)
	for name, keep := range map[string]func(*rand.Rand, int) int{
		"nothing unsynced survives": func(*rand.Rand, int) int { return 0 },
		"some of it survives":       func(r *rand.Rand, n int) int { return r.IntN(n + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(2, uint64(len(name))))
			losses := 0
			for at := sample(random, 0); ; at = sample(random, at) {
				disk := newDisk(smallRows)
				faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.CrashAfter}
				_, err := batch.Run(ctx, newJob(faulty, 10), false)
				if !faulty.Failed() {
					if err != nil {
						t.Fatalf("without a loss: %v", err)
					}
					break
				}
				losses++
				disk.TornPowerLoss(func(n int) int { return keep(random, n) })
				checkWhole(t, disk, w)
				if _, err := batch.Run(ctx, newJob(disk, 10), true); err != nil {
					t.Errorf("resumed: %v", err)
				}
				check(t, disk, w)
				if t.Failed() {
					t.Fatalf("loss of power at operation %d", at)
				}
			}
			t.Logf("%d losses of power, each resumed", losses)
		})
	}
}

// Power is lost again and again, at random moments, while the job is resumed.
func TestPowerLossAgainAndAgain(t *testing.T) {
	w := want(t, smallRows)
	random := rand.New(rand.NewPCG(3, 3))
	disk := newDisk(smallRows)
	losses := 0
	for {
		faulty := &blobtest.Faulty{FS: disk, FailAt: 1 + random.Int64N(500), Mode: blobtest.Crash}
		if _, err := batch.Run(ctx, newJob(faulty, 10), true); err == nil {
			break
		}
		losses++
		disk.TornPowerLoss(func(n int) int { return random.IntN(n + 1) })
	}
	if losses < 3 {
		t.Errorf("only %d losses of power", losses)
	}
	check(t, disk, w)
	t.Logf("done after %d losses of power", losses)
}
