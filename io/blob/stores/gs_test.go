package stores

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// google answers like Google Cloud Storage with one bucket.
func (s *objects) google(w http.ResponseWriter, r *http.Request) {
	path, err := url.PathUnescape(r.URL.EscapedPath())
	if err != nil {
		panic(err)
	}
	q := r.URL.Query()
	api, isAPI := strings.CutPrefix(path, "/storage/v1/b/data/o")
	switch {
	case strings.HasPrefix(path, "/upload/storage/v1/b/data/o"):
		s.googleUpload(w, r)
	case isAPI && api == "":
		s.googleList(w, q.Get("prefix"), q.Get("delimiter"))
	case isAPI:
		key, to, rewrite := strings.Cut(strings.TrimPrefix(api, "/"), "/rewriteTo/b/data/o/")
		o := s.all[key]
		switch {
		case o == nil:
			googleRefusal(w, http.StatusNotFound)
		case rewrite:
			c := &object{key: to, data: o.data, meta: o.meta}
			s.put(c)
			writeJSON(w, map[string]any{"done": true, "resource": c.google(), "objectSize": fmt.Sprint(len(o.data)), "totalBytesRewritten": fmt.Sprint(len(o.data))})
		case r.Method == http.MethodDelete:
			delete(s.all, key)
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, o.google())
		}
	case strings.HasPrefix(path, "/data/"): // the XML API, for downloads
		o := s.all[strings.TrimPrefix(path, "/data/")]
		if g := q.Get("generation"); o == nil || g != "" && g != fmt.Sprint(o.generation) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
		w.Header().Set("X-Goog-Generation", fmt.Sprint(o.generation))
		writeRange(w, r.Header.Get("Range"), o.data)
	default:
		googleRefusal(w, http.StatusNotFound)
	}
}

func (o *object) google() map[string]any {
	return map[string]any{"kind": "storage#object", "name": o.key, "bucket": "data", "size": fmt.Sprint(len(o.data)), "generation": fmt.Sprint(o.generation),
		"etag": base64.StdEncoding.EncodeToString([]byte(o.etag())), "updated": o.modified.Format(time.RFC3339Nano), "metadata": o.meta}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func googleRefusal(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":"%s"}}`, status, http.StatusText(status))
}

func (s *objects) googleList(w http.ResponseWriter, prefix, delimiter string) {
	keys, prefixes := s.list(prefix, delimiter)
	items := []any{}
	for _, k := range keys {
		items = append(items, s.all[k].google())
	}
	writeJSON(w, map[string]any{"kind": "storage#objects", "items": items, "prefixes": prefixes})
}

func (s *objects) googleUpload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	type description struct {
		Name     string
		Metadata map[string]string
	}
	begin := func(text []byte) *object {
		var d description
		if err := json.Unmarshal(text, &d); err != nil {
			panic(err)
		}
		return &object{key: d.Name, meta: d.Metadata, fresh: q.Get("ifGenerationMatch") == "0"}
	}
	finish := func(o *object) {
		if !s.put(o) {
			googleRefusal(w, http.StatusPreconditionFailed)
			return
		}
		writeJSON(w, o.google())
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case q.Get("uploadType") == "multipart":
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil {
			panic(err)
		}
		parts := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
		var texts [][]byte
		for range 2 {
			p, err := parts.NextPart()
			if err != nil {
				panic(err)
			}
			text, _ := io.ReadAll(p)
			texts = append(texts, text)
		}
		o := begin(texts[0])
		o.data = texts[1]
		finish(o)
	case q.Get("upload_id") == "":
		id := fmt.Sprint(s.requests)
		s.pending[id] = begin(body)
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id="+id)
		w.Header().Set("X-GUploader-UploadID", id)
	default:
		o := s.pending[q.Get("upload_id")]
		var from, to, size int
		text := r.Header.Get("Content-Range")
		if n, _ := fmt.Sscanf(text, "bytes %d-%d/%d", &from, &to, &size); n >= 2 && from == len(o.data) {
			o.data = append(o.data, body...)
		}
		if strings.HasSuffix(text, "/*") {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(o.data)-1))
			w.Header().Set("X-Http-Status-Code-Override", "308") // as X-GUploader-No-308 asks for
			return
		}
		finish(o)
	}
}

func TestGoogle(t *testing.T) {
	var s objects
	server := s.serve(t, s.google)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	conform(t, &s, "gs://data/", "")
}
