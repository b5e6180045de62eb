package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/observe"
)

// metric returns the value of a metric in a textfile, "" if it is not there.
func (p *place) metric(file, name string) string {
	p.t.Helper()
	for line := range strings.Lines(string(p.read(file))) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A job's textfile tells what it is, what it did and how it ended.
func TestMetricsFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owners("records")(p)
	p.ok(fuseAB + "--metrics-file @/m.prom")
	for name, want := range map[string]string{
		"cipherfold_running": "0", "cipherfold_exit_code": "0", "cipherfold_ciphertexts_total": "6", "cipherfold_values_total": "12", `cipherfold_records_total{stage="merge"}`: "6",
		"cipherfold_read_bytes_total": "0", "cipherfold_written_bytes_total": "0", // in whole MiB
	} {
		if got := p.metric("m.prom", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	text := nameKeys(string(p.read("m.prom")))
	if !regexp.MustCompile(`cipherfold_job_info\{fingerprint="<djn>",kernel="[a-z0-9]+",verb="fuse",version="[^"]+"\} 1`).MatchString(text) {
		t.Error(text)
	}
	for _, name := range []string{"process_resident_memory_bytes", `cipherfold_last_success_timestamp_seconds{verb="fuse"}`} {
		if v := p.metric("m.prom", name); v == "" || v == "0" {
			t.Errorf("%s is %q", name, v)
		}
	}
	success := p.metric("m.prom", `cipherfold_last_success_timestamp_seconds{verb="fuse"}`)
	if r := p.run("fuse --in @/a.csv --out @/g.cf.parquet --metrics-file @/m.prom"); r.code != exitRefused {
		t.Fatalf("exit code %d", r.code)
	}
	if got := p.metric("m.prom", `cipherfold_last_success_timestamp_seconds{verb="fuse"}`); got != success || p.metric("m.prom", "cipherfold_exit_code") != "3" || p.metric("m.prom", `cipherfold_errors_total{kind="input refused"}`) != "1" {
		t.Errorf("after a failure:\n%s", p.read("m.prom"))
	}
	r := p.run(fuseAB + "--overwrite --metrics-file @/none/m.prom")
	if r.code != exitRefused || !strings.HasPrefix(r.err, "cipherfold: none/m.prom: cannot write for --metrics-file: no such file or directory\n") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// follower is a standard error whose reader waits for a line.
type follower struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan string
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		select {
		case f.line <- line:
		default:
		}
	}
	return f.text.Write(p)
}

// The metrics of a running job can be scraped, and no longer when it is over.
func TestMetricsServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var text strings.Builder
	text.WriteString("id,x\n")
	for i := range 20000 {
		fmt.Fprintf(&text, "%d,%d\n", i, i%100)
	}
	p.write("a.csv", text.String())
	errors := &follower{line: make(chan string, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	code := make(chan int)
	go func() {
		code <- run(ctx, p.words("encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=100 --metrics-addr 127.0.0.1:0"), io.Discard, errors)
	}()
	url := ""
	for url == "" {
		select {
		case line := <-errors.line:
			url = regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(line)
		case c := <-code:
			t.Fatalf("exit code %d before there was a server\n%s", c, errors.text.String())
		}
	}
	for seen := ""; ; {
		r, err := http.Get(url)
		if err != nil {
			t.Fatalf("the job ended before a record was seen: %v\n%s", err, seen)
		}
		data, _ := io.ReadAll(r.Body)
		r.Body.Close()
		seen = nameKeys(string(data))
		if m := regexp.MustCompile(`cipherfold_records_total\{stage="encrypt"\} (\d+)`).FindStringSubmatch(seen); m != nil && m[1] != "0" {
			if !strings.Contains(seen, `fingerprint="<djn>"`) || !strings.Contains(seen, `verb="encrypt"`) || !strings.Contains(seen, "cipherfold_running 1") ||
				!regexp.MustCompile(`cipherfold_ciphertexts_total [1-9]`).MatchString(seen) || !regexp.MustCompile(`cipherfold_batches_in_flight_limit [1-9]`).MatchString(seen) {
				t.Error(seen)
			}
			break
		}
	}
	cancel()
	if c := <-code; c != exitInterrupted {
		t.Errorf("exit code %d", c)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("the server outlives the job")
	}
}

func TestMetricsServerAddresses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owners("records")(p)
	for _, address := range []string{"nowhere", "256.0.0.1:1", "127.0.0.1:99999"} {
		r := p.run(fuseAB + "--metrics-addr " + address)
		if r.code != exitUsage || !strings.HasPrefix(r.err, "cipherfold: --metrics-addr "+address+": ") || !strings.Contains(r.err, "hint: Give HOST:PORT") {
			t.Errorf("exit code %d\n%s", r.code, r.err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if r := p.run(fuseAB + "--metrics-addr " + l.Addr().String()); r.code != exitFailed || !strings.Contains(r.err, "another program has that address now") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	if r := p.run(fuseAB + "--metrics-addr 0.0.0.0:0"); r.code != exitDone || !strings.Contains(r.err, "warning: other machines can read the metrics") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// event is what the tests look at in an OpenLineage event; package watch holds events against the specification.
type event struct {
	EventType string
	Run       struct {
		RunID  string `json:"runId"`
		Facets struct {
			ErrorMessage struct{ Message string }
			Parent       struct{ Job struct{ Name string } }
		}
	}
	Job     struct{ Namespace, Name string }
	Inputs  []lineageDataset
	Outputs []lineageDataset
}

type lineageDataset struct {
	Namespace, Name string
	Facets          struct {
		Schema struct{ Fields []dataset.Column }
	}
	InputFacets struct {
		InputStatistics struct{ RowCount, Size int64 }
	}
	OutputFacets struct {
		OutputStatistics struct{ RowCount, Size int64 }
	}
}

func (p *place) events(name string) []event {
	p.t.Helper()
	var out []event
	for line := range strings.Lines(string(p.read(name))) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			p.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// A job's events are START and how it ended, of one run, with its datasets.
func TestLineage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owners("records")(p)
	p.ok(fuseAB + "--lineage @/e.jsonl")
	if r := p.run("encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=4 --lineage @/e.jsonl"); r.code != exitRefused {
		t.Fatalf("exit code %d", r.code)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r := p.runContext(ctx, fuseAB+"--overwrite --lineage @/e.jsonl"); r.code != exitInterrupted {
		t.Fatalf("exit code %d", r.code)
	}
	events := p.events("e.jsonl")
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.EventType)
	}
	equal(t, "events", kinds, []string{"START", "COMPLETE", "START", "FAIL", "START", "ABORT"})
	for i := 0; i < len(events); i += 2 {
		if events[i].Run.RunID != events[i+1].Run.RunID || events[i].Job != events[i+1].Job || i > 0 && events[i].Run.RunID == events[i-1].Run.RunID {
			t.Errorf("%+v\n%+v", events[i], events[i+1])
		}
	}
	start, done := events[0], events[1]
	if start.Job.Namespace != "cipherfold" || start.Job.Name != "fuse.f.cf.parquet" || len(start.Inputs) != 2 || len(start.Outputs) != 1 || len(done.Inputs) != 2 {
		t.Errorf("%+v", start)
	}
	in, out := done.Inputs[0], done.Outputs[0]
	if in.Namespace != "file" || in.Name != p.path("a.cf.parquet") || in.InputFacets.InputStatistics.RowCount != 3 || in.InputFacets.InputStatistics.Size != int64(len(p.read("a.cf.parquet"))) {
		t.Errorf("%+v", in)
	}
	if out.Name != p.path("f.cf.parquet") || out.OutputFacets.OutputStatistics.RowCount != 3 || fmt.Sprint(out.Facets.Schema.Fields) != "[{id utf8} {ct0 fixed_size_binary[256]}]" {
		t.Errorf("%+v", out)
	}
	// A value of the table is in the error message, and stays at home.
	if m := events[3].Run.Facets.ErrorMessage.Message; m != "input refused (exit code 3)" || strings.Contains(string(p.read("e.jsonl")), "beyond") {
		t.Errorf("%q", m)
	}
}

// A lineage server that is down costs a warning. Not parallel: the environment is the process's.
func TestLineageServerAndEnvironment(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	if r := p.run(fuseAB + "--lineage http://127.0.0.1:1"); r.code != exitDone || strings.Count(r.err, "warning: an OpenLineage event was not delivered") != 2 {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	var got []event
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("%v, %v", err, r.Header)
		}
		got = append(got, e)
	}))
	defer server.Close()
	t.Setenv("OPENLINEAGE_NAMESPACE", "ward")
	t.Setenv("OPENLINEAGE_API_KEY", "token")
	t.Setenv("OPENLINEAGE_PARENT_ID", "airflow/dag.task/01890a5d-ac96-774b-bcce-b302099a8057")
	p.ok(fuseAB + "--overwrite --lineage " + server.URL)
	if len(got) != 2 || got[0].Job.Namespace != "ward" || got[1].Run.Facets.Parent.Job.Name != "dag.task" || got[1].EventType != "COMPLETE" {
		t.Errorf("%+v", got)
	}
	t.Setenv("OPENLINEAGE_PARENT_ID", "nonsense")
	if r := p.run(fuseAB + "--overwrite --lineage @/e.jsonl"); r.code != exitUsage || !strings.Contains(r.err, "OPENLINEAGE_PARENT_ID") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	t.Setenv("OPENLINEAGE_PARENT_ID", "")
	if r := p.run(fuseAB + "--overwrite --lineage gopher://x"); r.code != exitUsage || !strings.Contains(r.err, "not the URL of a server") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// Very many inputs are named by their directories.
func TestLineageOfManyFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 101 {
		p.lines(fmt.Sprintf("parts/%03d.csv", i), "id,x", fmt.Sprintf("%d,1", i))
	}
	p.ok("encrypt --key @/public.json --in @/parts --out @/o.cf.parquet --id id --measure x:max=1 --lineage @/e.jsonl")
	done := p.events("e.jsonl")[1]
	if len(done.Inputs) != 1 || done.Inputs[0].Name != p.path("parts") || done.Inputs[0].InputFacets.InputStatistics.RowCount != 0 {
		t.Errorf("%+v", done.Inputs)
	}
	var stored []observe.Dataset
	for i := range 101 {
		stored = append(stored, observe.Dataset{Path: fmt.Sprintf("s3://bucket/parts/%03d.csv", i)})
	}
	if dirs := observe.ByDirectory(stored); len(dirs) != 1 || dirs[0].Path != "s3://bucket/parts" || dirs[0].Files != 101 {
		t.Errorf("%+v", dirs)
	}
}

// Profiles are written also when a job fails. Not parallel: there is one CPU profile in a process.
func TestProfileFlag(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	for line, code := range map[string]int{fuseAB: exitDone, "fuse --in @/a.csv --out @/g.cf.parquet ": exitRefused} {
		if r := p.run(line + fmt.Sprintf("--profile @/profile%d", code)); r.code != code {
			t.Fatalf("exit code %d\n%s", r.code, r.err)
		}
		for _, name := range []string{"cpu.pprof", "heap.pprof", "trace.out"} {
			if len(p.read(fmt.Sprintf("profile%d/%s", code, name))) == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	}
	if r := p.run(fuseAB + "--overwrite --profile @/a.csv/x"); r.code != exitRefused || !strings.Contains(r.err, "part of the path is a file") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// What is said of a stage: rates, and the time left where it is known how much there is to do.
func TestPace(t *testing.T) {
	t.Parallel()
	var w watching
	progress := &job.Progress{}
	p := newPace(progress, &w)
	at := func(seconds float64, records, bytes int64) sight {
		progress.Done.Store(records)
		w.meter.Read.Store(bytes)
		return p.look(p.start.Add(time.Duration(seconds * float64(time.Second))))
	}
	if s := at(0, 0, 0); s.share >= 0 || s.left >= 0 || s.records != 0 {
		t.Errorf("at the beginning: %+v", s)
	}
	if s := at(10, 5000, 2_000_000); s.share >= 0 || s.left >= 0 || s.perSecond != 500 || s.bytesPerSecond != 200_000 {
		t.Errorf("without a total: %+v", s)
	}
	progress.Total.Store(20000)
	if s := at(20, 10000, 4_000_000); s.share != 0.5 || s.left.Round(time.Second) != 20*time.Second || strings.Join(s.words(), ", ") != "10 000 of 20 000 records, 500/s, 200 kB/s, 0:20 left" {
		t.Errorf("half way: %+v, %q", s, s.words())
	}
	// It becomes four times slower, which the time left follows.
	var s sight
	for i := range 100 {
		s = at(21+float64(i), 10000+int64(i)*75, 5_000_000)
	}
	if want := (20000 - 17425) * time.Second / 75; s.left < want*9/10 || s.left > want*11/10 {
		t.Errorf("slower: %v left, want about %v", s.left, want)
	}

	// Without a number of records, the bytes of files read from one end to the other tell.
	progress = &job.Progress{}
	w = watching{expected: 1000}
	p = newPace(progress, &w)
	if s := at(10, 7, 250); s.share != 0.25 || s.left.Round(time.Second) != 30*time.Second {
		t.Errorf("by bytes: %+v", s)
	}
	if s := at(50, 8, 1100); s.share != 1 || s.left != 0 {
		t.Errorf("more than there are: %+v", s)
	}
	w.meter.Read.Store(0)
	w.meter.Written.Store(77)
	if s := p.look(p.start.Add(time.Second)); s.bytes != 77 {
		t.Errorf("a stage that writes: %+v", s)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9960: "10 kB", 999_499: "999 kB", 999_600: "1.0 MB", 3.4e9: "3.4 GB", 5e16: "50000 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%g: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0:00", 7400 * time.Millisecond: "0:07", 59600 * time.Millisecond: "1:00", 754 * time.Second: "12:34", 3723 * time.Second: "1:02:03"} {
		if got := clockText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// Where no terminal is, progress is a line of text, or of JSON with fields.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"text": `^encrypt: 500 of 1 000 records, [\d ]+/s, [\d.]+ kB/s, 0:0\d left\n$`,
		"json": `"msg":"progress","stage":"encrypt","records":500,"of":1000,"per_second":\d+,"bytes":5000,"bytes_per_second":\d+,"percent":50,"seconds_left":\d}`,
	} {
		var out bytes.Buffer
		a := &app{out: io.Discard, err: &out, logFormat: format}
		if err := a.begin(); err != nil {
			t.Fatal(err)
		}
		progress := &job.Progress{}
		pace := paceFrom(time.Now().Add(-2*time.Second), progress, &a.watching)
		progress.Total.Store(1000)
		progress.Done.Store(500)
		a.watching.meter.Read.Store(5000)
		a.logProgress("encrypt", pace)
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s: %q", format, out.String())
		}
	}
}
