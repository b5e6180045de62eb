//go:build !unix

package bench

import "os"

// peakRSSMiB is not known on this system.
func peakRSSMiB(*os.ProcessState) float64 { return 0 }
