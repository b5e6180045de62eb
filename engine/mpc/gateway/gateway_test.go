package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/io/column"
)

// check asks for sums of heart rates and compares them with plain ones.
func check(t *testing.T, c *clustertest.Cluster, readings []tryout.Reading) {
	t.Helper()
	a, err := c.Client(c.ResearcherConfig()).Ask(c.Within(), &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}})
	if err != nil {
		t.Fatal(err)
	}
	want := tryout.Moments(readings, []int{0})
	if m := a.Moments[0]; m.Count != want.Count || m.Sums[0].Cmp(want.Sums[0]) != 0 {
		t.Errorf("%d readings with the sum %s, not %d with %s", m.Count, m.Sums[0], want.Count, want.Sums[0])
	}
}

func add(t *testing.T, c *clustertest.Cluster, g *gateway.Gateway, readings []tryout.Reading) {
	t.Helper()
	for _, r := range readings {
		if err := g.Add(c.Within(), 0, gateway.Reading{Patient: r.Patient, Time: r.Time, Value: r.Values[0]}); err != nil {
			t.Fatal(err)
		}
	}
}

func finish(t *testing.T, c *clustertest.Cluster, g *gateway.Gateway) {
	t.Helper()
	if err := g.Finish(c.Within()); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// Servers that go away and come back, and a gateway that ends in the middle, lose and double nothing. What comes again replaces
// what was there.
func TestOutages(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	readings := tryout.MakeVitals(4, 4, 60)
	small := func(o *gateway.Options) { o.Batch = 10 }
	g := c.Gateway(small)
	add(t, c, g, readings[:30])
	c.Stop(2)
	add(t, c, g, readings[30:50])
	if err := g.Close(); err != nil { // with batches in the spool
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, "spool", "*.batch"))
	if err != nil || len(left) == 0 {
		t.Errorf("%d batches in the spool, %v", len(left), err)
	}
	for _, name := range left {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	c.Start(2)
	g = c.Gateway(small)
	c.Stop(0)
	add(t, c, g, readings[50:70])
	c.Start(0)
	c.Stop(1)
	add(t, c, g, readings[70:])
	c.Start(1)
	finish(t, c, g)
	check(t, c, readings)
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "spool", "*.batch")); len(left) != 0 {
		t.Errorf("%q is left in the spool", left)
	}
	g = c.Gateway(small)
	for i := range readings {
		readings[i].Values[0]++
	}
	add(t, c, g, readings[:20])
	add(t, c, g, readings[:20]) // the same again
	finish(t, c, g)
	// They are of one patient. The difference to the answer above would tell by how much they were corrected.
	_, err = c.Client(c.ResearcherConfig()).Ask(c.Within(), &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}})
	if err == nil || !strings.Contains(err.Error(), "differs from an answered one about HR by fewer than 3 patients") {
		t.Errorf("readings of one patient were corrected: %v", err)
	}
	g = c.Gateway(small)
	add(t, c, g, readings[20:])
	finish(t, c, g)
	check(t, c, readings)
	survey, err := c.Client(c.GatewayConfig()).Survey(t.Context())
	if err != nil || len(survey.Held) != 1 {
		t.Fatalf("%+v, %v", survey, err)
	}
	for j, s := range survey.States {
		if s.Sources[0].Held != survey.States[0].Sources[0].Held || s.Sources[0].All != s.Sources[0].Held {
			t.Errorf("server %d: %+v", j, s.Sources)
		}
	}
}

// A gateway whose spool is full waits for the servers, and gives up when its patience ends. A batch that was in the spool, and is
// held by some servers already, is sent again without harm.
func TestFullSpool(t *testing.T) {
	defer leaktest.Take().Check(t, "after the gateway was closed")
	c := clustertest.New(t, nil)
	readings := tryout.MakeVitals(5, 4, 60)
	spool := filepath.Join(c.Dir, "spool")
	g := c.Gateway(func(o *gateway.Options) { o.Batch, o.SpoolMax, o.Patience = 20, 1500, 600*time.Millisecond })
	id, err := os.ReadFile(filepath.Join(spool, "spool.id"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, c, g, readings[:20])
	if err := g.Finish(c.Within()); err != nil {
		t.Fatal(err)
	}
	c.Stop(1)
	added := 20
	for err == nil && added < len(readings) {
		r := readings[added]
		err = g.Add(c.Within(), 0, gateway.Reading{Patient: r.Patient, Time: r.Time, Value: r.Values[0]})
		added++
	}
	if err == nil || !strings.Contains(err.Error(), "server-2.example: ") {
		t.Errorf("without a server: %v", err)
	}
	_ = g.Close()
	if left, _ := filepath.Glob(filepath.Join(spool, "*.batch")); len(left) == 0 || len(left) > 3 {
		t.Errorf("%d batches in a spool of 1500 bytes", len(left))
	}
	c.Start(1)
	// As if the gateway had died before it noted what all servers hold.
	if err := os.WriteFile(filepath.Join(spool, "spool.id"), id, 0o600); err == nil {
		if _, err := gateway.Open(c.Within(), gateway.Options{Client: c.Client(c.GatewayConfig()), Spool: spool}); err == nil || !strings.Contains(err.Error(), "a batch is missing from the spool") {
			t.Errorf("a number that went back: %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(spool, "spool.id"), []byte(strings.Replace(string(id), " 0\n", " 1\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	g = c.Gateway(nil)
	add(t, c, g, readings)
	finish(t, c, g)
	check(t, c, readings)
	for j := range 3 {
		c.Stop(j)
	}
}

// Spools that are in use, damaged, or of another gateway are refused; so is who is no gateway.
func TestSpools(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	g := c.Gateway(nil)
	spool := filepath.Join(c.Dir, "spool")
	open := func(config string) error {
		g, err := gateway.Open(c.Within(), gateway.Options{Client: c.Client(config), Spool: spool})
		if err == nil {
			err = g.Close()
		}
		return err
	}
	want := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	want("is in use by another program", open(c.GatewayConfig()))
	want("a researcher stores no readings", open(c.ResearcherConfig()))
	add(t, c, g, tryout.MakeVitals(6, 1, 720))
	c.Stop(0)
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	c.Start(0)
	left, err := filepath.Glob(filepath.Join(spool, "*.batch"))
	if err != nil || len(left) != 1 {
		t.Fatalf("%q, %v", left, err)
	}
	data, err := os.ReadFile(left[0])
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1
	if err := os.WriteFile(left[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	g = c.Gateway(nil)
	want("the file is damaged", g.Finish(c.Within()))
	_ = g.Close()
	for text, message := range map[string]string{"gateway-2/abc 0\n": "that of another gateway (gateway-2/abc)", "gateway-1/abc": "the spool is damaged", "": "the spool is damaged"} {
		if err := os.WriteFile(filepath.Join(spool, "spool.id"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want(message, open(c.GatewayConfig()))
	}
}

// Rows that are no readings are refused with file, row and column.
func TestTables(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	g := c.Gateway(nil)
	wide := gateway.Table{Patient: "patient", Time: "time", TimeUnit: "ms"}
	long := gateway.Table{Patient: "p", Time: "t", TimeUnit: "s", Attribute: "a", Value: "v"}
	others := long
	others.SkipOthers = true
	for _, x := range []struct {
		table        gateway.Table
		text         string
		added        int64
		skipped      int64
		want, column string
	}{
		{table: wide, text: "patient,time,HR,Temp\na,1,60,36.5\na,2026-01-01T00:00:00Z,,NA\nb,2,61,\n", added: 3},
		{table: long, text: "p,t,a,v\na,1.5,HR,60\na,2,Temp,36.50\n", added: 2},
		{table: others, text: "p,t,a,v\na,1,XX,60\na,2,Temp,36.5\n", added: 1, skipped: 1},
		{table: long, text: "p,t,a,v\na,1,HR,60\na,1,XX,60\n", added: 1, want: `row 2 (line 3), column "a": the attribute "XX" is not taken`, column: "a"},
		{table: wide, text: "patient,time,HR\na,noon,60\n", want: `the time "noon" is neither a number nor like`, column: "time"},
		{table: wide, text: "patient,time,HR\na,1,fast\n", want: "not a number", column: "HR"},
		{table: wide, text: "patient,time,HR\na,1,60.5\n", want: "more decimals than the 0 of HR", column: "HR"},
		{table: wide, text: "patient,time,HR\na,1,301\n", want: "beyond 300, the largest of HR", column: "HR"},
		{table: wide, text: "patient,time,HR\na,1,-301\n", want: "beyond 300, the largest of HR", column: "HR"},
		{table: wide, text: "patient,time,HR\n,1,30\n", want: "no patient", column: "patient"},
		{table: wide, text: "patient,time,HR\na,,30\n", want: "no time", column: "time"},
		{table: wide, text: "patient,when,HR\na,1,30\n", want: `no column "time"`},
		{table: wide, text: "patient,time,XX\na,1,30\n", want: "no column has the name of an attribute"},
		{table: long, text: "p,t,a,v\na,1,,60\n", want: "no attribute", column: "a"},
	} {
		name := filepath.Join(t.TempDir(), "t.csv")
		if err := os.WriteFile(name, []byte(x.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{name, "-"} {
			added, skipped, err := g.IngestFile(t.Context(), job.Options{}, &x.table, file, strings.NewReader(x.text))
			if added != x.added || skipped != x.skipped {
				t.Errorf("%q: %d readings, %d rows left out", x.text, added, skipped)
			}
			want := x.want
			if file == "-" {
				want = strings.Replace(want, " (line 3)", "", 1)
			}
			var refused *column.InputError
			if x.want == "" {
				if err != nil {
					t.Errorf("%q: %v", x.text, err)
				}
			} else if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || refused.Column != x.column {
				t.Errorf("%q: %v", x.text, err)
			}
		}
	}
	for _, bad := range []gateway.Table{{}, {Patient: "p", Time: "t", TimeUnit: "h"}, {Patient: "p", Time: "t", TimeUnit: "s", Value: "v"}} {
		var misuse *job.UsageError
		if err := bad.Check(); !errors.As(err, &misuse) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	finish(t, c, g)
}

// Readings of a stream are stored while it goes on, also when they do not fill a batch.
func TestStream(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	g := c.Gateway(nil)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, _, err := g.IngestFile(c.Within(), job.Options{}, &gateway.Table{Patient: "patient", Time: "time", TimeUnit: "ms"}, "-", r)
		done <- err
	}()
	readings := []tryout.Reading{{Patient: "a", Time: 1, Values: []int64{60}}, {Patient: "b", Time: 1, Values: []int64{61}}, {Patient: "c", Time: 1, Values: []int64{62}}}
	fmt.Fprintf(w, "patient,time,HR\na,1,60\nb,1,61\nc,1,62\n")
	for g.Progress.Sent.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	check(t, c, readings)
	fmt.Fprintf(w, "a,2,63\nb,2\n")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "standard input: row 5: ") {
		t.Errorf("a row that is too short: %v", err)
	}
	finish(t, c, g)
	if n := g.Progress.Readings.Load(); n != 4 || g.Progress.Sent.Load() != 2 {
		t.Errorf("%d readings in %d batches", n, g.Progress.Sent.Load())
	}
}

// Times are numbers of a unit, or texts.
func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1.5": 1500, "-0.0005": -1, "2": 2000, "1970-01-01": 0, "1970-01-01T00:00:01.5Z": 1500, "1970-01-01 01:00:00": 3_600_000, "1970-01-01T00:00:00+01:00": -3_600_000, " 3 ": 3000} {
		if got, err := gateway.ParseTime(text, "s"); err != nil || got != want {
			t.Errorf("%q is %d, not %d, %v", text, got, want, err)
		}
	}
	for _, bad := range []string{"", "noon", "1e30", "1.0000001", "9223372036854775", "NaN"} {
		if got, err := gateway.ParseTime(bad, "min"); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
}
