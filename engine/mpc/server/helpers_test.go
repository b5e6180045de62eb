package server_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
)

var jobOptions = job.Options{}

// revokedFile writes the certificate for TLS of a client to a file.
func revokedFile(t *testing.T, cl *client.Client) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "revoked.crt")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cl.Credentials.TLS.Leaf.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// forged gives server j a store with one more reading in a batch of the same number.
func forged(t *testing.T, c *clustertest.Cluster, j int) {
	t.Helper()
	c.Stop(j)
	name := filepath.Join(filepath.Dir(c.ServerConfig(j)), "shares.db")
	s, err := store.OpenBolt(name, store.BoltOptions{Any: true})
	if err != nil {
		t.Fatal(err)
	}
	sources, err := s.Sources(t.Context())
	if err != nil || len(sources) != 1 {
		t.Fatalf("%+v, %v", sources, err)
	}
	identity, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	if s, err = store.OpenBolt(name, store.BoltOptions{Identity: *identity}); err != nil {
		t.Fatal(err)
	}
	for n := range sources[0].Held {
		b := &store.Batch{Source: sources[0].Name, Number: n + 1, Made: 1}
		for p := range 6 {
			b.Series = append(b.Series, store.Series{Column: store.Column{Attribute: "HR", Unit: "bpm"}, Patient: tryout.PatientName(p), Times: []int64{1}, Shares: []uint64{5}})
		}
		if err := s.Hold(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.Start(j)
}
