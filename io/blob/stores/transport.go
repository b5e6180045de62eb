package stores

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// idleConnsPerHost is how many connections are kept for the next request: one
// for each that is likely to be under way.
const idleConnsPerHost = 64

// keepIdle has a transport keep its connections for the next request.
func keepIdle(t *http.Transport) *http.Transport {
	t.MaxIdleConnsPerHost, t.MaxIdleConns = idleConnsPerHost, 0
	return t
}

// stalledError is the failure of a request that makes no progress.
type stalledError struct{ patience time.Duration }

func (e *stalledError) Error() string { return fmt.Sprintf("no answer for %v", e.patience) }

// patient is an HTTP client that gives up a request which makes no progress for
// some time: that sends and receives nothing. Requests and answers may take as
// long as they like otherwise, and so may those who read an answer.
type patient struct {
	do       func(*http.Request) (*http.Response, error)
	patience time.Duration
}

// RoundTrip makes it the transport of an http.Client.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) { return p.Do(req) }

// Do makes it a client of Azure's library.
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

// answerBytesMax limits what is read of an answer that is no object.
const answerBytesMax = 16 << 20

// answer reads an answer that is no object, to its end.
func answer(resp *http.Response) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	if err == nil && len(text) > answerBytesMax {
		err = errors.New("the store's answer is too long")
	}
	return text, errors.Join(err, resp.Body.Close())
}

// seen is the version that an answer tells of; n bytes are in it.
func seen(h http.Header, n int64) version {
	v := totalOf(h.Get("Content-Range"), n)
	v.etag = h.Get("ETag")
	v.modified, _ = http.ParseTime(h.Get("Last-Modified"))
	return v
}

// totalOf is the version of an object of which n bytes or a range were answered.
func totalOf(contentRange string, n int64) version {
	if _, total, ok := strings.Cut(contentRange, "/"); ok {
		n, _ = strconv.ParseInt(total, 10, 64) // 0, which is no size, when it cannot be read
	}
	return version{size: n}
}

// ranged is the answer to a request for the bytes from off.
func ranged(resp *http.Response, off int64) (io.ReadCloser, version, error) {
	v := seen(resp.Header, resp.ContentLength)
	begins := off == 0 // as the whole does, which is an answer too
	if resp.StatusCode == http.StatusPartialContent {
		begins = strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", off))
	}
	if !begins {
		return nil, v, errors.Join(errors.New("the store delivers other bytes than were asked for"), resp.Body.Close())
	}
	return resp.Body, v, nil
}

func byteRange(off, n int64) string { return fmt.Sprintf("bytes=%d-%d", off, off+n-1) }

const userAgent = "cipherfold"

// schedule says how often and after which delays a request is made again.
type schedule struct {
	attempts    int           // in all, without any progress in between
	first, most time.Duration // the delay doubles from the first to the most
}

// delay returns how long to wait after the n-th failure, from 1: half of it is
// random, so that clients that failed together do not come back together.
func (p schedule) delay(n int) time.Duration {
	d := p.first << min(n-1, 16)
	if d <= 0 || d > p.most {
		d = p.most
	}
	return d/2 + rand.N(d/2+1)
}

// wait waits after the n-th failure.
func (p schedule) wait(ctx context.Context, n int) error {
	timer := time.NewTimer(p.delay(n))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try runs op until it succeeds, fails for good or has failed too often.
func (b *bucket) try(ctx context.Context, op func() error) error {
	for n := 1; ; n++ {
		err := op()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == b.tune.retries.attempts || !b.passing(err) {
			return err
		}
		if err := b.tune.retries.wait(ctx, n); err != nil {
			return err
		}
	}
}
