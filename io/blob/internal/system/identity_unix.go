//go:build !windows

package system

import (
	"fmt"
	"os"
	"syscall"
)

// Links is how many names a file has; false when that is not known.
func Links(_ string, info os.FileInfo) (uint64, bool) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink), true
	}
	return 0, false
}

// FileKey is equal for the names of one file: its device and inode. It returns
// false when these are not known.
func FileKey(_ string, info os.FileInfo) (string, bool) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("file:%d:%d", s.Dev, s.Ino), true
	}
	return "", false
}
