package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

func TestRun(t *testing.T) {
	const rows = 100
	w := want(t, rows)
	disk := newDisk(rows)
	s, err := batch.Run(ctx, newJob(disk, 30), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Steps) != 10 || s.Already {
		t.Errorf("%+v", s)
	}
	check(t, disk, w)
	for _, resume := range []bool{false, true} {
		if s, err := batch.Run(ctx, newJob(disk, 30), resume); err != nil || !s.Already {
			t.Errorf("again: %+v, %v", s, err)
		}
	}
	check(t, disk, w)
}

// The receipt of a job names all that it read and wrote, with digests.
func TestReceipt(t *testing.T) {
	disk := newDisk(smallRows)
	j := newJob(disk, 10)
	j.Signer = func(ctx context.Context) (*receipt.Signer, error) {
		return receipt.LoadOrCreateSigner(ctx, filepath.Join(t.TempDir(), "receipt.key"))
	}
	if _, err := batch.Run(ctx, j, false); err != nil {
		t.Fatal(err)
	}
	data, ok := disk.Get("dir/receipt.json")
	if !ok {
		t.Fatal("no receipt")
	}
	report, err := receipt.Verify(ctx, disk, data, receipt.VerifyOptions{Name: "receipt.json", Private: privateOf(t, disk)})
	if err != nil {
		t.Fatal(err)
	}
	r := report.Receipt
	if r.Job != "test" || len(r.Steps) != 10 || len(r.Inputs) != 2 || len(r.Outputs) != 10 || r.Ended.Before(r.Started) {
		t.Errorf("%+v", r)
	}
	for _, x := range report.Files {
		if f := x.File; f.Rows == nil || *f.Rows == 0 {
			t.Errorf("%s: rows %v", f.Path, f.Rows)
		}
	}
	for _, s := range r.Steps {
		if len(s.Inputs) == 0 || len(s.Outputs) != 1 || s.Records == 0 || s.Started.Before(r.Started) || s.Ended.Before(s.Started) || s.Key == nil {
			t.Errorf("%+v", s)
		}
	}
	disk.Put("in/a.csv", []byte("id\n"))
	if _, err := receipt.Verify(ctx, disk, data, receipt.VerifyOptions{Name: "receipt.json", Private: privateOf(t, disk)}); err == nil {
		t.Error("a changed input passes")
	}
}

// A job that is cancelled at some moment says so, leaves no goroutine and no open file, and goes on where it was.
func TestCancelledJobs(t *testing.T) {
	w := want(t, smallRows)
	random := rand.New(rand.NewPCG(6, 6))
	start := time.Now()
	if _, err := batch.Run(ctx, newJob(newDisk(smallRows), 10), false); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	disk := newDisk(smallRows)
	cancelled := 0
	within := took / 2
	for done := false; !done; within += within / 10 { // lest a machine that became busy never gets to the end
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(within))), cancel)
		leaks := leaktest.Take()
		_, err := batch.Run(ctx, newJob(disk, 10), true)
		timer.Stop()
		cancel()
		leaks.Check(t, fmt.Sprintf("cancelled %d times", cancelled))
		if done = err == nil; !done && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if !done {
			cancelled++
		}
		if cancelled > 1000 {
			t.Fatal("the job does not get on")
		}
		if n := disk.Handles(); n != 0 {
			t.Fatalf("%d files are left open", n)
		}
	}
	check(t, disk, w)
	t.Logf("cancelled %d times", cancelled)
}

// privateOf is the private part of the receipt of the job in dir.
func privateOf(t testing.TB, disk *blobtest.Mem) *receipt.Private {
	t.Helper()
	data, _ := disk.Get("dir/receipt.private.json")
	p, err := receipt.ParsePrivate("receipt.private.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
