package batch_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// merge merges, and fails the test if it fails.
func merge(t *testing.T, disk *blobtest.Mem) *batch.MergeSummary {
	t.Helper()
	m, err := batch.Merge(ctx, newJob(disk, 10))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Shards in any order, some of them again, level by level, give what a run gives.
func TestShards(t *testing.T) {
	w := want(t, smallRows)
	random := rand.New(rand.NewPCG(4, 4))
	const n = 3
	disk := newDisk(smallRows)
	for level := 1; ; level++ {
		if level == 1 {
			if _, err := batch.Merge(ctx, newJob(disk, 10)); !refused(err, "no part yet") {
				t.Fatalf("merged too early: %v", err)
			}
		} else if again := merge(t, disk); again.Level != level-1 || again.Parts != 0 || len(again.Steps) != 0 || again.Finished {
			t.Fatalf("level %d merged twice: %+v", level-1, again)
		}
		if level > 1 { // the next level, divided but not begun, does not change that
			if _, err := newJob(disk, 10).Estimate(ctx, n); err != nil {
				t.Fatal(err)
			}
			if again := merge(t, disk); again.Level != level-1 || again.Parts != 0 {
				t.Fatalf("level %d merged again after the plan: %+v", level-1, again)
			}
		}
		order := append(random.Perm(n-1), n-1, random.IntN(n)) // of shards 3, 2, 1: the last one, shard 1, has parts always
		for at, i := range order {
			s, err := batch.Shard(ctx, newJob(disk, 10), n-i, n)
			if err != nil {
				t.Fatal(err)
			}
			if s.Level != level || s.Levels != 3 || at == n && s.Parts != 0 {
				t.Errorf("%+v", s)
			}
			if at == n-2 {
				_, err := batch.Merge(ctx, newJob(disk, 10))
				if !refused(err, "lacks ") || !strings.Contains(hint(err), " 1/3") {
					t.Errorf("level %d merged without shard 1: %v, hint %q", level, err, hint(err))
				}
			}
		}
		m := merge(t, disk)
		if m.Level != level || m.Finished != (level == 3) {
			t.Errorf("%+v", m)
		}
		if m.Finished {
			break
		}
	}
	check(t, disk, w)
	if m := merge(t, disk); !m.Finished || !m.Already {
		t.Errorf("merged again: %+v", m)
	}
	if s, err := batch.Shard(ctx, newJob(disk, 10), 1, n); err != nil || s.Level != 0 || s.Parts != 0 {
		t.Errorf("a shard too late: %+v, %v", s, err)
	}
	if s, err := batch.Run(ctx, newJob(disk, 10), false); err != nil || !s.Already {
		t.Errorf("run afterwards: %+v, %v", s, err)
	}
	check(t, disk, w)
}

func refused(err error, text string) bool {
	var e *column.InputError
	return errors.As(err, &e) && strings.Contains(err.Error(), text)
}

func hint(err error) string {
	var e *column.InputError
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// All shards at a time, each of them twice, begin a job that nobody has planned.
func TestConcurrentShards(t *testing.T) {
	w := want(t, smallRows)
	disk := newDisk(smallRows)
	const n = 4
	for finished := false; !finished; {
		var all sync.WaitGroup
		for i := range 2 * n {
			all.Go(func() {
				if _, err := batch.Shard(ctx, newJob(disk, 10), i%n+1, n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		finished = merge(t, disk).Finished
	}
	check(t, disk, w)
}

// A run takes over what shards have done.
func TestRunAfterShards(t *testing.T) {
	w := want(t, smallRows)
	disk := newDisk(smallRows)
	if _, err := batch.Shard(ctx, newJob(disk, 10), 2, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Run(ctx, newJob(disk, 10), false); !refused(err, "was begun and is not done") {
		t.Errorf("without resume: %v", err)
	}
	if _, err := batch.Run(ctx, newJob(disk, 10), true); err != nil {
		t.Fatal(err)
	}
	check(t, disk, w)
}
