package stores

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob/s3blob"

	"github.com/cipherfold/cipherfold/io/blob"
)

// abortPatience is how long a failed upload may take to be forgotten by the
// store.
const abortPatience = 30 * time.Second

// openS3 opens a bucket by S3's protocol. Parameters of the URL are those of
// gocloud.dev/blob/s3blob: region, endpoint, profile, role, anonymous,
// use_path_style, disable_https, ssetype, kmskeyid and so on.
//
// A store elsewhere (?endpoint= or AWS_ENDPOINT_URL) is addressed with the
// bucket in the path, which all of them know, unless the URL says otherwise.
func openS3(ctx context.Context, u blob.URL, t *tuning) (*bucket, error) {
	q, err := url.ParseQuery(u.Query)
	if err != nil {
		return nil, badQuery(u, err)
	}
	endpoint := q.Get("endpoint")
	q.Del("endpoint")
	styled := q.Has("use_path_style") || q.Has("s3ForcePathStyle")
	var opener s3blob.URLOpener
	plain, err := opener.OpenBucketURL(ctx, &url.URL{Scheme: u.Scheme, Host: u.Bucket, RawQuery: q.Encode()})
	if err != nil {
		if strings.Contains(err.Error(), "query parameter") || strings.Contains(err.Error(), "invalid value") {
			return nil, badQuery(u, err)
		}
		return nil, err
	}
	defer plain.Close()
	var client *s3.Client
	plain.As(&client)
	base, ok := client.Options().HTTPClient.(*awshttp.BuildableClient) // with the certificates of AWS_CA_BUNDLE
	if !ok {
		base = awshttp.NewBuildableClient()
	}
	transport := base.GetTransport()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = idleConnsPerHost, 0
	common := func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		if o.BaseEndpoint != nil {
			if !styled {
				o.UsePathStyle = true
			}
			if o.Region == "" {
				o.Region = "us-east-1" // of no meaning there, but part of a signature
			}
		}
		o.Logger = logging.Nop{} // what matters is in errors
		o.HTTPClient = &patient{do: transport.RoundTrip, patience: t.patience}
	}
	if o := client.Options(); o.Region == "" && o.BaseEndpoint == nil && endpoint == "" {
		return nil, errNoRegion
	}
	reads := s3.New(client.Options(), common, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	writes := s3.New(client.Options(), common, func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = t.retries.attempts, t.retries.most, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return t.retries.delay(attempt), nil })
		})
	})
	b := &bucket{atEnd: []func() error{func() error { transport.CloseIdleConnections(); return nil }}}
	if b.reads, err = s3blob.OpenBucket(ctx, reads, u.Bucket, &opener.Options); err != nil {
		return nil, err
	}
	if b.writes, err = s3blob.OpenBucket(ctx, writes, u.Bucket, &opener.Options); err != nil {
		return nil, err
	}
	b.only = func(as func(any) bool, v version) error {
		var in *s3.GetObjectInput
		if as(&in) && v.etag != "" {
			in.IfMatch = aws.String(v.etag)
		}
		return nil
	}
	b.seen = func(as func(any) bool) string {
		var out s3.GetObjectOutput
		if !as(&out) {
			return ""
		}
		return aws.ToString(out.ETag)
	}
	b.finish = func(as func(any) bool) error {
		var manager *transfermanager.Client
		if as(&manager) {
			// gocloud leaves the abortion of a cancelled upload to the cancelled
			// context, so that it would stay in the store.
			*manager = *transfermanager.New(writes, func(o *transfermanager.Options) {
				o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = int64(t.partBytes), int64(t.partBytes), t.concurrency
				o.RequestChecksumCalculation = opener.Options.RequestChecksumCalculation
				o.FailTimeout = abortPatience
			})
		}
		return nil
	}
	return b, nil
}

var errNoRegion = errors.New("no region is set")

func badQuery(u blob.URL, err error) error {
	return &blob.Error{Path: u.String(), Kind: blob.ErrNotFound, Err: err, What: "what follows the ? in the URL is not understood: " + brief(err),
		Hint: "See the user guide's section on object stores for the parameters of " + u.Scheme + "://."}
}
