//go:build race && amd64 && !purego

package mont52

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

func raceReadBytes(x []byte) {
	if len(x) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(&x[0]), len(x))
	}
}

func raceWriteBytes(x []byte) {
	if len(x) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(&x[0]), len(x))
	}
}

// raceElements tells of the first n of the elements at of the groups x, of k limbs each.
func raceElements(x []uint64, at *[lanes]int32, n, k int, tell func([]uint64)) {
	for _, i := range at[:n] {
		first := int(i)/lanes*lanes*k + int(i)%lanes
		for j := range k {
			tell(x[first+lanes*j:][:1])
		}
	}
}
