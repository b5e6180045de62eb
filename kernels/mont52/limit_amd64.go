//go:build amd64 && !purego

package mont52

// MultiplyBurst executes VPMADD52 instructions on registers only, as fast as the machine can, and returns how many: the
// limit that multiplication is measured against. Only where Implementation().Available.
func MultiplyBurst() int64 {
	limitIFMA(1000)
	return 64 * 1000
}
