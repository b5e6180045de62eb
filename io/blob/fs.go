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

	// List returns the files that a pattern means, at least one. They are the file of that name; all part files of the
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

// Whole is a small file with all that is in it.
type Whole struct {
	Name    string
	Data    []byte
	Private bool // as in CreateOptions
}

// WriteAll writes files, in their order. All are begun before any is finished, so that a refusal leaves none.
func WriteAll(ctx context.Context, fs FS, overwrite bool, files ...Whole) error {
	var uploads []Upload
	for _, f := range files {
		u, err := fs.Create(ctx, f.Name, CreateOptions{Overwrite: overwrite, Private: f.Private})
		if err != nil {
			return err
		}
		defer u.Abort()
		if _, err := u.Write(f.Data); err != nil {
			return err
		}
		uploads = append(uploads, u)
	}
	for _, u := range uploads {
		if err := u.Commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A Sectioner is a File that reads a range of bytes faster when the range is announced. Over a network this is one
// request instead of many.
type Sectioner interface {
	// Section returns a reader of the n bytes from offset off, for one goroutine. Its resources are freed when all
	// bytes are read, or by the file's Close.
	Section(off, n int64) io.Reader
}

// Section returns a reader of the n bytes of r from offset off: r's own, if it is a Sectioner. It ends with io.EOF,
// early if r does.
func Section(r io.ReaderAt, off, n int64) io.Reader {
	if s, ok := r.(Sectioner); ok {
		return s.Section(off, n)
	}
	return io.NewSectionReader(r, off, n)
}

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

	// Append opens a file for appending. If there is none, it makes one for its owner alone (mode 0600).
	Append(ctx context.Context, name string) (Appender, error)

	// Remove removes a file or an empty directory. A missing one is not an error.
	Remove(ctx context.Context, name string) error

	// MakeDir makes a directory for its owner alone, and those above it. An existing one is not an error.
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
