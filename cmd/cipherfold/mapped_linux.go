package main

import (
	"fmt"
	"os"
)

// mappedBytes is how much of the program's own file is in memory, which counts as resident but is not the collector's.
func mappedBytes() int64 {
	data, err := os.ReadFile("/proc/self/statm") // proc(5): pages in all, resident, of those from files
	if err != nil {
		return 0
	}
	var size, resident, fromFiles int64
	if _, err := fmt.Sscan(string(data), &size, &resident, &fromFiles); err != nil {
		return 0
	}
	return fromFiles * int64(os.Getpagesize())
}
