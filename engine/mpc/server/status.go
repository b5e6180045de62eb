package server

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what a server counts.
type metrics struct {
	registry          *prometheus.Registry
	queries           *prometheus.CounterVec
	batches, readings prometheus.Counter
	turned            prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.queries = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cipherfold_mpc_queries_total", Help: "Queries by what became of them."}, []string{"event"})
	m.batches = prometheus.NewCounter(prometheus.CounterOpts{Name: "cipherfold_mpc_batches_total", Help: "Batches that gateways sent and this server holds, repeated ones included."})
	m.readings = prometheus.NewCounter(prometheus.CounterOpts{Name: "cipherfold_mpc_readings_total", Help: "Readings of these batches."})
	m.turned = prometheus.NewCounter(prometheus.CounterOpts{Name: "cipherfold_mpc_connections_turned_away_total", Help: "Connections without a good certificate, or that said nothing."})
	m.registry.MustRegister(m.queries, m.batches, m.readings, m.turned, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// web answers /healthz (the process runs), /readyz (the store answers, and the certificate is valid) and /metrics. None tells
// about patients or users.
func (s *Server) web() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		err := s.credentials.Check(s.credentials.TLS.Leaf)
		if err == nil && time.Now().After(s.credentials.TLS.Leaf.NotAfter) {
			err = fmt.Errorf("the certificate has expired")
		}
		if err == nil {
			_, err = s.store.Sources(r.Context())
		}
		if err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0)}
}
