package system

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// FileKey is equal for the names of one file: its volume and file id. It returns
// false when these are not known.
func FileKey(name string, _ os.FileInfo) (string, bool) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return "", false
	}
	h, err := windows.CreateFile(path, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return "", false
	}
	defer windows.CloseHandle(h)
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return "", false
	}
	return fmt.Sprintf("file:%d:%d:%d", info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow), true
}
