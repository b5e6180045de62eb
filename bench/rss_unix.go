//go:build unix

package bench

import (
	"os"
	"runtime"
	"syscall"
)

// peakRSSMiB is the largest resident set of a process that has ended.
func peakRSSMiB(p *os.ProcessState) float64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(usage.Maxrss) / (1 << 20)
	}
	return float64(usage.Maxrss) / (1 << 10)
}
