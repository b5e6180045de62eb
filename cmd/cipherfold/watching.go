package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/observe"
	"github.com/cipherfold/cipherfold/engine/receipt"
)

// watching is how others may see a verb that works on data: what the flags ask for, and what serves them while it works.
type watching struct {
	address  string // of the metrics' server
	textfile string
	profile  string
	lineage  string

	meter    observe.Meter
	metrics  *observe.Metrics // nil unless somebody wants them
	expected int64            // bytes that will be read, where that tells how far a job is; else 0
}

// watchFlags adds the flags of verbs that work on data.
func (a *app) watchFlags(f *pflag.FlagSet) {
	w := &a.watching
	f.StringVar(&w.address, "metrics-addr", "", "`HOST:PORT` serve metrics to Prometheus there while the job runs: /metrics and /healthz")
	f.StringVar(&w.textfile, "metrics-file", "", "`FILE` keep metrics there for the textfile collector of Prometheus's node exporter (.prom)")
	f.StringVar(&w.lineage, "lineage", "", "`FILE|URL` append OpenLineage events there as lines of JSON, or post them to a server")
	f.StringVar(&w.profile, "profile", "", "`DIR` write a CPU and a heap profile and an execution trace there when the job ends")
}

// work is what a verb is about to do, for those who watch.
type work struct {
	verb    string
	name    string   // of the job; "" is the verb and the output's name
	in, out []string // files; inputs also globs and directories
	shared  bool     // it does a part of what makes the outputs
	flags   *pflag.FlagSet
	files   []job.FileUse // that no flag names
}

const (
	textfileEvery = 15 * time.Second
	lineageLimit  = 10 * time.Second // that the end of a job waits for a lineage server
	abortLimit    = 2 * time.Second  // the same after Ctrl-C
)

// watched runs f while those watch who asked for it. f returns a report for each step that it did, also when it fails. What
// is wrong with the watching is an error before the job begins, and afterwards a warning.
func (a *app) watched(ctx context.Context, w work, f func(ctx context.Context) ([]*job.Report, error)) error {
	if err := a.checkFiles(ctx, w.flags, w.files...); err != nil {
		return err
	}
	var stops []func() error
	defer func() {
		for _, stop := range slices.Backward(stops) {
			if err := stop(); err != nil {
				a.log.Warn("what was asked for beside the job could not be written", "cause", err)
			}
		}
	}()
	if a.watching.profile != "" {
		if err := makeDirectory(a.watching.profile); err != nil {
			return err
		}
		p, err := observe.StartProfile(a.watching.profile)
		if err != nil {
			return fmt.Errorf("--profile: %w", err)
		}
		stops = append(stops, func() error { return inFile("--profile", a.watching.profile, p.Stop()) })
	}
	if a.watching.address != "" || a.watching.textfile != "" {
		stop, err := a.startMetrics(w)
		if err != nil {
			return err
		}
		stops = append(stops, stop)
	}
	end := func([]*job.Report, error) {}
	if a.watching.lineage != "" {
		var err error
		if end, err = a.startLineage(ctx, w); err != nil {
			return err
		}
	}
	a.watching.expected = dataset.StreamedBytes(ctx, a.unwatched(false), w.in)
	inside := ctx
	if a.watching.metrics != nil {
		inside = a.watching.metrics.Context(ctx)
	}
	reports, err := f(inside)
	a.endMetrics(ctx, reports, err)
	end(reports, err)
	return err
}

// inFile gives an error the name of what could not be written, once.
func inFile(flag, name string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return &outputError{name, fmt.Sprintf("cannot write for %s: %v", flag, e.Err), "Check the path and who may write there."}
	}
	return err
}

// startMetrics begins to serve and write metrics, and returns what ends that.
func (a *app) startMetrics(w work) (stop func() error, err error) {
	t := &a.watching
	t.metrics = observe.NewMetrics(observe.Info{Verb: w.verb, Version: receipt.ThisProgram().Version}, &t.meter, int64(a.memory))
	var server *observe.Server
	if t.address != "" {
		server, err = t.metrics.Serve(t.address)
		if errors.Is(err, syscall.EADDRINUSE) { // which passes by itself
			return nil, fmt.Errorf("--metrics-addr %s: another program has that address now", t.address)
		}
		if err != nil {
			return nil, &commandLineError{fmt.Errorf("--metrics-addr %s: %w", t.address, err), "Give HOST:PORT of this machine, such as 127.0.0.1:9464; port 0 takes one that is free."}
		}
		if !server.Loopback() {
			a.log.Warn("other machines can read the metrics", "url", server.URL())
		} else {
			a.log.Info("metrics are served", "url", server.URL())
		}
	}
	if t.textfile == "" {
		return server.Close, nil
	}
	t.metrics.KeepSuccess(t.textfile)
	if err := t.metrics.WriteFile(t.textfile); err != nil {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
		return nil, inFile("--metrics-file", t.textfile, err)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(textfileEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := t.metrics.WriteFile(t.textfile); err != nil {
					a.log.Warn("metrics could not be written", "file", t.textfile, "cause", err)
				}
			case <-quit:
				return
			}
		}
	}()
	return func() error {
		close(quit)
		<-ended
		err := inFile("--metrics-file", t.textfile, t.metrics.WriteFile(t.textfile))
		if server != nil {
			err = errors.Join(err, server.Close())
		}
		return err
	}, nil
}

// keyed hears under which key and with which arithmetic the job works.
func (a *app) keyed(key job.KeyReport, kernel string) {
	if a.watching.metrics != nil {
		a.watching.metrics.Known(kernel, key.Fingerprint)
	}
}

func (a *app) endMetrics(ctx context.Context, reports []*job.Report, err error) {
	if a.watching.metrics == nil {
		return
	}
	account := observe.Account{BusySeconds: map[string]float64{}}
	for _, r := range reports {
		account.Values += r.Values
		account.Ciphertexts += r.Ciphertexts
		for _, s := range r.Stages {
			account.BusySeconds[s.Name] += s.Busy
		}
	}
	code, kind := exitDone, ""
	if err != nil {
		f := explain(ctx, err)
		code, kind = exitCode(f.Kind), string(f.Kind)
	}
	a.watching.metrics.End(account, code, kind)
}

// Settings of OpenLineage that its integrations take from the environment.
const (
	envLineageNamespace = "OPENLINEAGE_NAMESPACE"
	envLineageParent    = "OPENLINEAGE_PARENT_ID"
	envLineageKey       = "OPENLINEAGE_API_KEY"
)

// startLineage sends the event of the start and returns what sends that of the end.
func (a *app) startLineage(ctx context.Context, w work) (end func([]*job.Report, error), err error) {
	program := receipt.ThisProgram()
	run := observe.Run{ID: observe.NewRunID(time.Now()), Namespace: "cipherfold", Job: w.name, Producer: producer(program), Version: program.Version}
	if s := os.Getenv(envLineageNamespace); s != "" {
		run.Namespace = s
	}
	if run.Job == "" {
		run.Job = w.verb + "." + path.Base(strings.Join(w.out, "+"))
	}
	if s := os.Getenv(envLineageParent); s != "" {
		if run.Parent, err = observe.ParseParentRun(s); err != nil {
			return nil, &commandLineError{fmt.Errorf("%s: %w", envLineageParent, err), "It names the scheduler's run; leave it out if there is none."}
		}
	}
	lineage, err := observe.OpenLineage(a.watching.lineage, os.Getenv(envLineageKey), func(err error) {
		a.log.Warn("an OpenLineage event was not delivered", "cause", err)
	})
	if err != nil {
		return nil, &commandLineError{fmt.Errorf("--lineage: %w", err), "Give a file, or a URL such as http://marquez:5000."}
	}
	send := func(t observe.EventType, in, out []observe.Dataset, message string) {
		event, err := run.Event(t, time.Now(), in, out, message)
		if err != nil { // there is nothing in an event that JSON does not have
			panic(err)
		}
		lineage.Send(event)
	}
	in, out := a.datasets(ctx, w)
	send(observe.Start, in, out, "")
	return func(reports []*job.Report, err error) {
		limit := lineageLimit
		switch {
		case err == nil:
			if !w.shared {
				in, out = a.datasetsOf(ctx, reports)
			}
			send(observe.Complete, in, out, "")
		case explain(ctx, err).Kind == job.Interrupted:
			limit = abortLimit
			send(observe.Abort, in, out, "")
		default:
			// The error itself stays here: it may quote a value or an id of the input.
			kind := explain(ctx, err).Kind
			send(observe.Fail, in, out, fmt.Sprintf("%s (exit code %d)", kind, exitCode(kind)))
		}
		lineage.Close(limit)
	}, nil
}

// producer is the URI of the program.
func producer(p receipt.Program) string {
	const repository = "https://github.com/cipherfold/cipherfold"
	if p.Commit != "" {
		return repository + "/tree/" + p.Commit
	}
	return repository
}

// datasets are the inputs and outputs of work that begins.
func (a *app) datasets(ctx context.Context, w work) (in, out []observe.Dataset) {
	for _, pattern := range w.in {
		files, err := a.unwatched(false).Files().List(ctx, pattern)
		if err != nil { // which the job itself will say
			files = []string{pattern}
		}
		for _, file := range files {
			in = append(in, observe.Dataset{Path: file})
		}
	}
	for _, file := range w.out {
		out = append(out, observe.Dataset{Path: file})
	}
	return observe.ByDirectory(in), out
}

// datasetsOf are the inputs and outputs of work that is done.
func (a *app) datasetsOf(ctx context.Context, reports []*job.Report) (in, out []observe.Dataset) {
	made := map[string]bool{}
	for _, r := range reports {
		for _, f := range r.Inputs {
			switch {
			case made[f.File]:
			case r.ReadsClear():
				in = append(in, observe.Dataset{Path: f.File})
			default:
				in = append(in, observe.Dataset{Path: f.File, Rows: &f.Rows})
			}
		}
		d := observe.Dataset{Path: r.Out, Rows: &r.Records}
		if r.Key.Fingerprint == "" {
			d.Rows = nil
		}
		out = append(out, d)
		made[r.Out] = true
	}
	in = observe.ByDirectory(in)
	for _, list := range [][]observe.Dataset{in, out} {
		for i := range list {
			a.describeDataset(ctx, &list[i])
		}
	}
	return in, out
}

// describeDataset adds a file's columns, and the size of an encrypted table.
func (a *app) describeDataset(ctx context.Context, d *observe.Dataset) {
	if d.Files > 0 {
		return
	}
	files := a.unwatched(false).Files()
	if receipt.IsTable(ctx, files, d.Path) {
		if f, err := files.Open(ctx, d.Path); err == nil {
			size := f.Size()
			d.Bytes = &size
			f.Close()
		}
	}
	columns, err := dataset.Columns(ctx, a.unwatched(false), d.Path)
	if err != nil { // a table that one can only list, such as one whose columns depend on options
		return
	}
	for _, c := range columns {
		d.Columns = append(d.Columns, observe.Column(c))
	}
}
