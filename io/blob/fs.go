// Package blob is where bytes live. FS is the interface between the file formats and a file system or object store.
// Disk adds what a job keeps while it works. Local is the disk of this machine.
//
// Outputs appear whole or not at all. An Upload has no name, or a temporary one, until every byte is safe and Commit
// gives it the real one. A failure before that leaves nothing under the real name.
package blob

import (
	"context"
	"io"
)

// FS is a place where named byte strings live. It is safe for concurrent use.
// Its errors about names are *Error.
type FS interface {
	// Open opens the named file for reading. Over a network, ctx also governs later reads.
	Open(ctx context.Context, name string) (File, error)

	// Create begins writing the named file. Over a network, ctx also governs the writes until Commit. Unless
	// opts.Overwrite, an existing file of that name is refused with ErrExists here, and by Commit if it appeared
	// meanwhile.
	Create(ctx context.Context, name string, opts CreateOptions) (Upload, error)

	// List returns the files that a pattern means, at least one: the file of that name; all part files of the
	// directory of that name (see PartFiles); or all matches of the glob (*, ? and [...], within a path element). They
	// are in byte order of their names, and Open takes these names.
	List(ctx context.Context, pattern string) ([]string, error)
}

// File is an open file. Several goroutines may call ReadAt at a time.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes, when it was opened
}

// Upload is a file being written, by one goroutine.
type Upload interface {
	// Write appends. After an error the upload can only be aborted.
	io.Writer

	// Commit forces the bytes to stable storage and gives the file its name, atomically. When it fails, the upload is
	// aborted, and a file that had the name before is unchanged.
	Commit(ctx context.Context) error

	// Abort discards what was written. After Commit, or a second time, it does
	// nothing, so that it can be deferred.
	Abort() error
}

// CreateOptions say how to create a file.
type CreateOptions struct {
	Overwrite bool // replace a file that exists
	Private   bool // readable by the owner only (mode 0600, otherwise 0644 less the umask): for secrets
}
