package batch_test

import (
	"testing"

	"github.com/cipherfold/cipherfold/engine/job/batch"
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
