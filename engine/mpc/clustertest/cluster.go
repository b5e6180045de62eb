// Package clustertest runs data servers in the process of a test, with all that they are in production but the process: TLS,
// certificates, stores on disk, policies.
package clustertest

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Cluster is data servers of this process.
type Cluster struct {
	tryout.Setup
	t       testing.TB
	running []*running
}

type running struct {
	stop func()
	done chan error
}

// New sets up three servers with keys of 512 bits, and starts them. change may change the setup.
func New(t testing.TB, change func(*tryout.Setup)) *Cluster {
	t.Helper()
	c := &Cluster{t: t, Setup: tryout.Setup{Dir: t.TempDir(), Variant: paillier.DJN, Bits: 512, Insecure: true, Attributes: tryout.Vitals, Smallest: 3, Queries: 1000}}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c.Addresses = append(c.Addresses, l.Addr().String())
		l.Close()
	}
	if change != nil {
		change(&c.Setup)
	}
	if err := c.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.running = make([]*running, len(c.Addresses))
	for j := range c.Addresses {
		c.Start(j)
	}
	t.Cleanup(func() {
		for j := range c.running {
			c.Stop(j)
		}
	})
	return c
}

// Start starts server j.
func (c *Cluster) Start(j int) {
	c.t.Helper()
	if err := c.TryStart(j); err != nil {
		c.t.Fatal(err)
	}
}

// TryStart starts server j, or returns why it does not start.
func (c *Cluster) TryStart(j int) error {
	config, err := server.ReadConfig(c.ServerConfig(j))
	if err != nil {
		return err
	}
	s, err := server.Open(context.Background(), config, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, ready := &running{stop: cancel, done: make(chan error, 1)}, make(chan struct{})
	go func() {
		err := s.Run(ctx, func(net.Addr, net.Addr) { close(ready) })
		if err2 := s.Close(); err == nil {
			err = err2
		}
		r.done <- err
	}()
	select {
	case <-ready:
		c.running[j] = r
		return nil
	case err := <-r.done:
		cancel()
		return err
	}
}

// Stop stops server j, if it runs.
func (c *Cluster) Stop(j int) {
	c.t.Helper()
	if r := c.running[j]; r != nil {
		c.running[j] = nil
		r.stop()
		if err := <-r.done; err != nil {
			c.t.Error(err)
		}
	}
}

// Client is a client with a configuration file.
func (c *Cluster) Client(config string) *client.Client {
	c.t.Helper()
	read, err := client.ReadConfig(config)
	if err != nil {
		c.t.Fatal(err)
	}
	cl, err := client.New(read)
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

// Gateway opens the gateway.
func (c *Cluster) Gateway(change func(*gateway.Options)) *gateway.Gateway {
	c.t.Helper()
	o := gateway.Options{Client: c.Client(c.GatewayConfig()), Spool: filepath.Join(c.Dir, "spool"), Batch: 1000}
	if change != nil {
		change(&o)
	}
	g, err := gateway.Open(context.Background(), o)
	if err != nil {
		c.t.Fatal(err)
	}
	return g
}

// Ingest stores readings of tryout.Vitals on all servers.
func (c *Cluster) Ingest(readings []tryout.Reading) {
	c.t.Helper()
	g := c.Gateway(nil)
	for _, r := range readings {
		for a, v := range r.Values {
			if err := g.Add(c.t.Context(), a, gateway.Reading{Patient: r.Patient, Time: r.Time, Value: v}); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if err := g.Finish(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// Within is a context that ends after a time that is long enough for anything.
func (c *Cluster) Within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	c.t.Cleanup(cancel)
	return ctx
}

// Audit stops server j, checks its audit log, and returns the entries' texts. The server stays stopped.
func (c *Cluster) Audit(j int) (entries []string) {
	c.t.Helper()
	c.Stop(j)
	s, err := store.OpenBolt(filepath.Join(filepath.Dir(c.ServerConfig(j)), "shares.db"), store.BoltOptions{Any: true, ReadOnly: true})
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	if _, err := store.VerifyAudit(c.t.Context(), s); err != nil {
		c.t.Error(err)
	}
	if err := s.Entries(c.t.Context(), 1, func(e *store.Entry) error {
		entries = append(entries, string(e.Text))
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	return entries
}

// Credentials reads the credentials of a configuration file.
func (c *Cluster) Credentials(config string) *access.Credentials { return c.Client(config).Credentials }
