package stores

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	gocloud "gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"google.golang.org/api/option"

	"github.com/cipherfold/cipherfold/io/blob"
)

// openGS opens a bucket of Google Cloud Storage. The URL has one parameter:
// anonymous=true. STORAGE_EMULATOR_HOST leads to a store elsewhere.
//
// gocloud's own opening of URLs writes warnings to standard output, so it is
// done here.
func openGS(ctx context.Context, u blob.URL, t *tuning) (*bucket, error) {
	q, err := url.ParseQuery(u.Query)
	if err != nil {
		return nil, badQuery(u, err)
	}
	anonymous := os.Getenv("STORAGE_EMULATOR_HOST") != ""
	for name, values := range q {
		yes, err := strconv.ParseBool(values[0])
		if name != "anonymous" || err != nil {
			return nil, badQuery(u, fmt.Errorf("%s=%s", name, values[0]))
		}
		anonymous = anonymous || yes
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = idleConnsPerHost, 0
	var base http.RoundTripper = &patient{do: transport.RoundTrip, patience: t.patience}
	client := gcp.NewAnonymousHTTPClient(base)
	if !anonymous {
		// What it returns fetches tokens later on, too.
		credentials, err := gcp.DefaultCredentials(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		if client, err = gcp.NewHTTPClient(base, gcp.CredentialsTokenSource(credentials)); err != nil {
			return nil, err
		}
	}
	b := &bucket{}
	open := func(retries ...storage.RetryOption) (*gocloud.Bucket, error) {
		c, err := storage.NewClient(ctx, option.WithHTTPClient(&client.Client))
		if err != nil {
			return nil, err
		}
		c.SetRetry(retries...)
		b.atEnd = append(b.atEnd, c.Close)
		return gcsblob.OpenBucket(ctx, nil, u.Bucket, &gcsblob.Options{Client: c})
	}
	b.atEnd = append(b.atEnd, func() error { transport.CloseIdleConnections(); return nil })
	if b.reads, err = open(storage.WithPolicy(storage.RetryNever)); err != nil {
		return nil, err
	}
	// Sending the same bytes again is harmless, whatever is there.
	if b.writes, err = open(storage.WithPolicy(storage.RetryAlways), storage.WithMaxAttempts(t.retries.attempts),
		storage.WithBackoff(gax.Backoff{Initial: t.retries.first, Max: t.retries.most, Multiplier: 2})); err != nil {
		return nil, err
	}
	b.only = func(as func(any) bool, v version) error {
		var object **storage.ObjectHandle
		if as(&object) && v.generation != 0 {
			*object = (*object).Generation(v.generation)
		}
		return nil
	}
	return b, nil
}

// googleGeneration is the number of an object's version, or 0 on other stores.
func googleGeneration(a *gocloud.Attributes) int64 {
	var attributes storage.ObjectAttrs
	if !a.As(&attributes) {
		return 0
	}
	return attributes.Generation
}
