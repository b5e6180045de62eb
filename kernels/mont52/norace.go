//go:build !race && amd64 && !purego

package mont52

func raceRead([]uint64)     {}
func raceWrite([]uint64)    {}
func raceReadBytes([]byte)  {}
func raceWriteBytes([]byte) {}

func raceElements([]uint64, *[lanes]int32, int, int, func([]uint64)) {}
