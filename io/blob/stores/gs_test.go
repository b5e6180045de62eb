package stores

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
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
			c := &stored{key: to, data: o.data, meta: o.meta}
			s.put(c)
			writeJSON(w, map[string]any{"done": true, "resource": c.google(), "objectSize": fmt.Sprint(len(o.data)), "totalBytesRewritten": fmt.Sprint(len(o.data))})
		case r.Method == http.MethodDelete:
			delete(s.all, key)
			w.WriteHeader(http.StatusNoContent)
		case q.Get("alt") == "media":
			if g := q.Get("generation"); g != "" && g != fmt.Sprint(o.generation) {
				googleRefusal(w, http.StatusNotFound)
				return
			}
			w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
			w.Header().Set("X-Goog-Generation", fmt.Sprint(o.generation))
			writeRange(w, r.Header.Get("Range"), o.data)
		default:
			writeJSON(w, o.google())
		}
	default:
		googleRefusal(w, http.StatusNotFound)
	}
}

func (o *stored) google() map[string]any {
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
	begin := func(text []byte) (o *stored, sum string) {
		var d struct {
			Metadata map[string]string
			CRC32C   string
		}
		if err := json.Unmarshal(text, &d); err != nil {
			panic(err)
		}
		return &stored{key: q.Get("name"), meta: d.Metadata, fresh: q.Get("ifGenerationMatch") == "0"}, d.CRC32C
	}
	finish := func(o *stored, sum string) {
		if sum != "" && sum != googleSum(crc32.Checksum(o.data, crc32.MakeTable(crc32.Castagnoli))) {
			googleRefusal(w, http.StatusBadRequest)
			return
		}
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
	id := q.Get("upload_id")
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
		o, sum := begin(texts[0])
		o.data = texts[1]
		finish(o, sum)
	case id == "":
		id := fmt.Sprint(s.requests)
		s.pending[id], _ = begin(body)
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id="+id)
	case r.Method == http.MethodDelete:
		delete(s.pending, id)
		w.WriteHeader(statusCancelled)
	case s.pending[id] == nil:
		googleRefusal(w, http.StatusNotFound)
	default:
		o := s.pending[id]
		if o.generation != 0 { // it is done
			writeJSON(w, o.google())
			return
		}
		var from, to, size int
		text := r.Header.Get("Content-Range")
		if n, _ := fmt.Sscanf(text, "bytes %d-%d/", &from, &to); n == 2 && from == len(o.data) {
			if s.short && len(body) > chunkBytes { // the store may take some of a part
				body = body[:chunkBytes]
			}
			o.data = append(o.data, body...)
		}
		if _, total, _ := strings.Cut(text, "/"); total != "*" {
			if _, err := fmt.Sscanf(total, "%d", &size); err != nil {
				panic(err)
			}
			if size == len(o.data) {
				finish(o, strings.TrimPrefix(r.Header.Get("X-Goog-Hash"), "crc32c="))
				return
			}
		}
		if len(o.data) > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(o.data)-1))
		}
		w.WriteHeader(statusResume)
	}
}

// chunkBytes is the unit in which Google takes parts of uploads.
const chunkBytes = 256 << 10

func TestGoogle(t *testing.T) {
	var s objects
	server := s.serve(t, s.google)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	conform(t, &s, "gs://data/", "")
	s.short = true // only with few requests, as each part makes twenty
	fs := &FS{tune: impatient()}
	defer fs.Close()
	p := &place{FS: fs, t: t, prefix: "gs://data/"}
	s.inject(0.1, 0.1)
	p.put("short", random(3, partBytes+3*chunkBytes/2))
	p.check("short", random(3, partBytes+3*chunkBytes/2))
	if len(s.pending) == 0 {
		t.Error("nothing was sent in parts")
	}
}
