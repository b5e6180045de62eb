package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/cipherfold/cipherfold/io/blob"
)

// uploadMark is the name of the metadata that tells whose upload an object is.
const uploadMark = "cipherfoldupload"

// How long an upload whose end was not answered may ask whether it is there;
// also when it was cancelled.
const (
	lastQuestion          = 30 * time.Second
	lastQuestionCancelled = 2 * time.Second
)

// upload is an object that is written.
//
// What is written goes through a pipe of its own to gocloud's Upload: of the
// pipe in gocloud's Writer for Azure, Close panics when the upload has failed.
type upload struct {
	b         *bucket
	name, key string
	overwrite bool
	id        string
	w         *io.PipeWriter  // nil when committed or aborted
	ctx       context.Context // of Create, until cancel
	cancel    context.CancelFunc
	done      chan error // how the upload ended
	err       error      // of the first failed write
}

func (b *bucket) create(ctx context.Context, name, key string, opts blob.CreateOptions) (*upload, error) {
	if key == "" || key[len(key)-1] == '/' {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNotFile, What: "the URL names no object", Hint: "Add the name of a file to it."}
	}
	u := &upload{b: b, name: name, key: key, overwrite: opts.Overwrite, id: rand.Text(), done: make(chan error, 1)}
	if err := u.mayWrite(ctx); err != nil {
		return nil, err
	}
	u.ctx, u.cancel = context.WithCancel(ctx)
	var r *io.PipeReader
	r, u.w = io.Pipe()
	go func() {
		err := b.writes.Upload(u.ctx, key, r, &gocloud.WriterOptions{
			ContentType: "application/octet-stream", BufferSize: b.tune.partBytes, MaxConcurrency: b.tune.concurrency,
			IfNotExist: !opts.Overwrite, Metadata: map[string]string{uploadMark: u.id}, BeforeWrite: b.finish,
		})
		_ = r.CloseWithError(err) // nobody reads any more
		u.done <- err
	}()
	return u, nil
}

// mayWrite refuses to replace an object, unless that is wanted.
func (u *upload) mayWrite(ctx context.Context) error {
	if u.overwrite && u.b.found.Load() {
		return ctx.Err()
	}
	_, err := u.b.stat(ctx, u.key)
	switch {
	case err == nil && u.overwrite, absent(err):
		return nil
	case err == nil:
		return exists(u.name)
	}
	return u.b.error(u.name, "create", err)
}

func (u *upload) Write(p []byte) (int, error) {
	if u.w == nil {
		return 0, &blob.Error{Path: u.name, Err: fs.ErrClosed}
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.w.Write(p)
	if err != nil {
		u.err = u.b.error(u.name, "write", err)
	}
	return n, u.err
}

// Commit completes the upload, which makes the object appear. When it fails for
// lack of an answer, it asks whether the object is there.
func (u *upload) Commit(ctx context.Context) error {
	if u.w == nil {
		return &blob.Error{Path: u.name, Err: fs.ErrClosed}
	}
	defer context.AfterFunc(ctx, u.cancel)() // either context ends it
	ctx = u.ctx
	err := u.err
	if err == nil {
		// Stores that ignore the condition of the upload are asked beforehand.
		err = u.mayWrite(ctx)
	}
	if err != nil {
		return errors.Join(err, u.Abort())
	}
	w := u.w
	u.w = nil
	defer u.cancel()
	_ = w.Close() // never fails
	if err = <-u.done; err == nil {
		return nil
	}
	if u.landed(ctx) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return exists(u.name)
	}
	return u.b.error(u.name, "write", err)
}

// landed reports whether the object is the one of this upload: the store may
// have completed it, and its answer may have been lost.
func (u *upload) landed(ctx context.Context) bool {
	patience := lastQuestion
	if ctx.Err() != nil {
		patience = lastQuestionCancelled
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	a, err := u.b.stat(ctx, u.key)
	return err == nil && a.Metadata[uploadMark] == u.id
}

// Abort gives the upload up and waits until the store has forgotten it.
func (u *upload) Abort() error {
	if u.w == nil {
		return nil
	}
	w := u.w
	u.w = nil
	u.cancel() // first: an upload that comes to an end is complete
	_ = w.CloseWithError(context.Canceled)
	<-u.done
	return nil
}
