package blob

import (
	"context"
	"io"
)

// Disk is an FS on which a job can also keep its working files: a journal,
// scratch space, parts. Local is one; object stores are not.
//
// These survive a loss of power: a file once its Upload is committed, what was appended before a Sync that returned
// without error, and a directory that MakeDir made. A Remove may be undone.
type Disk interface {
	FS

	// Scratch makes an anonymous file in an existing directory ("" means the system's directory for temporary files).
	// It has no name, so nothing is left of it after a crash.
	Scratch(ctx context.Context, dir string) (Scratch, error)

	// Append opens a file for appending. If there is none, it makes one (mode 0644 less the umask).
	Append(ctx context.Context, name string) (Appender, error)

	// Remove removes a file or an empty directory. A missing one is not an error.
	Remove(ctx context.Context, name string) error

	// MakeDir makes a directory, and those above it. An existing one is not an error.
	MakeDir(ctx context.Context, name string) error

	// ReadDir returns the names in a directory, in byte order, hidden ones too. It returns none when there is no such
	// directory.
	ReadDir(ctx context.Context, name string) ([]string, error)
}

// Scratch is a file without a name. It is written by one goroutine; several
// may read what was written before. Close frees its space.
type Scratch interface {
	io.Writer // at the end
	io.ReaderAt
	io.Closer
	Size() int64 // bytes written
}

// Appender is a file that grows at its end, used by one goroutine.
type Appender interface {
	io.Writer
	io.Closer

	// Sync makes durable what was written, and the file's name if the file is new.
	Sync() error

	// Size is the current length of the file, in bytes.
	Size() int64

	// Truncate cuts the file off after size bytes, which must not exceed its length. It is durable after the next
	// Sync.
	Truncate(size int64) error
}
