package blob

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// fileKey is equal for the names of one file: its volume and file id. Where these cannot be had it is the path, without regard
// to case.
func fileKey(name string, _ os.FileInfo) string {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return "path:" + fold(name)
	}
	h, err := windows.CreateFile(path, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return "path:" + fold(name)
	}
	defer windows.CloseHandle(h)
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return "path:" + fold(name)
	}
	return fmt.Sprintf("file:%d:%d:%d", info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow)
}
