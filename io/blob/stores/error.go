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

// refusal is a store's answer that it does not do what it was asked.
type refusal struct {
	status int    // of HTTP
	code   string // the store's name for the reason, or ""
	text   string // for people, in one line
}

func (r *refusal) Error() string { return r.text }

// refused makes a refusal of what a store said; code and message may be "".
func refused(status int, code, message string) *refusal {
	text := fmt.Sprintf("the store answers %d %s", status, http.StatusText(status))
	switch {
	case code != "" && message != "":
		text = code + ": " + message
	case code != "":
		text = code
	}
	return &refusal{status: status, code: code, text: text}
}

// status is the HTTP status that a store answered, or 0.
func status(err error) int {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.status
	}
	return 0
}

func code(err error) string {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.code
	}
	return ""
}

// unmet reports that a condition of the request did not hold.
func unmet(err error) bool {
	return status(err) == http.StatusPreconditionFailed || code(err) == "BlobAlreadyExists" // Azure's, with status 409
}

// errNoCredentials says that a request failed for want of credentials.
var errNoCredentials = errors.New("no credentials were found")

// passing reports whether an error may pass, so that the request is worth
// making again.
func (b *bucket) passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errChanged) || errors.Is(err, errNoCredentials) {
		return false
	}
	if s := status(err); s != 0 {
		return s >= 500 && s != http.StatusNotImplemented || s == http.StatusRequestTimeout || s == http.StatusTooManyRequests ||
			s == http.StatusOK || throttled(err)
	}
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		name        *net.DNSError
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &authority), errors.Is(err, errTooManyParts):
		return false
	case errors.As(err, &name):
		return !name.IsNotFound
	}
	return true
}

// throttled reports a refusal by S3 that asks to come again though its status
// is one of wrong requests.
func throttled(err error) bool {
	switch code(err) {
	case "RequestTimeout", "RequestTimeTooSkewed", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "OperationAborted",
		"ConditionalRequestConflict":
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
	s := status(err)
	cause := brief(err)
	switch {
	case errors.Is(err, errChanged):
		e.Kind, e.What = blob.ErrChanged, "the object was replaced while it was being read"
		e.Hint = "Run the same command again, when nothing writes to it."
		return e
	case errors.Is(err, errNoCredentials):
		e.Kind, e.Hint = blob.ErrPermission, b.store.credentials
		cause = errNoCredentials.Error()
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		e.Kind, e.Hint = blob.ErrPermission, b.store.access
	case code(err) == noSuchUpload:
		e.Hint = "A rule of the bucket may have removed the unfinished upload; run the same command again."
	case s == http.StatusNotFound:
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
	case errors.Is(err, errTooManyParts):
		e.Hint = "Write several files: ‹rows_per_file› N."
	case b.passing(err):
		cause = fmt.Sprintf("%s (tried %d times)", cause, b.tune.retries.attempts)
		e.Hint = "The store could not be reached or did not answer as it should; run the same command again later."
	}
	e.What = fmt.Sprintf("cannot %s: %s", doing, cause)
	return e
}

// noSuchUpload is S3's code for parts that it does not know.
const noSuchUpload = "NoSuchUpload"

// errNoBucket says that it is not only the object that does not exist.
var errNoBucket = errors.New("no such bucket")

func noBucket(err error) bool {
	if errors.Is(err, errNoBucket) {
		return true
	}
	r := (*refusal)(nil)
	return errors.As(err, &r) && (r.code == "NoSuchBucket" || r.code == "ContainerNotFound" || strings.Contains(r.text, "specified bucket does not exist"))
}

// brief is the cause of an error without what libraries wrap around it.
func brief(err error) string {
	var (
		answer *refusal
		op     *net.OpError
		stall  *stalledError
	)
	switch {
	case errors.As(err, &stall):
		return stall.Error()
	case errors.As(err, &answer):
		return answer.text
	case errors.As(err, &op):
		return op.Error()
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
