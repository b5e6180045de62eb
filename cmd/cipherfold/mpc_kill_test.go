package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// mpcProcess is a command that runs as a process.
type mpcProcess struct {
	t    *testing.T
	args []string
	in   io.Reader
	cmd  *exec.Cmd
	said strings.Builder
}

func (p *mpcProcess) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.said
	p.cmd.Stdin = p.in
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as kill -9 does.
func (p *mpcProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// TestKilledServersAndGateway kills servers and the gateway with SIGKILL at random moments of an ingest, and starts them again.
// In the end no reading is lost, doubled, or on some servers only, and the statistics are the plain ones.
func TestKilledServersAndGateway(t *testing.T) {
	t.Parallel()
	setup := &tryout.Setup{Dir: t.TempDir(), Variant: paillier.DJN, Bits: 512, Insecure: true, Attributes: tryout.Vitals, Smallest: 3, Queries: 1000}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		setup.Addresses = append(setup.Addresses, l.Addr().String())
		l.Close()
	}
	if err := setup.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	readings := tryout.MakeVitals(11, 8, thoroughtest.Pick(30, 5))
	table := filepath.Join(setup.Dir, "vitals.csv")
	if err := tryout.WriteCSV(table, readings); err != nil {
		t.Fatal(err)
	}
	var servers []*mpcProcess
	for j := range setup.Addresses {
		p := &mpcProcess{t: t, args: []string{"mpc", "server", "--config", setup.ServerConfig(j)}}
		p.start()
		defer p.kill()
		servers = append(servers, p)
	}
	ingest := []string{"mpc", "ingest", "--quiet", "--config", setup.GatewayConfig(), "--batch", "100"}
	gateway := &mpcProcess{t: t, args: append(ingest, table)}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	gateway.start()
	for range thoroughtest.Pick(4, 100) {
		time.Sleep(time.Duration(r.IntN(80)) * time.Millisecond)
		if victim := r.IntN(5); victim < 3 {
			servers[victim].kill()
			time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			servers[victim].start()
		} else {
			gateway.kill()
			gateway.start()
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- gateway.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("%v\n%s", err, gateway.said.String())
		}
	case <-time.After(5 * time.Minute):
		_ = gateway.cmd.Process.Kill()
		t.Fatalf("the gateway does not end\n%s", gateway.said.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	query := exec.CommandContext(ctx, os.Args[0], "mpc", "query", "regress", "SysABP", "HR", "Temp", "--config", setup.ResearcherConfig(), "--json")
	query.Env = append(os.Environ(), asProgram+"=1")
	out, err := query.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got struct {
		Results []struct {
			Name    string
			Records int64
			Value   float64
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want, err := tryout.Moments(readings, []int{1, 0, 2}).Regress(0, []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	r2, _ := want.R2.Float64()
	last := got.Results[len(got.Results)-1]
	if last.Name != "R²" || last.Records != int64(len(readings)) || last.Value != r2 {
		t.Errorf("%+v of %d readings, not R² = %v", last, len(readings), r2)
	}
	var sources []string
	for j, p := range servers {
		_ = p.cmd.Process.Signal(os.Interrupt)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("server %d: %v\n%s", j, err, p.said.String())
		}
		s, err := store.OpenBolt(filepath.Join(filepath.Dir(setup.ServerConfig(j)), "shares.db"), store.BoltOptions{Any: true, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		held, err := s.Sources(t.Context())
		if err != nil {
			t.Error(err)
		}
		sources = append(sources, fmt.Sprint(held))
		if _, err := store.VerifyAudit(t.Context(), s); err != nil {
			t.Errorf("server %d: %v", j, err)
		}
		s.Close()
	}
	if sources[0] != sources[1] || sources[0] != sources[2] {
		t.Errorf("servers hold different batches: %q", sources)
	}
	t.Logf("%d readings; sources %s", 3*len(readings), sources[0])
}
