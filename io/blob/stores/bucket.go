package stores

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/cipherfold/cipherfold/io/blob"
)

// bucket is an open bucket of a store. It is used through two handles, as only
// what this package cannot repeat itself, the parts of uploads, is repeated by
// the store's own client library.
type bucket struct {
	url    blob.URL // without key
	store  *store
	tune   *tuning
	reads  *gocloud.Bucket // without retries
	writes *gocloud.Bucket // with retries
	found  atomic.Bool     // the bucket is known to exist
	atEnd  []func() error

	// only makes a read fail when the object is not of that version any more.
	only func(as func(any) bool, v version) error
	// seen returns what a read tells of the object's ETag; nil or "" if nothing.
	seen func(as func(any) bool) string
	// finish completes the options of an upload.
	finish func(as func(any) bool) error
}

// version identifies the bytes of an object.
type version struct {
	size       int64
	modified   time.Time
	etag       string
	generation int64 // Google's
}

// stat asks for an object.
func (b *bucket) stat(ctx context.Context, key string) (*gocloud.Attributes, error) {
	var out *gocloud.Attributes
	err := b.try(ctx, func() (err error) {
		out, err = b.reads.Attributes(ctx, key)
		return err
	})
	if err == nil {
		b.found.Store(true)
	} else if gcerrors.Code(err) == gcerrors.NotFound && status(err) != http.StatusForbidden && !b.found.Load() {
		// The answer may be the same for a bucket that does not exist.
		lerr := b.try(ctx, func() error {
			_, _, err := b.reads.ListPage(ctx, gocloud.FirstPageToken, 1, nil)
			return err
		})
		if gcerrors.Code(lerr) == gcerrors.NotFound && status(lerr) != http.StatusForbidden {
			return nil, errors.Join(errNoBucket, lerr)
		}
		b.found.Store(true)
	}
	return out, err
}

// absent reports that stat found the bucket, and no object in it.
func absent(err error) bool {
	return gcerrors.Code(err) == gcerrors.NotFound && status(err) != http.StatusForbidden && !noBucket(err)
}

func (b *bucket) close() error {
	errs := []error{b.reads.Close(), b.writes.Close()}
	for _, f := range b.atEnd {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
