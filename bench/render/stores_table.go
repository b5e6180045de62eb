package render

import (
	"fmt"
	"io"

	"github.com/cipherfold/cipherfold/bench"
)

// printStores writes the table of fusions on object stores.
func printStores(w io.Writer, f *bench.File) {
	fmt.Fprint(w, "\n| bits | encrypted Parquet | records | requests | failed | slow | budget | peak memory | seconds | MB/s |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range f.Stores {
		fmt.Fprintf(w, "| %d | %.2f GB | 2 x %s | %s | %.1f%% | %.1f%% by %.0f ms | %.0f MiB | %.0f MiB | %.1f | %.0f |\n", r.Bits, float64(r.InputBytes)/1e9, grouped(r.Records),
			grouped(r.Requests), 100*float64(r.Failed)/float64(r.Requests), 100*float64(r.Slow)/float64(r.Requests), r.DelayMs, r.MemoryMiB, r.PeakRSSMiB, r.Seconds, float64(r.InputBytes)/1e6/r.Seconds)
	}
	fmt.Fprint(w, "\nEvery ciphertext of the results was compared with its expected value.\n")
}
