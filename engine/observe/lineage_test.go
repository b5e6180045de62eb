package observe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/observe"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestRunID(t *testing.T) {
	early, late := observe.NewRunID(time.UnixMilli(1_700_000_000_000)), observe.NewRunID(time.UnixMilli(1_700_000_000_001))
	if !uuid.MatchString(early) || !uuid.MatchString(late) || early[:13] >= late[:13] || early[14:] == late[14:] || !strings.HasPrefix(early, "018bcfe5-6800-7") {
		t.Errorf("%s, %s", early, late)
	}
}

func TestParentRun(t *testing.T) {
	id := observe.NewRunID(time.Now())
	for s, want := range map[string]observe.ParentRun{
		"airflow/dag.task/" + id: {"airflow", "dag.task", id}, "prod/dag/with/slashes/" + id: {"prod", "dag/with/slashes", id},
	} {
		if p, err := observe.ParseParentRun(s); err != nil || *p != want {
			t.Errorf("%s: %+v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "a", "a/b", "a/" + id, "/b/" + id, "a//" + id, "a/b/" + id[1:], "a/b/" + strings.Replace(id, "7", "g", 1), "a/b/" + id + "-"} {
		if p, err := observe.ParseParentRun(s); err == nil {
			t.Errorf("%q: %+v", s, p)
		}
	}
}

// object is a JSON object being checked.
type object map[string]any

func (o object) at(t *testing.T, path ...string) any {
	t.Helper()
	var v any = map[string]any(o)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok || m[name] == nil {
			t.Errorf("there is no %v in %v", path, o)
			return nil
		}
		v = m[name]
	}
	return v
}

// checkEvent holds an event against what the RunEvent of the OpenLineage specification 2-0-2 requires: required members,
// enumerations and formats, of the event and of every facet.
func checkEvent(t *testing.T, text []byte) object {
	t.Helper()
	var e object
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	isURI := func(v any) {
		t.Helper()
		s, _ := v.(string)
		if u, err := url.Parse(s); err != nil || !u.IsAbs() {
			t.Errorf("%v is not a URI", v)
		}
	}
	when, _ := e.at(t, "eventTime").(string)
	if _, err := time.Parse(time.RFC3339, when); err != nil {
		t.Error(err)
	}
	isURI(e.at(t, "producer"))
	isURI(e.at(t, "schemaURL"))
	if e["schemaURL"] != "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent" {
		t.Error(e["schemaURL"])
	}
	if kind := fmt.Sprint(e.at(t, "eventType")); !regexp.MustCompile("^(START|RUNNING|COMPLETE|ABORT|FAIL|OTHER)$").MatchString(kind) {
		t.Error(kind)
	}
	if id := fmt.Sprint(e.at(t, "run", "runId")); !uuid.MatchString(id) {
		t.Error(id)
	}
	isText := func(v any) {
		t.Helper()
		if s, ok := v.(string); !ok || s == "" {
			t.Errorf("%v is no text", v)
		}
	}
	isText(e.at(t, "job", "namespace"))
	isText(e.at(t, "job", "name"))
	facets := func(v any) {
		t.Helper()
		all, _ := v.(map[string]any)
		for name, f := range all {
			facet, ok := f.(map[string]any)
			if !ok {
				t.Fatalf("facet %s: %v", name, f)
			}
			isURI(facet["_producer"])
			isURI(facet["_schemaURL"])
			// By the specification's convention the definition at the end of the URL is named after its file.
			s, _ := facet["_schemaURL"].(string)
			if !regexp.MustCompile(`^https://openlineage\.io/spec/facets/\d-\d-\d/(\w+)\.json#/\$defs/(\w+)$`).MatchString(s) ||
				!strings.HasPrefix(s[strings.LastIndexByte(s, '/')+1:], strings.ToUpper(name[:1])) || strings.Count(s, s[strings.LastIndexByte(s, '/')+1:]) != 2 {
				t.Errorf("facet %s: %s", name, s)
			}
		}
	}
	facets(e.at(t, "run", "facets"))
	facets(e.at(t, "job", "facets"))
	for _, list := range []string{"inputs", "outputs"} {
		datasets, ok := e[list].([]any)
		if !ok {
			t.Errorf("%s: %v", list, e[list])
		}
		for _, d := range datasets {
			set := object(d.(map[string]any))
			isText(set.at(t, "namespace"))
			isText(set.at(t, "name"))
			facets(set["facets"])
			facets(set["inputFacets"])
			facets(set["outputFacets"])
			if other := map[string]string{"inputs": "outputFacets", "outputs": "inputFacets"}[list]; set[other] != nil {
				t.Errorf("%s have %s", list, other)
			}
		}
	}
	return e
}

func run() *observe.Run {
	return &observe.Run{ID: observe.NewRunID(time.Now()), Namespace: "hospital", Job: "nightly", Producer: "https://example.org/cipherfold", Version: "v1"}
}

func TestEvents(t *testing.T) {
	r := run()
	rows, size := int64(7), int64(99)
	in := []observe.Dataset{{Path: "s3://bucket/dir/a.parquet?region=eu", Rows: &rows, Bytes: &size, Columns: []observe.Column{{"id", "utf8"}, {"x", "int64"}}}, {Path: "gs://b/parts", Files: 300}}
	out := []observe.Dataset{{Path: "dir/b.cf.parquet", Rows: &rows}}
	when := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600))
	text, err := r.Event(observe.Complete, when, in, out, "")
	if err != nil {
		t.Fatal(err)
	}
	e := checkEvent(t, text)
	if e["eventTime"] != "2026-01-02T02:04:05.678Z" || e["eventType"] != "COMPLETE" || e.at(t, "job", "name") != "nightly" {
		t.Error(string(text))
	}
	first := object(e["inputs"].([]any)[0].(map[string]any))
	if first["namespace"] != "s3://bucket" || first["name"] != "dir/a.parquet" || first.at(t, "inputFacets", "inputStatistics", "rowCount") != 7.0 ||
		first.at(t, "inputFacets", "inputStatistics", "size") != 99.0 || fmt.Sprint(first.at(t, "facets", "schema", "fields")) != "[map[name:id type:utf8] map[name:x type:int64]]" {
		t.Error(first)
	}
	second := object(e["inputs"].([]any)[1].(map[string]any))
	if second["namespace"] != "gs://b" || second["name"] != "parts" || second.at(t, "inputFacets", "inputStatistics", "fileCount") != 300.0 || second["facets"] != nil {
		t.Error(second)
	}
	wd, _ := os.Getwd()
	written := object(e["outputs"].([]any)[0].(map[string]any))
	if written["namespace"] != "file" || written["name"] != filepath.Join(wd, "dir/b.cf.parquet") || written.at(t, "outputFacets", "outputStatistics", "rowCount") != 7.0 {
		t.Error(written)
	}

	r.Parent = &observe.ParentRun{Namespace: "airflow", Job: "dag.task", ID: observe.NewRunID(time.Now())}
	text, err = r.Event(observe.Fail, when, nil, nil, "input refused (exit code 3)")
	if err != nil {
		t.Fatal(err)
	}
	e = checkEvent(t, text)
	if e.at(t, "run", "facets", "parent", "run", "runId") != r.Parent.ID || e.at(t, "run", "facets", "parent", "job", "name") != "dag.task" ||
		e.at(t, "run", "facets", "errorMessage", "message") != "input refused (exit code 3)" || e.at(t, "run", "facets", "errorMessage", "programmingLanguage") != "GO" {
		t.Error(string(text))
	}
}

// lineage opens a target and gathers the warnings.
func lineage(t *testing.T, target, key string) (l *observe.Lineage, warnings func() []error) {
	t.Helper()
	var mu sync.Mutex
	var all []error
	l, err := observe.OpenLineage(target, key, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err)
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, func() []error {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// Events are appended to a file, line by line, after those of other runs.
func TestLineageFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "events.jsonl")
	for range 2 {
		l, warnings := lineage(t, name, "")
		l.Send([]byte(`{"a":1}`))
		l.Send([]byte(`{"b":2}`))
		l.Close(time.Second)
		if w := warnings(); len(w) > 0 {
			t.Error(w)
		}
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != strings.Repeat("{\"a\":1}\n{\"b\":2}\n", 2) {
		t.Errorf("%q, %v", data, err)
	}
	l, warnings := lineage(t, filepath.Join(t.TempDir(), "none", "events.jsonl"), "")
	l.Send([]byte("{}"))
	l.Close(time.Second)
	if w := warnings(); len(w) != 1 || !errors.Is(w[0], os.ErrNotExist) {
		t.Error(w)
	}
}

// Events are posted in order. What may pass is tried again, what will not is not, and nothing but a warning comes of it.
func TestLineageServer(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	answers := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusCreated, http.StatusBadRequest}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != "POST" || r.URL.Path != "/api/v1/lineage" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		answer := answers[min(requests, len(answers)-1)]
		requests++
		if answer == http.StatusCreated {
			data, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(data))
		}
		w.WriteHeader(answer)
	}))
	defer server.Close()
	l, warnings := lineage(t, server.URL, "secret")
	l.Send([]byte("one"))
	l.Send([]byte("two"))
	l.Close(20 * time.Second)
	if len(bodies) != 1 || bodies[0] != "one" || requests != 4 {
		t.Errorf("%q in %d requests", bodies, requests)
	}
	if w := warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "400 Bad Request") {
		t.Error(w)
	}
}

// A server that is not there, or that says nothing, holds up the end for no longer than agreed.
func TestLineageServerDown(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, address := range []string{"http://user:password@" + silent.Addr().String(), "http://user:password@127.0.0.1:1"} {
		l, warnings := lineage(t, address, "")
		l.Send([]byte("one"))
		l.Send([]byte("two"))
		start := time.Now()
		l.Close(300 * time.Millisecond)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: it took %v", address, took)
		}
		w := warnings()
		if len(w) != 2 {
			t.Errorf("%s: %v", address, w)
		}
		for _, err := range w {
			if strings.Contains(err.Error(), "password") {
				t.Errorf("a warning tells the password: %v", err)
			}
		}
	}
}

func TestLineageTargets(t *testing.T) {
	for _, target := range []string{"ftp://x", "http://", "://", "http://a b"} {
		if _, err := observe.OpenLineage(target, "", nil); err == nil {
			t.Errorf("%q is taken", target)
		} else if strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
}
