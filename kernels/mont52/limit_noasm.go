//go:build !amd64 || purego

package mont52

// MultiplyBurst has no instruction to execute here.
func MultiplyBurst() int64 { return 0 }
