package observe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

// The OpenLineage specification that events follow.
const (
	runEventSchema  = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	facetSchemas    = "https://openlineage.io/spec/facets/"
	lineageEndpoint = "/api/v1/lineage" // of servers, for a URL without a path
)

// EventType is a transition of a run.
type EventType string

// Transitions of a run: one START, and one of the others.
const (
	Start    EventType = "START"
	Complete EventType = "COMPLETE"
	Fail     EventType = "FAIL"
	Abort    EventType = "ABORT"
)

// Run is one run of a job, as its events name it.
type Run struct {
	ID        string // UUID
	Namespace string // of the job
	Job       string
	Parent    *ParentRun
	Producer  string // URI of the program
	Version   string // of the program
}

// ParentRun is the run of a scheduler that this run is part of.
type ParentRun struct{ Namespace, Job, ID string }

// Dataset is an input or output.
type Dataset struct {
	Path    string // or URL
	Columns []Column
	Rows    *int64
	Bytes   *int64
	Files   int // that make it up; 0 for one
}

// datasetsMax is how many files are named one by one; more are named by their directories.
const datasetsMax = 100

// ByDirectory joins the files of very many datasets by their directories.
func ByDirectory(files []Dataset) []Dataset {
	if len(files) <= datasetsMax {
		return files
	}
	var out []Dataset
	index := map[string]int{}
	for _, f := range files {
		dir := blob.Dir(f.Path)
		i, ok := index[dir]
		if !ok {
			i = len(out)
			index[dir] = i
			out = append(out, Dataset{Path: dir})
		}
		out[i].Files++
		if f.Rows != nil {
			if out[i].Rows == nil {
				out[i].Rows = new(int64)
			}
			*out[i].Rows += *f.Rows
		}
	}
	return out
}

// Column is a column of a dataset.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// NewRunID returns a random UUID (RFC 9562, version 7, whose first half tells the time).
func NewRunID(now time.Time) string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails (crypto/rand)
	for i, ms := 5, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		u[i] = byte(ms)
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// ParseParentRun reads NAMESPACE/JOB/RUN-ID, as the OpenLineage integrations of schedulers pass it in OPENLINEAGE_PARENT_ID.
// The job's name may have slashes.
func ParseParentRun(s string) (*ParentRun, error) {
	first, last := strings.IndexByte(s, '/'), strings.LastIndexByte(s, '/')
	if first < 1 || last <= first+1 || !isUUID(s[last+1:]) {
		return nil, fmt.Errorf("%q is not NAMESPACE/JOB/UUID", s)
	}
	return &ParentRun{s[:first], s[first+1 : last], s[last+1:]}, nil
}

func isUUID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) != 5 {
		return false
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n || strings.Trim(parts[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// Event is one event in the JSON form of the specification. message says why a run failed.
func (r *Run) Event(t EventType, when time.Time, inputs, outputs []Dataset, message string) ([]byte, error) {
	type facet = map[string]any
	newFacet := func(schema, name string, members facet) facet {
		members["_producer"] = r.Producer
		members["_schemaURL"] = facetSchemas + schema + "/" + name + ".json#/$defs/" + name
		return members
	}
	run := facet{"processing_engine": newFacet("1-1-1", "ProcessingEngineRunFacet", facet{"version": r.Version, "name": "cipherfold"})}
	if r.Parent != nil {
		run["parent"] = newFacet("1-2-0", "ParentRunFacet", facet{
			"run": facet{"runId": r.Parent.ID}, "job": facet{"namespace": r.Parent.Namespace, "name": r.Parent.Job},
		})
	}
	if message != "" {
		run["errorMessage"] = newFacet("1-0-1", "ErrorMessageRunFacet", facet{"message": message, "programmingLanguage": "GO"})
	}
	dataset := func(d Dataset, facets, statistics, schema, name string) facet {
		out := facet{}
		out["namespace"], out["name"] = datasetName(d.Path)
		if len(d.Columns) > 0 {
			out["facets"] = facet{"schema": newFacet("1-2-0", "SchemaDatasetFacet", facet{"fields": d.Columns})}
		}
		numbers := facet{}
		if d.Rows != nil {
			numbers["rowCount"] = *d.Rows
		}
		if d.Bytes != nil {
			numbers["size"] = *d.Bytes
		}
		if d.Files > 0 {
			numbers["fileCount"] = d.Files
		}
		if len(numbers) > 0 {
			out[facets] = facet{statistics: newFacet(schema, name, numbers)}
		}
		return out
	}
	in, out := []facet{}, []facet{}
	for _, d := range inputs {
		in = append(in, dataset(d, "inputFacets", "inputStatistics", "1-0-0", "InputStatisticsInputDatasetFacet"))
	}
	for _, d := range outputs {
		out = append(out, dataset(d, "outputFacets", "outputStatistics", "1-0-2", "OutputStatisticsOutputDatasetFacet"))
	}
	return json.Marshal(facet{
		"eventType": t, "eventTime": when.UTC().Format("2006-01-02T15:04:05.000Z"),
		"run": facet{"runId": r.ID, "facets": run},
		"job": facet{"namespace": r.Namespace, "name": r.Job, "facets": facet{
			"jobType": newFacet("2-0-4", "JobTypeJobFacet", facet{"processingType": "BATCH", "integration": "CIPHERFOLD", "jobType": "COMMAND"}),
		}},
		"inputs": in, "outputs": out, "producer": r.Producer, "schemaURL": runEventSchema,
	})
}

// datasetName names a file as OpenLineage's naming conventions have it: an object store by scheme and bucket, this machine's
// files by their absolute path in the namespace "file".
func datasetName(path string) (namespace, name string) {
	if u, err := url.Parse(path); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host, strings.TrimPrefix(u.Path, "/")
	}
	path = strings.TrimPrefix(path, "file://")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return "file", path
}

// Lineage sends events to a file or a server, in the background and in order.
type Lineage struct {
	target string
	key    string // sent as a bearer token
	queue  chan []byte
	done   chan struct{}
	warn   func(error)
	stop   context.CancelFunc
}

// These bound the sending, so that a server that is down delays the end of a job by seconds, not more.
const (
	lineageTries   = 3
	lineageTimeout = 5 * time.Second
	lineagePause   = 500 * time.Millisecond // before the second try; then twice as long each time
)

// OpenLineage prepares to send events to target: the URL of a server, or a file to which they are appended as lines of JSON. key,
// unless it is "", is sent to the server as a bearer token. warn hears of events that could not be delivered.
func OpenLineage(target, key string, warn func(error)) (*Lineage, error) {
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%q is not the URL of a server", target)
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = lineageEndpoint
		}
		target = u.String()
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Lineage{target: target, key: key, queue: make(chan []byte, 4), done: make(chan struct{}), warn: warn, stop: stop}
	go func() {
		defer close(l.done)
		for event := range l.queue {
			if err := l.deliver(ctx, event); err != nil {
				l.warn(err)
			}
		}
	}()
	return l, nil
}

// Send hands over an event. A run has two, for which there is room: it does not wait.
func (l *Lineage) Send(event []byte) { l.queue <- event }

// Close waits until the events have been delivered or given up. That takes at most `limit`.
func (l *Lineage) Close(limit time.Duration) {
	close(l.queue)
	timer := time.AfterFunc(limit, l.stop)
	<-l.done
	timer.Stop()
	l.stop()
}

func (l *Lineage) deliver(ctx context.Context, event []byte) error {
	if !strings.Contains(l.target, "://") {
		return l.append(ctx, event)
	}
	var err error
	for try := range lineageTries {
		if try > 0 {
			select {
			case <-time.After(lineagePause << (try - 1)):
			case <-ctx.Done():
				return err
			}
		}
		var again bool
		if again, err = l.post(ctx, event); err == nil || !again {
			return err
		}
	}
	return err
}

// append adds an event to the file. It does not wait longer than ctx for a file that nobody reads, as a pipe can be.
func (l *Lineage) append(ctx context.Context, event []byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s takes no more", l.target)
	}
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(l.target, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.Write(append(event, '\n')) // one write, so that the lines of several jobs do not mix
			err = errors.Join(err, f.Close())
		}
		written <- err
	}()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s did not take it in time", l.target)
	}
}

// post sends an event once. again says whether another try may do better.
func (l *Lineage) post(ctx context.Context, event []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lineageTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.target, bytes.NewReader(event))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "cipherfold")
	if l.key != "" {
		r.Header.Set("Authorization", "Bearer "+l.key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // whose text has the URL, and with it perhaps a password
			err = u.Err
		}
		return true, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.StatusCode/100 != 2 {
		return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests, fmt.Errorf("the server answered %s", answer.Status)
	}
	return false, nil
}
