package stores

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// objects is what the fake servers of Google's and Azure's protocols keep.
type objects struct {
	mu         sync.Mutex
	all        map[string]*stored
	pending    map[string]*stored // uploads under way, by an id
	generation int64
	short      bool    // Google's takes only some of a part
	fail       float64 // share of requests that is answered 503
	lost       float64 // share of requests that is carried out and answered 503
	random     *rand.Rand
	requests   int
}

type stored struct {
	key        string
	data       []byte
	meta       map[string]string
	generation int64
	modified   time.Time
	blocks     map[string][]byte
	fresh      bool // it must not be there before
}

func (o *stored) etag() string { return fmt.Sprintf(`"%d"`, o.generation) }

// put stores an object, unless it must be new and is not.
func (s *objects) put(o *stored) bool {
	if o.fresh && s.all[o.key] != nil {
		return false
	}
	s.generation++
	o.generation, o.modified = s.generation, time.Now().UTC()
	s.all[o.key] = o
	return true
}

// serve starts a server, which handles one request at a time.
func (s *objects) serve(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) *httptest.Server {
	s.all, s.pending, s.random = map[string]*stored{}, map[string]*stored{}, rand.New(rand.NewPCG(1, 2))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests++
		switch x := s.random.Float64(); {
		case x < s.fail:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		case x < s.fail+s.lost:
			handle(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			handle(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func (s *objects) inject(fail, lost float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.lost = fail, lost
}

// list returns keys and common prefixes below a prefix, in order.
func (s *objects) list(prefix, delimiter string) (keys, prefixes []string) {
	for key := range s.all {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if first, _, found := strings.Cut(rest, delimiter); found && delimiter != "" {
			if p := prefix + first + delimiter; !slices.Contains(prefixes, p) {
				prefixes = append(prefixes, p)
			}
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	slices.Sort(prefixes)
	return keys, prefixes
}

// writeRange answers with the part of the data that a range header asks for.
func writeRange(w http.ResponseWriter, header string, data []byte) {
	from, to := 0, len(data)-1
	if n, _ := fmt.Sscanf(header, "bytes=%d-%d", &from, &to); n > 0 {
		to = min(to, len(data)-1)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(data)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(to-from+1))
	if header != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(data[from : to+1])
}
