//go:build !unix

package growthtest

import "time"

var start = time.Now()

// cpuTime is the time that has passed: this system does not tell the program's own.
func cpuTime() time.Duration { return time.Since(start) }
