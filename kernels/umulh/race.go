//go:build race && arm64 && !purego

package umulh

import (
	"runtime"
	"unsafe"
)

// The race detector sees no access of assembly; the callers of assembly tell it.

func raceRead(x []uint64) {
	if len(x) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(&x[0]), 8*len(x))
	}
}

func raceWrite(x []uint64) {
	if len(x) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(&x[0]), 8*len(x))
	}
}
