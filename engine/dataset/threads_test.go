package dataset

import (
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Threads that decode a wide table are as many as a part of the memory has room for, at least one.
func TestReadThreads(t *testing.T) {
	for _, c := range []struct {
		threads int
		memory  int64
		columns int
		want    int
	}{
		{8, 1 << 30, 1, 8}, {8, 1 << 30, 1000, 8}, {8, 1 << 30, 5000, 4}, {8, 1 << 30, 20_000, 1}, {8, 1 << 30, 60_000, 1}, {8, 16 << 30, 60_000, 5},
		{1, 1 << 30, 3, 1}, {4, 1 << 20, 100, 1}, {2, 1 << 30, 0, 2},
	} {
		if got := readThreads(job.Options{Threads: c.threads, Memory: c.memory}, c.columns); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
