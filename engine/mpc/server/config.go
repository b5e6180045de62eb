package server

import (
	"fmt"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// Config is the configuration file of a server. Names of files are relative to it.
type Config struct {
	Name   string `toml:"name"`   // of this server, one of those of [[server]], and in its certificate
	Listen string `toml:"listen"` // host and port for the other servers, gateways and users
	Status string `toml:"status"` // host and port for health and metrics, without TLS; "" means none

	Store   string `toml:"store"`   // file of the shares and the audit log
	Keys    string `toml:"keys"`    // directory that keygen made
	Scratch string `toml:"scratch"` // directory for the columns of large queries; default: beside the store

	PassphraseFile string `toml:"passphrase_file"` // of the secret key, if it has a passphrase

	TLS     access.Files `toml:"tls"`
	Servers []Peer       `toml:"server"` // all servers, this one included, in the same order everywhere

	Attributes []Attribute                   `toml:"attribute"`
	Policy     string                        `toml:"policy"`   // file of Cedar policies
	Entities   string                        `toml:"entities"` // file of Cedar entities; may be missing
	Limits     map[access.Role]access.Limits `toml:"limits"`

	ClockSkew    access.Duration `toml:"clock_skew"`    // 0 means 5m
	QueryTimeout access.Duration `toml:"query_timeout"` // 0 means 10m
	Connections  int             `toml:"connections"`   // at one time; 0 means 64
	Threads      int             `toml:"threads"`       // of a query and direction; 0 means one for each CPU
	MemoryMB     int             `toml:"memory_mb"`     // for the columns of one query, beyond which they go to a file; 0 means 64

	InsecureTestKeys bool `toml:"insecure_test_keys"` // allow keys below 2048 bits, for tests

	file string
}

// Peer is a server as the others know it.
type Peer struct {
	Name    string `toml:"name"`
	Address string `toml:"address"` // host and port
	Public  string `toml:"public"`  // file with its public keys
}

// Attribute is what is measured. Its values are decimal numbers; all servers agree on them.
type Attribute struct {
	Name     string  `toml:"name" json:"name"`
	Unit     string  `toml:"unit" json:"unit"`
	Decimals int     `toml:"decimals" json:"decimals"` // places behind the point that are kept
	Max      float64 `toml:"max" json:"max"`           // no value is larger, or smaller than its negative
}

// Limits of Config.
const (
	decimalsMax       = 9
	memoryDefaultMB   = 64
	memoryMaxMB       = 1 << 20
	attributeCountMax = 1000
)

// Scale is what a value is multiplied with to be an integer.
func (a Attribute) Scale() int64 {
	scale := int64(1)
	for range a.Decimals {
		scale *= 10
	}
	return scale
}

// Bound is the largest integer.
func (a Attribute) Bound() uint64 { return uint64(math.Ceil(a.Max * float64(a.Scale()))) }

func (a Attribute) column() store.Column { return store.Column{Attribute: a.Name, Unit: a.Unit} }

// CheckAttributes refuses a catalogue that makes no sense.
func CheckAttributes(list []Attribute) error {
	if len(list) == 0 || len(list) > attributeCountMax {
		return fmt.Errorf("%d attributes: there are 1 to %d", len(list), attributeCountMax)
	}
	seen := map[string]bool{}
	for _, a := range list {
		if err := store.CheckName("attribute", a.Name); err != nil {
			return err
		}
		if err := store.CheckName("unit", a.Unit); err != nil {
			return fmt.Errorf("attribute %s: %w (write 1 for a number without one)", a.Name, err)
		}
		switch {
		case seen[a.Name]:
			return fmt.Errorf("the attribute %s twice", a.Name)
		case a.Decimals < 0 || a.Decimals > decimalsMax:
			return fmt.Errorf("attribute %s: %d decimals: there are 0 to %d", a.Name, a.Decimals, decimalsMax)
		case !(a.Max > 0) || a.Max*float64(a.Scale()) > 1<<53:
			return fmt.Errorf("attribute %s: max %v: with %d decimals it is above 0 and at most %v", a.Name, a.Max, a.Decimals, float64(1<<53)/float64(a.Scale()))
		}
		seen[a.Name] = true
	}
	return nil
}

// ReadConfig reads a configuration file.
func ReadConfig(name string) (*Config, error) {
	c := &Config{file: name}
	meta, err := toml.DecodeFile(name, c)
	if err != nil {
		return nil, configError(name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, job.Misuse("See docs/data-servers.md for all keys.", "%s: the key %s is unknown", name, unknown[0])
	}
	beside := func(files ...*string) {
		for _, f := range files {
			if *f != "" && !filepath.IsAbs(*f) {
				*f = filepath.Join(filepath.Dir(name), *f)
			}
		}
	}
	beside(&c.Store, &c.Keys, &c.Scratch, &c.PassphraseFile, &c.Policy, &c.Entities)
	beside(&c.TLS.Authority, &c.TLS.Revoked, &c.TLS.Certificate, &c.TLS.Key)
	for i := range c.Servers {
		beside(&c.Servers[i].Public)
	}
	if err := c.check(); err != nil {
		return nil, job.Misuse("See docs/data-servers.md for all keys.", "%s: %v", name, err)
	}
	return c, nil
}

// configError takes a mistake in TOML apart.
func configError(name string, err error) error {
	if parse, ok := err.(toml.ParseError); ok {
		return job.Misuse("See docs/data-servers.md for all keys.", "%s, line %d: %s", name, parse.Position.Line, parse.Message)
	}
	return err
}

func (c *Config) check() error {
	for key, value := range map[string]string{"name": c.Name, "listen": c.Listen, "store": c.Store, "keys": c.Keys, "policy": c.Policy,
		"authority in [tls]": c.TLS.Authority, "certificate in [tls]": c.TLS.Certificate, "key in [tls]": c.TLS.Key} {
		if value == "" {
			return fmt.Errorf("the key %s is missing", key)
		}
	}
	if c.TLS.Signing != "" || c.TLS.SigningKey != "" {
		return fmt.Errorf("a server signs no queries: leave out signing_certificate and signing_key")
	}
	if n := len(c.Servers); n < 2 || n > 16 {
		return fmt.Errorf("%d tables [[server]]: there are 2 to 16, one for each server, this one included", n)
	}
	var names []string
	for _, s := range c.Servers {
		if s.Name == "" || s.Address == "" || s.Public == "" {
			return fmt.Errorf("the server %q: each [[server]] has name, address and public", s.Name)
		}
		if _, _, err := net.SplitHostPort(s.Address); err != nil {
			return fmt.Errorf("the server %q: %w", s.Name, err)
		}
		if slices.Contains(names, s.Name) {
			return fmt.Errorf("the server %q twice", s.Name)
		}
		names = append(names, s.Name)
	}
	if !slices.Contains(names, c.Name) {
		return fmt.Errorf("no [[server]] has the name %q: there are %s", c.Name, strings.Join(names, ", "))
	}
	for role, l := range c.Limits {
		switch {
		case role != access.Physician && role != access.Researcher:
			return fmt.Errorf("[limits.%s]: only a physician and a researcher ask queries", role)
		case l.SmallestCohort < 1 || l.Queries < 1 || l.Period.Duration <= 0:
			return fmt.Errorf("[limits.%s]: smallest_cohort, queries and period are all set, and above 0", role)
		}
	}
	switch {
	case len(c.Limits) == 0:
		return fmt.Errorf("nobody may ask: add [limits.physician] or [limits.researcher]")
	case c.ClockSkew.Duration < 0 || c.QueryTimeout.Duration < 0 || c.Connections < 0 || c.Threads < 0 || c.MemoryMB < 0 || c.MemoryMB > memoryMaxMB:
		return fmt.Errorf("a limit is negative, or too large")
	}
	if c.MemoryMB == 0 {
		c.MemoryMB = memoryDefaultMB
	}
	if c.Scratch == "" {
		c.Scratch = filepath.Dir(c.Store)
	}
	return CheckAttributes(c.Attributes)
}

// number is the place of this server.
func (c *Config) number() int {
	return slices.IndexFunc(c.Servers, func(p Peer) bool { return p.Name == c.Name })
}

// names are those of all servers.
func (c *Config) names() (names []string) {
	for _, s := range c.Servers {
		names = append(names, s.Name)
	}
	return names
}
