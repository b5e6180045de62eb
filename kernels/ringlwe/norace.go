//go:build !race && amd64 && !purego

package ringlwe

func raceRead([]uint64)         {}
func raceReadSigned([]int64)    {}
func raceReadFloats([]float64)  {}
func raceReadSingles([]float32) {}
func raceWrite([]uint64)        {}
func raceWriteSigned([]int64)   {}
