package mxcsr

// Swap sets MXCSR of this thread and returns what it was.
func Swap(word uint32) (before uint32)
