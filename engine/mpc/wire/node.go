package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Config is what a node has.
type Config struct {
	Number      int      // of this server, from 0
	Names       []string // of all servers, as their certificates have them
	Addresses   []string // of all servers, host and port
	Certificate tls.Certificate
	Roots       *x509.CertPool // of servers and users
	Key         *paillier.SecretKey
	Keys        []*paillier.PublicKey // of all servers
	Pairs       []shares.PairKey      // secret keys with all servers

	// Check refuses certificates of servers and users that the roots do not. Nil refuses none.
	Check CheckFunc

	// Open finds what this server has for a query, or refuses it. All servers must find the same records, in the same order.
	Open func(ctx context.Context, peer *x509.Certificate, label [32]byte, text []byte) (*Opened, error)

	// Call answers a call: it sends the parts of the response. Nil refuses all.
	Call func(ctx context.Context, peer *x509.Certificate, method byte, body []byte, send func([]byte) error) error

	// Turned hears of connections that failed before they said what they want, such as without a certificate, and of callers
	// whose certificate was revoked or has expired since they connected. Nil ignores them.
	Turned func(from string, err error)

	QueryTimeout   time.Duration // 0 means QueryTimeoutDefault
	ConnectionsMax int           // at one time; 0 means ConnectionsDefault
	Workers        int           // of a query and direction; 0 means one for each CPU
	Log            *slog.Logger  // nil discards
}

// Opened is what a server has for a query.
type Opened struct {
	Query  *protocol.Query
	Shares protocol.Shares
	Key    *paillier.PublicKey // of a user who retrieves the values of the first column; nil for sums
	Head   []byte              // for the user, before the result

	// Release is called before the first word goes to the user, and in a retrieval before the first value goes to anybody. When it
	// returns an error, the user gets that. Nil does nothing.
	Release func() error
	// Close is called once, with the error of the query. Nil does nothing.
	Close func(error)
}

// Defaults of Config.
const (
	QueryTimeoutDefault = 10 * time.Minute
	ConnectionsDefault  = 64
)

const (
	greetTimeout  = 10 * time.Second // for a handshake and the first frame
	meetTimeout   = 30 * time.Second // for a user's query, which may come later here than to another server
	idleTimeout   = 5 * time.Minute  // between two calls
	firstBytesMax = 16 << 20         // of a query or a call
	resultTimeout = time.Minute      // for a user to take the result
	labelBytes    = 32
)

// Node is a data server that answers queries.
type Node struct {
	Config
	mu       sync.Mutex
	sessions map[[labelBytes]byte]*session
	queries  int                            // of users, under way
	calls    int                            // connections for calls
	over     map[[labelBytes]byte]time.Time // queries that failed here lately: other servers need not wait for them
}

// session is a query that a user asked, or that another server is already about.
type session struct {
	ready   chan struct{}    // closed when server is known
	server  *protocol.Server // set before ready is closed
	ended   chan struct{}    // closed when the query has ended, however
	asked   bool
	waiting int        // connections of owners
	accept  chan error // the result of each owner's direction
	passed  chan pass  // the connection of the server before, in a retrieval
}

// pass is a connection of the server before this one. The session closes done when it needs it no more.
type pass struct {
	conn net.Conn
	done chan struct{}
}

// NewNode checks a configuration.
func NewNode(c Config) (*Node, error) {
	n := len(c.Names)
	if n < 2 || n > protocol.ServersMax || len(c.Addresses) != n || len(c.Keys) != n || len(c.Pairs) != n || c.Number < 0 || c.Number >= n {
		return nil, fmt.Errorf("server %d: %d names, %d addresses, %d keys and %d keys of pairs", c.Number, n, len(c.Addresses), len(c.Keys), len(c.Pairs))
	}
	if c.Keys[c.Number].Fingerprint() != c.Key.Public().Fingerprint() {
		return nil, fmt.Errorf("server %d has another secret key than the others know it by", c.Number)
	}
	if c.QueryTimeout <= 0 {
		c.QueryTimeout = QueryTimeoutDefault
	}
	if c.ConnectionsMax <= 0 {
		c.ConnectionsMax = ConnectionsDefault
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Node{Config: c, sessions: map[[labelBytes]byte]*session{}, over: map[[labelBytes]byte]time.Time{}}, nil
}

// Serve answers connections until ctx ends or the listener fails. Then it ends what is under way, and returns when all of it
// has ended. It closes the listener.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel() // before the wait
	places := make(chan struct{}, n.ConnectionsMax)
	config := ServerTLS(n.Certificate, n.Roots, n.Check)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		raw, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		group.Go(func() {
			defer func() { <-places }()
			conn := tls.Server(raw, config)
			defer conn.Close()
			if err := n.handle(ctx, conn); err != nil {
				n.Log.Warn("connection", "from", raw.RemoteAddr().String(), "error", err.Error())
			}
		})
	}
}

// handle serves one connection: a user's query, or the direction of another server.
func (n *Node) handle(ctx context.Context, conn *tls.Conn) error {
	greet, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	stop := watch(greet, conn)
	err := conn.HandshakeContext(greet)
	var kind byte
	var body []byte
	if err == nil {
		kind, body, err = readFrame(conn, firstBytesMax)
	}
	stop()
	if err != nil {
		err = told(greet, err)
		if n.Turned != nil && ctx.Err() == nil {
			n.Turned(conn.RemoteAddr().String(), err)
		}
		return err
	}
	if kind == frameCall {
		return n.admitCalls(ctx, conn, body)
	}
	if len(body) < labelBytes {
		return fmt.Errorf("a first frame of %d bytes", len(body))
	}
	label := [labelBytes]byte(body)
	ctx, cancelQuery := context.WithTimeout(ctx, n.QueryTimeout)
	defer cancelQuery()
	switch kind {
	case frameQuery:
		return n.answer(ctx, conn, label, body[labelBytes:])
	case frameDirection, framePass:
		return n.servePeer(ctx, conn, kind, label, body[labelBytes:])
	}
	return fmt.Errorf("a first frame of kind %q", kind)
}

// session finds or begins what is known of a label. asked says that it is for a user, who comes once.
func (n *Node) session(label [labelBytes]byte, asked bool) (*session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, over := n.over[label]; over && !asked {
		return nil, errEnded
	}
	s := n.sessions[label]
	if s == nil {
		s = &session{ready: make(chan struct{}), ended: make(chan struct{}), accept: make(chan error, len(n.Names)), passed: make(chan pass, 1)}
		n.sessions[label] = s
	}
	if asked {
		if s.asked {
			return nil, errors.New("a query with this label is under way")
		}
		if n.queries == n.share() { // the rest is for the other servers
			return nil, errors.New("the server is busy with other queries")
		}
		n.queries++
		s.asked = true
		return s, nil
	}
	if s.waiting++; s.waiting > len(n.Names) {
		s.waiting--
		return nil, errors.New("more connections for this query than there are servers")
	}
	return s, nil
}

// share is how many connections there may be for users' queries, and how many for calls.
func (n *Node) share() int { return max(1, n.ConnectionsMax/len(n.Names)) }

// errEnded is told servers that are still about a query that has ended here, for whatever reason.
var errEnded = errors.New("the query has ended there")

// leave forgets the session of a query that has ended. When it failed, other servers that come later need not wait for it.
func (n *Node) leave(label [labelBytes]byte, s *session, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queries--
	close(s.ended)
	delete(n.sessions, label)
	if err == nil {
		return
	}
	for l, at := range n.over {
		if time.Since(at) > meetTimeout {
			delete(n.over, l)
		}
	}
	n.over[label] = time.Now()
}

// part forgets a connection of another server for a query, and the session when nobody is about it.
func (n *Node) part(label [labelBytes]byte, s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.waiting--; s.waiting == 0 && !s.asked && n.sessions[label] == s {
		delete(n.sessions, label)
	}
}

// servePeer takes part in a direction of another server, or in a retrieval.
func (n *Node) servePeer(ctx context.Context, conn *tls.Conn, kind byte, label [labelBytes]byte, body []byte) error {
	if len(body) != 2 {
		return fmt.Errorf("a direction of %d bytes", len(body))
	}
	owner := int(binary.BigEndian.Uint16(body))
	if owner >= len(n.Names) || kind == framePass && owner != n.Number-1 {
		return fmt.Errorf("a direction of server %d", owner)
	}
	if err := CheckName(conn, n.Names[owner]); err != nil {
		return err
	}
	give := func(err error) error { // up, and tell the owner why
		_ = conn.SetDeadline(time.Now().Add(drainSeconds * time.Second))
		writeError(conn, err)
		_, _ = io.Copy(io.Discard, conn)
		return err
	}
	s, err := n.session(label, false)
	if err != nil {
		return give(err)
	}
	defer n.part(label, s)
	for meet := time.After(meetTimeout); ; meet = nil {
		select {
		case <-s.ready:
		case <-s.ended:
			return give(errEnded)
		case <-meet:
			n.mu.Lock()
			asked := s.asked
			n.mu.Unlock()
			if asked { // and the records are being read
				continue
			}
			return give(fmt.Errorf("no user asked what %s is about", n.Names[owner]))
		case <-ctx.Done():
			return give(context.Cause(ctx))
		}
		break
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // the query may end first
		select {
		case <-s.ended:
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	if kind == framePass {
		p := pass{conn, make(chan struct{})}
		select {
		case s.passed <- p: // there is room for one
		default:
			return give(errors.New("a second connection of the server before"))
		}
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		return nil
	}
	err = Accept(ctx, conn, s.server, owner)
	if err != nil {
		err = fmt.Errorf("%s: %w", n.Names[owner], err)
	}
	s.accept <- err // there is room for all servers
	return err
}

// answer answers a user's query.
func (n *Node) answer(ctx context.Context, conn *tls.Conn, label [labelBytes]byte, body []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a user who goes away ends the query; one who stays says nothing more
		_, _ = conn.Read(make([]byte, 1))
		cancel()
	}()
	s, err := n.session(label, true)
	if err == nil {
		var opened *Opened
		if opened, err = n.Open(ctx, conn.ConnectionState().VerifiedChains[0][0], label, body); err == nil {
			err = n.compute(ctx, conn, s, label, opened)
			if opened.Close != nil {
				opened.Close(err)
			}
		}
		n.leave(label, s, err)
	}
	if err != nil {
		_ = conn.SetDeadline(time.Now().Add(resultTimeout))
		writeError(conn, err)
	}
	return err
}

// compute computes the result and sends it.
func (n *Node) compute(ctx context.Context, conn *tls.Conn, s *session, label [labelBytes]byte, opened *Opened) error {
	q := opened.Query
	if q.Servers != len(n.Names) {
		return fmt.Errorf("a query to %d servers; there are %d", q.Servers, len(n.Names))
	}
	if err := q.Check(); err != nil {
		return err
	}
	server, err := protocol.NewServer(protocol.Config{Query: q, Number: n.Number, Key: n.Key, Keys: n.Keys, Pairs: n.Pairs, Label: label[:], Shares: opened.Shares, Workers: n.Workers})
	if err != nil {
		return err
	}
	s.server = server
	close(s.ready)
	if opened.Key != nil {
		return n.pass(ctx, conn, s, label, server, opened)
	}
	// Without pairs there is nothing to multiply, but each two servers compare what they were asked.
	peers := protocol.Peers(len(n.Names), n.Number)
	group, inner := errgroup.WithContext(ctx)
	for _, peer := range peers {
		group.Go(func() error {
			if err := n.offer(inner, label, server, peer); err != nil {
				return fmt.Errorf("%s: %w", n.Names[peer], err)
			}
			return nil
		})
	}
	group.Go(func() error {
		for range len(n.Names) - 1 - len(peers) {
			select {
			case err := <-s.accept:
				if err != nil {
					return err
				}
			case <-inner.Done():
				return context.Cause(inner)
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	words, err := server.Result(ctx)
	if err != nil {
		return err
	}
	out := make([]byte, 8*len(words))
	for i, w := range words {
		binary.BigEndian.PutUint64(out[8*i:], w)
	}
	if err := opened.release(); err != nil {
		return err
	}
	if err := n.head(conn, opened); err != nil {
		return err
	}
	return writeFrame(conn, frameResult, out)
}

// release calls Release.
func (o *Opened) release() error {
	if o.Release == nil {
		return nil
	}
	return o.Release()
}

// head begins what the user gets. Release was called before.
func (n *Node) head(conn net.Conn, opened *Opened) error {
	_ = conn.SetDeadline(time.Now().Add(resultTimeout))
	return writeFrame(conn, frameHead, opened.Head)
}

// offer opens a direction to a peer.
func (n *Node) offer(ctx context.Context, label [labelBytes]byte, server *protocol.Server, peer int) error {
	conn, err := n.dial(ctx, frameDirection, label, peer)
	if err != nil {
		return err
	}
	defer conn.Close()
	return Offer(ctx, conn, server, peer)
}

// dial connects to another server for a query.
func (n *Node) dial(ctx context.Context, kind byte, label [labelBytes]byte, peer int) (net.Conn, error) {
	d := tls.Dialer{Config: ClientTLS(n.Certificate, n.Roots, n.Names[peer], n.Check)}
	conn, err := d.DialContext(ctx, "tcp", n.Addresses[peer])
	if err != nil {
		return nil, err
	}
	if err := writeFrame(conn, kind, binary.BigEndian.AppendUint16(label[:], uint16(n.Number))); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
