package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// cluster is three nodes of this process that hold two columns, and a user whom they know.
type cluster struct {
	user *User
	ca   *authority
	stop func() // ends all nodes and waits for them
}

const researcher = "researcher.example"

func newCluster(t *testing.T, columns [][]int64, change func(*Config)) *cluster {
	t.Helper()
	ca, later := newAuthority(t), time.Now().Add(time.Hour)
	held := make([]protocol.Columns, 3)
	for _, c := range columns {
		values, s := make([]uint64, len(c)), [][]uint64{make([]uint64, len(c)), make([]uint64, len(c)), make([]uint64, len(c))}
		for i, x := range c {
			values[i] = uint64(x)
		}
		shares.Split(s, values, shares.NewStream())
		for j := range s {
			held[j] = append(held[j], s[j])
		}
	}
	u := &User{Certificate: ca.issue(t, researcher, later), Roots: ca.pool}
	var public []*paillier.PublicKey
	var listeners []net.Listener
	for j, sk := range testKeys() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, public = append(listeners, l), append(public, sk.Public())
		u.Names, u.Addresses = append(u.Names, serverName(j)), append(u.Addresses, l.Addr().String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for j, sk := range testKeys() {
		pairs := make([]shares.PairKey, 3)
		for k := range pairs {
			pairs[k] = shares.PairKey{byte(min(j, k)), byte(max(j, k))}
		}
		c := Config{Number: j, Names: u.Names, Addresses: u.Addresses, Certificate: ca.issue(t, serverName(j), later), Roots: ca.pool, Key: sk, Keys: public, Pairs: pairs,
			Open: func(_ context.Context, user []string, q *protocol.Query) (protocol.Shares, error) {
				if len(user) != 1 || user[0] != researcher {
					return nil, fmt.Errorf("%v may not ask", user)
				}
				return held[j], nil
			}, Workers: 1}
		if change != nil {
			change(&c)
		}
		if c.Open == nil { // this one is down
			listeners[j].Close()
			continue
		}
		n, err := NewNode(c)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			if err := n.Serve(ctx, listeners[j]); err != nil {
				t.Errorf("server %d: %v", j, err)
			}
		})
	}
	return &cluster{user: u, ca: ca, stop: func() { cancel(); group.Wait() }}
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Users get the plain sums from three nodes, also when several ask at once, and nothing is left afterwards.
func TestAsk(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	q, columns := testQuery()
	c := newCluster(t, columns, nil)
	defer c.stop()
	var group sync.WaitGroup
	for k := range 4 {
		group.Go(func() {
			asked := *q
			if k == 3 {
				asked.Pairs = nil // sums only
			}
			got, err := c.user.Ask(within(t, time.Minute), &asked)
			if err != nil {
				t.Errorf("query %d: %v", k, err)
				return
			}
			first := int64(0)
			for g, n := range asked.Groups {
				sum := int64(0)
				for _, x := range columns[0][first : first+n] {
					sum += x
				}
				if got[g].Sums[0].Int64() != sum {
					t.Errorf("query %d, group %d: the sum is %s, not %d", k, g, got[g].Sums[0], sum)
				}
				for _, p := range asked.Pairs {
					want := int64(0)
					for i := first; i < first+n; i++ {
						want += columns[p[0]][i] * columns[p[1]][i]
					}
					if x := got[g].Product(p[0], p[1]); x.Int64() != want {
						t.Errorf("query %d, group %d, pair %v: %s, not %d", k, g, p, x, want)
					}
				}
				first += n
			}
		})
	}
	group.Wait()
}

// Each refusal reaches the user in words, and soon.
func TestRefusals(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	q, columns := testQuery()
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name   string
		change func(*Config)
		user   func(*cluster, *User)
		query  func(*protocol.Query)
		want   string
	}{
		{name: "a user whom nobody knows", user: func(c *cluster, u *User) { u.Certificate = c.ca.issue(t, "stranger.example", later) }, want: "[stranger.example] may not ask"},
		{name: "a user of another authority", user: func(_ *cluster, u *User) { u.Certificate = newAuthority(t).issue(t, researcher, later) }, want: "tls: "},
		{name: "a server of another name", user: func(_ *cluster, u *User) {
			u.Names = []string{serverName(0), serverName(1), "server-9.example"}
		}, want: "server 2 (server-9.example): tls: "},
		{name: "a server is down", change: func(c *Config) {
			if c.Number == 1 {
				c.Open = nil
			}
		}, want: "server 1"},
		{name: "one server refuses", change: func(c *Config) {
			if c.Number == 2 {
				c.Open = func(context.Context, []string, *protocol.Query) (protocol.Shares, error) {
					return nil, errors.New("the cohort is too small")
				}
			}
		}, want: "server 2 (server-2.example): the other server: the cohort is too small"},
		{name: "a server lacks records", change: func(c *Config) {
			if c.Number == 0 {
				c.Open = func(context.Context, []string, *protocol.Query) (protocol.Shares, error) {
					return protocol.Columns{{1}, {2}}, nil
				}
			}
		}, want: "no shares of records"},
		{name: "a server knows another key", change: func(c *Config) {
			if c.Number == 0 {
				c.Keys = []*paillier.PublicKey{c.Keys[0], c.Keys[1], c.Keys[1]}
			}
		}, want: "another query, or knows other keys"},
		{name: "sums that might not fit", query: func(q *protocol.Query) { q.Columns = []protocol.Column{{Name: "x", Bound: 1 << 40}, q.Columns[1]} }, want: "might not fit 63 bits"},
		{name: "two servers", query: func(q *protocol.Query) { q.Servers = 2 }, want: "a query to 2 servers"},
		{name: "a query that takes too long", change: func(c *Config) {
			c.QueryTimeout = 50 * time.Millisecond
			if c.Number == 0 {
				c.Open = func(ctx context.Context, _ []string, _ *protocol.Query) (protocol.Shares, error) {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}
			}
		}, want: "deadline exceeded"},
	} {
		cluster := newCluster(t, columns, c.change)
		u, asked := *cluster.user, *q
		if c.user != nil {
			c.user(cluster, &u)
		}
		if c.query != nil {
			c.query(&asked)
		}
		start := time.Now()
		_, err := u.Ask(within(t, 20*time.Second), &asked)
		// Which server's error comes first is a matter of time: the one at fault, or one that heard that its query has ended.
		if err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), errEnded.Error()) {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("%s: refused after %v", c.name, d)
		}
		cluster.stop()
	}
}

// A node ends what is under way when it stops, and a user who goes away ends the query.
func TestStops(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	q, columns := testQuery()
	begun, gone := make(chan struct{}, 3), make(chan struct{}, 3)
	wait := func(c *Config) {
		c.Open = func(ctx context.Context, _ []string, _ *protocol.Query) (protocol.Shares, error) {
			begun <- struct{}{}
			<-ctx.Done()
			gone <- struct{}{}
			return nil, context.Cause(ctx)
		}
	}
	c := newCluster(t, columns, wait)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := c.user.Ask(ctx, q)
		done <- err
	}()
	for range 3 {
		<-begun
	}
	cancel()
	for range 3 {
		<-gone
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a user who goes away: %v", err)
	}
	go func() {
		_, err := c.user.Ask(context.Background(), q)
		done <- err
	}()
	for range 3 {
		<-begun
	}
	c.stop()
	if err := <-done; err == nil {
		t.Error("a query is answered by nodes that stop")
	}
}

// A label serves one query at a time, and there is a bound on queries and on connections for one.
func TestSessions(t *testing.T) {
	n := &Node{Config: Config{Names: make([]string, 3), ConnectionsMax: 6}, sessions: map[[labelBytes]byte]*session{}}
	label := func(i byte) [labelBytes]byte { return [labelBytes]byte{i} }
	for range 3 {
		if _, err := n.session(label(1), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.session(label(1), false); err == nil {
		t.Error("a fourth connection")
	}
	s, err := n.session(label(1), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.session(label(1), true); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("the same label: %v", err)
	}
	if _, err := n.session(label(2), true); err != nil {
		t.Error(err)
	}
	if _, err := n.session(label(3), true); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a third query: %v", err)
	}
	for range 3 {
		n.leave(label(1), s, false)
	}
	n.leave(label(1), s, true)
	if _, err := n.session(label(1), true); err != nil {
		t.Errorf("the label again: %v", err)
	}
}

// First frames that are none end the connection, and a node's configuration is checked.
func TestNodeMistakes(t *testing.T) {
	_, columns := testQuery()
	c := newCluster(t, columns, nil)
	defer c.stop()
	for want, frame := range map[string]struct {
		kind byte
		body []byte
	}{
		"connection ends":             {frameHello, make([]byte, labelBytes)},
		"connection ends: ":           {frameQuery, []byte{1}},
		"the query is not one":        {frameQuery, make([]byte, labelBytes+1)},
		"a query to 9 servers":        {frameQuery, append(make([]byte, labelBytes), `{"Servers":9,"Columns":[],"Pairs":[],"Groups":[],"Sigma":0}`...)},
		"0 columns":                   {frameQuery, append(make([]byte, labelBytes), `{"Servers":3,"Columns":[],"Pairs":[],"Groups":[],"Sigma":0}`...)},
		"the connection ends: unexpe": {frameDirection, append(make([]byte, labelBytes), 0, 0)}, // a user is no server
	} {
		conn, err := tls.Dial("tcp", c.user.Addresses[1], ClientTLS(c.user.Certificate, c.user.Roots, serverName(1)))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if err := writeFrame(conn, frame.kind, frame.body); err != nil {
			t.Error(err)
		}
		if _, _, err := readFrame(conn, 8); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, ": ")) {
			t.Errorf("%s: %v", want, err)
		}
		conn.Close()
	}
	for _, bad := range []Config{{}, {Names: make([]string, 3), Addresses: make([]string, 2)}, {Number: 0, Names: make([]string, 2), Addresses: make([]string, 2), Pairs: make([]shares.PairKey, 2),
		Keys: []*paillier.PublicKey{testKeys()[1].Public(), testKeys()[0].Public()}, Key: testKeys()[0]}} {
		if _, err := NewNode(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
