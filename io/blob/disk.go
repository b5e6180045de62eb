package blob

import (
	"context"
	"io"
)

// Disk is an FS on which a job can also keep its working files: a journal,
// scratch space, parts. Local is one; object stores are not.
//
// What survives a loss of power: a file once its Upload is committed, what was
// appended before a Sync that returned without error, a directory that MakeDir
// made. A Remove may be undone by it.
type Disk interface {
	FS

	// Scratch makes an anonymous file in a directory that exists ("" means the
	// system's directory for temporary files): it has no name, so that nothing
	// is left of it after a crash.
	Scratch(ctx context.Context, dir string) (Scratch, error)

	// Append opens a file for appending, and makes it (mode 0644 less the
	// umask) when it is not there.
	Append(ctx context.Context, name string) (Appender, error)

	// Remove removes a file or an empty directory. That it is not there is no
	// error.
	Remove(ctx context.Context, name string) error

	// MakeDir makes a directory, and those above it. That it is there is no
	// error.
	MakeDir(ctx context.Context, name string) error

	// ReadDir returns the names in a directory, in byte order and hidden ones
	// too; none when there is no such directory.
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

	// Sync makes durable what was written, and the file's name if it is new.
	Sync() error

	// Size is how long the file is now, in bytes.
	Size() int64

	// Truncate cuts the file off after size bytes, of which it has at least as
	// many. It is durable after the next Sync.
	Truncate(size int64) error
}
