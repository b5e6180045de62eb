//go:build race && amd64 && !purego

package ringlwe

import (
	"runtime"
	"unsafe"
)

// The race detector sees no access of assembly; the callers of assembly tell it.

func read[T any](x []T, size int) {
	if len(x) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(&x[0]), size*len(x))
	}
}

func write[T any](x []T) {
	if len(x) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(&x[0]), 8*len(x))
	}
}

func raceRead(x []uint64)         { read(x, 8) }
func raceReadSigned(x []int64)    { read(x, 8) }
func raceReadFloats(x []float64)  { read(x, 8) }
func raceReadSingles(x []float32) { read(x, 4) }
func raceWrite(x []uint64)        { write(x) }
func raceWriteSigned(x []int64)   { write(x) }
