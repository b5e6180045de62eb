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
	"github.com/cipherfold/cipherfold/internal/strictjson"
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

	// Open returns this server's shares for a query, or refuses it. The user's certificate is for these names. All servers
	// must find the same records, in the same order.
	Open func(ctx context.Context, user []string, q *protocol.Query) (protocol.Shares, error)

	QueryTimeout   time.Duration // 0 means QueryTimeoutDefault
	ConnectionsMax int           // at one time; 0 means ConnectionsDefault
	Workers        int           // of a query and direction; 0 means one for each CPU
	Log            *slog.Logger  // nil discards
}

// Defaults of Config.
const (
	QueryTimeoutDefault = 10 * time.Minute
	ConnectionsDefault  = 64
)

const (
	greetTimeout  = 10 * time.Second // for a handshake and the first frame
	meetTimeout   = 30 * time.Second // for a user's query, which may come later here than to another server
	queryBytesMax = 16 << 20         // of a query as JSON
	resultTimeout = time.Minute      // for a user to take the result
	labelBytes    = 32
)

// Node is a data server that answers queries.
type Node struct {
	Config
	mu       sync.Mutex
	sessions map[[labelBytes]byte]*session
	queries  int // of users, under way
}

// session is a query that a user asked, or that another server is already about.
type session struct {
	ready   chan struct{}    // closed when server is known
	server  *protocol.Server // set before ready is closed
	ended   chan struct{}    // closed when the query has ended, however
	asked   bool
	waiting int        // connections of owners
	accept  chan error // the result of each owner's direction
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
	return &Node{Config: c, sessions: map[[labelBytes]byte]*session{}}, nil
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
	config := ServerTLS(n.Certificate, n.Roots)
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
		kind, body, err = readFrame(conn, queryBytesMax+labelBytes)
	}
	stop()
	if err != nil {
		return told(greet, err)
	}
	if len(body) < labelBytes {
		return fmt.Errorf("a first frame of %d bytes", len(body))
	}
	label := [labelBytes]byte(body)
	ctx, cancelQuery := context.WithTimeout(ctx, n.QueryTimeout)
	defer cancelQuery()
	switch kind {
	case frameQuery:
		err = n.answer(ctx, conn, label, body[labelBytes:])
	case frameDirection:
		err = n.serveOwner(ctx, conn, label, body[labelBytes:])
	default:
		err = fmt.Errorf("a first frame of kind %q", kind)
	}
	return err
}

// session finds or begins what is known of a label. asked says that it is for a user, who comes once.
func (n *Node) session(label [labelBytes]byte, asked bool) (*session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sessions[label]
	if s == nil {
		s = &session{ready: make(chan struct{}), ended: make(chan struct{}), accept: make(chan error, len(n.Names))}
		n.sessions[label] = s
	}
	if asked {
		if s.asked {
			return nil, errors.New("a query with this label is under way")
		}
		if n.queries == max(1, n.ConnectionsMax/len(n.Names)) { // the rest is for the other servers
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

// errEnded is told servers that are still about a query that has ended here, for whatever reason.
var errEnded = errors.New("the query has ended there")

// leave forgets a session when nobody is about it any more.
func (n *Node) leave(label [labelBytes]byte, s *session, asked bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if asked {
		n.queries--
		close(s.ended)
		delete(n.sessions, label) // owners that come later wait in vain for a new one
		return
	}
	if s.waiting--; s.waiting == 0 && !s.asked && n.sessions[label] == s {
		delete(n.sessions, label)
	}
}

// serveOwner takes part in a direction of another server.
func (n *Node) serveOwner(ctx context.Context, conn *tls.Conn, label [labelBytes]byte, body []byte) error {
	if len(body) != 2 {
		return fmt.Errorf("a direction of %d bytes", len(body))
	}
	owner := int(binary.BigEndian.Uint16(body))
	if owner >= len(n.Names) {
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
	defer n.leave(label, s, false)
	select {
	case <-s.ready:
	case <-s.ended:
		return give(errEnded)
	case <-time.After(meetTimeout):
		return give(fmt.Errorf("no user asked what server %d is about", owner))
	case <-ctx.Done():
		return give(context.Cause(ctx))
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
	err = Accept(ctx, conn, s.server, owner)
	if err != nil {
		err = fmt.Errorf("server %d: %w", owner, err)
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
	words, err := n.compute(ctx, conn, label, body)
	_ = conn.SetDeadline(time.Now().Add(resultTimeout))
	if err != nil {
		writeError(conn, err)
		return err
	}
	out := make([]byte, 8*len(words))
	for i, w := range words {
		binary.BigEndian.PutUint64(out[8*i:], w)
	}
	return writeFrame(conn, frameResult, out)
}

func (n *Node) compute(ctx context.Context, conn *tls.Conn, label [labelBytes]byte, body []byte) ([]uint64, error) {
	q := new(protocol.Query)
	if err := strictjson.Decode(body, q); err != nil {
		return nil, fmt.Errorf("the query is not one: %w", err)
	}
	if q.Servers != len(n.Names) {
		return nil, fmt.Errorf("a query to %d servers; there are %d", q.Servers, len(n.Names))
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	user := conn.ConnectionState().VerifiedChains[0][0].DNSNames
	held, err := n.Open(ctx, user, q)
	if err != nil {
		return nil, err
	}
	s, err := n.session(label, true)
	if err != nil {
		return nil, err
	}
	defer n.leave(label, s, true)
	server, err := protocol.NewServer(protocol.Config{Query: q, Number: n.Number, Key: n.Key, Keys: n.Keys, Pairs: n.Pairs, Label: label[:], Shares: held, Workers: n.Workers})
	if err != nil {
		return nil, err
	}
	s.server = server
	close(s.ready)
	peers := protocol.Peers(len(n.Names), n.Number)
	if len(q.Pairs) > 0 {
		group, ctx := errgroup.WithContext(ctx)
		for _, peer := range peers {
			group.Go(func() error {
				if err := n.offer(ctx, label, server, peer); err != nil {
					return fmt.Errorf("server %d: %w", peer, err)
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
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	return server.Result(ctx)
}

// offer opens a direction to a peer.
func (n *Node) offer(ctx context.Context, label [labelBytes]byte, server *protocol.Server, peer int) error {
	d := tls.Dialer{Config: ClientTLS(n.Certificate, n.Roots, n.Names[peer])}
	conn, err := d.DialContext(ctx, "tcp", n.Addresses[peer])
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := writeFrame(conn, frameDirection, binary.BigEndian.AppendUint16(label[:], uint16(n.Number))); err != nil {
		return err
	}
	return Offer(ctx, conn, server, peer)
}
