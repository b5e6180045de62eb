package spill

import (
	"os"

	"golang.org/x/sys/unix"
)

// evict asks the system to drop a file from its cache.
func evict(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
