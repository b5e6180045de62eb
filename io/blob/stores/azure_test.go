package stores

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// azure answers like Azure Blob Storage with one container.
func (s *objects) azure(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		w.Header().Set("x-ms-error-code", code)
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code></Error>", code)
		}
	}
	container, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/account/"), "/")
	q := r.URL.Query()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey account:"):
		refuse(http.StatusForbidden, "AuthenticationFailed")
	case container != "data":
		refuse(http.StatusNotFound, "ContainerNotFound")
	case q.Get("comp") == "list":
		s.azureList(w, q.Get("prefix"), q.Get("delimiter"))
	case r.Method == http.MethodPut:
		s.azurePut(w, r, key, body, refuse)
	case s.all[key] == nil:
		refuse(http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodDelete:
		delete(s.all, key)
		w.WriteHeader(http.StatusAccepted)
	default:
		o := s.all[key]
		if m := r.Header.Get("If-Match"); m != "" && m != o.etag() {
			refuse(http.StatusPreconditionFailed, "ConditionNotMet")
			return
		}
		h := w.Header()
		h.Set("ETag", o.etag())
		h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
		h.Set("x-ms-creation-time", o.modified.Format(http.TimeFormat))
		h.Set("x-ms-blob-type", "BlockBlob")
		for name, value := range o.meta {
			h.Set(name, value)
		}
		writeRange(w, r.Header.Get("x-ms-range"), o.data)
	}
}

func (s *objects) azurePut(w http.ResponseWriter, r *http.Request, key string, body []byte, refuse func(int, string)) {
	o := &stored{key: key, data: body, meta: map[string]string{}, fresh: r.Header.Get("If-None-Match") == "*"}
	for name, values := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-ms-meta-") {
			o.meta[name] = values[0]
		}
	}
	switch q := r.URL.Query(); {
	case r.Header.Get("x-ms-copy-source") != "":
		source, err := url.PathUnescape(r.Header.Get("x-ms-copy-source"))
		_, from, _ := strings.Cut(source, "/data/")
		if err != nil || s.all[from] == nil {
			refuse(http.StatusNotFound, "CannotVerifyCopySource")
			return
		}
		o.data = s.all[from].data
		w.Header().Set("x-ms-copy-status", "success")
	case q.Get("comp") == "block":
		if s.pending[key] == nil {
			s.pending[key] = &stored{blocks: map[string][]byte{}}
		}
		s.pending[key].blocks[q.Get("blockid")] = body
		w.WriteHeader(http.StatusCreated)
		return
	case q.Get("comp") == "blocklist":
		var list struct{ Latest []string }
		if err := xml.NewDecoder(bytes.NewReader(body)).Decode(&list); err != nil {
			refuse(http.StatusBadRequest, "InvalidXmlDocument")
			return
		}
		o.data = nil
		for _, id := range list.Latest {
			o.data = append(o.data, s.pending[key].blocks[id]...)
		}
	}
	if !s.put(o) {
		refuse(http.StatusConflict, "BlobAlreadyExists")
		return
	}
	w.Header().Set("ETag", o.etag())
	w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
	if r.Header.Get("x-ms-copy-source") != "" {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *objects) azureList(w http.ResponseWriter, prefix, delimiter string) {
	keys, prefixes := s.list(prefix, delimiter)
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>")
	for _, p := range prefixes {
		fmt.Fprintf(&b, "<BlobPrefix><Name>%s</Name></BlobPrefix>", p)
	}
	for _, k := range keys {
		o := s.all[k]
		fmt.Fprintf(&b, "<Blob><Name>%s</Name><Properties><Last-Modified>%s</Last-Modified><Etag>%s</Etag><Content-Length>%d</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
			k, o.modified.Format(time.RFC1123), o.etag(), len(o.data))
	}
	b.WriteString("</Blobs><NextMarker/></EnumerationResults>")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, b.String())
}

func TestAzure(t *testing.T) {
	t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
	t.Setenv("AZURE_STORAGE_KEY", base64.StdEncoding.EncodeToString([]byte("key")))
	var s objects
	server := s.serve(t, s.azure)
	query := "?protocol=http&domain=" + strings.TrimPrefix(server.URL, "http://")
	conform(t, &s, "azblob://data/", query)

	fs := &FS{tune: impatient()}
	defer fs.Close()
	_, err := fs.Open(ctx, "azblob://other/x"+query)
	checkError(t, err, blob.ErrNotFound, "azblob://other/x"+query, "there is no bucket other")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "somebody")
	stranger := &FS{tune: impatient()}
	defer stranger.Close()
	name := "azblob://data/x?localemu=true&storage_account=account&protocol=http&domain=" + strings.TrimPrefix(server.URL, "http://")
	_, err = stranger.Open(ctx, name)
	checkError(t, err, blob.ErrPermission, name, "cannot open")
	t.Setenv("AZURE_STORAGE_KEY", "no base64")
	wrong := &FS{tune: impatient()}
	defer wrong.Close()
	if _, err := wrong.Open(ctx, "azblob://data/x"); err == nil || !strings.Contains(err.Error(), "AZURE_STORAGE_KEY is not a key") {
		t.Errorf("a key that is none: %v", err)
	}
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sig=x")
	token := &FS{tune: impatient()}
	defer token.Close()
	_, err = token.Open(ctx, name)
	checkError(t, err, blob.ErrPermission, name, "could lead the token")
}
