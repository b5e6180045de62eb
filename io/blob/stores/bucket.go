package stores

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// bucket is an open bucket of a store.
type bucket struct {
	url    blob.URL // without key
	store  *store
	tune   *tuning
	client client
	server string      // which store of its kind it is in; "" for the one that names are of when nothing else is said
	found  atomic.Bool // the bucket is known to exist
	atEnd  func()      // frees what the client holds
}

// client speaks a store's protocol about one bucket. Every method makes its
// request once; bucket.try makes it again. What a store refuses is a *refusal.
type client interface {
	// stat asks for an object.
	stat(ctx context.Context, key string) (object, error)
	// read asks for n > 0 bytes from off of an object, and only of that
	// version where the store heeds such conditions. It returns the version
	// that the answer tells of; a field that it does not tell is zero.
	read(ctx context.Context, key string, v version, off, n int64) (io.ReadCloser, version, error)
	// list returns at most n of the keys that begin with a prefix, those with a
	// further slash as one. The token is that of the page before, or "".
	list(ctx context.Context, prefix, token string, n int) (page, error)
	copy(ctx context.Context, to, from string) error
	delete(ctx context.Context, key string) error
	// put writes an object by one request.
	put(ctx context.Context, key string, data []byte, o writeOptions) error
	// begin begins an object that is sent in parts and appears with the last.
	begin(ctx context.Context, key string, o writeOptions) (parts, error)
	limits() limits
}

// parts is an object that is sent in parts.
type parts interface {
	// send sends part n, counted from 1; again after it failed. All parts but
	// the last have the same size.
	send(ctx context.Context, n int, data []byte, last bool) error
	// complete makes the object appear, if the last part has not.
	complete(ctx context.Context) error
	// abort makes the store forget the parts.
	abort(ctx context.Context) error
}

// limits are those of a protocol.
type limits struct {
	inOrder  bool // a part is sent when the one before has arrived
	partsMax int
}

// writeOptions are those of a new object.
type writeOptions struct {
	fresh bool   // fail with status 412 when the object exists
	mark  string // whose upload it is: the value of the metadata uploadMark
}

// uploadMark is the name of the metadata that tells whose upload an object is.
const uploadMark = "cipherfoldupload"

const contentType = "application/octet-stream"

// version identifies the bytes of an object.
type version struct {
	size       int64
	modified   time.Time
	etag       string
	generation int64 // Google's
}

// is reports whether what an answer tells of is this version. Last-Modified has
// whole seconds, and not every store heeds conditions or tells of an ETag.
func (v version) is(seen version) bool {
	if v.size != seen.size {
		return false
	}
	if v.generation != 0 && seen.generation != 0 {
		return v.generation == seen.generation
	}
	return v.modified.Truncate(time.Second).Equal(seen.modified.Truncate(time.Second)) && (seen.etag == "" || seen.etag == v.etag)
}

// object is what a store tells of one.
type object struct {
	version
	mark string // see writeOptions
}

// page is a part of a listing.
type page struct {
	keys, prefixes []string
	next           string // token of the next page, "" after the last
}

// stat asks for an object.
func (b *bucket) stat(ctx context.Context, key string) (object, error) {
	var out object
	err := b.try(ctx, func() (err error) {
		out, err = b.client.stat(ctx, key)
		return err
	})
	if err == nil {
		b.found.Store(true)
	} else if status(err) == http.StatusNotFound && !b.found.Load() {
		// The answer may be the same for a bucket that does not exist.
		lerr := b.try(ctx, func() error {
			_, err := b.client.list(ctx, "", "", 1)
			return err
		})
		if status(lerr) == http.StatusNotFound {
			return object{}, errors.Join(errNoBucket, lerr)
		}
		b.found.Store(true)
	}
	return out, err
}

// absent reports that stat found the bucket, and no object in it.
func absent(err error) bool { return status(err) == http.StatusNotFound && !noBucket(err) }

func (b *bucket) close() {
	if b.atEnd != nil {
		b.atEnd()
	}
}
