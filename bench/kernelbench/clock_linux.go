package kernelbench

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the time that the calling thread has spent on a core. Where other programs take turns on the cores, it
// does not count their turns. The goroutine must be locked to its thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic("bench: no thread clock: " + err.Error())
	}
	return time.Duration(t.Nano())
}
