// Package mxcsr changes the control word of floating-point instructions, for tests of what assembly makes of a wrong one.
package mxcsr

// Swap sets MXCSR of this thread and returns what it was.
func Swap(word uint32) (before uint32)
