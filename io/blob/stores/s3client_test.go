package stores

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/cipherfold/cipherfold/io/blob"
)

// The examples of "Signature Calculations for the Authorization Header" in the
// Amazon S3 API Reference.
func TestS3KnownSignatures(t *testing.T) {
	var got string
	c := &s3Client{
		at: &url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com"}, region: "us-east-1", bucket: "examplebucket", signer: v4.NewSigner(),
		credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""),
		now:         func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
		do: func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return nil, errors.New("not sent")
		},
	}
	for _, tt := range []struct {
		request   func()
		signature string
	}{
		{func() { _, _, _ = c.read(ctx, "test.txt", version{}, 0, 10) }, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{func() { _, _ = c.request(ctx, http.MethodGet, "", url.Values{"lifecycle": {""}}, nil, nil) }, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{func() {
			_, _ = c.request(ctx, http.MethodGet, "", url.Values{"max-keys": {"2"}, "prefix": {"J"}}, nil, nil)
		}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		got = ""
		if tt.request(); !strings.HasSuffix(got, "Signature="+tt.signature) {
			t.Errorf("%q, want the signature %s", got, tt.signature)
		}
	}
}

// Where a bucket is. The addresses are those of "Amazon Simple Storage Service
// endpoints and quotas" in the AWS General Reference.
func TestS3Address(t *testing.T) {
	for _, tt := range []struct{ bucket, region, query, want string }{
		{"data", "us-east-1", "", "https://data.s3.us-east-1.amazonaws.com"},
		{"data", "eu-central-1", "", "https://data.s3.eu-central-1.amazonaws.com"},
		{"data", "us-gov-west-1", "", "https://data.s3.us-gov-west-1.amazonaws.com"},
		{"data", "cn-north-1", "", "https://data.s3.cn-north-1.amazonaws.com.cn"},
		{"data", "us-iso-east-1", "", "https://data.s3.us-iso-east-1.c2s.ic.gov"},
		{"data", "us-isob-east-1", "", "https://data.s3.us-isob-east-1.sc2s.sgov.gov"},
		{"my.data", "eu-west-1", "", "https://s3.eu-west-1.amazonaws.com/my.data"}, // no certificate is for two labels
		{"my.data", "eu-west-1", "disable_https=true", "http://my.data.s3.eu-west-1.amazonaws.com"},
		{"My_data", "eu-west-1", "", "https://s3.eu-west-1.amazonaws.com/My_data"},
		{"data", "eu-west-1", "use_path_style=true", "https://s3.eu-west-1.amazonaws.com/data"},
		{"data", "eu-west-1", "dualstack=true", "https://data.s3.dualstack.eu-west-1.amazonaws.com"},
		{"data", "us-east-2", "fips=true", "https://data.s3-fips.us-east-2.amazonaws.com"},
		{"data", "us-east-2", "fips=true&dualstack=true", "https://data.s3-fips.dualstack.us-east-2.amazonaws.com"},
		{"data", "us-east-2", "accelerate=true", "https://data.s3-accelerate.amazonaws.com"},
		{"data", "us-east-2", "accelerate=true&dualstack=true", "https://data.s3-accelerate.dualstack.amazonaws.com"},
		{"data", "r", "endpoint=http://minio:9000", "http://minio:9000/data"},
		{"data", "r", "endpoint=http://minio:9000/", "http://minio:9000/data"},
		{"data", "r", "endpoint=https://proxy/to/s3/", "https://proxy/to/s3/data"},
		{"data", "r", "endpoint=https://store.example&use_path_style=false", "https://data.store.example"},
		{"data", "r", "endpoint=http://127.0.0.1:9000&use_path_style=false", "http://127.0.0.1:9000/data"},
		{"data--use1-az4--x-s3", "us-east-1", "", "not supported"},
		{"data", "us-iso-east-1", "dualstack=true", "no dualstack"},
		{"my.data", "us-east-2", "accelerate=true", "without dots"},
	} {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseS3(q)
		if err != nil {
			t.Fatal(err)
		}
		at, err := s3Address(tt.bucket, tt.region, s, s3Variant{dualstack: q.Get("dualstack") != "", fips: q.Get("fips") != ""})
		if got := fmt.Sprint(at); err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && got != tt.want {
			t.Errorf("%s in %s, %q: %s, %v; want %s", tt.bucket, tt.region, tt.query, got, err, tt.want)
		}
	}
	for query, cause := range map[string]string{
		"endpoint=minio:9000": "begins with http", "role=me": "it is an ARN", "ssetype=rot13": "it is one of", "fips=perhaps": "perhaps", "profil=x": "unknown query parameter",
		"request_checksum_calculation=never": "when_required", "anonymous=2": "invalid value",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseS3(q); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, want %q", query, err, cause)
		}
	}
}

// s3Answers is a server that gives the same answers again and again, and a file
// system that asks it.
func s3Answers(t *testing.T, answer http.HandlerFunc) (fs *FS, query string) {
	t.Helper()
	server := httptest.NewServer(answer)
	fs = &FS{tune: impatient()}
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return fs, "?endpoint=" + server.URL
}

// Where the clock of this machine is wrong, the store's is used.
func TestClockSkew(t *testing.T) {
	theirs := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	skewed := 0
	fs, query := s3Answers(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", theirs.Format(http.TimeFormat))
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || at.Sub(theirs).Abs() > 15*time.Minute {
			skewed++
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
			return
		}
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
	})
	_, err := fs.List(ctx, "s3://data/d/"+query)
	checkError(t, err, blob.ErrNotFound, "s3://data/d/"+query, "cannot list")
	if skewed != 1 {
		t.Errorf("%d requests had the wrong time, want the first", skewed)
	}
}

// Amazon answers 200 to what takes long, and says afterwards that it failed.
func TestLateErrors(t *testing.T) {
	for _, tt := range []struct {
		answer string
		kind   error
		cause  string
	}{
		{"\n \n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>", nil, "internal error. (tried 8 times)"},
		{"<Error><Code>PreconditionFailed</Code></Error>", blob.ErrExists, "already exists"},
		{"<CompleteMultipartUploadResult><ETag>", nil, "not S3's"},
		{"", nil, "not S3's"},
	} {
		completed := false
		fs, query := s3Answers(t, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case r.Method == http.MethodHead:
				w.WriteHeader(http.StatusNotFound)
			case r.Method == http.MethodGet:
				io.WriteString(w, "<ListBucketResult></ListBucketResult>")
			case q.Has("uploads"):
				io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
			case q.Has("partNumber"):
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("ETag", `"x"`)
			case r.Method == http.MethodPost:
				completed = true
				io.WriteString(w, tt.answer)
			}
		})
		err := write(fs, "s3://data/x"+query, make([]byte, partBytes+1), blob.CreateOptions{})
		checkError(t, err, tt.kind, "s3://data/x"+query, tt.cause)
		if !completed {
			t.Error("the upload was not completed")
		}
	}
}

// What an object is written with, and what is asked for it.
func TestS3Headers(t *testing.T) {
	var seen []*http.Request
	fs, query := s3Answers(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.Method {
		case http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case http.MethodGet:
			io.WriteString(w, "<ListBucketResult></ListBucketResult>")
		}
	})
	if err := write(fs, "s3://data/x"+query+"&ssetype=AWS:kms&kmskeyid=k&region=eu-west-1", []byte("text"), blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	put := seen[len(seen)-1]
	for name, want := range map[string]string{
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k", "If-None-Match": "*", "Content-Type": "application/octet-stream",
	} {
		if got := put.Header.Get(name); put.Method != http.MethodPut || got != want {
			t.Errorf("%s %s: %q, want %q", put.Method, name, got, want)
		}
	}
	if !strings.Contains(put.Header.Get("Authorization"), "/eu-west-1/s3/aws4_request") {
		t.Errorf("signed with %q", put.Header.Get("Authorization"))
	}
	seen = nil
	if err := write(fs, "s3://data/y"+query+"&anonymous=true", []byte("text"), blob.CreateOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	put = seen[len(seen)-1]
	if put.Header.Get("Authorization") != "" || put.Header.Get("Content-MD5") != "HLJR7A1WjeapKbUgxK7Y0Q==" || put.Header.Get("If-None-Match") != "" {
		t.Errorf("anonymous: %v", put.Header)
	}
}

// A page that says that there are more but not how to ask for them is no listing.
func TestBrokenListings(t *testing.T) {
	for answer, cause := range map[string]string{
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>":                                       "more pages",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>d/%zz</Key></Contents></ListBucketResult>": `"d/%zz"`,
		"<html><body>Welcome</p>": "not S3's",
	} {
		fs, query := s3Answers(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer) })
		_, err := fs.List(ctx, "s3://data/d/"+query)
		checkError(t, err, nil, "s3://data/d/"+query, cause)
	}
}

// The endpoint comes from the URL, the environment or the profile, in this order.
func TestS3Endpoint(t *testing.T) {
	file := t.TempDir() + "/config"
	writeFile(t, file, "[default]\nendpoint_url = http://profile\nservices = here\n[services here]\ns3 =\n  endpoint_url = http://services\n[profile other]\nregion = eu-west-3\nuse_fips_endpoint = true\n")
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_REGION", "")
	for _, tt := range []struct{ variable, value, query, want string }{
		{"", "", "", "http://services/data"},
		{"AWS_ENDPOINT_URL", "http://all", "", "http://services/data"}, // one for S3 goes before one for all
		{"AWS_ENDPOINT_URL_S3", "http://s3", "", "http://s3/data"},
		{"AWS_ENDPOINT_URL_S3", "http://s3", "?endpoint=http://url", "http://url/data"},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "?region=eu-west-2", "https://data.s3.eu-west-2.amazonaws.com"},
		{"AWS_PROFILE", "other", "", "https://data.s3-fips.eu-west-3.amazonaws.com"},
		{"AWS_PROFILE", "other", "?region=eu-west-1", "https://data.s3-fips.eu-west-1.amazonaws.com"},
		{"", "", "?profile=other", "https://data.s3-fips.eu-west-3.amazonaws.com"},
	} {
		t.Run(tt.variable+tt.query, func(t *testing.T) {
			if tt.variable != "" {
				t.Setenv(tt.variable, tt.value)
			}
			u, _ := blob.ParseURL("s3://data/x" + tt.query)
			b, err := openS3(ctx, u, impatient())
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			if got := b.client.(*s3Client).at.String(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
