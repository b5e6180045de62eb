// Package s3server is an object store for tests and harnesses: an S3 server
// (gofakes3) in this process, in front of which requests can be made to fail, to
// be slow or to break off. It is not linked into the program.
package s3server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// Server is a running server.
type Server struct {
	URL     string // http://127.0.0.1:PORT
	store   http.Handler
	backend gofakes3.Backend
	server  *http.Server
	faults  atomic.Pointer[dice]
	counts  counts
	keys    atomic.Pointer[keys]
}

// Start serves a backend on a free port of this machine, without faults. The
// caller closes it.
func Start(backend gofakes3.Backend) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + listener.Addr().String(), backend: backend}
	s.store = gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithIntegrityCheck(true)).Server()
	s.Inject(Faults{})
	s.server = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	go s.server.Serve(listener)
	return s, nil
}

// Close stops the server.
func (s *Server) Close() error { return s.server.Close() }

// Bucket makes a bucket and returns the URL of a name in it, to be completed by
// a key, and the parameters to be added after that.
func (s *Server) Bucket(name string) (prefix, query string, err error) {
	if err := s.backend.CreateBucket(name); err != nil {
		return "", "", fmt.Errorf("making bucket %s: %w", name, err)
	}
	return "s3://" + name + "/", "?region=us-east-1&endpoint=" + s.URL, nil
}

// Put stores an object without a request.
func (s *Server) Put(bucket, key string, data []byte) (gofakes3.PutObjectResult, error) {
	return s.backend.PutObject(bucket, key, map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}, bytes.NewReader(data), int64(len(data)), nil)
}

// ServeHTTP answers a request, or spoils it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.counts.requests.Add(1)
	fault, delay := s.faults.Load().roll(r)
	if delay > 0 {
		s.counts.slow.Add(1)
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	switch fault {
	case unavailable, internal:
		s.counts.failed.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		writeError(w, fault)
		return
	case reset:
		s.counts.failed.Add(1)
		resetConnection(w)
		return
	case hang:
		s.counts.failed.Add(1)
		<-r.Context().Done()
		return
	case lost:
		s.counts.failed.Add(1)
		s.serve(httptest.NewRecorder(), r)
		writeError(w, internal)
		return
	case cut:
		s.counts.failed.Add(1)
		w = &shortWriter{ResponseWriter: w}
	}
	s.serve(w, r)
}

// serve is the store, with the conditions of S3 that gofakes3 lacks.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if want := r.Header.Get("X-Amz-Content-Sha256"); len(want) == 2*sha256.Size { // and not UNSIGNED-PAYLOAD
		r.Body = &signedBody{r.Body, sha256.New(), want}
	}
	var status int
	switch k := s.keys.Load(); {
	case k != nil && !k.authentic(r):
		status = http.StatusForbidden
	case r.Method == http.MethodGet && r.Header.Get("If-Match") != "":
		if found, etag := s.head(r); found && etag != r.Header.Get("If-Match") {
			status = http.StatusPreconditionFailed
		}
	case r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && r.Header.Get("If-None-Match") == "*":
		if found, _ := s.head(r); found {
			status = http.StatusPreconditionFailed
		}
	}
	if status == 0 {
		s.store.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if status == http.StatusForbidden {
		fmt.Fprint(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match the signature you provided.</Message></Error>")
		return
	}
	fmt.Fprint(w, "<Error><Code>PreconditionFailed</Code><Message>At least one of the preconditions you specified did not hold.</Message></Error>")
}

// head asks for the object that a request is about.
func (s *Server) head(r *http.Request) (found bool, etag string) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	o, err := s.backend.HeadObject(bucket, key)
	if err != nil {
		return false, ""
	}
	defer o.Contents.Close()
	return true, gofakes3.FormatETag(o.Hash)
}
