package observe

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cipherfold/cipherfold/engine"
)

// Metrics are the numbers of one job, for Prometheus. They are read on request: from the counters that the job
// advances, and from its report once it has one. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	meter    *Meter
	gauge    engine.Gauge
	started  time.Time
	budget   int64

	mu      sync.Mutex
	info    Info
	order   []string // of stages
	stages  map[string]*stage
	account Account
	ended   time.Time // zero while the job runs
	code    int
	errors  map[string]int
	success map[string]float64 // by verb: when a job last ended well, in seconds since 1970
}

// Info says what the job is.
type Info struct {
	Verb        string
	Kernel      string // "" until it is known
	Fingerprint string // of the key, its first digits; "" until it is known
	Version     string // of the program
}

// Account is the report of a job that is done.
type Account struct {
	Values, Ciphertexts int64
	BusySeconds         map[string]float64 // of each stage, summed over its workers
}

// stage is a stage of the job, which may come several times.
type stage struct {
	done    int64 // records of the times that are over,
	items   int64 // and ciphertexts
	running []*engine.Progress
}

// NewMetrics begins a job's metrics. budget is its memory budget in bytes.
func NewMetrics(info Info, meter *Meter, budget int64) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), meter: meter, started: time.Now(), budget: budget, info: info,
		stages: map[string]*stage{}, errors: map[string]int{}, success: map[string]float64{},
	}
	m.registry.MustRegister(m, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	return m
}

// Registry is where the metrics are registered, with those of the process and of the runtime.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Context returns a context whose runs' queues are among the metrics.
func (m *Metrics) Context(ctx context.Context) context.Context {
	return engine.WithGauge(ctx, &m.gauge)
}

// Stage notes that a stage begins; p counts its records. It returns a function to call when the stage ends.
func (m *Metrics) Stage(name string, p *engine.Progress) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stages[name]
	if s == nil {
		s = &stage{}
		m.stages[name] = s
		m.order = append(m.order, name)
	}
	s.running = append(s.running, p)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range s.running {
			if s.running[i] == p {
				s.done += p.Done.Load()
				s.items += p.Items.Load()
				s.running = append(s.running[:i:i], s.running[i+1:]...)
				return
			}
		}
	}
}

// Known adds to what the job is.
func (m *Metrics) Known(kernel, fingerprint string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info.Kernel, m.info.Fingerprint = kernel, fingerprint[:min(len(fingerprint), fingerprintDigits)]
}

// fingerprintDigits of a key's fingerprint tell keys apart.
const fingerprintDigits = 16

// End notes how the job ended: its account, the exit code, and the kind of failure unless that is "".
func (m *Metrics) End(a Account, code int, failure string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account, m.ended, m.code = a, time.Now(), code
	if failure != "" {
		m.errors[failure]++
	} else {
		m.success[m.info.Verb] = float64(m.ended.UnixMilli()) / 1000
	}
}

// Names and meanings of the metrics.
var (
	descInfo         = desc("job_info", "What the job is.", "verb", "kernel", "fingerprint", "version")
	descStart        = desc("start_time_seconds", "When the job began, in seconds since 1970.")
	descDuration     = desc("duration_seconds", "How long the job has been running, or ran.")
	descRunning      = desc("running", "1 while the job runs, 0 when it is over.")
	descCode         = desc("exit_code", "The exit code of a job that is over: 0 done, 1 failed, 2 usage, 3 input refused, 4 interrupted.")
	descRecords      = desc("records_total", "Records finished by a stage.", "stage")
	descExpected     = desc("records_expected", "Records that a running stage will finish, as far as it is known.", "stage")
	descValues       = desc("values_total", "Values worked on: measures times records; known when the job is done.")
	descCiphertexts  = desc("ciphertexts_total", "Ciphertexts made, folded or opened.")
	descBusy         = desc("stage_busy_seconds_total", "Time spent in a stage, summed over its workers; known when the job is done.", "stage")
	descRead         = desc("read_bytes_total", "Bytes read from inputs, in whole MiB.")
	descWritten      = desc("written_bytes_total", "Bytes written to outputs, in whole MiB.")
	descBudget       = desc("memory_budget_bytes", "The memory budget of the job.")
	descInFlight     = desc("batches_in_flight", "Batches in the queues between the stages and in work.")
	descInFlightMost = desc("batches_in_flight_limit", "How many batches may be in flight.")
	descErrors       = desc("errors_total", "Jobs that did not end well, by the kind of failure.", "kind")
	descSuccess      = desc(successName, "When a job last ended well, in seconds since 1970.", "verb")
)

const (
	namespace   = "cipherfold"
	successName = "last_success_timestamp_seconds"
)

// clearStages read tables in the clear. How many records these have may tell which ones are missing, and is not told; nor
// is the exact size of files.
var clearStages = []string{"align", "find bounds", "survey", "summarize"}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe sends the descriptions of all metrics: see prometheus.Collector.
func (m *Metrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descInfo, descStart, descDuration, descRunning, descCode, descRecords, descExpected, descValues, descCiphertexts, descBusy, descRead, descWritten,
		descBudget, descInFlight, descInFlightMost, descErrors, descSuccess,
	} {
		c <- d
	}
}

// Collect sends the metrics as they are now: see prometheus.Collector.
func (m *Metrics) Collect(c chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge(descInfo, 1, m.info.Verb, m.info.Kernel, m.info.Fingerprint, m.info.Version)
	gauge(descStart, float64(m.started.UnixMilli())/1000)
	if m.ended.IsZero() {
		gauge(descRunning, 1)
		gauge(descDuration, time.Since(m.started).Seconds())
	} else {
		gauge(descRunning, 0)
		gauge(descDuration, m.ended.Sub(m.started).Seconds())
		gauge(descCode, float64(m.code))
	}
	ciphertexts := int64(0)
	for _, name := range m.order {
		s := m.stages[name]
		done, expected := s.done, s.done
		ciphertexts += s.items
		for _, p := range s.running {
			done += p.Done.Load()
			expected += p.Total.Load()
			ciphertexts += p.Items.Load()
		}
		if slices.Contains(clearStages, name) {
			continue
		}
		counter(descRecords, float64(done), name)
		if expected > s.done {
			gauge(descExpected, float64(expected), name)
		}
	}
	counter(descValues, float64(m.account.Values))
	counter(descCiphertexts, float64(max(ciphertexts, m.account.Ciphertexts)))
	items, most := m.gauge.InFlight()
	gauge(descInFlight, float64(items))
	gauge(descInFlightMost, float64(most))
	for name, seconds := range m.account.BusySeconds {
		counter(descBusy, seconds, name)
	}
	counter(descRead, float64(m.meter.Read.Load()>>20<<20))
	counter(descWritten, float64(m.meter.Written.Load()>>20<<20))
	gauge(descBudget, float64(m.budget))
	for kind, n := range m.errors {
		counter(descErrors, float64(n), kind)
	}
	for verb, when := range m.success {
		gauge(descSuccess, when, verb)
	}
}

// WriteFile writes the metrics for the textfile collector of Prometheus's node exporter: under a temporary name in the
// same directory, then renamed.
func (m *Metrics) WriteFile(name string) error {
	return prometheus.WriteToTextfile(name, m.registry)
}

// KeepSuccess keeps the time when an earlier job last ended well, from that job's file. The job that begins now must
// not make it disappear, because alerts are about it. A missing file is accepted.
func (m *Metrics) KeepSuccess(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		label, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), namespace+"_"+successName+"{verb="), "} ")
		verb, err := strconv.Unquote(label)
		when, err2 := strconv.ParseFloat(value, 64)
		if ok && err == nil && err2 == nil && fmt.Sprintf("%s_%s{verb=%q} %s", namespace, successName, verb, value) == lines.Text() {
			m.success[verb] = when
		}
	}
}
