// Package stores is blob.FS for names of all kinds: s3://, gs:// and azblob://
// URLs live in object stores, everything else on the disk of this machine.
//
// It is apart from package blob so that only the program links what finds and
// signs with credentials. It makes no request before a URL is used.
//
// # Credentials
//
// They come from the environment alone, as the stores' own tools find them:
// AWS_ACCESS_KEY_ID and so on, AWS_PROFILE, or the machine's role;
// GOOGLE_APPLICATION_CREDENTIALS, gcloud's login, or the machine's service
// account; AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN,
// AZURE_STORAGE_CONNECTION_STRING, or what Azure's default chain finds. A URL
// never holds any.
//
// # Failures
//
// Requests that a store cannot answer now (throttled, server errors, broken or
// silent connections) are tried again, with exponentially growing, randomised
// and capped delays; a read goes on where it stopped. An object that is replaced
// while it is read is noticed. An output appears when it is complete, by the
// store's own multipart upload; a failed or cancelled one leaves nothing, and a
// killed process parts of an upload that no listing shows and that the store's
// lifecycle rules remove.
package stores

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// FS is a blob.FS that routes names by their scheme. The zero value is ready to
// use. Close ends the connections.
type FS struct {
	disk    blob.Local
	tune    *tuning // nil means the default
	mu      sync.Mutex
	buckets map[string]*bucket // by URL without the key
}

var _ blob.FS = (*FS)(nil)

// tuning is how patient the stores are treated; tests are less so.
type tuning struct {
	retries     schedule
	patience    time.Duration // how long a request may make no progress
	partBytes   int           // of an upload
	concurrency int           // parts of an upload that travel at a time
	window      int           // bytes read ahead for a read anywhere in a file
}

var defaultTuning = tuning{
	retries:     schedule{attempts: 8, first: 100 * time.Millisecond, most: 20 * time.Second},
	patience:    time.Minute,
	partBytes:   16 << 20,
	concurrency: 3,
	window:      256 << 10,
}

// opener opens the bucket that a URL names.
type opener func(ctx context.Context, u blob.URL, t *tuning) (*bucket, error)

var openers = map[string]opener{"s3": openS3, "gs": openGS, "azblob": openAzure}

// Open opens a file.
func (s *FS) Open(ctx context.Context, name string) (blob.File, error) {
	local, u, b, err := s.route(ctx, name)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.disk.Open(ctx, local)
	}
	return b.open(ctx, name, u.Key)
}

// Create begins writing a file. A store knows no directories: those in a URL
// need not exist, and whether a file is Private is up to the bucket's policy.
func (s *FS) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	local, u, b, err := s.route(ctx, name)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.disk.Create(ctx, local, opts)
	}
	return b.create(ctx, name, u.Key, opts)
}

// List returns the files that a name stands for, by the same rules on stores as
// on disk.
func (s *FS) List(ctx context.Context, pattern string) ([]string, error) {
	local, u, b, err := s.route(ctx, pattern)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.disk.List(ctx, local)
	}
	return b.list(ctx, pattern, u.Key)
}

// Close ends the use of all stores.
func (s *FS) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets {
		b.close()
	}
	s.buckets = nil
	return nil
}

// route says where a name leads: to a path of this machine, or to a bucket.
func (s *FS) route(ctx context.Context, name string) (local string, u blob.URL, b *bucket, err error) {
	u, ok := blob.ParseURL(name)
	if !ok {
		return name, u, nil, nil
	}
	if u.Scheme == "file" {
		local, err := localPath(name)
		return local, u, nil, err
	}
	open, ok := openers[u.Scheme]
	if !ok {
		known := []string{"file://"}
		for scheme := range openers {
			known = append(known, scheme+"://")
		}
		slices.Sort(known)
		return "", u, nil, &blob.Error{Path: name, Err: errors.ErrUnsupported, What: "no store is known for " + u.Scheme + "://",
			Hint: "Use " + strings.Join(known, ", ") + ", or a path."}
	}
	if u.Bucket == "" {
		return "", u, nil, &blob.Error{Path: name, Kind: blob.ErrNotFound, What: "the URL names no bucket", Hint: "Write " + u.Scheme + "://BUCKET/KEY."}
	}
	b, err = s.bucket(ctx, name, u, open)
	return "", u, b, err
}

// localPath is the path that a file:// URL names.
func localPath(name string) (string, error) {
	u, err := url.Parse(name)
	if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" {
		return "", &blob.Error{Path: name, Kind: blob.ErrNotFound, Err: err, What: "not a file URL of this machine",
			Hint: "Write file:///absolute/path, or just the path."}
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/") // before the drive's letter
	}
	return filepath.FromSlash(path), nil
}

// bucket opens each bucket once.
func (s *FS) bucket(ctx context.Context, name string, u blob.URL, open opener) (*bucket, error) {
	u.Key = ""
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[u.String()]; b != nil {
		return b, nil
	}
	t := s.tune
	if t == nil {
		t = &defaultTuning
	}
	b, err := open(ctx, u, t)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if known := (*blob.Error)(nil); errors.As(err, &known) {
			known.Path = name
			return nil, known
		}
		return nil, (&bucket{url: u, store: stores[u.Scheme], tune: t}).error(name, "open the bucket", err)
	}
	b.url, b.tune, b.store = u, t, stores[u.Scheme]
	if s.buckets == nil {
		s.buckets = make(map[string]*bucket)
	}
	s.buckets[u.String()] = b
	return b, nil
}
