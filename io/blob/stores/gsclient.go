package stores

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"
)

// googleClient speaks the JSON API of Google Cloud Storage (version 1), of which
// it needs seven requests. Google's own client brings gRPC, for which a build
// pays more than for everything else.
type googleClient struct {
	at     string // https://storage.googleapis.com
	bucket string
	do     func(*http.Request) (*http.Response, error) // adds a token
}

// A resumable upload sends its parts one after the other, any number of them.
func (c *googleClient) limits() limits { return limits{inOrder: true, partsMax: 1 << 30} }

// objectURL is the URL of an object, or of the bucket's list of objects.
func (c *googleClient) objectURL(key string) string {
	s := c.at + "/storage/v1/b/" + url.PathEscape(c.bucket) + "/o"
	if key != "" {
		s += "/" + url.PathEscape(key)
	}
	return s
}

func (c *googleClient) uploadURL(kind, key string, o writeOptions) string {
	q := url.Values{"uploadType": {kind}, "name": {key}}
	if o.fresh {
		q.Set("ifGenerationMatch", "0")
	}
	return c.at + "/upload/storage/v1/b/" + url.PathEscape(c.bucket) + "/o?" + q.Encode()
}

// statusResume is Google's answer to a part of an upload that is not the last.
const statusResume = http.StatusPermanentRedirect

// request makes one request. An answer that is no success is a *refusal, except
// for statusResume.
func (c *googleClient) request(ctx context.Context, method, at string, header http.Header, body []byte) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, r)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // requests are made again by bucket.try alone
	for name, values := range header {
		req.Header[name] = values
	}
	// An object that was stored compressed is delivered as it is, and not unpacked.
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.do(req)
	if token := (*oauth2.RetrieveError)(nil); errors.As(err, &token) && token.Response != nil {
		return nil, &refusal{status: token.Response.StatusCode, text: "no token: " + http.StatusText(token.Response.StatusCode) + " " + token.ErrorCode}
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 || resp.StatusCode == statusResume {
		return resp, nil
	}
	text, err := answer(resp)
	if err != nil {
		return nil, err
	}
	var e struct{ Error struct{ Message string } }
	_ = json.Unmarshal(text, &e) // what is not JSON is told by its status
	refusal := refused(resp.StatusCode, "", "")
	if e.Error.Message != "" {
		refusal.text = fmt.Sprintf("%d %s: %s", resp.StatusCode, http.StatusText(resp.StatusCode), e.Error.Message)
	}
	return nil, refusal
}

// call makes a request and reads its answer into out, if that is not nil.
func (c *googleClient) call(ctx context.Context, method, at string, header http.Header, body []byte, out any) error {
	resp, err := c.request(ctx, method, at, header, body)
	if err != nil {
		return err
	}
	text, err := answer(resp)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the store's answer is not Google's: %v", err)
	}
	return nil
}

func (c *googleClient) stat(ctx context.Context, key string) (object, error) {
	var o struct {
		Size, Generation int64 `json:",string"`
		ETag             string
		Updated          time.Time
		Metadata         map[string]string
	}
	if err := c.call(ctx, http.MethodGet, c.objectURL(key)+"?projection=noAcl", nil, nil, &o); err != nil {
		return object{}, err
	}
	return object{version: version{size: o.Size, modified: o.Updated, etag: o.ETag, generation: o.Generation}, mark: o.Metadata[uploadMark]}, nil
}

func (c *googleClient) read(ctx context.Context, key string, v version, off, n int64) (io.ReadCloser, version, error) {
	at := c.objectURL(key) + "?alt=media"
	if v.generation != 0 {
		at += "&generation=" + strconv.FormatInt(v.generation, 10)
	}
	resp, err := c.request(ctx, http.MethodGet, at, http.Header{"Range": {byteRange(off, n)}}, nil)
	if err != nil {
		return nil, version{}, err
	}
	body, is, err := ranged(resp, off)
	is.generation, _ = strconv.ParseInt(resp.Header.Get("X-Goog-Generation"), 10, 64)
	is.etag = "" // of another form than the description's
	return body, is, err
}

func (c *googleClient) list(ctx context.Context, prefix, token string, n int) (page, error) {
	q := url.Values{"prefix": {prefix}, "delimiter": {"/"}, "maxResults": {strconv.Itoa(n)}, "projection": {"noAcl"}, "fields": {"items/name,prefixes,nextPageToken"}}
	if token != "" {
		q.Set("pageToken", token)
	}
	var answer struct {
		Items         []struct{ Name string }
		Prefixes      []string
		NextPageToken string
	}
	if err := c.call(ctx, http.MethodGet, c.objectURL("")+"?"+q.Encode(), nil, nil, &answer); err != nil {
		return page{}, err
	}
	p := page{prefixes: answer.Prefixes, next: answer.NextPageToken}
	for _, o := range answer.Items {
		p.keys = append(p.keys, o.Name)
	}
	return p, nil
}

func (c *googleClient) copy(ctx context.Context, to, from string) error {
	at := c.objectURL(from) + "/rewriteTo/b/" + url.PathEscape(c.bucket) + "/o/" + url.PathEscape(to)
	token := ""
	for {
		var answer struct {
			Done         bool
			RewriteToken string
		}
		// One that is long is copied by several requests.
		if err := c.call(ctx, http.MethodPost, at+token, nil, []byte{}, &answer); err != nil || answer.Done {
			return err
		}
		if answer.RewriteToken == "" {
			return errors.New("the store's answer does not say how the copy goes on")
		}
		token = "?rewriteToken=" + url.QueryEscape(answer.RewriteToken)
	}
}

func (c *googleClient) delete(ctx context.Context, key string) error {
	return c.call(ctx, http.MethodDelete, c.objectURL(key), nil, nil, nil)
}

// googleObject describes a new object.
type googleObject struct {
	ContentType string            `json:"contentType"`
	Metadata    map[string]string `json:"metadata"`
	CRC32C      string            `json:"crc32c,omitempty"`
}

func describe(o writeOptions) googleObject {
	return googleObject{ContentType: contentType, Metadata: map[string]string{uploadMark: o.mark}}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// googleSum is a CRC-32C as Google writes it; the store refuses what has another.
func googleSum(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func (c *googleClient) put(ctx context.Context, key string, data []byte, o writeOptions) error {
	d := describe(o)
	d.CRC32C = googleSum(crc32.Checksum(data, castagnoli))
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, part := range []struct {
		kind string
		text []byte
	}{{"application/json; charset=UTF-8", text}, {contentType, data}} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err != nil {
			return err
		}
		if _, err := p.Write(part.text); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, c.uploadURL("multipart", key, o), http.Header{"Content-Type": {"multipart/related; boundary=" + w.Boundary()}}, body.Bytes(), nil)
}

func (c *googleClient) begin(ctx context.Context, key string, o writeOptions) (parts, error) {
	text, err := json.Marshal(describe(o))
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Upload-Content-Type": {contentType}}
	resp, err := c.request(ctx, http.MethodPost, c.uploadURL("resumable", key, o), header, text)
	if err != nil {
		return nil, err
	}
	if _, err := answer(resp); err != nil {
		return nil, err
	}
	at := resp.Header.Get("Location")
	if at == "" {
		return nil, errors.New("the store's answer names no upload")
	}
	return &googleParts{c: c, at: at}, nil
}

// googleParts is a resumable upload. Its parts are sent one after the other; of
// one whose answer is lost the store is asked how much it has.
type googleParts struct {
	c      *googleClient
	at     string // URL of the upload
	base   int64  // bytes of the parts before
	sum    uint32 // of those parts
	unsure bool   // a part failed: the store may have some of it
}

func (u *googleParts) send(ctx context.Context, _ int, data []byte, last bool) error {
	sum := crc32.Update(u.sum, castagnoli, data)
	end := u.base + int64(len(data))
	at := u.base
	for done := false; !done; {
		if u.unsure {
			// An empty request with an unknown range asks how far it is.
			var err error
			if at, done, err = u.put(ctx, http.Header{"Content-Range": {"bytes */*"}}, nil); err != nil {
				return err
			}
			if done {
				break
			}
		}
		if at < u.base || at > end {
			return fmt.Errorf("the store has %d bytes of the upload, and not %d to %d", at, u.base, end)
		}
		if at == end && !last {
			break
		}
		u.unsure = true
		total := "*"
		header := http.Header{}
		if last {
			total = strconv.FormatInt(end, 10)
			header.Set("X-Goog-Hash", "crc32c="+googleSum(sum))
		}
		if header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", at, end-1, total)); at == end {
			header.Set("Content-Range", "bytes */"+total)
		}
		before := at
		var err error
		if at, done, err = u.put(ctx, header, data[at-u.base:]); err != nil {
			return err
		}
		if !done && at <= before {
			return errors.New("the store took nothing of a part")
		}
		u.unsure = false
		done = done || at == end && !last
	}
	u.base, u.sum, u.unsure = end, sum, false
	return nil
}

// put makes a request of an upload. It returns how many bytes the store has, or
// that the upload is done.
func (u *googleParts) put(ctx context.Context, header http.Header, data []byte) (at int64, done bool, err error) {
	resp, err := u.c.request(ctx, http.MethodPut, u.at, header, nonNil(data))
	if s := status(err); s == http.StatusNotFound || s == http.StatusGone {
		return 0, false, refused(s, noSuchUpload, "the store has forgotten the upload")
	}
	if err != nil {
		return 0, false, err
	}
	if _, err := answer(resp); err != nil {
		return 0, false, err
	}
	if resp.StatusCode != statusResume {
		return 0, true, nil
	}
	text := resp.Header.Get("Range")
	if text == "" {
		return 0, false, nil
	}
	if _, err := fmt.Sscanf(text, "bytes=0-%d", &at); err != nil {
		return 0, false, fmt.Errorf("the store's answer has the range %q", text)
	}
	return at + 1, false, nil
}

// complete has nothing to do: the last part makes the object appear.
func (u *googleParts) complete(context.Context) error { return nil }

func (u *googleParts) abort(ctx context.Context) error {
	err := u.c.call(ctx, http.MethodDelete, u.at, nil, nil, nil)
	if s := status(err); s == statusCancelled || s == http.StatusNotFound || s == http.StatusGone {
		return nil
	}
	return err
}

// statusCancelled is Google's answer when an upload has been forgotten.
const statusCancelled = 499
