package wire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// User is who asks.
type User struct {
	Names       []string // of all servers
	Addresses   []string
	Certificate tls.Certificate
	Roots       *x509.CertPool
}

// Ask asks all servers a query and adds up what they send: the sums of each group. It refuses a query whose sums might not
// fit. An error names the first server that failed; a refusal is a *RemoteError.
func (u *User) Ask(ctx context.Context, q *protocol.Query) ([]*moments.Moments, error) {
	if q.Servers != len(u.Names) || len(u.Names) != len(u.Addresses) {
		return nil, fmt.Errorf("a query to %d servers, with %d names and %d addresses", q.Servers, len(u.Names), len(u.Addresses))
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	first := make([]byte, labelBytes, labelBytes+len(text))
	rand.Read(first) // never fails
	first = append(first, text...)
	results := make([][]uint64, q.Servers)
	group, ctx := errgroup.WithContext(ctx)
	for j := range u.Names {
		group.Go(func() error {
			var err error
			if results[j], err = u.askOne(ctx, j, first, len(q.Groups)*q.Words()); err != nil {
				return fmt.Errorf("server %d (%s): %w", j, u.Names[j], err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return protocol.Sums(q, results...)
}

// askOne asks one server.
func (u *User) askOne(ctx context.Context, j int, query []byte, words int) ([]uint64, error) {
	d := tls.Dialer{Config: ClientTLS(u.Certificate, u.Roots, u.Names[j])}
	conn, err := d.DialContext(ctx, "tcp", u.Addresses[j])
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer watch(ctx, conn)()
	if err := writeFrame(conn, frameQuery, query); err != nil {
		return nil, told(ctx, err)
	}
	kind, body, err := readFrame(conn, 8*words)
	if err != nil {
		return nil, told(ctx, err)
	}
	if kind != frameResult || len(body) != 8*words {
		return nil, fmt.Errorf("a frame of kind %q and %d bytes in place of %d sums", kind, len(body), words)
	}
	out := make([]uint64, words)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(body[8*i:])
	}
	return out, nil
}
