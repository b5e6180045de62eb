//go:build !windows

package blob

import (
	"fmt"
	"os"
	"syscall"
)

// fileKey is equal for the names of one file: its device and inode.
func fileKey(name string, info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("file:%d:%d", s.Dev, s.Ino)
	}
	return "path:" + name
}
