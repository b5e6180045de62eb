//go:build !windows

package system

import (
	"fmt"
	"os"
	"syscall"
)

// FileKey is equal for the names of one file: its device and inode. It returns
// false when these are not known.
func FileKey(_ string, info os.FileInfo) (string, bool) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("file:%d:%d", s.Dev, s.Ino), true
	}
	return "", false
}
