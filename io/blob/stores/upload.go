package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// How long an upload whose end was not answered may ask whether it is there;
// also when it was cancelled.
const (
	lastQuestion          = 30 * time.Second
	lastQuestionCancelled = 2 * time.Second
)

// abortPatience is how long the store may take to forget a failed upload.
const abortPatience = 30 * time.Second

var errTooManyParts = errors.New("the store takes no more parts of one object")

// upload is an object that is written: by one request when it fits into one
// part, otherwise in parts, of which several travel at a time.
type upload struct {
	b         *bucket
	name, key string
	opts      writeOptions
	ctx       context.Context // of Create, until cancel
	cancel    context.CancelFunc
	closed    bool
	buf       []byte // of the part that is being filled

	parts    parts         // nil until there is more than one
	sent     int           // parts
	free     chan []byte   // buffers of parts that have arrived
	slots    chan struct{} // one for each part under way
	underway sync.WaitGroup
	mu       sync.Mutex
	err      error // the first failure
}

func (b *bucket) create(ctx context.Context, name, key string, opts blob.CreateOptions) (*upload, error) {
	if key == "" || key[len(key)-1] == '/' {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNotFile, What: "the URL names no object", Hint: "Add the name of a file to it."}
	}
	u := &upload{b: b, name: name, key: key, opts: writeOptions{fresh: !opts.Overwrite, mark: rand.Text()}}
	if err := u.mayWrite(ctx); err != nil {
		return nil, err
	}
	u.ctx, u.cancel = context.WithCancel(ctx)
	n := b.tune.concurrency
	if b.client.limits().inOrder {
		n = 1
	}
	u.slots, u.free = make(chan struct{}, n), make(chan []byte, n)
	return u, nil
}

// mayWrite refuses to replace an object, unless that is wanted.
func (u *upload) mayWrite(ctx context.Context) error {
	if !u.opts.fresh && u.b.found.Load() {
		return ctx.Err()
	}
	_, err := u.b.stat(ctx, u.key)
	switch {
	case err == nil && !u.opts.fresh, absent(err):
		return nil
	case err == nil:
		return exists(u.name)
	}
	return u.b.error(u.name, "create", err)
}

func (u *upload) Write(p []byte) (n int, err error) {
	if u.closed {
		return 0, &blob.Error{Path: u.name, Err: fs.ErrClosed}
	}
	for len(p) > 0 {
		if err := u.failure(); err != nil {
			return n, err
		}
		if len(u.buf) == u.b.tune.partBytes {
			u.send(false)
			continue
		}
		k := min(len(p), u.b.tune.partBytes-len(u.buf))
		u.buf = append(u.buf, p[:k]...)
		p, n = p[k:], n+k
	}
	return n, u.failure()
}

// fail records how an upload failed, if it is the first failure, and ends it.
func (u *upload) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
		if cerr := u.ctx.Err(); cerr != nil {
			u.err = cerr
		}
	}
	u.cancel()
}

// failure is the first failure, in words.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := (*blob.Error)(nil)
	switch {
	case u.err == nil:
		return u.ctx.Err()
	case errors.As(u.err, &known):
		return known
	}
	return u.b.error(u.name, "write", u.err)
}

// send sends what is in the buffer as the next part, when there is room for one
// more under way.
func (u *upload) send(last bool) {
	if u.parts == nil {
		err := u.b.try(u.ctx, func() (err error) {
			u.parts, err = u.b.client.begin(u.ctx, u.key, u.opts)
			return err
		})
		if err != nil {
			u.parts = nil
			u.fail(err)
			return
		}
	}
	if u.sent == u.b.client.limits().partsMax {
		u.fail(errTooManyParts)
		return
	}
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
		u.fail(u.ctx.Err())
		return
	}
	u.sent++
	n, data := u.sent, u.buf
	u.underway.Go(func() {
		err := u.b.try(u.ctx, func() error { return u.parts.send(u.ctx, n, data, last) })
		if err != nil {
			u.fail(err)
		}
		u.free <- data[:0]
		<-u.slots
	})
	u.buf = nil
	select {
	case u.buf = <-u.free:
	default:
	}
}

// Commit completes the upload, which makes the object appear. When it fails for
// lack of an answer, it asks whether the object is there.
func (u *upload) Commit(ctx context.Context) error {
	if u.closed {
		return &blob.Error{Path: u.name, Err: fs.ErrClosed}
	}
	defer context.AfterFunc(ctx, u.cancel)() // either context ends it
	err := u.failure()
	if err == nil {
		// Stores that ignore the condition of the upload are asked beforehand.
		err = u.mayWrite(u.ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, u.Abort())
	}
	u.closed = true
	defer u.cancel()
	if err = u.finish(); err == nil {
		return nil
	}
	patience := lastQuestion
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		patience = lastQuestionCancelled
	}
	ours, theirs := u.landed(patience)
	switch {
	case ours:
		return nil
	case u.parts != nil:
		u.forget()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.Canceled):
		return err
	case u.opts.fresh && (theirs || unmet(err)):
		return exists(u.name)
	}
	return u.b.error(u.name, "write", err)
}

// finish sends what is left.
func (u *upload) finish() error {
	if u.parts == nil {
		return u.b.try(u.ctx, func() error { return u.b.client.put(u.ctx, u.key, u.buf, u.opts) })
	}
	u.send(true)
	u.underway.Wait()
	if u.err != nil {
		return u.err
	}
	return u.b.try(u.ctx, func() error { return u.parts.complete(u.ctx) })
}

// landed reports whether the object is the one of this upload: the store may
// have completed it, and its answer may have been lost. Or whether it is another.
func (u *upload) landed(patience time.Duration) (ours, theirs bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), patience)
	defer cancel()
	o, err := u.b.stat(ctx, u.key)
	ours = err == nil && o.mark == u.opts.mark
	return ours, err == nil && !ours
}

// Abort gives the upload up and waits until the store has forgotten it.
func (u *upload) Abort() error {
	if u.closed {
		return nil
	}
	u.closed = true
	u.cancel()
	u.underway.Wait()
	if u.parts != nil {
		u.forget()
	}
	return nil
}

// forget makes the store forget the parts. That it does not is no failure of
// the job: nothing shows them, and the bucket's rules remove them.
func (u *upload) forget() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortPatience)
	defer cancel()
	_ = u.b.try(ctx, func() error { return u.parts.abort(ctx) })
}
