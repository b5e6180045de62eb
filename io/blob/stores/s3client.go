package stores

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// s3Client speaks S3's protocol, of which it needs ten requests (Amazon S3 API
// Reference, 2006-03-01). Amazon's own client has a hundred, for which a build
// pays; its credentials and its signature (Signature Version 4) are used here.
//
// Every request is signed with the SHA-256 of its body, so that a store that
// checks signatures notices a body that was damaged on its way.
type s3Client struct {
	at          *url.URL // of the bucket
	region      string
	bucket      string
	credentials aws.CredentialsProvider // nil for anonymous requests
	signer      *v4.Signer
	do          func(*http.Request) (*http.Response, error)
	now         func() time.Time
	ahead       atomic.Int64 // how far the store's clock is ahead of ours, in nanoseconds

	encryption, encryptionKey string
}

// s3PartsMax is how many parts an object may have.
const s3PartsMax = 10_000

func (c *s3Client) limits() limits { return limits{partsMax: s3PartsMax} }

// s3Escape escapes all but unreserved characters and slashes: what is sent is
// what is signed.
func s3Escape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// request makes one request. An answer that is no success is a *refusal.
func (c *s3Client) request(ctx context.Context, method, key string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	u := *c.at
	path := u.Path
	if key != "" {
		path += "/" + key
	} else if path == "" {
		path = "/"
	}
	u.Path, u.RawPath = path, s3Escape(path)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	req := (&http.Request{Method: method, URL: &u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if header == nil {
		req.Header = http.Header{}
	}
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if len(body) == 0 {
			req.Body = http.NoBody
		}
	}
	if err := c.sign(ctx, req, body); err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // not signed: proxies change it
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	text, err := answer(resp)
	if err != nil {
		return nil, err
	}
	r := s3Refusal(resp.StatusCode, text)
	if date, perr := http.ParseTime(resp.Header.Get("Date")); perr == nil && r.code == "RequestTimeTooSkewed" {
		c.ahead.Store(int64(date.Sub(c.now())))
	}
	return nil, r
}

// sign adds what tells who asks.
func (c *s3Client) sign(ctx context.Context, req *http.Request, body []byte) error {
	if c.credentials == nil {
		if len(body) > 0 { // in place of the signature's checksum
			sum := md5.Sum(body)
			req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		}
		return nil
	}
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.Join(errNoCredentials, err)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	now := c.now().Add(time.Duration(c.ahead.Load())).UTC()
	return c.signer.SignHTTP(ctx, credentials, req, hash, "s3", c.region, now, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// s3Refusal reads an answer that says why not.
func s3Refusal(status int, text []byte) *refusal {
	var e struct{ Code, Message string }
	_ = xml.Unmarshal(bytes.TrimSpace(text), &e) // what is not S3's is told by its status
	return refused(status, e.Code, e.Message)
}

// call makes a request and reads its answer into out, if that is not nil.
func (c *s3Client) call(ctx context.Context, method, key string, query url.Values, header http.Header, body []byte, out any) (http.Header, error) {
	resp, err := c.request(ctx, method, key, query, header, body)
	if err != nil {
		return nil, err
	}
	text, err := answer(resp)
	if err != nil || out == nil {
		return resp.Header, err
	}
	// What takes long is answered with 200 before it is known how it ends.
	text = bytes.TrimSpace(text)
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("the store's answer is not S3's: %v", err)
	}
	if root.XMLName.Local == "Error" {
		r := s3Refusal(http.StatusOK, text)
		if r.code == "PreconditionFailed" {
			r.status = http.StatusPreconditionFailed
		}
		return nil, r
	}
	if err := xml.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("the store's answer is not S3's: %v", err)
	}
	return resp.Header, nil
}

const s3Mark = "X-Amz-Meta-" + uploadMark

func (c *s3Client) stat(ctx context.Context, key string) (object, error) {
	resp, err := c.request(ctx, http.MethodHead, key, nil, nil, nil)
	if err != nil {
		return object{}, err
	}
	_ = resp.Body.Close() // it has none
	if resp.ContentLength < 0 {
		return object{}, errors.New("the store's answer does not tell the object's size")
	}
	return object{version: seen(resp.Header, resp.ContentLength), mark: resp.Header.Get(s3Mark)}, nil
}

func (c *s3Client) read(ctx context.Context, key string, v version, off, n int64) (io.ReadCloser, version, error) {
	header := http.Header{"Range": {byteRange(off, n)}}
	if v.etag != "" {
		header.Set("If-Match", v.etag)
	}
	resp, err := c.request(ctx, http.MethodGet, key, nil, header, nil)
	if err != nil {
		return nil, version{}, err
	}
	return ranged(resp, off)
}

func (c *s3Client) list(ctx context.Context, prefix, token string, n int) (page, error) {
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}, "delimiter": {"/"}, "max-keys": {strconv.Itoa(n)}, "encoding-type": {"url"}}
	if token != "" {
		q.Set("continuation-token", token)
	}
	var answer struct {
		EncodingType          string
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct{ Key string }
		CommonPrefixes        []struct{ Prefix string }
	}
	if _, err := c.call(ctx, http.MethodGet, "", q, nil, nil, &answer); err != nil {
		return page{}, err
	}
	var p page
	var failed error
	decode := func(s string) string {
		if answer.EncodingType == "url" {
			plain, err := url.QueryUnescape(s)
			if err != nil {
				failed = fmt.Errorf("the store's listing has the key %q: %v", s, err)
			}
			return plain
		}
		return s
	}
	for _, o := range answer.Contents {
		p.keys = append(p.keys, decode(o.Key))
	}
	for _, o := range answer.CommonPrefixes {
		p.prefixes = append(p.prefixes, decode(o.Prefix))
	}
	if answer.IsTruncated {
		if p.next = answer.NextContinuationToken; p.next == "" {
			failed = errors.New("the store's listing has more pages and does not say how to ask for them")
		}
	}
	return p, failed
}

func (c *s3Client) copy(ctx context.Context, to, from string) error {
	header := c.newObject(writeOptions{})
	header.Set("X-Amz-Copy-Source", "/"+c.bucket+"/"+s3Escape(from))
	var done struct{ ETag string }
	_, err := c.call(ctx, http.MethodPut, to, nil, header, nil, &done)
	return err
}

func (c *s3Client) delete(ctx context.Context, key string) error {
	_, err := c.call(ctx, http.MethodDelete, key, nil, nil, nil, nil)
	return err
}

// newObject are the headers that say how an object is kept.
func (c *s3Client) newObject(o writeOptions) http.Header {
	h := http.Header{}
	if o.mark != "" {
		h.Set("Content-Type", contentType)
		h.Set(s3Mark, o.mark)
	}
	if c.encryption != "" {
		h.Set("X-Amz-Server-Side-Encryption", c.encryption)
	}
	if c.encryptionKey != "" {
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", c.encryptionKey)
	}
	return h
}

func (c *s3Client) put(ctx context.Context, key string, data []byte, o writeOptions) error {
	header := c.newObject(o)
	o.condition(header)
	_, err := c.call(ctx, http.MethodPut, key, nil, header, nonNil(data), nil)
	return err
}

// condition has a request that completes an object fail when there is one.
func (o writeOptions) condition(h http.Header) {
	if o.fresh {
		h.Set("If-None-Match", "*")
	}
}

// nonNil is a body, which may be empty.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func (c *s3Client) begin(ctx context.Context, key string, o writeOptions) (parts, error) {
	var begun struct{ UploadId string }
	if _, err := c.call(ctx, http.MethodPost, key, url.Values{"uploads": {""}}, c.newObject(o), []byte{}, &begun); err != nil {
		return nil, err
	}
	if begun.UploadId == "" {
		return nil, errors.New("the store's answer names no upload")
	}
	return &s3Parts{c: c, key: key, o: o, id: url.Values{"uploadId": {begun.UploadId}}}, nil
}

// s3Parts is an upload in parts.
type s3Parts struct {
	c     *s3Client
	key   string
	o     writeOptions
	id    url.Values
	etags sync.Map // by number
	n     atomic.Int64
}

func (u *s3Parts) send(ctx context.Context, n int, data []byte, last bool) error {
	q := url.Values{"uploadId": u.id["uploadId"], "partNumber": {strconv.Itoa(n)}}
	header, err := u.c.call(ctx, http.MethodPut, u.key, q, http.Header{}, data, nil)
	if err != nil {
		return err
	}
	etag := header.Get("ETag")
	if etag == "" {
		return errors.New("the store's answer has no ETag")
	}
	u.etags.Store(n, etag)
	if last {
		u.n.Store(int64(n))
	}
	return nil
}

// complete is asked for when every part has arrived.
func (u *s3Parts) complete(ctx context.Context) error {
	type sent struct {
		PartNumber int
		ETag       string
	}
	list := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
		Part    []sent
	}{}
	for n := 1; n <= int(u.n.Load()); n++ {
		etag, _ := u.etags.Load(n)
		list.Part = append(list.Part, sent{n, etag.(string)})
	}
	text, err := xml.Marshal(list)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/xml"}}
	u.o.condition(header)
	var done struct{ ETag string }
	_, err = u.c.call(ctx, http.MethodPost, u.key, u.id, header, text, &done)
	return err
}

func (u *s3Parts) abort(ctx context.Context) error {
	_, err := u.c.call(ctx, http.MethodDelete, u.key, u.id, nil, nil, nil)
	return err
}
