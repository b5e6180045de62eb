package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
)

// Server is a data server.
type Server struct {
	config      *Config
	credentials *access.Credentials
	keys        *keyring
	store       store.Store
	gate        *access.Gate
	node        *wire.Node
	attributes  map[string]Attribute
	metrics     *metrics
	log         *slog.Logger

	mu        sync.Mutex
	noted     time.Time // the second of the last noted refusals
	noteCount int
}

// Open reads all that a server needs, and opens its store. It refuses what does not belong together, with the reason.
func Open(ctx context.Context, c *Config, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: c, attributes: map[string]Attribute{}, metrics: newMetrics(), log: log}
	for _, a := range c.Attributes {
		s.attributes[a.Name] = a
	}
	var err error
	if s.credentials, err = c.TLS.Read(); err != nil {
		return nil, err
	}
	if who := s.credentials.Identity; who.Role != access.Server || who.Name != c.Name {
		return nil, job.Misuse("Name the certificate that the authority issued for this server.", "%s: the certificate is for %s, not for server %s", c.TLS.Certificate, who, c.Name)
	}
	if err := s.credentials.Check(s.credentials.TLS.Leaf); err != nil {
		return nil, err
	}
	if err := s.credentials.TLS.Leaf.VerifyHostname(c.Name); err != nil {
		return nil, job.Misuse("Issue a certificate with the server's name as a host.", "%s: %v", c.TLS.Certificate, err)
	}
	policy, err := access.ReadPolicy(c.Policy, c.Entities)
	if err != nil {
		return nil, err
	}
	if s.keys, err = readKeys(ctx, c); err != nil {
		return nil, err
	}
	if s.store, err = openStore(c, s.keys); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, policy); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// openStore opens the store of the configuration.
func openStore(c *Config, k *keyring) (store.Store, error) {
	st, err := store.OpenBolt(c.Store, store.BoltOptions{Identity: store.Identity{Server: c.Name, Number: c.number(), Servers: len(c.Servers),
		Deployment: strings.Join(c.names(), " "), Key: k.secret.Public().Fingerprint()}})
	if err != nil {
		return nil, err
	}
	return st, nil
}

func (s *Server) begin(ctx context.Context, policy *access.Policy) error {
	c := s.config
	s.gate = &access.Gate{Credentials: s.credentials, Servers: c.names(), Store: s.store, Policy: policy, Limits: c.Limits, Skew: c.ClockSkew.Duration, Now: time.Now}
	var addresses []string
	for _, p := range c.Servers {
		addresses = append(addresses, p.Address)
	}
	var err error
	s.node, err = wire.NewNode(wire.Config{Number: c.number(), Names: c.names(), Addresses: addresses, Certificate: s.credentials.TLS, Roots: s.credentials.Roots,
		Check: s.credentials.Check, Key: s.keys.secret, Keys: s.keys.public, Pairs: s.keys.pairs, Open: s.open, Call: s.call, Turned: s.turned,
		QueryTimeout: c.QueryTimeout.Duration, ConnectionsMax: c.Connections, Workers: c.Threads, Log: s.log})
	if err != nil {
		return err
	}
	if _, err := store.VerifyAudit(ctx, s.store); err != nil {
		return fmt.Errorf("%s: %w", c.Store, err)
	}
	return s.gate.Append(ctx, access.Entry{Event: access.Started, Role: access.Server, User: c.Name})
}

// Run serves until ctx ends: then it ends what is under way. ready is called when both listeners are open, with their
// addresses; that of the status is nil when there is none.
func (s *Server) Run(ctx context.Context, ready func(listen, status net.Addr)) error {
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return err
	}
	var status net.Listener
	var statusAddress net.Addr
	if s.config.Status != "" {
		if status, err = net.Listen("tcp", s.config.Status); err != nil {
			listener.Close()
			return err
		}
		statusAddress = status.Addr()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.node.Serve(ctx, listener) })
	if status != nil {
		web := s.web()
		group.Go(func() error {
			if err := web.Serve(status); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			return web.Close()
		})
	}
	if ready != nil {
		ready(listener.Addr(), statusAddress)
	}
	return group.Wait()
}

// Close closes the store. It is called after Run.
func (s *Server) Close() error { return s.store.Close() }

// notesMax is how many refusals of connections and calls are noted in a second. Those beyond are counted only, so that nobody
// fills the disk.
const notesMax = 10

// turned notes a connection that was turned away before it said anything.
func (s *Server) turned(from string, err error) {
	s.metrics.turned.Inc()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // whoever looks whether the port is open
		return
	}
	s.noteRefusal(context.Background(), access.Entry{Event: access.Refused, From: from, Reason: err.Error()})
}

// noteRefusal notes a refusal that no signed query caused.
func (s *Server) noteRefusal(ctx context.Context, e access.Entry) {
	s.mu.Lock()
	if now := time.Now(); now.Sub(s.noted) > time.Second {
		s.noted, s.noteCount = now, 0
	}
	s.noteCount++
	over := s.noteCount > notesMax
	s.mu.Unlock()
	if over {
		return
	}
	if err := s.gate.Append(context.WithoutCancel(ctx), e); err != nil {
		s.log.Error("the audit log cannot be written", "error", err.Error())
	}
}
