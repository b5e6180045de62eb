package observe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/observe"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

var ctx = context.Background()

// samples are the lines of a scrape or textfile by name and labels, process and runtime metrics left out.
func samples(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "cipherfold_") {
			continue
		}
		if i := strings.LastIndex(line, "} "); i >= 0 {
			name, value = line[:i+1], strings.TrimSpace(line[i+2:])
		}
		if !ok || out[name] != "" {
			t.Errorf("line %q", line)
		}
		out[name] = value
	}
	return out
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(data)
}

func check(t *testing.T, got map[string]string, want ...string) {
	t.Helper()
	for _, line := range want {
		i := strings.LastIndexByte(line, ' ')
		if got["cipherfold_"+line[:i]] != line[i+1:] {
			t.Errorf("%s: %q, want %q", line[:i], got["cipherfold_"+line[:i]], line[i+1:])
		}
	}
}

// The metrics of a job as a scraper sees them, while it runs and when it is over.
func TestMetrics(t *testing.T) {
	meter := &observe.Meter{}
	m := observe.NewMetrics(observe.Info{Verb: "fuse", Version: "v1"}, meter, 512<<20)
	s, err := m.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Loopback() {
		t.Error("127.0.0.1 is the loopback")
	}
	code, text := get(t, s.URL())
	got := samples(t, text)
	check(t, got, `job_info{fingerprint="",kernel="",verb="fuse",version="v1"} 1`, "running 1", "read_bytes_total 0", "memory_budget_bytes 5.36870912e+08")
	if code != http.StatusOK || got["cipherfold_exit_code"] != "" || !strings.Contains(text, "process_resident_memory_bytes") || !strings.Contains(text, "go_goroutines") {
		t.Errorf("status %d\n%s", code, text)
	}
	for line := range strings.Lines(text) { // the conventions of names
		if name, kind, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# TYPE "), " "); ok && strings.HasPrefix(line, "# TYPE cipherfold_") {
			if (kind == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("%s is a %s", name, kind)
			}
		}
	}
	if problems, err := testutil.GatherAndLint(m.Registry()); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}

	m.Known("ifma", "0123456789abcdef0123456789abcdef")
	var first, second engine.Progress
	done := m.Stage("fold", &first)
	first.Total.Store(10)
	first.Done.Store(4)
	first.Items.Store(12)
	meter.Read.Add(3<<20 + 77) // of which 77 would tell the size of a small table
	_, text = get(t, s.URL())
	check(t, samples(t, text), `job_info{fingerprint="0123456789abcdef",kernel="ifma",verb="fuse",version="v1"} 1`,
		`records_total{stage="fold"} 4`, `records_expected{stage="fold"} 10`, "read_bytes_total 3.145728e+06", "ciphertexts_total 12", "batches_in_flight 0")
	first.Done.Store(10)
	done()
	done = m.Stage("fold", &second) // once more
	second.Done.Store(3)
	_, text = get(t, s.URL())
	check(t, samples(t, text), `records_total{stage="fold"} 13`)
	done()
	done() // nothing more
	m.End(observe.Account{Values: 26, Ciphertexts: 15, BusySeconds: map[string]float64{"fold": 1.5}}, 0, "")
	_, text = get(t, s.URL())
	got = samples(t, text)
	check(t, got, `records_total{stage="fold"} 13`, "running 0", "exit_code 0", "values_total 26", "ciphertexts_total 15", `stage_busy_seconds_total{stage="fold"} 1.5`)
	if got[`cipherfold_last_success_timestamp_seconds{verb="fuse"}`] == "" {
		t.Error("no success")
	}

	if code, text := get(t, strings.Replace(s.URL(), "/metrics", "/healthz", 1)); code != http.StatusOK || text != "ok\n" {
		t.Errorf("/healthz: %d %q", code, text)
	}
	if code, _ := get(t, strings.Replace(s.URL(), "/metrics", "/", 1)); code != http.StatusNotFound {
		t.Errorf("/: %d", code)
	}
	if _, err := m.Serve(strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/metrics")); err == nil {
		t.Error("two servers at one address")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("it answers after it was closed")
	}
}

// A server that other machines reach says so.
func TestMetricsBeyondThisMachine(t *testing.T) {
	m := observe.NewMetrics(observe.Info{}, &observe.Meter{}, 1)
	s, err := m.Serve("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Loopback() {
		t.Error("0.0.0.0 is taken for the loopback")
	}
}

// The textfile is replaced whole, and the time of the last success outlives runs that fail.
func TestTextfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "job.prom")
	read := func() map[string]string {
		t.Helper()
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return samples(t, string(data))
	}
	run := func(verb string, failure string) {
		t.Helper()
		m := observe.NewMetrics(observe.Info{Verb: verb}, &observe.Meter{}, 1)
		m.KeepSuccess(name)
		if err := m.WriteFile(name); err != nil {
			t.Fatal(err)
		}
		check(t, read(), "running 1")
		code := 0
		if failure != "" {
			code = 3
		}
		m.End(observe.Account{}, code, failure)
		if err := m.WriteFile(name); err != nil {
			t.Fatal(err)
		}
	}
	const success = `cipherfold_last_success_timestamp_seconds{verb="encrypt"}`
	run("encrypt", "input refused")
	if got := read(); got[success] != "" {
		t.Error("success of a job that failed")
	} else {
		check(t, got, "exit_code 3", `errors_total{kind="input refused"} 1`)
	}
	run("encrypt", "")
	when := read()[success]
	if when == "" {
		t.Fatal("no success")
	}
	run("fuse", "")
	run("encrypt", "failed")
	if got := read(); got[success] != when || got[strings.Replace(success, "encrypt", "fuse", 1)] == "" {
		t.Errorf("%v, want encrypt's success at %s and fuse's", got, when)
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	// What is not ours is not taken over.
	m := observe.NewMetrics(observe.Info{}, &observe.Meter{}, 1)
	if err := os.WriteFile(name, []byte("cipherfold_last_success_timestamp_seconds{verb=\"x\"} much\ncipherfold_last_success_timestamp_seconds{verb=\"y\",a=\"b\"} 1\nx{verb=\"z\"} 1\n\xff"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.KeepSuccess(name)
	m.KeepSuccess(filepath.Join(t.TempDir(), "none"))
	if err := m.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	for sample := range read() {
		if strings.Contains(sample, "last_success") {
			t.Error(sample)
		}
	}
	if err := m.WriteFile(filepath.Join(t.TempDir(), "none", "x.prom")); err == nil {
		t.Error("written where there is no directory")
	}
}

// Bytes are counted wherever they pass.
func TestMeter(t *testing.T) {
	meter := &observe.Meter{}
	fs := meter.Over(&blobtest.Mem{})
	u, err := fs.Create(ctx, "x", blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(u, "hello")
	if err := u.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 3), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 9), 1); err != io.EOF {
		t.Fatal(err)
	}
	if r, w := meter.Read.Load(), meter.Written.Load(); r != 7 || w != 5 {
		t.Errorf("%d read, %d written", r, w)
	}
	if _, err := fs.Open(ctx, "none"); err == nil {
		t.Error("opened")
	}
	if _, err := fs.Create(ctx, "x", blob.CreateOptions{}); err == nil {
		t.Error("created twice")
	}
}

// A profile is three files that the tools read, and its trace is the end of the job.
func TestProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "profile")
	p, err := observe.StartProfile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := observe.StartProfile(t.TempDir()); err == nil {
		t.Error("two profiles at a time")
	}
	for start := time.Now(); time.Since(start) < 50*time.Millisecond; { // something to see
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, magic := range map[string]string{"cpu.pprof": "\x1f\x8b", "heap.pprof": "\x1f\x8b", "trace.out": "go 1."} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(data), magic) {
			t.Errorf("%s: %.20q, %v", name, data, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := observe.StartProfile(filepath.Join(file, "x")); err == nil {
		t.Error("a profile below a file")
	}
	again, err := observe.StartProfile(dir) // the failures left nothing running
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
}
