package stores

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
)

var ctx = context.Background()

// TestMain hides the credentials of whoever runs the tests.
func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		for _, prefix := range []string{"AWS_", "AZURE_", "GOOGLE_", "STORAGE_"} {
			if strings.HasPrefix(name, prefix) {
				os.Unsetenv(name)
			}
		}
	}
	nowhere := os.DevNull
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere,
	} {
		os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

// partBytes is the smallest part that S3 allows.
const partBytes = 5 << 20

// impatient is a tuning for tests.
func impatient() *tuning {
	return &tuning{
		retries:  schedule{attempts: 8, first: time.Millisecond, most: 10 * time.Millisecond},
		patience: 10 * time.Second, partBytes: partBytes, concurrency: 2, window: 64 << 10,
	}
}

// place is a bucket in a fresh server.
type place struct {
	*FS
	t             *testing.T
	server        *s3server.Server
	prefix, query string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	before := runtime.NumGoroutine()
	server, err := s3server.Start(s3mem.New())
	if err != nil {
		t.Fatal(err)
	}
	server.Require("test", "test")
	prefix, query, err := server.Bucket("data")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{FS: &FS{tune: impatient()}, t: t, server: server, prefix: prefix, query: query}
	t.Cleanup(func() {
		server.Inject(s3server.Faults{})
		p.checkNoUploads()
		if err := errors.Join(p.Close(), server.Close()); err != nil {
			t.Error(err)
		}
		checkGoroutines(t, before)
	})
	return p
}

// checkGoroutines waits for goroutines to end.
func checkGoroutines(t *testing.T, most int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= most {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), most, buf[:runtime.Stack(buf, true)])
}

// checkNoUploads checks that the server holds no unfinished upload.
func (p *place) checkNoUploads() {
	p.t.Helper()
	var list struct {
		Upload []struct{ Key string }
	}
	_, err := p.s3().client.(*s3Client).call(ctx, http.MethodGet, "", url.Values{"uploads": {""}}, nil, nil, &list)
	if status(err) == http.StatusNotFound {
		return // gofakes3's way to say that there never was any
	}
	if err != nil || len(list.Upload) > 0 {
		p.t.Errorf("unfinished uploads %v, %v", list.Upload, err)
	}
}

// s3 is the place's bucket.
func (p *place) s3() *bucket {
	p.t.Helper()
	u, _ := blob.ParseURL(p.name(""))
	b, err := p.bucket(ctx, p.name(""), blob.URL{Scheme: u.Scheme, Bucket: u.Bucket, Query: u.Query}, openS3)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *place) name(key string) string { return p.prefix + key + p.query }

func write(fs blob.FS, name string, data []byte, opts blob.CreateOptions) error {
	u, err := fs.Create(ctx, name, opts)
	if err != nil {
		return err
	}
	defer u.Abort()
	for i := 0; i < len(data); i += 300_000 {
		if _, err := u.Write(data[i:min(len(data), i+300_000)]); err != nil {
			return err
		}
	}
	return u.Commit(ctx)
}

func (p *place) put(key string, data []byte) {
	p.t.Helper()
	if err := write(p, p.name(key), data, blob.CreateOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

// read reads a file by its Section, in reads of some size.
func read(fs blob.FS, name string) ([]byte, error) {
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(blob.Section(f, 0, f.Size()))
	return data, errors.Join(err, f.Close())
}

// check checks an object's bytes; nil for one that must not exist.
func (p *place) check(key string, want []byte) {
	p.t.Helper()
	got, err := read(p, p.name(key))
	if want == nil {
		if !errors.Is(err, blob.ErrNotFound) {
			p.t.Errorf("%s: %d bytes, %v; it should not exist", key, len(got), err)
		}
		return
	}
	if err != nil || !bytes.Equal(got, want) {
		p.t.Errorf("%s: %d bytes, %v; want %d", key, len(got), err, len(want))
	}
}

func random(seed byte, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// checkError checks that an error is a *blob.Error of a kind with a cause, the
// name and a hint, on one line.
func checkError(t *testing.T, err error, kind error, name, cause string) {
	t.Helper()
	var e *blob.Error
	if !errors.As(err, &e) || kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %v, want an *Error of kind %v", err, kind)
		return
	}
	if e.Path != name || e.Hint == "" || !strings.Contains(e.Error(), cause) || strings.Contains(e.Error(), "\n") || len(e.Error()) > len(name)+300 {
		t.Errorf("error %q about %s with the hint %q; want %q about %s", e, e.Path, e.Hint, cause, name)
	}
}
