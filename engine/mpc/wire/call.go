package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// BusyCalls is what a server answers that has too many connections for calls.
const BusyCalls = "the server is busy with other calls"

// admitCalls is serveCalls, for as many connections as leave room for queries.
func (n *Node) admitCalls(ctx context.Context, conn *tls.Conn, body []byte) error {
	n.mu.Lock()
	busy := n.calls == n.share()
	if !busy {
		n.calls++
	}
	n.mu.Unlock()
	if busy {
		err := errors.New(BusyCalls)
		_ = conn.SetDeadline(time.Now().Add(resultTimeout))
		writeError(conn, err)
		return err
	}
	defer func() {
		n.mu.Lock()
		n.calls--
		n.mu.Unlock()
	}()
	return n.serveCalls(ctx, conn, body)
}

// valid refuses certificates that have expired since a connection was made, or that Check refuses by now.
func (n *Node) valid(chain []*x509.Certificate) error {
	for _, c := range chain {
		if time.Now().After(c.NotAfter) {
			return fmt.Errorf("the certificate of %q has expired", c.Subject.CommonName)
		}
	}
	if n.Check != nil {
		return n.Check(chain[0])
	}
	return nil
}

// serveCalls answers calls of a connection until it ends. body is that of the first one.
func (n *Node) serveCalls(ctx context.Context, conn *tls.Conn, body []byte) error {
	defer watch(ctx, conn)()
	chain := conn.ConnectionState().VerifiedChains[0]
	peer := chain[0]
	for {
		if len(body) == 0 {
			return fmt.Errorf("a call of 0 bytes")
		}
		if err := n.valid(chain); err != nil {
			if n.Turned != nil {
				n.Turned(conn.RemoteAddr().String(), err)
			}
			_ = conn.SetDeadline(time.Now().Add(resultTimeout))
			writeError(conn, err)
			return err
		}
		err := errNoCalls
		if n.Call != nil {
			err = n.Call(ctx, peer, body[0], body[1:], func(part []byte) error {
				_ = conn.SetWriteDeadline(time.Now().Add(resultTimeout))
				return writeFrame(conn, framePart, part)
			})
		}
		_ = conn.SetWriteDeadline(time.Now().Add(resultTimeout))
		if err != nil {
			writeError(conn, err)
		} else if err := writeFrame(conn, frameEnd, nil); err != nil {
			return told(ctx, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		_ = conn.SetReadDeadline(time.Now().Add(idleTimeout))
		var kind byte
		if kind, body, err = readFrame(conn, firstBytesMax); err != nil {
			return nil // whoever called has gone
		}
		if kind != frameCall {
			return fmt.Errorf("a frame of kind %q in place of a call", kind)
		}
	}
}

// Caller is a connection for calls to one server. It serves one goroutine at a time.
type Caller struct {
	conn net.Conn
}

// Party is who connects to servers.
type Party struct {
	Certificate tls.Certificate
	Roots       *x509.CertPool
	Check       CheckFunc // of the servers' certificates
}

// Dial connects to a server for calls.
func (p Party) Dial(ctx context.Context, name, address string) (*Caller, error) {
	d := tls.Dialer{Config: ClientTLS(p.Certificate, p.Roots, name, p.Check)}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Caller{conn}, nil
}

// Call asks for something and hands over the parts of the response, which it reads until the end. A refusal is a
// *RemoteError, after which the connection serves on; after any other error it is of no use.
func (c *Caller) Call(ctx context.Context, method byte, body []byte, part func([]byte) error) error {
	defer watch(ctx, c.conn)()
	if err := writeFrame(c.conn, frameCall, append([]byte{method}, body...)); err != nil {
		return told(ctx, err)
	}
	for {
		kind, body, err := readFrame(c.conn, firstBytesMax)
		if err != nil {
			return told(ctx, err)
		}
		switch {
		case kind == frameEnd:
			return nil
		case kind != framePart || part == nil:
			return fmt.Errorf("a frame of kind %q in the response to a call", kind)
		}
		if err := part(body); err != nil {
			return err
		}
	}
}

// Close ends the connection.
func (c *Caller) Close() error { return c.conn.Close() }
