// Package output is what the writers of all formats share: a file that appears whole or not at all.
package output

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// File is a file under way. After an error it can only be closed. It is not for concurrent use.
type File struct {
	name   string
	upload blob.Upload
	err    error // of the first failure
	done   bool
}

// Create begins the named file.
func Create(ctx context.Context, fs blob.FS, name string, opts blob.CreateOptions) (*File, error) {
	upload, err := fs.Create(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &File{name: name, upload: upload}, nil
}

// Bytes is where an encoder writes the bytes of the file.
func (f *File) Bytes() io.Writer { return f.upload }

// Discard is for a Create that fails after this one: it closes the file and returns err with the file's name.
func (f *File) Discard(err error) error {
	return errors.Join(fmt.Errorf("%s: %w", f.name, err), f.Close())
}

// Write runs a write of a batch, unless there was an error, and keeps its error.
func (f *File) Write(ctx context.Context, write func() error) error {
	if f.err == nil {
		switch {
		case f.done:
			f.err = fmt.Errorf("%s: write after Commit or Close", f.name)
		case ctx.Err() != nil:
			f.err = ctx.Err()
		default:
			f.err = write()
		}
	}
	return f.err
}

// SameColumns refuses a batch of other columns than those of the file.
func (f *File) SameColumns(batch, file *arrow.Schema) error {
	if !column.SameColumns(batch, file) {
		return fmt.Errorf("%s: a batch of %v cannot be written to a file of %v", f.name, batch, file)
	}
	return nil
}

// Commit runs finish, which writes what is left, and gives the file its name. When that fails, or a write has failed, it
// discards the file.
func (f *File) Commit(ctx context.Context, finish func() error) error {
	if f.done {
		return fmt.Errorf("%s: commit after Commit or Close", f.name)
	}
	if f.err == nil {
		f.err = finish()
	}
	if f.err != nil {
		return errors.Join(f.err, f.Close())
	}
	f.done = true
	f.err = f.upload.Commit(ctx)
	return f.err
}

// Close discards the file unless it was committed.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	return f.upload.Abort()
}

// Wrap names the file, unless the error does.
func (f *File) Wrap(err error) error {
	var known *blob.Error
	if errors.As(err, &known) {
		return known
	}
	return fmt.Errorf("writing %s: %w", f.name, err)
}
