package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"
	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// Config is the configuration file of a user or a gateway. Names of files are relative to it.
type Config struct {
	TLS     access.Files `toml:"tls"`
	Servers []Server     `toml:"server"` // all, in the order that the servers have
	Spool   string       `toml:"spool"`  // directory of a gateway
	SpoolMB int          `toml:"spool_mb"`
}

// Server is where a server is.
type Server struct {
	Name    string `toml:"name"`
	Address string `toml:"address"` // host and port
}

// ReadConfig reads a configuration file.
func ReadConfig(name string) (*Config, error) {
	c := new(Config)
	meta, err := toml.DecodeFile(name, c)
	const hint = "See docs/data-servers.md for all keys."
	if parse, ok := err.(toml.ParseError); ok {
		return nil, job.Misuse(hint, "%s, line %d: %s", name, parse.Position.Line, parse.Message)
	}
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, job.Misuse(hint, "%s: the key %s is unknown", name, unknown[0])
	}
	t := &c.TLS
	for _, f := range []*string{&t.Authority, &t.Revoked, &t.Certificate, &t.Key, &t.Signing, &t.SigningKey, &c.Spool} {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(name), *f)
		}
	}
	if t.Authority == "" || t.Certificate == "" || t.Key == "" {
		return nil, job.Misuse(hint, "%s: [tls] has authority, certificate and key", name)
	}
	if (t.Signing == "") != (t.SigningKey == "") {
		return nil, job.Misuse(hint, "%s: [tls] has signing_certificate and signing_key, or neither", name)
	}
	if len(c.Servers) < 2 {
		return nil, job.Misuse(hint, "%s: %d tables [[server]]: there is one for each server", name, len(c.Servers))
	}
	for i, s := range c.Servers {
		if _, _, err := net.SplitHostPort(s.Address); s.Name == "" || err != nil {
			return nil, job.Misuse(hint, "%s: the server %q at %q: give a name, and an address as HOST:PORT", name, s.Name, s.Address)
		}
		if slices.ContainsFunc(c.Servers[:i], func(o Server) bool { return o.Name == s.Name }) {
			return nil, job.Misuse(hint, "%s: the server %q twice", name, s.Name)
		}
	}
	if c.SpoolMB < 0 {
		return nil, job.Misuse(hint, "%s: spool_mb %d", name, c.SpoolMB)
	}
	return c, nil
}

// Client is somebody with a role, and the servers.
type Client struct {
	Credentials *access.Credentials
	User        *wire.User
}

// New reads what the configuration names.
func New(c *Config) (*Client, error) {
	credentials, err := c.TLS.Read()
	if err != nil {
		return nil, err
	}
	u := &wire.User{Party: wire.Party{Certificate: credentials.TLS, Roots: credentials.Roots, Check: credentials.CheckServer}}
	for _, s := range c.Servers {
		u.Names, u.Addresses = append(u.Names, s.Name), append(u.Addresses, s.Address)
	}
	return &Client{Credentials: credentials, User: u}, nil
}

// Call makes a call to server j and returns the response.
func (c *Client) Call(ctx context.Context, j int, method byte, body []byte, part func([]byte) error) error {
	caller, err := c.User.Dial(ctx, c.User.Names[j], c.User.Addresses[j])
	if err != nil {
		return fmt.Errorf("%s: %w", c.User.Names[j], err)
	}
	defer caller.Close()
	if err := caller.Call(ctx, method, body, part); err != nil {
		return fmt.Errorf("%s: %w", c.User.Names[j], err)
	}
	return nil
}

// State asks server j.
func (c *Client) State(ctx context.Context, j int) (*server.State, error) {
	var text []byte
	if err := c.Call(ctx, j, server.CallState, nil, func(part []byte) error { text = append(text, part...); return nil }); err != nil {
		return nil, err
	}
	state := new(server.State)
	if err := strictjson.Decode(text, state); err != nil {
		return nil, fmt.Errorf("%s: %w", c.User.Names[j], err)
	}
	if state.Name != c.User.Names[j] || !slices.Equal(state.Servers, c.User.Names) {
		return nil, fmt.Errorf("%s: it is one of the servers %q, and the configuration has %q", c.User.Names[j], state.Servers, c.User.Names)
	}
	return state, server.CheckAttributes(state.Attributes)
}

// Survey is what all servers say.
type Survey struct {
	Attributes []server.Attribute
	Held       map[string]uint64 // the batches of each source that all servers hold
	States     []*server.State
}

// Survey asks all servers. It returns an error when their catalogues of attributes differ.
func (c *Client) Survey(ctx context.Context) (*Survey, error) {
	s := &Survey{Held: map[string]uint64{}, States: make([]*server.State, len(c.User.Names))}
	group, ctx := errgroup.WithContext(ctx)
	for j := range c.User.Names {
		group.Go(func() (err error) {
			s.States[j], err = c.State(ctx, j)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s.Attributes = s.States[0].Attributes
	first, err := json.Marshal(s.Attributes)
	if err != nil {
		return nil, err
	}
	for j, state := range s.States {
		if text, err := json.Marshal(state.Attributes); err != nil || string(text) != string(first) {
			return nil, fmt.Errorf("%s and %s have different attributes", c.User.Names[0], c.User.Names[j])
		}
		held := map[string]uint64{}
		for _, x := range state.Sources {
			held[x.Name] = x.Held
			if j == 0 && x.Held > 0 {
				s.Held[x.Name] = x.Held
			}
		}
		for name, n := range s.Held {
			if s.Held[name] = min(n, held[name]); s.Held[name] == 0 {
				delete(s.Held, name)
			}
		}
	}
	return s, nil
}
