package blob

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SuccessMarker is the name of an empty file. It says that the part files beside it are complete, and is written last.
const SuccessMarker = "_SUCCESS"

// DirUpload is a directory of part files being written. It appears with all of them when it is committed. As an FS,
// only its Create is about the directory: it makes a file in it, by the file's final name.
type DirUpload interface {
	FS

	// Commit makes the directory appear. Every file in it has been committed or
	// aborted. When it fails, the upload is aborted.
	Commit(ctx context.Context) error

	// Abort discards everything. After Commit, or a second time, it does
	// nothing, so that it can be deferred.
	Abort() error
}

// DirFS is an FS that can write directories.
type DirFS interface {
	FS

	// CreateDir begins a directory of part files. One that exists is refused with ErrExists unless it is empty or
	// opts.Overwrite. With Overwrite, part files and markers (see PartFiles) are replaced, and a directory that holds
	// anything else is refused.
	CreateDir(ctx context.Context, name string, opts CreateOptions) (DirUpload, error)
}

// CreateDir begins a directory of part files on an FS that is a DirFS.
func CreateDir(ctx context.Context, fs FS, name string, opts CreateOptions) (DirUpload, error) {
	if d, ok := fs.(DirFS); ok {
		return d.CreateDir(ctx, name, opts)
	}
	return nil, &Error{Path: name, Err: errors.ErrUnsupported, What: "no directory can be written there", Hint: "Write one file."}
}

// Replaceable says whether a directory with these entries may be written, or replaced if it has some.
func Replaceable(dir string, entries []Entry, overwrite bool) error {
	if len(entries) == 0 {
		return nil
	}
	if !overwrite {
		return &Error{Path: dir, Kind: ErrExists, What: "the directory exists and is not empty", Hint: "Choose another name, or pass ‹overwrite=true› to replace it."}
	}
	for _, e := range entries {
		if e.Dir || !strings.HasPrefix(e.Name, "part-") && e.Name != SuccessMarker {
			return &Error{Path: dir, Kind: ErrExists, What: fmt.Sprintf("the directory holds %s, which is no part file, and is not replaced", e.Name),
				Hint: "Choose another name, or remove the directory."}
		}
	}
	return nil
}
