package system

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Links is how many names a file has; false when that is not known.
func Links(name string, _ os.FileInfo) (uint64, bool) {
	info, ok := information(name)
	return uint64(info.NumberOfLinks), ok
}

// FileKey is equal for the names of one file: its volume and file id. It returns
// false when these are not known.
func FileKey(name string, _ os.FileInfo) (string, bool) {
	info, ok := information(name)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("file:%d:%d:%d", info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow), true
}

// information is what the system tells of a file.
func information(name string) (info windows.ByHandleFileInformation, ok bool) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return info, false
	}
	h, err := windows.CreateFile(path, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return info, false
	}
	defer windows.CloseHandle(h)
	return info, windows.GetFileInformationByHandle(h, &info) == nil
}
