package stores

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"github.com/cipherfold/cipherfold/io/blob"
)

// store is what errors say about a kind of store.
type store struct {
	credentials string // how to give them
	access      string // what to check when they do not suffice
}

var stores = map[string]*store{
	"s3": {
		credentials: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where the machine has a role; add ?anonymous=true for a public bucket.",
		access:      "Check that these credentials may list, read and write there, and that AWS_REGION is the bucket's.",
	},
	"gs": {
		credentials: "Set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login; add ?anonymous=true for a public bucket.",
		access:      "Check that these credentials may list, read and write there.",
	},
	"azblob": {
		credentials: "Set AZURE_STORAGE_ACCOUNT, and AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN unless az login or a managed identity gives access.",
		access:      "Check that these credentials may list, read and write there.",
	},
}

// status is the HTTP status that a store answered, or 0.
func status(err error) int {
	var aws interface{ HTTPStatusCode() int }
	var google *googleapi.Error
	var azure *azcore.ResponseError
	switch {
	case errors.As(err, &aws):
		return aws.HTTPStatusCode()
	case errors.As(err, &google):
		return google.Code
	case errors.As(err, &azure):
		return azure.StatusCode
	}
	return 0
}

// noCredentials reports whether a request failed for want of credentials. The
// SDKs have no common error for it.
func noCredentials(err error) bool {
	text := err.Error()
	for _, part := range []string{"get credentials", "retrieve credentials", "get identity", "could not find default credentials",
		"no credentials available", "DefaultAzureCredential", "AccountName is required"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// passing reports whether an error may pass, so that the request is worth
// making again.
func (b *bucket) passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errChanged) {
		return false
	}
	if s := status(err); s != 0 {
		return s >= 500 && s != http.StatusNotImplemented || s == http.StatusRequestTimeout || s == http.StatusTooManyRequests ||
			s == http.StatusOK || s == http.StatusPartialContent || throttled(err)
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.FailedPrecondition, gcerrors.InvalidArgument, gcerrors.AlreadyExists, gcerrors.Unimplemented:
		return false
	}
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		name        *net.DNSError
	)
	switch {
	case noCredentials(err), errors.As(err, &certificate), errors.As(err, &authority):
		return false
	case errors.As(err, &name):
		return !name.IsNotFound
	}
	return true
}

// throttled reports a refusal by S3 that asks to come again though its status
// is one of wrong requests.
func throttled(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "RequestTimeout", "RequestTimeTooSkewed", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "OperationAborted":
		return true
	}
	return false
}

// exists is the refusal of an output that is there.
func exists(name string) error {
	return &blob.Error{Path: name, Kind: blob.ErrExists, Hint: "Choose another name, or pass ‹overwrite=true› to replace it."}
}

// errChanged is the cause of a read that found another object than was opened.
var errChanged = errors.New("the object is not the one that was opened")

// error says what went wrong while doing `doing` to a file.
func (b *bucket) error(name, doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &blob.Error{Path: name, Err: err}
	var host *net.DNSError
	code, s := gcerrors.Code(err), status(err)
	cause := brief(err)
	switch {
	case errors.Is(err, errChanged):
		e.Kind, e.What = blob.ErrChanged, "the object was replaced while it was being read"
		e.Hint = "Run the same command again, when nothing writes to it."
		return e
	case noCredentials(err):
		e.Kind, e.Hint = blob.ErrPermission, b.store.credentials
		cause = "no credentials were found"
	case s == http.StatusUnauthorized, s == http.StatusForbidden, code == gcerrors.PermissionDenied:
		e.Kind, e.Hint = blob.ErrPermission, b.store.access
	case code == gcerrors.NotFound, s == http.StatusNotFound:
		e.Kind, e.Hint = blob.ErrNotFound, "Check the URL."
		cause = "no such object"
		if noBucket(err) {
			cause = "there is no bucket " + b.url.Bucket
		}
	case s == http.StatusMovedPermanently, s == http.StatusTemporaryRedirect:
		e.Hint = "The bucket is in another region: set AWS_REGION, or add ?region=REGION to the URL."
	case errors.Is(err, errNoRegion):
		e.Kind, e.Hint = blob.ErrNotFound, "Set AWS_REGION, or add ?region=REGION to the URL."
	case errors.As(err, &host) && host.IsNotFound:
		e.Hint = "Check the network, and the endpoint, account or region."
	case strings.Contains(err.Error(), "MaxUploadParts"):
		e.Hint = "Write several files: ‹rows_per_file› N."
	case b.passing(err):
		cause = fmt.Sprintf("%s (tried %d times)", cause, b.tune.retries.attempts)
		e.Hint = "The store could not be reached or did not answer as it should; run the same command again later."
	}
	e.What = fmt.Sprintf("cannot %s: %s", doing, cause)
	return e
}

// errNoBucket says that it is not only the object that does not exist.
var errNoBucket = errors.New("no such bucket")

func noBucket(err error) bool {
	if errors.Is(err, errNoBucket) {
		return true
	}
	text := err.Error()
	for _, part := range []string{"NoSuchBucket", "ContainerNotFound", "bucket doesn't exist", "specified bucket does not exist"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// brief is the cause of an error without what the SDKs wrap around it.
func brief(err error) string {
	var (
		aws    smithy.APIError
		google *googleapi.Error
		azure  *azcore.ResponseError
		op     *net.OpError
		stall  *stalledError
	)
	switch {
	case errors.As(err, &stall):
		return stall.Error()
	case errors.As(err, &aws) && aws.ErrorMessage() != "":
		return aws.ErrorCode() + ": " + aws.ErrorMessage()
	case errors.As(err, &aws):
		return aws.ErrorCode()
	case errors.As(err, &google) && google.Message != "":
		return fmt.Sprintf("%d %s: %s", google.Code, http.StatusText(google.Code), google.Message)
	case errors.As(err, &azure):
		return fmt.Sprintf("%d %s: %s", azure.StatusCode, http.StatusText(azure.StatusCode), azure.ErrorCode)
	case errors.As(err, &op):
		return op.Error()
	}
	if s := status(err); s >= 400 {
		return fmt.Sprintf("the store answers %d %s", s, http.StatusText(s))
	}
	// The innermost error says what happened, the others where.
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			var many interface{ Unwrap() []error }
			if errors.As(err, &many) && len(many.Unwrap()) > 0 && many.Unwrap()[0] != nil && many.Unwrap()[0] != err {
				err = many.Unwrap()[0]
				continue
			}
			return err.Error()
		}
		err = inner
	}
}
