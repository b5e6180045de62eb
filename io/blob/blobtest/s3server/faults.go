package s3server

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Faults say what share of the requests is spoilt, from 0 to 1.
type Faults struct {
	Seed  uint64
	Fail  float64       // answered 500 or 503, or the connection reset, or an answer with bytes broken off
	Lost  float64       // carried out, but answered 500
	Hang  float64       // never answered
	Slow  float64       // take Delay longer
	Delay time.Duration // 0 means a quarter of a second
	Only  func(*http.Request) bool
}

// Counts are the requests so far, and those that were spoilt.
type Counts struct{ Requests, Failed, Slow int64 }

type counts struct{ requests, failed, slow atomic.Int64 }

// Counts returns how many requests there were.
func (s *Server) Counts() Counts {
	return Counts{s.counts.requests.Load(), s.counts.failed.Load(), s.counts.slow.Load()}
}

// Inject spoils requests from now on.
func (s *Server) Inject(f Faults) {
	if f.Delay == 0 {
		f.Delay = time.Second / 4
	}
	s.faults.Store(&dice{faults: f, random: rand.New(rand.NewPCG(f.Seed, 1))})
}

type fault int

const (
	none fault = iota
	unavailable
	internal
	reset
	cut
	lost
	hang
)

// dice decide about requests.
type dice struct {
	faults Faults
	mu     sync.Mutex
	random *rand.Rand
}

func (d *dice) roll(r *http.Request) (fault, time.Duration) {
	f := d.faults
	if f.Only != nil && !f.Only(r) {
		return none, 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var delay time.Duration
	if d.random.Float64() < f.Slow {
		delay = f.Delay
	}
	x := d.random.Float64()
	switch {
	case x < f.Fail:
		kinds := []fault{unavailable, internal, reset}
		if r.Method == http.MethodGet {
			kinds = append(kinds, cut)
		}
		return kinds[d.random.IntN(len(kinds))], delay
	case x < f.Fail+f.Lost:
		return lost, delay
	case x < f.Fail+f.Lost+f.Hang:
		return hang, delay
	}
	return none, delay
}

func writeError(w http.ResponseWriter, f fault) {
	code, status := "InternalError", http.StatusInternalServerError
	if f == unavailable {
		code, status = "SlowDown", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>injected</Message></Error>", code)
}

// resetConnection breaks the connection off without an answer.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // ends the connection, too
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// shortWriter breaks an answer off half way.
type shortWriter struct {
	http.ResponseWriter
	left int
	told bool
}

func (s *shortWriter) WriteHeader(status int) {
	if !s.told {
		s.told = true
		n, _ := strconv.Atoi(s.Header().Get("Content-Length"))
		s.left = n / 2
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *shortWriter) Write(p []byte) (int, error) {
	if !s.told {
		s.WriteHeader(http.StatusOK)
	}
	if len(p) > s.left {
		_, _ = s.ResponseWriter.Write(p[:s.left])
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	s.left -= len(p)
	return s.ResponseWriter.Write(p)
}
