//go:build unix

package growthtest

import (
	"syscall"
	"time"
)

// cpuTime is the time that processors have spent on this program.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
