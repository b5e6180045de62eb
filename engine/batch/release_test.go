package batch_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// releaseJob opens a table in dir with noise, which is charged to a budget of its own.
func releaseJob(t *testing.T, disk blob.Disk, dir, budget string, rowsPerFile int64) *batch.Job {
	t.Helper()
	return &batch.Job{Name: "test", File: "job.toml", Dir: filepath.Join(dir, "job"), Options: job.Options{FS: disk, Disk: disk, Threads: 2}, Steps: []batch.Step{{
		Key: func(context.Context) (keys.Key, error) { return keys.Of(testKey()), nil },
		Request: &decrypt.Request{Unfused: true, In: filepath.Join(dir, "a.cf.parquet"), Out: filepath.Join(dir, "out.csv"), RowsPerFile: rowsPerFile,
			Privacy: privacy.Request{Noise: privacy.NoiseRelease, Rho: "1/10", Records: 1, Budget: budget}},
	}}}
}

func newBudget(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "budget.json")
	if _, err := privacy.CreateBudget(ctx, job.Options{}, file, "", "10", "", ""); err != nil {
		t.Fatal(err)
	}
	return file
}

// spent is how often a budget was charged.
func spent(t *testing.T, file string) int {
	t.Helper()
	b, err := privacy.ReadBudget(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	return len(b.Spent)
}

// Shards that do the one part of a noisy decryption at the same time make it once.
func TestReleasesAtATime(t *testing.T) {
	dir := t.TempDir()
	table, _ := encrypted(t, "a.cf.parquet").Get("a.cf.parquet")
	u, err := blob.Local{}.Create(ctx, filepath.Join(dir, "a.cf.parquet"), blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(table); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	budget := newBudget(t)
	var all sync.WaitGroup
	parts := make([]int, 6)
	for i := range parts {
		all.Go(func() {
			s, err := batch.Shard(ctx, releaseJob(t, blob.Local{}, dir, budget, 0), i%2+1, 2)
			if err != nil {
				t.Error(err)
				return
			}
			parts[i] = s.Parts
		})
	}
	all.Wait()
	if n := spent(t, budget); n != 1 {
		t.Errorf("charged %d times, by shards that made %d parts", n, parts)
	}
	m, err := batch.Merge(ctx, releaseJob(t, blob.Local{}, dir, budget, 0))
	if err != nil || !m.Finished {
		t.Errorf("%+v, %v", m, err)
	}
	if s, err := batch.Shard(ctx, releaseJob(t, blob.Local{}, dir, budget, 0), 1, 2); err != nil || s.Parts != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if n := spent(t, budget); n != 1 {
		t.Errorf("charged %d times", n)
	}
}

// A release that has its name is the release, wherever the job was stopped then: it is not made again with other noise.
func TestReleasesAreTakenOver(t *testing.T) {
	for _, rowsPerFile := range []int64{0, 1} {
		taken, start := 0, encrypted(t, "a.cf.parquet")
		for at := int64(1); ; at += thoroughtest.Pick[int64](3, 1) {
			disk := clone(start)
			budget := newBudget(t)
			faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.CrashAfter}
			_, err := batch.Run(ctx, releaseJob(t, faulty, "", budget, rowsPerFile), false)
			if !faulty.Failed() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			name := "out.csv"
			if rowsPerFile > 0 {
				name = "out.csv/part-00000.csv"
			}
			was, there := disk.Get(name)
			if there && spent(t, budget) != 1 {
				t.Errorf("operation %d: the result is there, and the budget charged %d times", at, spent(t, budget))
			}
			s, err := batch.Run(ctx, releaseJob(t, disk, "", budget, rowsPerFile), true)
			if err != nil {
				t.Fatalf("operation %d: %v", at, err)
			}
			now, _ := disk.Get(name)
			if n := spent(t, budget); there && (n != 1 || string(now) != string(was)) || n > 2 || !strings.Contains(string(now), "\n") {
				t.Errorf("operation %d: charged %d times, %q became %q", at, n, was, now)
			}
			if r := s.Steps[0].Report; r.Records != 1 || r.Ciphertexts == 0 || r.Privacy == nil || r.Privacy.Budget == nil || len(s.Steps[0].Outputs) != 1 {
				t.Errorf("operation %d: %+v", at, r)
			}
			if there && !s.Already {
				taken++
			}
		}
		if taken == 0 {
			t.Errorf("%d rows per file: none was taken over", rowsPerFile)
		}
	}
}
