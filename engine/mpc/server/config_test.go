package server_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
)

// A configuration with a mistake is refused with file and reason.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	name := c.ServerConfig(0)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c.Stop(0)
	for _, x := range []struct{ old, new, want string }{
		{"listen", "lissten", "the key lissten is unknown"},
		{"name = ", "name = [", "line "},
		{"name = \"server-1.example\"\nlisten", "name = \"server-9.example\"\nlisten", `no [[server]] has the name "server-9.example"`},
		{`keys = "keys"`, `keys = ""`, "the key keys is missing"},
		{"smallest_cohort = 3", "smallest_cohort = 0", "[limits.researcher]: smallest_cohort, queries and period are all set"},
		{"[limits.researcher]", "[limits.gateway]", "[limits.gateway]: only a physician and a researcher ask queries"},
		{`name = "server-2.example"`, `name = "server-3.example"`, `the server "server-3.example" twice`},
		{`unit = "bpm"`, `unit = ""`, "attribute HR: the unit is empty"},
		{"decimals = 1", "decimals = 12", "attribute Temp: 12 decimals"},
		{"max = 300", "max = 1e300", "attribute HR: max 1e+300"},
		{"max = 300", "max = -1", "attribute HR: max -1"},
		{`name = "Temp"`, `name = "HR"`, "the attribute HR twice"},
		{"insecure_test_keys = true", "", "a key of 512 bits is for tests only"},
		{"server-2/keys", "server-3/keys", `the keys are those of "server-3.example", not of "server-2.example"`},
		{"server-1.example.crt", "server-2.example.crt", "private key does not match"},
		{"server-1.example.", "gateway-1.", "the certificate is for gateway gateway-1, not for server server-1.example"},
		{"policy.cedar", "entities.json", "parse error"},
		{`"ca.crt"`, `"nothing.crt"`, "no such file"},
		{"period", "clock_skew = \"-1s\"\nperiod", "the key limits.physician.clock_skew is unknown"},
		{"listen = ", "connections = -1\nlisten = ", "a limit is negative"},
		{"listen = ", "query_timeout = \"soon\"\nlisten = ", "soon"},
	} {
		changed := strings.ReplaceAll(string(text), x.old, x.new)
		if x.old == `"ca.crt"` {
			changed = strings.ReplaceAll(string(text), "ca.crt", "nothing.crt")
		}
		if changed == string(text) {
			t.Fatalf("%q is not in the configuration", x.old)
		}
		if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		err := c.TryStart(0)
		if f := job.Explain(err); err == nil || !strings.Contains(f.Message+" "+f.Hint, x.want) {
			t.Errorf("%s: %+v", x.want, f)
		}
		c.Stop(0)
	}
}

// A server answers its health, readiness and counts, and a backup of it while it runs can be restored.
func TestStatusAndBackup(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	status := l.Addr().String()
	l.Close()
	c := clustertest.New(t, func(s *tryout.Setup) { s.Status = []string{status, "127.0.0.1:0", "127.0.0.1:0"} })
	readings := tryout.MakeVitals(9, 4, 720)
	c.Ingest(readings)
	rita := c.Client(c.ResearcherConfig())
	mean := &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}
	if _, err := rita.Ask(c.Within(), mean); err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"healthz": "ok\n", "readyz": "ready\n", "metrics": "cipherfold_mpc_readings_total 24\n"} {
		r, err := web.Get("http://" + status + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil || r.StatusCode != 200 || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %d, %s, %v", path, r.StatusCode, body.String(), err)
		}
		r.Body.Close()
	}
	config, err := server.ReadConfig(c.ServerConfig(0))
	if err != nil {
		t.Fatal(err)
	}
	running, stopped := filepath.Join(c.Dir, "running.db"), filepath.Join(c.Dir, "stopped.db")
	if n, err := server.Backup(c.Within(), config, running); err != nil || n == 0 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if _, err := server.Backup(c.Within(), config, running); err == nil || !strings.Contains(err.Error(), "the file exists") {
		t.Errorf("a backup over another: %v", err)
	}
	c.Stop(0)
	if _, err := server.Backup(c.Within(), config, stopped); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(stopped); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := server.Restore(c.Within(), config, running); err == nil || !strings.Contains(err.Error(), "the store is there") {
		t.Errorf("over the store: %v", err)
	}
	if err := os.Remove(config.Store); err != nil {
		t.Fatal(err)
	}
	other, err := server.ReadConfig(c.ServerConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	c.Stop(1)
	if err := os.Rename(other.Store, other.Store+".old"); err != nil {
		t.Fatal(err)
	}
	if err := server.Restore(c.Within(), other, running); err == nil || !strings.Contains(err.Error(), "the store is of another server: server-1.example, not server-2.example") {
		t.Errorf("another server's backup: %v", err)
	}
	if err := os.Rename(other.Store+".old", other.Store); err != nil {
		t.Fatal(err)
	}
	c.Start(1)
	if err := server.Restore(c.Within(), config, running); err != nil {
		t.Fatal(err)
	}
	c.Start(0)
	a, err := rita.Ask(c.Within(), mean)
	if err != nil || a.Moments[0].Sums[0].Cmp(tryout.Moments(readings, []int{0}).Sums[0]) != 0 {
		t.Errorf("after the restore: %+v, %v", a, err)
	}
	// A backup from before some batches: these count on no server, and the gateway says what is missing.
	c.Ingest(tryout.MakeVitals(10, 5, 720))
	c.Stop(0)
	if err := os.Remove(config.Store); err != nil {
		t.Fatal(err)
	}
	if err := server.Restore(c.Within(), config, running); err != nil {
		t.Fatal(err)
	}
	c.Start(0)
	if a, err := rita.Ask(c.Within(), mean); err != nil || a.Head.Groups[0].Patients != 4 {
		t.Errorf("with an old backup: %+v, %v", a, err)
	}
	g := c.Gateway(nil)
	r := tryout.MakeVitals(10, 1, 720)[0]
	if err := errors.Join(addOne(c, g, r), g.Finish(c.Within())); err == nil || !strings.Contains(err.Error(), "server-1.example: batch 3 of gateway-1/") || !strings.Contains(err.Error(), "those between are missing") {
		t.Errorf("a gateway and an old backup: %v", err)
	}
	_ = g.Close()
}

// Queries of more columns than fit in memory give the same, by way of files.
func TestColumnsInFiles(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "s.db")
	s, err := store.OpenBolt(name, store.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	column := store.Column{Attribute: "HR", Unit: "bpm"}
	b := &store.Batch{Source: "g/1", Number: 1}
	const hour, n = 3_600_000, 20_000
	for p := range 3 {
		x := store.Series{Column: column, Patient: tryout.PatientName(p)}
		for k := range int64(n) {
			x.Times, x.Shares = append(x.Times, k*hour/1000), append(x.Shares, uint64(p)*n+uint64(k))
		}
		b.Series = append(b.Series, x)
	}
	if err := s.Hold(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	sel := &store.Selection{Columns: []store.Column{column, column}, From: math.MinInt64, Until: math.MaxInt64, Cut: map[string]uint64{"g/1": 1}}
	for _, by := range []string{"", access.ByPatient, access.ByHour, access.ByDay} {
		var columns [2][]uint64
		for i, memory := range []int64{1 << 30, 0} {
			groups, err := server.LoadForTest(context.Background(), s, sel, by, memory, t.TempDir(), func(first int64, shares []uint64) {
				columns[i] = append(columns[i], shares...)
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"": 1, access.ByPatient: 3, access.ByHour: 20, access.ByDay: 1}[by]; groups != want {
				t.Errorf("by %q: %d groups", by, groups)
			}
		}
		if len(columns[0]) != 2*3*n || !slices.Equal(columns[0], columns[1]) {
			t.Errorf("by %q: %d shares in memory, %d in files, or others", by, len(columns[0]), len(columns[1]))
		}
		if by == access.ByHour && (columns[0][999] != 999 || columns[0][1000] != n) {
			t.Errorf("the first hour of the second patient follows that of the first: %d", columns[0][999:1001])
		}
	}
}

// addOne adds a heart rate.
func addOne(c *clustertest.Cluster, g *gateway.Gateway, r tryout.Reading) error {
	return g.Add(c.Within(), 0, gateway.Reading{Patient: r.Patient, Time: r.Time, Value: r.Values[0]})
}
