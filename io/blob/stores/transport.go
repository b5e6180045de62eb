package stores

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// idleConnsPerHost is how many connections are kept for the next request: one
// for each that is likely to be under way.
const idleConnsPerHost = 64

// stalledError is the failure of a request that makes no progress.
type stalledError struct{ patience time.Duration }

func (e *stalledError) Error() string   { return fmt.Sprintf("no answer for %v", e.patience) }
func (e *stalledError) Timeout() bool   { return true } // the SDKs try again
func (e *stalledError) Temporary() bool { return true }

// patient is an HTTP client that gives up a request which makes no progress for
// some time: that sends and receives nothing. Requests and answers may take as
// long as they like otherwise, and so may those who read an answer.
type patient struct {
	do       func(*http.Request) (*http.Response, error)
	patience time.Duration
}

// RoundTrip makes it the transport of an http.Client.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) { return p.Do(req) }

// Do makes it a client of the AWS and Azure SDKs.
func (p *patient) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	stalled := &stalledError{p.patience}
	timer := time.AfterFunc(p.patience, func() { cancel(stalled) })
	why := func(err error) error {
		if context.Cause(ctx) == stalled {
			return stalled
		}
		return err
	}
	own := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		own.Body = &sent{ReadCloser: req.Body, progress: func() { timer.Reset(p.patience) }}
	}
	resp, err := p.do(own)
	timer.Stop()
	if err != nil {
		err = why(err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &received{body: resp.Body, timer: timer, patience: p.patience, why: why, cancel: func() { cancel(nil) }}
	return resp, nil
}

// sent is the body of a request, whose being read is progress.
type sent struct {
	io.ReadCloser
	progress func()
}

func (s *sent) Read(p []byte) (int, error) {
	s.progress()
	return s.ReadCloser.Read(p)
}

// received is the body of an answer.
type received struct {
	body     io.ReadCloser
	timer    *time.Timer
	patience time.Duration
	why      func(error) error
	cancel   func()
}

func (r *received) Read(p []byte) (int, error) {
	r.timer.Reset(r.patience)
	n, err := r.body.Read(p)
	r.timer.Stop()
	if err != nil && err != io.EOF {
		err = r.why(err)
	}
	return n, err
}

func (r *received) Close() error {
	err := r.body.Close()
	r.timer.Stop()
	r.cancel()
	return err
}
