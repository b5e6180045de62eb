//go:build !race

package mont52

func raceRead([]uint64)  {}
func raceWrite([]uint64) {}
