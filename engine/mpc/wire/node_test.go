package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/kernels/moments"
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
	u := &User{Party: Party{Certificate: ca.issue(t, researcher, later), Roots: ca.pool}}
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
			Open: func(_ context.Context, user *x509.Certificate, _ [32]byte, text []byte) (*Opened, error) {
				if !slices.Equal(user.DNSNames, []string{researcher}) {
					return nil, fmt.Errorf("%v may not ask", user.DNSNames)
				}
				q := new(protocol.Query)
				return &Opened{Query: q, Shares: held[j]}, json.Unmarshal(text, q)
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

// ask asks a query as it is and adds up the results.
func ask(ctx context.Context, u *User, q *protocol.Query) ([]*moments.Moments, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	replies, err := u.Ask(ctx, NewLabel(), text)
	if err != nil {
		return nil, err
	}
	var words [][]uint64
	for _, r := range replies {
		words = append(words, r.Words)
	}
	return protocol.Sums(q, words...)
}

func (c *cluster) ask(ctx context.Context, q *protocol.Query) ([]*moments.Moments, error) {
	return ask(ctx, c.user, q)
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
			got, err := c.ask(within(t, time.Minute), &asked)
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
		}, want: "server-9.example: tls: "},
		{name: "a server is down", change: func(c *Config) {
			if c.Number == 1 {
				c.Open = nil
			}
		}, want: "server-1.example: dial tcp"},
		{name: "one server refuses", change: func(c *Config) {
			if c.Number == 2 {
				c.Open = func(context.Context, *x509.Certificate, [32]byte, []byte) (*Opened, error) {
					return nil, errors.New("the cohort is too small")
				}
			}
		}, want: "server-2.example: the cohort is too small"},
		{name: "a server lacks records", change: func(c *Config) {
			if c.Number == 0 {
				c.Open = func(context.Context, *x509.Certificate, [32]byte, []byte) (*Opened, error) {
					return &Opened{Query: q, Shares: protocol.Columns{{1}, {2}}}, nil
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
		{name: "servers with other records", change: func(c *Config) {
			c.Open = differently(c.Open, c.Number)
		}, query: func(q *protocol.Query) { q.Pairs = nil }, want: "another query"},
		{name: "a query that takes too long", change: func(c *Config) {
			c.QueryTimeout = 50 * time.Millisecond
			if c.Number == 0 {
				c.Open = func(ctx context.Context, _ *x509.Certificate, _ [32]byte, _ []byte) (*Opened, error) {
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
		_, err := ask(within(t, 20*time.Second), &u, &asked)
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

// differently lets servers be about different records.
func differently(open func(context.Context, *x509.Certificate, [32]byte, []byte) (*Opened, error), number int) func(context.Context, *x509.Certificate, [32]byte, []byte) (*Opened, error) {
	return func(ctx context.Context, user *x509.Certificate, label [32]byte, text []byte) (*Opened, error) {
		o, err := open(ctx, user, label, text)
		o.Query.About = []byte{byte(number)}
		return o, err
	}
}

// Values come through all servers to the user, who opens them; more of them than a frame holds.
func TestRetrieval(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	values := make([]int64, ValuesInFrame+5)
	for i := range values {
		values[i] = int64(i)*12345 - 1<<40
	}
	sk, refuse := testKeys()[0], false
	c := newCluster(t, [][]int64{values}, func(c *Config) {
		open := c.Open
		c.Open = func(ctx context.Context, user *x509.Certificate, label [32]byte, text []byte) (*Opened, error) {
			o, err := open(ctx, user, label, text)
			o.Key, o.Head = sk.Public(), []byte("head")
			if refuse {
				o.Query.About = []byte{byte(c.Number)}
			}
			return o, err
		}
	})
	defer c.stop()
	text, err := json.Marshal(&protocol.Query{Servers: 3, Columns: []protocol.Column{{Name: "x", Bound: 1 << 41}}, Groups: []int64{int64(len(values))}})
	if err != nil {
		t.Fatal(err)
	}
	replies, err := c.user.Ask(within(t, time.Minute), NewLabel(), text)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, message := range replies[2].Values {
		v, err := protocol.Retrieve(sk, 3, min(ValuesInFrame, len(values)-len(got)), message)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v...)
	}
	if !slices.Equal(got, values) || string(replies[0].Head) != "head" || len(replies[0].Values) != 0 {
		t.Errorf("%d values, head %q", len(got), replies[0].Head)
	}
	refuse = true
	if _, err := c.user.Ask(within(t, time.Minute), NewLabel(), text); err == nil || !strings.Contains(err.Error(), "another query") {
		t.Errorf("other records: %v", err)
	}
}

// Calls are answered in parts, one after the other on a connection; a refusal leaves it open.
func TestCalls(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	_, columns := testQuery()
	c := newCluster(t, columns, func(c *Config) {
		c.Call = func(_ context.Context, peer *x509.Certificate, method byte, body []byte, send func([]byte) error) error {
			if method != 'm' {
				return fmt.Errorf("%s asks for %q", peer.DNSNames[0], method)
			}
			return errors.Join(send(body), send([]byte("more")))
		}
	})
	defer c.stop()
	caller, err := c.user.Dial(within(t, time.Minute), serverName(1), c.user.Addresses[1])
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	for range 2 {
		var got []string
		if err := caller.Call(within(t, time.Minute), 'm', []byte("body"), func(b []byte) error { got = append(got, string(b)); return nil }); err != nil || !slices.Equal(got, []string{"body", "more"}) {
			t.Errorf("%q, %v", got, err)
		}
		var remote *RemoteError
		if err := caller.Call(within(t, time.Minute), 'n', nil, nil); !errors.As(err, &remote) || err.Error() != `researcher.example asks for 'n'` {
			t.Errorf("%v", err)
		}
	}
}

// A node ends what is under way when it stops, and a user who goes away ends the query.
func TestStops(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	q, columns := testQuery()
	begun, gone := make(chan struct{}, 3), make(chan struct{}, 3)
	wait := func(c *Config) {
		c.Open = func(ctx context.Context, _ *x509.Certificate, _ [32]byte, _ []byte) (*Opened, error) {
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
		_, err := c.ask(ctx, q)
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
		_, err := c.ask(context.Background(), q)
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
	n := &Node{Config: Config{Names: make([]string, 3), ConnectionsMax: 6}, sessions: map[[labelBytes]byte]*session{}, over: map[[labelBytes]byte]time.Time{}}
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
		n.part(label(1), s)
	}
	n.leave(label(1), s, nil)
	if s, err = n.session(label(1), true); err != nil {
		t.Errorf("the label again: %v", err)
	}
	n.leave(label(1), s, errors.New("refused"))
	if _, err := n.session(label(1), false); err != errEnded {
		t.Errorf("a server that is late: %v", err)
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
		"invalid character":           {frameQuery, make([]byte, labelBytes+1)},
		"a query to 9 servers":        {frameQuery, append(make([]byte, labelBytes), `{"Servers":9,"Columns":[],"Pairs":[],"Groups":[],"Sigma":0}`...)},
		"0 columns":                   {frameQuery, append(make([]byte, labelBytes), `{"Servers":3,"Columns":[],"Pairs":[],"Groups":[],"Sigma":0}`...)},
		"the connection ends: unexpe": {frameDirection, append(make([]byte, labelBytes), 0, 0)}, // a user is no server
	} {
		conn, err := tls.Dial("tcp", c.user.Addresses[1], ClientTLS(c.user.Certificate, c.user.Roots, serverName(1), nil))
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

// Each server notes an answer before its part of the values leaves.
func TestRetrievalIsNotedFirst(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	var mu sync.Mutex
	released, full := make([]int, 3), -1
	c := newCluster(t, [][]int64{{1, 2, 3}}, func(c *Config) {
		open, j := c.Open, c.Number
		c.Open = func(ctx context.Context, user *x509.Certificate, label [32]byte, text []byte) (*Opened, error) {
			o, err := open(ctx, user, label, text)
			o.Key = testKeys()[0].Public()
			o.Release = func() error {
				mu.Lock()
				defer mu.Unlock()
				if j == full {
					return errors.New("the disk is full")
				}
				released[j]++
				return nil
			}
			o.Shares = readFunc(func(ctx context.Context, dst []uint64, column int, first int64) error {
				mu.Lock()
				defer mu.Unlock()
				if released[j] != 1 {
					return fmt.Errorf("server %d reads shares when it has noted %d answers", j, released[j])
				}
				return nil
			})
			return o, err
		}
	})
	defer c.stop()
	text, err := json.Marshal(&protocol.Query{Servers: 3, Columns: []protocol.Column{{Name: "x", Bound: 10}}, Groups: []int64{3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.user.Ask(within(t, time.Minute), NewLabel(), text); err != nil {
		t.Error(err)
	}
	for j := range 3 {
		mu.Lock()
		released, full = make([]int, 3), j
		mu.Unlock()
		if _, err := c.user.Ask(within(t, time.Minute), NewLabel(), text); err == nil {
			t.Errorf("server %d cannot note the answer, and gives it", j)
		}
	}
}

// readFunc is shares that a function reads.
type readFunc func(ctx context.Context, dst []uint64, column int, first int64) error

func (f readFunc) Read(ctx context.Context, dst []uint64, column int, first int64) error {
	return f(ctx, dst, column, first)
}

// A caller whose certificate is revoked, or has expired, is not served any more over a connection that is open.
func TestCallsOfRevoked(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	_, columns := testQuery()
	var revoked atomic.Bool
	turned := make(chan string, 10)
	c := newCluster(t, columns, func(c *Config) {
		c.Check = func(leaf *x509.Certificate) error {
			if revoked.Load() && slices.Contains(leaf.DNSNames, researcher) {
				return errors.New("the certificate is revoked")
			}
			return nil
		}
		c.Turned = func(_ string, err error) { turned <- err.Error() }
		c.Call = func(context.Context, *x509.Certificate, byte, []byte, func([]byte) error) error { return nil }
	})
	defer c.stop()
	caller, err := c.user.Dial(within(t, time.Minute), serverName(1), c.user.Addresses[1])
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	if err := caller.Call(within(t, time.Minute), 'm', nil, nil); err != nil {
		t.Error(err)
	}
	revoked.Store(true)
	if err := caller.Call(within(t, time.Minute), 'm', nil, nil); err == nil || err.Error() != "the certificate is revoked" {
		t.Errorf("revoked: %v", err)
	} else if noted := <-turned; noted != "the certificate is revoked" {
		t.Errorf("the server notes %s", noted)
	}
	if err := caller.Call(within(t, time.Minute), 'm', nil, nil); err == nil {
		t.Error("revoked, and served")
	}
	n := &Node{}
	soon, past := &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}, &x509.Certificate{NotAfter: time.Now().Add(-time.Second)}
	if err := n.valid([]*x509.Certificate{soon, soon}); err != nil {
		t.Error(err)
	}
	for _, chain := range [][]*x509.Certificate{{past, soon}, {soon, past}} {
		if err := n.valid(chain); err == nil || !strings.Contains(err.Error(), "has expired") {
			t.Errorf("expired: %v", err)
		}
	}
}

// Connections for calls leave room for queries.
func TestCallsAreBounded(t *testing.T) {
	defer leaktest.Take().Check(t, "after the nodes have ended")
	q, columns := testQuery()
	c := newCluster(t, columns, func(c *Config) {
		c.ConnectionsMax = 8 // 2 for calls
		c.Call = func(context.Context, *x509.Certificate, byte, []byte, func([]byte) error) error { return nil }
	})
	defer c.stop()
	var open []*Caller
	call := func() error {
		caller, err := c.user.Dial(within(t, time.Minute), serverName(1), c.user.Addresses[1])
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, caller)
		return caller.Call(within(t, time.Minute), 'm', nil, nil)
	}
	defer func() {
		for _, caller := range open {
			caller.Close()
		}
	}()
	for n, want := range []string{"", "", BusyCalls, BusyCalls} {
		if err := call(); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("connection %d: %v", n+1, err)
		}
	}
	if _, err := c.ask(within(t, time.Minute), q); err != nil {
		t.Errorf("a query meanwhile: %v", err)
	}
	open[0].Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := call(); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("when one has gone: %v", err)
		}
	}
}
