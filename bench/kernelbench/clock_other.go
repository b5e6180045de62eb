//go:build !linux

package kernelbench

import "time"

var clockStart = time.Now()

// threadTime is wall time, for want of a clock for threads.
func threadTime() time.Duration { return time.Since(clockStart) }
