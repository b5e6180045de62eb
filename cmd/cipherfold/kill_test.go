package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// nightly is a job of all verbs and both layouts.
const nightly = `version = 1

[job]
name = "nightly"
dir = "jobs/nightly"
part_rows = 40
receipt_key = "receipt.key"

[[encrypt]]
key = "public.json"
in = ["in/a-*.csv"]
id = ["id", "ward"]
measure = ["x", "y:decimals=1:max=100"]
square = ["x"]
out = "a.records.cf.parquet"

[[encrypt]]
key = "public.json"
in = "in/b.csv"
id = ["id", "ward"]
measure = ["x", "y:decimals=1:max=100"]
square = ["x"]
out = "b.records.cf.parquet"

[[encrypt]]
key = "secret.json"
in = ["in/a-*.csv"]
id = ["id"]
measure = ["x:max=2000", "y:decimals=1:max=100"]
layout = "blocks"
universe = "in/all.csv"
out = "a.blocks.cf.parquet"

[[encrypt]]
key = "secret.json"
in = "in/b.csv"
id = ["id"]
measure = ["x:max=2000", "y:decimals=1:max=100"]
layout = "blocks"
universe = "in/all.csv"
rows_per_file = 100
out = "b.blocks"

[[fuse]]
in = ["a.records.cf.parquet", "b.records.cf.parquet"]
out = "ids.cf.parquet"

[[fuse]]
in = "*.records.cf.parquet"
by = "ward"
min_group = 2
out = "wards.cf.parquet"

[[fuse]]
in = ["a.blocks.cf.parquet", "b.blocks"]
out = "blocks.cf.parquet"

[[decrypt]]
key = "secret.json"
in = "ids.cf.parquet"
out = "ids.csv"

[[decrypt]]
key = "secret.json"
in = "wards.cf.parquet"
out = "wards.csv"

[[decrypt]]
key = "secret.json"
in = "blocks.cf.parquet"
out = "blocks.csv"
`

// newNight is a place with the job and its sources.
func newNight(t *testing.T) *place {
	p := newPlace(t)
	p.write("job.toml", nightly)
	all := []string{"id"}
	a, b := []string{"id,ward,x,y"}, []string{"id,ward,x,y"}
	for i := range 300 {
		all = append(all, fmt.Sprint(i))
		if i%11 != 3 {
			a = append(a, fmt.Sprintf("%d,%c,%d,%d.%d", i, 'a'+i%4, 1000-i*i%997, i%90, i%10))
		}
		if i%7 != 2 {
			b = append(b, fmt.Sprintf("%d,%c,%d,NA", i, 'a'+i%4, 1000-i*7%991))
		}
	}
	if _, err := receipt.LoadOrCreateSigner(t.Context(), p.path("receipt.key")); err != nil {
		t.Fatal(err)
	}
	p.mkdir("in")
	p.lines("in/all.csv", all...)
	p.lines("in/a-1.csv", a[:100]...)
	p.lines("in/a-2.csv", append([]string{a[0]}, a[100:]...)...)
	p.lines("in/b.csv", b...)
	return p
}

// program starts cipherfold as a process of its own in the place.
func (p *place) program(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// runNight runs the job to its end in a process of its own.
func (p *place) runNight(args ...string) {
	p.t.Helper()
	cmd, out := p.program(append([]string{"run", "job.toml", "--quiet"}, args...)...)
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// night is what a job that is done leaves: the names of all files, and its results.
func (p *place) night() (names []string, results map[string]string) {
	files := p.files()
	results = map[string]string{}
	for name, digest := range files {
		if filepath.Ext(name) == ".csv" {
			results[name] = digest
		}
		if filepath.Ext(name) == ".tables" { // of powers, beside the public key, made when it seems worth it
			delete(files, name)
		}
	}
	return slices.Sorted(maps.Keys(files)), results
}

// killer kills programs at random moments.
type killer struct {
	random *rand.Rand
	within time.Duration // of their start
	killed int
	limit  int // of kills; programs that start later are left alone
}

// run runs a program, again whenever it was killed, until it ends by itself, which must be well.
func (k *killer) run(p *place, args ...string) {
	p.t.Helper()
	for within := k.within; ; within += within / 10 { // lest a machine that became busy never gets to the end
		cmd, out := p.program(append(args, "--quiet")...)
		if err := cmd.Start(); err != nil {
			p.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		select {
		case err = <-ended:
		case <-k.moment(within):
			_ = cmd.Process.Kill() // it may be over just now
			err = <-ended
		}
		if err == nil {
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			p.t.Fatalf("%v\n%s", err, out)
		}
		k.killed++
	}
}

// moment comes at random within a time, or never when the limit is reached.
func (k *killer) moment(within time.Duration) <-chan time.Time {
	if k.killed >= k.limit {
		return nil
	}
	return time.After(time.Duration(k.random.Int64N(int64(within))))
}

// The job is killed at random moments and resumed until it is done, again and again: as one run, and as shards that are
// merged. Its results are those of an undisturbed run, and no other file is left. CIPHERFOLD_KILLS sets how often it is
// killed.
func TestKills(t *testing.T) {
	t.Parallel()
	kills := thoroughtest.Pick(4, 10)
	if s := os.Getenv("CIPHERFOLD_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	undisturbed := newNight(t)
	start := time.Now()
	undisturbed.runNight()
	took := time.Since(start)
	wantNames, wantResults := undisturbed.night()
	k := &killer{random: rand.New(rand.NewPCG(5, 5))}
	inShards, nights := 0, 0
	for ; k.killed < kills || nights < 2; nights++ { // at least once each way
		p, before := newNight(t), k.killed
		k.limit = before + thoroughtest.Pick(3, math.MaxInt32)
		receipt := p.path("jobs/nightly/receipt.json")
		if nights%2 == 0 {
			k.within = took / 2
			k.run(p, "run", "job.toml", "--resume")
		} else {
			k.within = took / 4
			for levels := 0; ; levels++ {
				if _, err := os.Stat(receipt); err == nil {
					break
				} else if levels == 3 {
					t.Fatalf("not done after %d levels: %v", levels, err)
				}
				k.run(p, "shard", "job.toml", "2/2")
				k.run(p, "shard", "job.toml", "1/2")
				k.run(p, "merge", "job.toml")
			}
			inShards += k.killed - before
		}
		names, results := p.night()
		names = slices.DeleteFunc(names, func(name string) bool { // every attempt of a shard has a journal of its own
			return strings.HasPrefix(name, "jobs/nightly/journal.")
		})
		if !maps.Equal(results, wantResults) {
			t.Errorf("killed %d times: the results differ", k.killed-before)
		}
		if !slices.Equal(names, wantNames) {
			t.Errorf("killed %d times: files %q, want %q", k.killed-before, names, wantNames)
		}
		p.ok("verify " + receipt + " --base " + p.dir)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills in %d jobs, %d of them of shards and merges; each was resumed until it was done", k.killed, nights, inShards)
}

// SIGTERM and SIGINT end a job with exit code 4 within seconds, and it goes on where it was.
func TestTermination(t *testing.T) {
	t.Parallel()
	undisturbed := newNight(t)
	undisturbed.runNight()
	wantNames, wantResults := undisturbed.night()
	p := newNight(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		interrupted := false
		for try := 0; try < 20 && !interrupted; try++ {
			if err := os.RemoveAll(p.path("jobs")); err != nil {
				t.Fatal(err)
			}
			for _, name := range wantNames {
				if !strings.HasPrefix(name, "in/") && (strings.HasSuffix(name, ".csv") || strings.Contains(name, ".cf.parquet") || strings.HasPrefix(name, "b.blocks/")) {
					os.RemoveAll(p.path(name))
				}
			}
			cmd, out := p.program("run", "job.toml", "--quiet")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if parts, _ := filepath.Glob(p.path("jobs/nightly/parts/*.parquet")); len(parts) > 0 {
					break
				}
			}
			if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			start := time.Now()
			err := cmd.Wait()
			if err == nil { // it was done before the signal came
				continue
			}
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Fatalf("%v: exit code %d\n%s", signal, code, out)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("%v: it took %v to end", signal, took)
			}
			if !strings.Contains(out.String(), "cipherfold: interrupted in ") || !strings.Contains(out.String(), "hint: Go on with: cipherfold run job.toml --resume") {
				t.Errorf("%v: %s", signal, out)
			}
			interrupted = true
		}
		if !interrupted {
			t.Fatalf("%v: never interrupted", signal)
		}
		p.runNight("--resume")
		names, results := p.night()
		if !maps.Equal(results, wantResults) || !slices.Equal(names, wantNames) {
			t.Errorf("%v: resumed: %q, want %q", signal, names, wantNames)
		}
	}
}
